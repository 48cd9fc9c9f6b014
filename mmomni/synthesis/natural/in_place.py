"""What operations share that leave a region in its place: drawing it, putting a patch back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmomni.synthesis.geometry import size_of
from mmomni.synthesis.scene import Edit
from mmomni.utils.regions import blend, filled, softened

from .segments import SHARES, random_outline


def random_region(
    image: np.ndarray,
    rng: np.random.Generator,
    area: tuple[float, float],
    shares: Mapping[str, float] = SHARES,
) -> tuple[np.ndarray, str] | None:
    """The matte of a random region, with a border of random width, and the kind of its outline.

    The matte is ``float32`` (H, W); ``None``: :func:`random_outline`, which explains the
    arguments, finds none.
    """
    outline = random_outline(image, rng, area, shares)
    if outline is None:
        return None
    mask = filled(outline.contour + outline.at[::-1], size_of(image))
    return softened(mask, rng), outline.kind


def put_back(
    image: np.ndarray,
    patch: np.ndarray,
    window: tuple[slice, slice],
    matte: np.ndarray,
    details: dict[str, Any],
) -> Edit:
    """A patch of ``window`` over the image where the matte (of the whole image) says so."""
    result = image.copy()
    result[window] = blend(np.ascontiguousarray(image[window]), patch, matte[window])
    return Edit(result, matte, details)
