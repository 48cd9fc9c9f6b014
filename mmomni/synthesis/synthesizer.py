"""From authentic images to a folder of forgeries with masks and meta data."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError, encode

from .jpeg_history import FIRST_QUALITY, SECOND_QUALITY, compress, draw_history
from .operations import Forgery, ForgeryError, check_domain, forge
from .pages import render_page
from .scene import Word
from .sources import LEAST_SIDE, list_sources, random_view, read_source

RENDERED = 'rendered'
# Images in a row in which nothing can be forged, until the whole folder is given up.
VIEWS_TRIED = 20

logger = logging.getLogger(__name__)


class Sample(NamedTuple):
    """One forgery, ready to be written.

    Attributes:
        jpeg: The forged image after its second compression.
        mask: A PNG, 0 and 255, one channel, of the image's size.
        meta: One line of ``meta.jsonl``.
    """

    jpeg: bytes
    mask: bytes
    meta: dict[str, Any]


class Summary(NamedTuple):
    """What :func:`synthesize_folder` made.

    Attributes:
        num: Number of forgeries.
        operations: How many of them per operation.
        unreadable: Why, by path, sources were left out.
    """

    num: int
    operations: Counter[str]
    unreadable: dict[str, str]


class _View(NamedTuple):
    image: np.ndarray
    donor: np.ndarray | None
    words: list[Word] | None
    names: list[str]


@dataclass
class Synthesizer:
    """Makes the forgery of a given index, the same bytes each time.

    ::

        source ─► random view ─► JPEG q1 ─► forge ─► JPEG q2 ─► images/NNNNNN.jpg
        donor  ─► random view ───────────────┘  └──► mask ────► masks/NNNNNN.png

    Args:
        paths: Authentic images, or ``None``: pages rendered here.
        domain: ``'natural'``, ``'document'`` or ``'face'``.
        seed: Image ``i`` draws from ``np.random.default_rng([seed, i])`` alone.
        max_side: Longest side in pixels, 64 or more.
        first_quality: Lowest and highest libjpeg quality of the first compression.
        second_quality: The same of the second.
    """

    paths: Sequence[Path] | None
    domain: str
    seed: int
    max_side: int = 512
    first_quality: tuple[int, int] = FIRST_QUALITY
    second_quality: tuple[int, int] = SECOND_QUALITY
    unreadable: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        check_domain(self.domain)
        if self.paths is None and self.domain != 'document':
            raise ValueError(
                f"sources 'rendered' are documents, got domain {self.domain!r}; choose the domain "
                "'document' or give a folder of images"
            )
        if self.max_side < LEAST_SIDE:
            raise ValueError(f'max_side must be {LEAST_SIDE} or more, got {self.max_side}')
        if self.seed < 0:
            raise ValueError(f'seed must be 0 or more, got {self.seed}')
        for low, high in (self.first_quality, self.second_quality):
            if not 1 <= low <= high <= 100:
                raise ValueError(
                    f'a range of JPEG qualities must satisfy 1 <= low <= high <= 100, got '
                    f'{low} to {high}'
                )

    def __call__(self, index: int) -> Sample:
        """The forgery of an index.

        Raises:
            ValueError: No source can be read, or nothing can be forged in them.
        """
        rng = np.random.default_rng([self.seed, index])
        history = draw_history(rng, self.first_quality, self.second_quality)
        view, forgery = self._forged_view(history.qualities[0], history.subsampling[0], rng)
        meta = {
            'file': f'{index:06d}.jpg',
            'sources': view.names if forgery.used_donor else view.names[:1],
            'domain': self.domain,
            'operation': forgery.operation,
            'boxes': forgery.boxes,
            'qualities': list(history.qualities),
            'subsampling': list(history.subsampling),
            'seed': self.seed,
            **forgery.details,
        }
        jpeg = encode(forgery.image, history.qualities[1], history.subsampling[1])
        return Sample(jpeg, _png(forgery.mask), meta)

    def _forged_view(
        self, quality: int, subsampling: str, rng: np.random.Generator
    ) -> tuple[_View, Forgery]:
        for _ in range(VIEWS_TRIED):
            view = self._rendered(rng) if self.paths is None else self._photographed(rng)
            first = compress(view.image, quality, subsampling)
            try:
                return view, forge(first, view.donor, self.domain, rng, view.words)
            except ForgeryError as error:
                last = error
        raise ValueError(
            f'{VIEWS_TRIED} views in a row could not be forged, the last of {view.names[0]}: {last}'
        )

    def _rendered(self, rng: np.random.Generator) -> _View:
        page = render_page(rng, self.max_side)
        return _View(page.image, None, page.words, [RENDERED])

    def _photographed(self, rng: np.random.Generator) -> _View:
        images, names = [], []
        for path, image in self._readable(rng, 1 if self.domain == 'document' else 2):
            images.append(random_view(image, self.domain, rng, self.max_side))
            names.append(path.name)
        return _View(images[0], images[1] if len(images) > 1 else None, None, names)

    def _readable(
        self, rng: np.random.Generator, wanted: int
    ) -> list[tuple[Path, np.ndarray]]:
        """Up to ``wanted`` different readable sources in random order, at least one."""
        paths = self.paths or []
        images: list[tuple[Path, np.ndarray]] = []
        # A whole permutation, so that the draws do not depend on what other indices found out.
        for position in rng.permutation(len(paths)):
            path = paths[position]
            if len(images) == wanted:
                break
            if str(path) in self.unreadable:
                continue
            try:
                images.append((path, read_source(path)))
            except ImageReadError as error:
                self.unreadable[str(path)] = str(error)
                logger.warning('left out: %s', error)
        if not images:
            raise ValueError(
                f'expected readable images, got {len(paths)} of which none can be read, such as '
                f'{next(iter(self.unreadable.values()), "none")}'
            )
        return images


def synthesize_folder(
    sources: Sequence[Path] | Path | str,
    out_dir: Path | str,
    domain: str,
    num: int,
    seed: int,
    max_side: int = 512,
    first_quality: tuple[int, int] = FIRST_QUALITY,
    second_quality: tuple[int, int] = SECOND_QUALITY,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write ``num`` forgeries: ``images/*.jpg``, ``masks/*.png`` and ``meta.jsonl``.

    Sources that cannot be read are logged and left out.

    Args:
        sources: Folders and files of authentic images, or ``'rendered'``: documents made here.
        out_dir: A new or empty folder.
        domain: ``'natural'``, ``'document'`` or ``'face'``.
        num: How many, 1 or more.
        seed: 0 or more; the same seed and sources give the same files.
        max_side: Longest side in pixels.
        first_quality: Lowest and highest libjpeg quality before the tampering.
        second_quality: The same after it.
        progress: Called with (made, num) after each image.

    Raises:
        FileExistsError: ``out_dir`` holds something.
        FileNotFoundError: A source does not exist or holds no images.
        ValueError: An argument is out of range, or no source can be read or forged.
    """
    if num < 1:
        raise ValueError(f'num must be 1 or more, got {num}')
    paths = None if sources == RENDERED else list_sources(_as_sequence(sources))
    make = Synthesizer(paths, domain, seed, max_side, first_quality, second_quality)
    out = _checked_free(Path(out_dir))
    first = make(0)  # before any folder exists: a failure here leaves nothing behind
    operations: Counter[str] = Counter()
    for sample in _write(chain([first], map(make, range(1, num))), out):
        operations[sample.meta['operation']] += 1
        if progress is not None:
            progress(operations.total(), num)
    return Summary(num, operations, make.unreadable)


def _write(samples: Iterable[Sample], out: Path) -> Iterator[Sample]:
    """Write samples as they come and hand them on."""
    for name in ('images', 'masks'):
        (out / name).mkdir(parents=True, exist_ok=True)
    with open(out / 'meta.jsonl', 'w', encoding='utf-8') as lines:
        for index, sample in enumerate(samples):
            (out / 'images' / f'{index:06d}.jpg').write_bytes(sample.jpeg)
            (out / 'masks' / f'{index:06d}.png').write_bytes(sample.mask)
            lines.write(json.dumps(sample.meta, ensure_ascii=False) + '\n')
            yield sample


def _as_sequence(sources: Sequence[Path] | Path | str) -> Sequence[Path]:
    return [Path(sources)] if isinstance(sources, str | Path) else sources


def _checked_free(out: Path) -> Path:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f'expected a new or empty folder at {out}, got one that holds files; choose another '
            'folder or remove it first'
        )
    return out


def _png(mask: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(mask).save(buffer, 'PNG')
    return buffer.getvalue()
