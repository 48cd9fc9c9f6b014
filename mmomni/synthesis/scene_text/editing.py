"""Forging operations on writing in photographs: words replaced, copied, removed, inserted.

A sign is cut out upright, forged as a page is, and put back, as editors and models that edit scene
text do. Masks are rectangles around the changed words, as in Tampered-IC13 (Wang et al.,
2022).
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from mmomni.synthesis.colour import grain_of
from mmomni.synthesis.documents.pasting import page_splice
from mmomni.synthesis.documents.text import text_copy, text_edit, text_insert, text_removal
from mmomni.synthesis.scene import Edit, Operation, Scene, Sign

from .signs import find_signs
from .surfaces import paint_on_a_surface

# How often a word is painted on a surface although there is a sign.
ON_A_SURFACE = 0.2
# Most noise of new ground over that of the photograph.
GRAIN = 1.2
# Largest step along (this share of) the border of what was changed, in grey levels.
MISFIT, BORDER = 24.0, 0.8


def word_edit(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Erase words of a sign and paint others in their places."""
    return _on_a_sign(scene, rng, text_edit)


def word_copy(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Copy words of a sign over others."""
    return _on_a_sign(scene, rng, text_copy)


def word_removal(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Erase words of a sign."""
    return _on_a_sign(scene, rng, text_removal)


def word_insert(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Paint new words on the blank of a sign; on a plain surface where there is no sign."""
    on_a_sign = bool(_signs(scene)) and rng.random() >= ON_A_SURFACE
    edit = _on_a_sign(scene, rng, text_insert) if on_a_sign else None
    if edit is not None:
        return edit
    edit = paint_on_a_surface(scene, rng)
    details = {'on': 'surface', 'signs': len(_signs(scene))}
    return None if edit is None else replace(edit, details={**edit.details, **details})


def word_splice(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Paste words of a sign of another photograph over words of a sign."""
    if scene.donor is None:
        return None
    theirs = find_signs(scene.donor) if scene.donor_signs is None else scene.donor_signs
    if not theirs:
        return None
    sign = theirs[int(rng.integers(len(theirs)))]
    donor = replace(scene, donor=sign.upright(scene.donor), donor_words=sign.words)
    return _on_a_sign(donor, rng, page_splice)


def _on_a_sign(scene: Scene, rng: np.random.Generator, operation: Operation) -> Edit | None:
    """What an operation on pages makes of a random sign.

    ``None``: there is no sign, or what was put back does not fit its surroundings.
    """
    signs = _signs(scene)
    if not signs:
        return None
    sign = signs[int(rng.integers(len(signs)))]
    upright = sign.upright(scene.image)
    desk = replace(scene, image=upright, words=sign.words, grain=GRAIN * grain_of(scene.image))
    edit = operation(desk, rng)
    if edit is None or _misfit(upright, edit) > MISFIT:
        return None
    image, matte = sign.put_back(scene.image, edit.image, edit.mask)
    details = {**edit.details, 'on': 'sign', 'signs': len(signs)}
    return replace(edit, image=image, matte=matte, details=details)


def _signs(scene: Scene) -> Sequence[Sign]:
    return find_signs(scene.image) if scene.signs is None else scene.signs


def _misfit(sign: np.ndarray, edit: Edit) -> float:
    """Difference, in grey levels, of both sides of the border of what was changed."""
    mask = edit.mask.astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    rim = edit.mask & (cv2.erode(mask, kernel) == 0)
    # The lightest pixel outside beside each: the sign's ground, if there is any.
    outside = cv2.dilate(np.where(edit.mask[..., None], 0, sign), kernel)
    step = np.abs(edit.image[rim].astype(int) - outside[rim]).max(axis=1)
    return float(np.quantile(step, BORDER)) if step.size else 0.0
