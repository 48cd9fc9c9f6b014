"""Stateless seeding: random numbers that depend on where a run is, not on how it got there."""

import random
from collections.abc import Iterator
from enum import IntEnum

import numpy as np
import torch

_WORD = 2**32


class Stream(IntEnum):
    """What random numbers are drawn for. Two streams never share a seed, whatever the place.

    The numbers are part of every seed: a stream keeps its own for ever, a new one takes the next.
    """

    ORDER = 1
    """Which samples are drawn: (seed, number of the stream)."""
    SAMPLE = 2
    """How a sample is changed: (seed, rank, draw of the rank)."""
    STEP = 3
    """Dropout, stochastic depth and box sampling of a step: (seed, rank, iteration)."""
    TOOL = 4
    """What tools draw outside of a run."""


def seed_words(stream: Stream, seed: int, *place: int) -> list[int]:
    """The words of 32 bits that a stream is seeded by at a place, others for any other place.

    NumPy's ``SeedSequence`` alone does not tell places apart: it fills up with zeros, so that
    ``(1, 2)`` and ``(1, 2, 0)`` are one, and cuts large numbers into words, so that ``(2**32, 5)``
    and ``(0, 1, 5)`` are. Here the stream comes first, then how many numbers there are, then each
    in two words.

    Raises:
        ValueError: A number is negative or has more than 64 bits.
    """
    numbers = (seed, *place)
    return [int(Stream(stream)), len(numbers), *(half for n in numbers for half in _halves(n))]


def _halves(number: int) -> Iterator[int]:
    if not 0 <= number < _WORD**2:
        raise ValueError(f'expected numbers of 0 to 2**64 - 1 to seed by, got {number}')
    yield from divmod(int(number), _WORD)


def generator(stream: Stream, seed: int, *place: int) -> np.random.Generator:
    """A generator of its own for a place in a stream."""
    return np.random.default_rng(seed_words(stream, seed, *place))


def seed_all(stream: Stream, seed: int, *place: int) -> None:
    """Seed Python, NumPy and torch (all devices) of this process for a place in a stream."""
    words = np.random.SeedSequence(seed_words(stream, seed, *place)).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed(int(words[2]))
