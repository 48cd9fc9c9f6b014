"""Regions of an authentic image that a transform changes, as labels for free."""

import random

import cv2
import numpy as np

COUNT = (1, 3)
RADIUS = (0.06, 0.3)
"""Half axes, as shares of the image's sides."""


def random_regions(height: int, width: int) -> np.ndarray:
    """A few ellipses, 1 in them: ``uint8`` (height, width)."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(random.randint(*COUNT)):
        centre = random.randrange(width), random.randrange(height)
        axes = [max(1, round(random.uniform(*RADIUS) * side)) for side in (width, height)]
        cv2.ellipse(mask, centre, axes, random.uniform(0, 180), 0, 360, 1, cv2.FILLED)
    return mask


def refuse_tampered(results: dict, user: str) -> None:
    """Raise ``ValueError`` where the image has a forgery already, beside which none fits."""
    if results['gt_seg_map'].any():
        raise ValueError(
            f'{results.get("img_path", "image")}: {user} makes its own mask, expected an '
            'authentic image'
        )
