"""The form of everything that a file tells: facts under a title, with pictures beside them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np


class Fact(NamedTuple):
    """One line.

    Attributes:
        term: What it is about, as people name it: ``'Camera'``.
        value: What was found, in words; what is absent says so: ``'none'``.
        note: What it means, or what speaks against it.
    """

    term: str
    value: str
    note: str = ''


class Section(NamedTuple):
    """Facts of one kind.

    Attributes:
        title: ``'File'``, ``'Metadata'``, ``'Compression'``, ...
        facts: In the order in which they are read.
        pictures: RGB, ``uint8`` (H, W, 3), by what they show: ``'Embedded thumbnail'``.
        are_upright: They are plots, not to be turned; others lie as the file's pixels do.
    """

    title: str
    facts: tuple[Fact, ...]
    pictures: Mapping[str, np.ndarray] = MappingProxyType({})
    are_upright: bool = False

    def as_record(self) -> dict[str, Any]:
        """Without the pictures, for JSON."""
        return dict(title=self.title, facts=[fact._asdict() for fact in self.facts])
