"""Stateless seeding: random numbers that depend on where a run is, not on how it got there."""

import random

import numpy as np
import torch


def seed_all(*entropy: int) -> None:
    """Seed Python, NumPy and torch (all devices) of this process from non-negative integers."""
    words = np.random.SeedSequence(entropy).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed(int(words[2]))
