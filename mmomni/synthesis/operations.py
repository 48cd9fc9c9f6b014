"""All forging operations by domain, and the loop that makes sure one left a trace."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .documents import char_copy, text_copy, text_edit, text_insert, text_removal
from .face_boxes import find_face
from .faces import face_blend, region_swap
from .natural import copy_move, object_jitter, removal, splice
from .regions import boxes_of
from .retouching import local_resave, regenerate
from .scene import Box, Edit, Operation, Scene, Word
from .words import find_words

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    'natural': {
        'copy_move': copy_move,
        'splice': splice,
        'removal': removal,
        'object_jitter': object_jitter,
        'regenerate': regenerate,
        'local_resave': local_resave,
    },
    'document': {
        'text_edit': text_edit,
        'text_copy': text_copy,
        'char_copy': char_copy,
        'text_removal': text_removal,
        'text_insert': text_insert,
    },
    'face': {'face_blend': face_blend, 'region_swap': region_swap},
}
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
    """

    image: np.ndarray
    mask: np.ndarray
    operation: str
    boxes: list[list[int]]
    details: dict[str, Any]
    used_donor: bool = False


def forge(
    image: np.ndarray,
    donor: np.ndarray | None,
    domain: str,
    rng: np.random.Generator,
    words: Sequence[Word] | None = None,
    face: Box | None = None,
    donor_face: Box | None = None,
) -> Forgery:
    """Forge an image with a random operation of its domain.

    An operation that changes (nearly) nothing is tried again with fresh draws, 20 times at most,
    then another one takes its place.

    Args:
        image: ``uint8`` (H, W, 3), RGB, already compressed once.
        donor: Where spliced regions and other faces come from, ``uint8`` (H', W', 3), or
            ``None``: only operations that need none.
        domain: ``'natural'``, ``'document'`` or ``'face'``.
        rng: Source of all draws.
        words: Words of a rendered page, else they are looked for.
        face: Box (x1, y1, x2, y2) of a portrait's face, else it is looked for.
        donor_face: The same of the donor.

    Raises:
        ForgeryError: Nothing can be forged here, such as a document without words.
        ValueError: The domain is unknown.
    """
    check_domain(domain)
    scene = _scene(image, donor, domain, words, face, donor_face)
    for operation in rng.permutation(list(OPERATIONS[domain])):
        for _ in range(TRIES):
            edit = OPERATIONS[domain][str(operation)](scene, rng)
            if edit is not None and _left_a_trace(image, edit):
                mask = edit.mask.astype(np.uint8) * 255
                boxes = boxes_of(edit.mask)
                return Forgery(
                    edit.image, mask, str(operation), boxes, edit.details, edit.used_donor
                )
    raise ForgeryError(
        f'expected an image with something to forge for domain {domain!r}, got one of '
        f'{image.shape[1]}x{image.shape[0]} px in which no operation changed anything '
        '(flat, or without words); choose another image or domain'
    )


def _scene(
    image: np.ndarray,
    donor: np.ndarray | None,
    domain: str,
    words: Sequence[Word] | None,
    face: Box | None,
    donor_face: Box | None,
) -> Scene:
    """The scene with what its domain needs looked for, once for all tries."""
    if domain == 'document' and words is None:
        words = find_words(image)
    if domain == 'face':
        face = face or find_face(image)
        if donor is not None and face is not None:
            donor_face = donor_face or find_face(donor)
    return Scene(image, donor, words, face, donor_face)


def check_domain(domain: str) -> None:
    """Raise ``ValueError`` unless the domain is known."""
    if domain not in OPERATIONS:
        raise ValueError(f'domain must be one of {DOMAINS}, got {domain!r}')


def _left_a_trace(image: np.ndarray, edit: Edit) -> bool:
    if not edit.mask.any():
        return False
    before, after = (array[edit.mask].astype(np.int16) for array in (image, edit.image))
    return float(np.abs(after - before).mean()) >= LEAST_CHANGE
