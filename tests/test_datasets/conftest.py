"""Small images and the files they are saved to."""

import numpy as np
import pytest
from PIL import Image

from mmomni.datasets.transforms import ExtractDCT, LoadManipulationMask, LoadOriginalImage


def _photo(height=48, width=80, seed=0):
    """RGB: smooth with some noise, far enough from black and white not to be clipped."""
    rng = np.random.default_rng(seed)
    y, x, _ = np.mgrid[:height, :width, :1] / 9.0
    waves = np.sin(y + np.arange(3)) + np.cos(x * [1.0, 0.7, 0.4])
    return np.uint8(127 + 30 * waves + rng.normal(0, 5, (height, width, 3)))


@pytest.fixture
def photo():
    return _photo


@pytest.fixture
def save(tmp_path):
    """``save('folder/a.png', pixels, **options of Pillow)`` -> its path."""

    def save_in_tmp_path(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(path, **options)
        return str(path)

    return save_in_tmp_path


@pytest.fixture
def load():
    """Image and mask as a dataset's pipeline gets them."""

    def load_pair(image, mask=None):
        results = dict(img_path=image, seg_map_path=mask, seg_fields=[], reduce_zero_label=False)
        return LoadManipulationMask()(LoadOriginalImage()(results))

    return load_pair


@pytest.fixture
def extracted(load, photo, save):
    """A JPEG and its mask, loaded, with its coefficients."""

    def extract(height=48, width=80, quality=85, seed=0, **options):
        image = save('image.jpg', photo(height, width, seed), quality=quality, **options)
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[height // 3 : height // 2 + 1, width // 4 : width // 2 + 1] = 255
        return ExtractDCT()(load(image, save('mask.png', mask)))

    return extract
