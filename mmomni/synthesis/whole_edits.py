"""Edits of the whole picture after the forgery: tones, sharpness, blur, noise."""

from typing import Any

import cv2
import numpy as np

from .colour import as_grey, sharpened, with_grain

BLUR = (0.4, 1.2)
NOISE = (1.0, 5.0)
SHARPEN = (0.2, 1.2)
GAMMA = (0.65, 1.5)


def blurred(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """A Gaussian of 0.4 to 1.2 pixels."""
    sigma = round(float(rng.uniform(*BLUR)), 2)
    return cv2.GaussianBlur(image, (0, 0), sigma), {'sigma': sigma}


def noisy(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Grey noise of 1 to 5 grey levels."""
    level = round(float(rng.uniform(*NOISE)), 2)
    return with_grain(image, level, rng), {'level': level}


def sharper(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """An unsharp mask."""
    amount = round(float(rng.uniform(*SHARPEN)), 2)
    return sharpened(image, amount), {'amount': amount}


def levels(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """Black and white points, a gamma, an S-curve or not, and another saturation or not."""
    black, white = float(rng.uniform(0, 25)), float(rng.uniform(230, 255))
    gamma = round(float(np.exp(rng.uniform(*np.log(GAMMA)))), 2)
    tone = ((np.arange(256) - black) / (white - black)).clip(0, 1) ** gamma
    curve = round(float(rng.uniform(0, 0.6)), 2) if rng.random() < 0.5 else 0.0
    tone = (1 - curve) * tone + curve * tone * tone * (3 - 2 * tone)
    image = cv2.LUT(image, np.round(255 * tone).astype(np.uint8))
    saturation = round(float(rng.uniform(0.4, 1.5)), 2) if rng.random() < 0.4 else 1.0
    if saturation != 1:
        image = cv2.addWeighted(image, saturation, as_grey(image), 1 - saturation, 0)
    return image, {'gamma': gamma, 'curve': curve, 'saturation': saturation}


EDITS = {'blur': blurred, 'noise': noisy, 'sharpen': sharper, 'levels': levels}
