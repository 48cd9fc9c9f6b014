"""The loop that tries operations of a domain and makes sure one left a trace."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mmomni.utils.regions import boxes_of

from .colour import as_grey
from .domains import DOMAINS
from .jpeg_history import Generation
from .scene import Box, Edit, Operation, Scene, Thing, Word

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    name: {key: operation for key, (operation, _) in domain.operations.items()}
    for name, domain in DOMAINS.items()
}
FREQUENCIES: Mapping[str, Mapping[str, float]] = {
    name: {key: share for key, (_, share) in domain.operations.items()}
    for name, domain in DOMAINS.items()
}
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

    The domain is a key of ``DOMAINS``; all else but ``rng`` is explained by
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
    again = DOMAINS[domain].again
    if again and rng.random() < again:
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
    return DOMAINS[domain].look(scene)


def check_domain(domain: str) -> None:
    """Raise ``ValueError`` unless the domain is known."""
    if domain not in DOMAINS:
        raise ValueError(f'domain must be one of {tuple(DOMAINS)}, got {domain!r}')


def _left_a_trace(image: np.ndarray, edit: Edit) -> bool:
    if not edit.mask.any():
        return False
    before, after = (array[edit.mask].astype(np.int16) for array in (image, edit.image))
    return float(np.abs(after - before).mean()) >= LEAST_CHANGE
