"""Damaged JPEGs by kind: each is examined with the note that it must carry, or refused.

``make test TESTS=0 ARGS='-m slow -s tests/fuzz/test_damaged_jpegs.py'`` reads all 10,000.
"""

import re
from collections import Counter
from functools import lru_cache

import jpeg_damage
import numpy as np
import pytest
from seeds import Seed, all_seeds, picture, saved

from mmomni.apis import Failure
from mmomni.apis.inputs import Source
from mmomni.apis.samples import try_to_read

NUMBER_OF_FILES = 10_000
MAX_PIXELS = 1_000_000


@lru_cache(maxsize=1)
def jpegs():
    """The seeds that are JPEGs, and larger ones."""
    large = picture(150, 210, seed=4)
    grey = large.convert('L')
    return [seed for seed in all_seeds() if seed.format == 'JPEG'] + [
        Seed('JPEG', kind, saved(image, 'JPEG', **options))
        for kind, image, options in [
            ('progressive, restarts', large, dict(progressive=True, restart_marker_blocks=5)),
            ('restarts in each row', large, dict(restart_marker_rows=1, quality=85)),
            ('restarts, 4:2:0', large, dict(restart_marker_blocks=4, subsampling=2)),
            ('restarts, grey', grey, dict(restart_marker_blocks=7)),
            ('optimised, 4:2:0', large, dict(optimize=True, quality=70)),
            ('progressive, 4:2:0', large, dict(progressive=True, subsampling=2, quality=92)),
        ]
    ]


def damaged(number):
    """File ``number``, always the same: its kind, its seed, its bytes and its note."""
    rng = np.random.default_rng([20, number])
    kinds = list(jpeg_damage.ALL)
    while True:
        # In turn, so that any hundred numbers in a row hold a bit of everything; where a seed
        # cannot be damaged so, another one can.
        kind = kinds[number % len(kinds)]
        seed = jpegs()[rng.integers(len(jpegs()))]
        damage = jpeg_damage.ALL[kind](seed.data, rng)
        if damage is not None:
            return kind, seed.kind, *damage


def read(numbers):
    """How many files of each kind there are, how many of them are refused, and what is wrong."""
    files, refused, wrong = Counter(), Counter(), {}
    for number in numbers:
        kind, seed, data, note = damaged(number)
        result = try_to_read(Source(str(number), data), MAX_PIXELS)
        is_refused = isinstance(result, Failure)
        told = (result.reason,) if is_refused else result.warnings
        files[kind] += 1
        refused[kind] += is_refused
        if not any(re.search(note, text) for text in told):
            wrong[number] = (kind, seed, note, told)
    return files, refused, wrong


def test_some_of_every_kind_carry_their_note():
    files, _, wrong = read(range(2 * len(jpeg_damage.ALL)))
    assert wrong == {}
    assert set(files.values()) == {2}


@pytest.mark.slow
def test_ten_thousand_damaged_jpegs_carry_their_notes():
    files, refused, wrong = read(range(NUMBER_OF_FILES))
    for kind, count in files.items():
        lacking = sum(kind == each[0] for each in wrong.values())
        print(f'\n{kind}: {count} files, {refused[kind]} refused, {lacking} without', end='')  # noqa: T201
    assert wrong == {}
