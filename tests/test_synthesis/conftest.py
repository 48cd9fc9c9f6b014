from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from mmomni.synthesis import fonts
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


def signed(photo: np.ndarray, seed: int, slope: float = 0.0) -> np.ndarray:
    """The photo, twice as large, with a board with two lines of words, level or on a slope."""
    rng = np.random.default_rng(seed)
    large = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    board = Image.new('RGB', (360, 150), (226, 216, 190))
    draw, font = ImageDraw.Draw(board), fonts.load_font('DejaVuSans-Bold', 36)
    for row, text in enumerate(SIGN_TEXT):
        draw.text((22, 20 + 62 * row), text, font=font, fill=(40, 46, 90))
    pixels = np.array(board).astype(np.float32) + rng.normal(0, 1.5, (150, 360, 1))
    angle = cv2.getRotationMatrix2D((180, 75), slope, 1)
    angle[:, 2] += (130, 260)
    size = large.shape[1::-1]
    there = cv2.warpAffine(np.ones((150, 360), np.float32), angle, size)[..., None]
    moved = cv2.warpAffine(pixels, angle, size, flags=cv2.INTER_CUBIC)
    return np.round(large * (1 - there) + moved * there).clip(0, 255).astype(np.uint8)


SIGN_TEXT = ('STATION 48', 'CAFE ROYAL')


@pytest.fixture(scope='session')
def street(photo: np.ndarray) -> np.ndarray:
    """A photo of a board with writing."""
    return signed(photo, 0)


@pytest.fixture(scope='session')
def other_street(other_photo: np.ndarray) -> np.ndarray:
    return signed(other_photo, 1)


@pytest.fixture(scope='session')
def sloping_street(photo: np.ndarray) -> np.ndarray:
    """The same, whose board rises by 8 degrees to the right."""
    return signed(photo, 0, 8.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three authentic photos in different formats."""
    folder = tmp_path / 'authentic'
    folder.mkdir()
    for seed, name in enumerate(('a.png', 'b.jpg', 'c.tif')):
        Image.fromarray(textured(seed)).save(folder / name)
    return folder


@pytest.fixture(scope='session')
def edits_of():
    """Draw an operation until it has made ``num`` edits whose details are as asked for."""

    def draw(operation, scene, num, tries=400, **details):
        rng, found = np.random.default_rng(0), []
        for _ in range(tries):
            edit = operation(scene, rng)
            if edit is not None and all(edit.details[key] == details[key] for key in details):
                found.append(edit)
            if len(found) == num:
                return found
        raise AssertionError(f'{len(found)} edits of {num} with {details} in {tries} tries')

    return draw


@pytest.fixture(scope='session')
def assert_kept_outside():
    """Nothing changes where the matte is 0, something does where it is 1, the source is kept."""

    def check(before, edit):
        assert edit.image.dtype == np.uint8
        assert edit.image.shape == before.shape
        assert not np.shares_memory(edit.image, before)
        assert np.array_equal(edit.image[edit.matte == 0], before[edit.matte == 0])
        assert (edit.image[edit.matte == 1] != before[edit.matte == 1]).any()

    return check
