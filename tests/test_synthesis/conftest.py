from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmomni.synthesis.documents.pages import render_page


def textured(seed: int, height: int = 260, width: int = 300) -> np.ndarray:
    """A photo-like image: a thing on smooth shapes, noise of two scales, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    layers = [
        amplitude * cv2.GaussianBlur(rng.standard_normal((height, width, 3)), (0, 0), sigma) * sigma
        for amplitude, sigma in ((60, 20), (45, 4), (20, 1))
    ]
    image = 128 + sum(layers)
    y, x = np.mgrid[:height, :width]
    v, u = (y - height * rng.uniform(0.4, 0.6)) / 36, (x - width * rng.uniform(0.4, 0.6)) / 48
    thing = np.array([220, 60, 40]) + 0.5 * layers[1] + 12 * layers[2]
    image = np.where((u**2 + v**2 < 1)[..., None], thing, image)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope='session')
def photo() -> np.ndarray:
    return textured(0)


@pytest.fixture(scope='session')
def other_photo() -> np.ndarray:
    return textured(1)


@pytest.fixture(scope='session')
def page() -> np.ndarray:
    """A page of text whose words are not told: it stands for a scanned one."""
    return render_page(np.random.default_rng(3), 512).image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three authentic photos in different formats."""
    folder = tmp_path / 'authentic'
    folder.mkdir()
    for seed, name in enumerate(('a.png', 'b.jpg', 'c.tif')):
        Image.fromarray(textured(seed)).save(folder / name)
    return folder
