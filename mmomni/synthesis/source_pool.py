"""Random files of many: the ones that cannot be read are left out, and remembered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mmomni.jpeg import ImageReadError
from mmomni.jpeg.guarded import read_image_file

from .authentic import read_source
from .jpeg_history import Tables, tables_of
from .natural.things import read_thing
from .scene import Thing

# Of so many sources drawn at random, those that are preferred come first.
LOOKED_AT = 12


@dataclass
class SourcePool:
    """Authentic images, and pairs of photo and mask of things.

    Attributes:
        prefers: Whether an image is preferred to others, or ``None``: all are alike.
        unreadable: Why, by path, files were left out so far.
    """

    paths: Sequence[Path]
    things: Sequence[tuple[Path, Path]] = ()
    prefers: Callable[[np.ndarray], bool] | None = None
    unreadable: dict[str, str] = field(default_factory=dict, init=False)
    _preferred: dict[Path, bool] = field(default_factory=dict, init=False)

    def tables(self, rng: np.random.Generator) -> Tables | None:
        """The quantisation tables of a random source; ``None``: it is no JPEG."""
        if not self.paths:
            return None
        try:
            return tables_of(read_image_file(self.paths[int(rng.integers(len(self.paths)))]))
        except (ImageReadError, OSError, SyntaxError):
            return None  # whoever reads it as a source says so

    def thing(self, rng: np.random.Generator) -> 'DrawnThing | None':
        """A random thing, not yet read; ``None``: there are no things."""
        order = [self.things[i] for i in rng.permutation(len(self.things)).tolist()]
        return DrawnThing(order, self.unreadable) if order else None

    def images(self, rng: np.random.Generator, wanted: int) -> list[tuple[Path, np.ndarray]]:
        """Up to ``wanted`` different readable sources in random order, at least one.

        Raises:
            ValueError: None can be read.
        """
        paths = self.paths
        images: list[tuple[Path, np.ndarray]] = []
        # A whole permutation, so that the draws do not depend on what other indices found out.
        for path in self._preferred_first([paths[i] for i in rng.permutation(len(paths)).tolist()]):
            if len(images) == wanted:
                break
            image = self._read(path)
            if image is not None:
                images.append((path, image))
        if not images:
            raise ValueError(
                f'expected readable images, got {len(paths)} of which none can be read, such as '
                f'{next(iter(self.unreadable.values()), "none")}'
            )
        return images

    def _read(self, path: Path) -> np.ndarray | None:
        if str(path) in self.unreadable:
            return None
        try:
            return read_source(path)
        except ImageReadError as error:
            self.unreadable[str(path)] = str(error)
            return None

    def _preferred_first(self, order: list[Path]) -> list[Path]:
        """The order, with what is preferred of its beginning in front."""
        if self.prefers is None:
            return order
        for path in order[:LOOKED_AT]:
            if path not in self._preferred:  # looked at once, as reading takes long
                image = self._read(path)
                self._preferred[path] = image is not None and self.prefers(image)
        front = sorted(order[:LOOKED_AT], key=lambda path: not self._preferred[path])
        return [*front, *order[LOOKED_AT:]]


@dataclass
class DrawnThing:
    """The first thing of some that can be read, once it is called for.

    Most forgeries need none, and photo and mask take as long to read as a source.

    Attributes:
        order: Pairs of photo and mask.
        unreadable: Why, by path, files were left out so far; added to.
    """

    order: Sequence[tuple[Path, Path]]
    unreadable: dict[str, str]

    def __call__(self) -> Thing:
        """The thing.

        Raises:
            ValueError: None can be read.
        """
        return self._found[0]

    @property
    def name(self) -> str:
        """The name of its photo."""
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[Thing, str]:
        for photo, mask in self.order:
            if str(mask) in self.unreadable:
                continue
            try:
                return read_thing(photo, mask), photo.name
            except ImageReadError as error:
                self.unreadable[str(mask)] = str(error)
        raise ValueError(
            f'expected donors that can be read, got {len(self.order)} of which none can, such as '
            f'{self.unreadable[str(self.order[0][1])]}; mend them or leave the donors out'
        )
