"""One forgery with its mask and meta data, made from authentic images and an index."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmomni.utils.regions import boxes_of

from .authentic import LEAST_SIDE, can_be_shrunk, is_jpeg, random_view
from .colour import as_grey
from .documents.pages import render_page
from .domains import DOMAINS, VIEWS_TRIED
from .jpeg_history import (
    CAMERA,
    CAMERA_SECOND,
    FIRST,
    FIRST_QUALITY,
    HISTORIES,
    MADE,
    NONE,
    OWN,
    SECOND_QUALITY,
    Generation,
    History,
    draw_generation,
)
from .operations import Forgery, ForgeryError, check_domain, forge_scene, known
from .publishing import POST_PROBABILITY, Form, draw_post, png_of, publish_image
from .scene import Scene, Word
from .source_pool import SourcePool

RENDERED = 'rendered'
AUTHENTIC = 'authentic'
PNG_SHARE, GREY_SHARE = 0.12, 0.1
# How many of the PNGs never were a JPEG, beside those whose history says so anyway.
PNG_FRESH = 0.6


class MadeImage(NamedTuple):
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
    donor: np.ndarray | None = None
    words: list[Word] | None = None
    donor_words: list[Word] | None = None
    names: tuple[str, ...] = ()
    kind: str = MADE


class _Plan(NamedTuple):
    """What is drawn before the source is read."""

    kind: str  # of the first generation, as wished; the source may not have it
    first: Generation  # what is compressed before the forgery where that is to be
    second: Generation  # what the forgery is saved with
    post: str | None  # key of POST
    form: Form  # how the file is saved
    forged: bool  # whether anything is forged


@dataclass
class Synthesizer:
    """Makes the forgery of a given index, the same bytes each time.

    ::

        source ─► random view ─► JPEG q1, or none ─► forge ─► publish: JPEG q2 ─► images/NNNNNN.jpg
        donor ─► random view, own history ────────────┤  └──► mask, resized with ► masks/NNNNNN.png
        thing ─► own history ─────────────────────────┘

    Args:
        paths: Authentic images, or ``None``: pages rendered here.
        seed: Image ``i`` draws from ``np.random.default_rng([seed, i])`` alone.
        histories: ``'varied'``: the first generation is one made here, by libjpeg's or a camera's
            tables, the source's own, or none (``jpeg_history.FIRST``). ``'double'``: always two
            generations of libjpeg's tables, and nothing forged keeps the first one's grid.
        things: Pairs of photo and mask, whose things are put into photos, where the domain does so.

    The others are those of :func:`~mmomni.synthesis.folder.synthesize_folder`.
    """

    paths: Sequence[Path] | None
    domain: str
    seed: int
    max_side: int = 512
    first_quality: tuple[int, int] = FIRST_QUALITY
    second_quality: tuple[int, int] = SECOND_QUALITY
    post_probability: float = POST_PROBABILITY
    authentic: float = 0.0
    histories: str = HISTORIES[0]
    png: float = PNG_SHARE
    grey: float = GREY_SHARE
    things: Sequence[tuple[Path, Path]] = ()

    def __post_init__(self) -> None:
        check_domain(self.domain)
        domain = DOMAINS[self.domain]
        if self.paths is None and not domain.renders:
            renders = ' or '.join(repr(name) for name in DOMAINS if DOMAINS[name].renders)
            raise ValueError(
                f"sources 'rendered' are documents, got domain {self.domain!r}; choose the domain "
                f'{renders} or give a folder of images'
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
        if self.histories not in HISTORIES:
            raise ValueError(f'histories must be one of {HISTORIES}, got {self.histories!r}')
        if self.things and not domain.takes_things:
            takers = ' or '.join(repr(name) for name in DOMAINS if DOMAINS[name].takes_things)
            raise ValueError(
                f'donors are put into photos, got domain {self.domain!r}; choose the domain '
                f'{takers} or leave the donors out'
            )
        for name in ('post_probability', 'authentic', 'png', 'grey'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f'{name} must lie in [0, 1], got {getattr(self, name)}')

        self._pool = SourcePool(self.paths or [], self.things, domain.prefers)

    @property
    def unreadable(self) -> dict[str, str]:
        """Why, by path, files were left out so far."""
        return self._pool.unreadable

    def __call__(self, index: int) -> MadeImage:
        """The sample of an index.

        Raises:
            ValueError: No source can be read, or nothing can be forged in them.
        """
        rng = np.random.default_rng([self.seed, index])
        plan = self._plan(rng)
        view, history, forgery = self._forgery(plan, rng)
        found = publish_image(
            forgery.image, forgery.mask, history, plan.post, rng, self.max_side, plan.form
        )
        meta = {
            'file': f'{index:06d}{found.suffix}',
            'sources': list(view.names),
            'domain': self.domain,
            'operation': forgery.operation,
            'boxes': boxes_of(found.mask > 0),
            'first': history.kind,
            'qualities': found.qualities,
            'subsampling': found.subsampling,
            'grey': plan.form.grey,
            'post': found.post,
            'seed': self.seed,
            **forgery.details,
        }
        return MadeImage(found.data, png_of(found.mask) if forgery.boxes else None, meta)

    def _plan(self, rng: np.random.Generator) -> _Plan:
        form = Form(*(bool(rng.random() < share) for share in (self.png, self.grey)))
        varied = self.histories == 'varied'
        kind = str(rng.choice(list(FIRST), p=list(FIRST.values()))) if varied else MADE
        # Most of what is saved as PNG never was a JPEG.
        if varied and form.png and rng.random() < PNG_FRESH:
            kind = NONE
        tables = self._pool.tables(rng) if kind == CAMERA else None
        if tables is None and kind == CAMERA:
            kind = MADE
        first = draw_generation(rng, self.first_quality, tables)
        tables = self._pool.tables(rng) if varied and rng.random() < CAMERA_SECOND else None
        second = draw_generation(rng, self.second_quality, tables)
        post = draw_post(rng, self.post_probability)
        return _Plan(kind, first, second, post, form, bool(rng.random() >= self.authentic))

    def _forgery(self, plan: _Plan, rng: np.random.Generator) -> tuple[_View, History, Forgery]:
        domain, last = DOMAINS[self.domain], 'there are no words'
        for tried in range(VIEWS_TRIED):
            view = self._view(plan.kind, plan.forged, rng)
            first = plan.first if view.kind in (MADE, CAMERA) else None
            history = History(view.kind, first, plan.second)
            scene = self._scene(view, history, plan.form)
            if tried < domain.patience and domain.lacks(scene):
                continue
            if not plan.forged:
                nothing = np.zeros(scene.image.shape[:2], np.uint8)
                return view, history, Forgery(scene.image, nothing, AUTHENTIC, [], {})
            thing = self._pool.thing(rng)
            try:
                forgery = forge_scene(replace(scene, thing=thing), self.domain, rng)
            except ForgeryError as error:
                last = str(error)
                continue
            used = view.names[:1]
            used += view.names[1:] if forgery.used_donor else ()
            used += (thing.name,) if forgery.used_thing and thing is not None else ()
            return view._replace(names=used), history, forgery
        raise ValueError(
            f'{VIEWS_TRIED} views in a row could not be forged, the last of {view.names[0]}: {last}'
        )

    def _scene(self, view: _View, history: History, form: Form) -> Scene:
        image, donor = view.image, view.donor
        if form.grey:
            image, donor = as_grey(image), None if donor is None else as_grey(donor)
        clear = self.histories == 'double'
        scene = Scene(
            history.before(image), donor, view.words, donor_words=view.donor_words,
            first=None if clear else history.first, grey=form.grey, clear=clear,
        )  # fmt: skip
        return known(scene, self.domain)

    def _view(self, kind: str, forged: bool, rng: np.random.Generator) -> _View:
        if self.paths is None:
            page, other = (render_page(rng, self.max_side) for _ in range(2))
            return _View(
                page.image, other.image, page.words, other.words, (RENDERED,),
                NONE if kind == OWN else kind,
            )  # fmt: skip
        found = self._pool.images(rng, 2 if forged else 1)
        view = DOMAINS[self.domain].view
        kind = _possible(kind, *found[0])
        # Only the source itself has to have what is wished.
        views = [
            random_view(source, view, rng, self.max_side, MADE if number else kind)
            for number, (_, source) in enumerate(found)
        ]
        names = tuple(path.name for path, _ in found)
        return _View(views[0], views[1] if len(views) > 1 else None, names=names, kind=kind)


def _possible(kind: str, path: Path, image: np.ndarray) -> str:
    """What the first generation of a source can be, where ``kind`` is wished."""
    if kind == OWN and not is_jpeg(path):
        kind = NONE
    return MADE if kind == NONE and not can_be_shrunk(image) else kind
