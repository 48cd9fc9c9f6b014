"""One forgery with its mask and meta data, made from authentic images and an index."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError

from .jpeg_history import FIRST_QUALITY, SECOND_QUALITY, compress, draw_history
from .operations import Forgery, ForgeryError, check_domain, forge
from .pages import render_page
from .publishing import POST_PROBABILITY, draw_post, publish
from .regions import boxes_of
from .scene import Word
from .sources import LEAST_SIDE, random_view, read_source

RENDERED = 'rendered'
AUTHENTIC = 'authentic'
# Images in a row in which nothing can be forged, until the whole folder is given up.
VIEWS_TRIED = 20


class Sample(NamedTuple):
    """One image, ready to be written.

    Attributes:
        image: The file of the image as published, a JPEG or (screenshots) a PNG.
        mask: A PNG, 0 and 255, one channel, of the image's size; ``None``: authentic.
        meta: One line of ``meta.jsonl``.
    """

    image: bytes
    mask: bytes | None
    meta: dict[str, Any]


class _View(NamedTuple):
    image: np.ndarray
    donor: np.ndarray | None
    words: list[Word] | None
    names: list[str]


@dataclass
class Synthesizer:
    """Makes the forgery of a given index, the same bytes each time.

    ::

        source ─► random view ─► JPEG q1 ─► forge ─► publish: JPEG q2 ─► images/NNNNNN.jpg
        donor  ─► random view ───────────────┘  └──► mask, resized with ─► masks/NNNNNN.png

    Args:
        paths: Authentic images, or ``None``: pages rendered here.
        domain: ``'natural'``, ``'document'`` or ``'face'``.
        seed: Image ``i`` draws from ``np.random.default_rng([seed, i])`` alone.
        max_side: Longest side in pixels, 64 or more.
        first_quality: Lowest and highest libjpeg quality of the first compression.
        second_quality: The same of the second.
        post_probability: Share of the images that are post-processed (see ``publishing``).
        authentic: Share of the images that pass through all this without a forgery.
    """

    paths: Sequence[Path] | None
    domain: str
    seed: int
    max_side: int = 512
    first_quality: tuple[int, int] = FIRST_QUALITY
    second_quality: tuple[int, int] = SECOND_QUALITY
    post_probability: float = POST_PROBABILITY
    authentic: float = 0.0
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

        for name in ('post_probability', 'authentic'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f'{name} must lie in [0, 1], got {getattr(self, name)}')

    def __call__(self, index: int) -> Sample:
        """The sample of an index.

        Raises:
            ValueError: No source can be read, or nothing can be forged in them.
        """
        rng = np.random.default_rng([self.seed, index])
        history = draw_history(rng, self.first_quality, self.second_quality)
        post = draw_post(rng, self.post_probability)
        make = self._authentic_view if rng.random() < self.authentic else self._forged_view
        view, forgery = make(history.qualities[0], history.subsampling[0], rng)
        found = publish(forgery.image, forgery.mask, history, post, rng, self.max_side)
        meta = {
            'file': f'{index:06d}{found.suffix}',
            'sources': view.names if forgery.used_donor else view.names[:1],
            'domain': self.domain,
            'operation': forgery.operation,
            'boxes': boxes_of(found.mask > 0),
            'qualities': found.qualities,
            'subsampling': found.subsampling,
            'post': found.post,
            'seed': self.seed,
            **forgery.details,
        }
        return Sample(found.data, _png(found.mask) if forgery.boxes else None, meta)

    def _authentic_view(
        self, quality: int, subsampling: str, rng: np.random.Generator
    ) -> tuple[_View, Forgery]:
        view = self._rendered(rng) if self.paths is None else self._photographed(rng, 1)
        image = compress(view.image, quality, subsampling)
        return view, Forgery(image, np.zeros(image.shape[:2], np.uint8), AUTHENTIC, [], {})

    def _forged_view(
        self, quality: int, subsampling: str, rng: np.random.Generator
    ) -> tuple[_View, Forgery]:
        wanted = 1 if self.domain == 'document' else 2
        for _ in range(VIEWS_TRIED):
            view = self._rendered(rng) if self.paths is None else self._photographed(rng, wanted)
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

    def _photographed(self, rng: np.random.Generator, wanted: int) -> _View:
        images, names = [], []
        for path, image in self._readable(rng, wanted):
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
        if not images:
            raise ValueError(
                f'expected readable images, got {len(paths)} of which none can be read, such as '
                f'{next(iter(self.unreadable.values()), "none")}'
            )
        return images


def _png(mask: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(mask).save(buffer, 'PNG')
    return buffer.getvalue()
