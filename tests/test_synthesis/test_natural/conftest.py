from itertools import cycle

import pytest


@pytest.fixture
def found(monkeypatch):
    """Have a module find these outlines, in turn, in the place of random ones."""

    def find(module, *outlines):
        turns = cycle(outlines)
        monkeypatch.setattr(module, 'random_outline', lambda *_: next(turns))

    return find


@pytest.fixture
def region(monkeypatch):
    """Have a module forge this matte in the place of a random region, or ``None``."""

    def set_region(module, matte, kind='object'):
        drawn = None if matte is None else (matte, kind)
        monkeypatch.setattr(module, 'random_region', lambda *_: drawn)

    return set_region
