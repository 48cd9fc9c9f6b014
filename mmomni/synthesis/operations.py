"""All forging operations by domain, and the loop that makes sure one left a trace."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mmomni.utils.regions import boxes_of

from .colour import as_grey
from .documents.pasting import block_copy, page_splice, stamp
from .documents.text import char_copy, text_copy, text_edit, text_insert, text_removal
from .documents.words import find_words
from .faces.blending import face_blend, region_swap
from .faces.boxes import find_face
from .faces.retouching import face_retouch
from .jpeg_history import Generation
from .natural.captions import write_text
from .natural.local_edits import local_filter, recolour
from .natural.moving import copy_move, object_jitter, removal
from .natural.retouching import local_resave, regenerate
from .natural.splicing import backdrop, paste_thing, splice
from .natural.strokes import retouch
from .scene import Box, Edit, Operation, Scene, Thing, Word

# Each operation of a domain, and how often it is tried first.
_TABLE: Mapping[str, Mapping[str, tuple[Operation, float]]] = {
    'natural': {
        'copy_move': (copy_move, 0.14),
        'splice': (splice, 0.17),
        'paste_thing': (paste_thing, 0.14),
        'backdrop': (backdrop, 0.06),
        'removal': (removal, 0.1),
        'object_jitter': (object_jitter, 0.07),
        'retouch': (retouch, 0.08),
        'recolour': (recolour, 0.07),
        'local_filter': (local_filter, 0.05),
        'regenerate': (regenerate, 0.04),
        'local_resave': (local_resave, 0.04),
        'write_text': (write_text, 0.04),
    },
    'document': {
        'text_edit': (text_edit, 0.2),
        'text_copy': (text_copy, 0.15),
        'char_copy': (char_copy, 0.1),
        'text_removal': (text_removal, 0.12),
        'text_insert': (text_insert, 0.11),
        'page_splice': (page_splice, 0.16),
        'block_copy': (block_copy, 0.1),
        'stamp': (stamp, 0.06),
    },
    'face': {
        'face_blend': (face_blend, 0.6),
        'region_swap': (region_swap, 0.22),
        'face_retouch': (face_retouch, 0.18),
    },
}
OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    domain: {name: operation for name, (operation, _) in table.items()}
    for domain, table in _TABLE.items()
}
FREQUENCIES: Mapping[str, Mapping[str, float]] = {
    domain: {name: share for name, (_, share) in table.items()} for domain, table in _TABLE.items()
}
# How often a photo that was forged is forged in a second place.
AGAIN = 0.12
DOMAINS = tuple(OPERATIONS)
TRIES = 20
# Mean absolute change inside of the mask, in grey levels, below which nothing was forged.
LEAST_CHANGE = 1.0


class ForgeryError(ValueError):
    """No operation of the domain left a trace in this image."""


class Forgery(NamedTuple):
    """A forged image, not yet compressed again.

    Attributes:
        image: ``uint8`` (H, W, 3), RGB.
        mask: ``uint8`` (H, W), 255 where tampered, else 0.
        operation: Key of ``OPERATIONS[domain]``.
        boxes: [x1, y1, x2, y2] of the mask's 8-connected regions, right and bottom exclusive.
        details: What the operation tells of itself; JSON types only.
        used_donor: Whether there is content of the donor in it.
        used_thing: Whether the thing is in it.
    """

    image: np.ndarray
    mask: np.ndarray
    operation: str
    boxes: list[list[int]]
    details: dict[str, Any]
    used_donor: bool = False
    used_thing: bool = False


def forge(
    image: np.ndarray,
    donor: np.ndarray | None,
    domain: str,
    rng: np.random.Generator,
    words: Sequence[Word] | None = None,
    face: Box | None = None,
    donor_face: Box | None = None,
    thing: Thing | None = None,
    donor_words: Sequence[Word] | None = None,
    first: Generation | None = None,
    grey: bool = False,
) -> Forgery:
    """Forge an image with a random operation of its domain; one photo in eight with two.

    The order in which operations are tried is drawn by ``FREQUENCIES``. One that changes (nearly)
    nothing is tried again with fresh draws, 20 times at most, then the next takes its place.

    The domain is ``'natural'``, ``'document'`` or ``'face'``; all else but ``rng`` is explained by
    :class:`~mmomni.synthesis.scene.Scene`. Words and faces that are not given are looked for;
    without a donor, only operations that need none are tried.

    Raises:
        ForgeryError: Nothing can be forged here, such as a document without words.
        ValueError: The domain is unknown.
    """
    check_domain(domain)
    scene = Scene(image, donor, words, face, donor_face, thing, donor_words, first, grey)
    return forge_scene(known(scene, domain), domain, rng)


def forge_scene(scene: Scene, domain: str, rng: np.random.Generator) -> Forgery:
    """:func:`forge` where all that can be looked for is :func:`known`."""
    name, edit = _one_edit(scene, domain, rng)
    mask, details, edits = edit.mask, edit.details, [edit]
    if domain == 'natural' and rng.random() < AGAIN:
        try:
            second, more = _one_edit(replace(scene, image=edit.image), domain, rng)
        except ForgeryError:
            pass  # one forgery is enough
        else:
            details = {**details, 'second': {'operation': second, **more.details}}
            mask, edits = mask | more.mask, [edit, more]
    return Forgery(
        edits[-1].image, mask.astype(np.uint8) * 255, name, boxes_of(mask), details,
        any(each.used_donor for each in edits), any(each.used_thing for each in edits),
    )  # fmt: skip


def _one_edit(scene: Scene, domain: str, rng: np.random.Generator) -> tuple[str, Edit]:
    names, shares = list(OPERATIONS[domain]), list(FREQUENCIES[domain].values())
    for name in rng.choice(names, len(names), replace=False, p=shares).tolist():
        for _ in range(TRIES):
            edit = OPERATIONS[domain][name](scene, rng)
            if edit is not None and scene.grey:
                edit = replace(edit, image=as_grey(edit.image))
            if edit is not None and _left_a_trace(scene.image, edit):
                return name, edit
    height, width = scene.image.shape[:2]
    raise ForgeryError(
        f'expected an image with something to forge for domain {domain!r}, got one of '
        f'{width}x{height} px in which no operation changed anything '
        '(flat, or without words); choose another image or domain'
    )


def known(scene: Scene, domain: str) -> Scene:
    """The scene with what its domain needs looked for, once for all tries."""
    if domain == 'document':
        if scene.words is None:
            scene = replace(scene, words=find_words(scene.image))
        if scene.words and scene.donor is not None and scene.donor_words is None:
            scene = replace(scene, donor_words=find_words(scene.donor))
    if domain == 'face':
        if scene.face is None:
            scene = replace(scene, face=find_face(scene.image))
        if scene.face is not None and scene.donor is not None and scene.donor_face is None:
            scene = replace(scene, donor_face=find_face(scene.donor))
    return scene


def check_domain(domain: str) -> None:
    """Raise ``ValueError`` unless the domain is known."""
    if domain not in OPERATIONS:
        raise ValueError(f'domain must be one of {DOMAINS}, got {domain!r}')


def _left_a_trace(image: np.ndarray, edit: Edit) -> bool:
    if not edit.mask.any():
        return False
    before, after = (array[edit.mask].astype(np.int16) for array in (image, edit.image))
    return float(np.abs(after - before).mean()) >= LEAST_CHANGE
