"""What is read of a JPEG against a decoder by hand that shares nothing with libjpeg.

``MMOMNI_JPEGS=FOLDER make test TESTS=0 ARGS='-m slow -s tests/test_jpeg/test_coefficients.py'``
compares the two on all JPEGs of a folder, some ten files a second.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from coefficients_by_hand import luma_of
from image_bytes import encoded, written

from mmomni.jpeg import has_luma, read_luma


def textured(height, width, channels=3):
    """Smooth in part and noise in part: long runs of zeros, and none."""
    random = np.random.default_rng(height * width)
    noise = random.integers(0, 256, (height, width, channels))
    smooth = np.add.outer(np.arange(height), 2 * np.arange(width))[..., None] % 256
    return np.where(np.arange(width)[:, None] < width // 2, noise, smooth).astype(np.uint8)


FILES = {
    'sequential': written(textured(40, 56), 'JPEG', quality=85),
    'progressive': written(textured(40, 56), 'JPEG', quality=90, progressive=True),
    'progressive grey': written(textured(33, 47)[..., 0], 'JPEG', quality=40, progressive=True),
    'own codes': written(textured(40, 56), 'JPEG', quality=30, optimize=True),
    'no multiple of 8': written(textured(17, 41), 'JPEG', quality=75, subsampling='4:2:0'),
    'progressive 4:2:0': written(
        textured(17, 41), 'JPEG', quality=95, progressive=True, subsampling='4:2:0'
    ),
    '4:2:2': written(textured(25, 49), 'JPEG', quality=60, subsampling='4:2:2'),
    'one pixel': written(textured(1, 1), 'JPEG', quality=75),
    'restart markers': cv2.imencode(
        '.jpg', textured(40, 56), [cv2.IMWRITE_JPEG_RST_INTERVAL, 3]
    )[1].tobytes(),
    'steps above 255': written(textured(24, 24), 'JPEG', qtables=[[300] * 64, [70] * 64]),
    'OpenCV': encoded('.jpg', textured(64, 48)),
}  # fmt: skip


def difference(data):
    """What the two readers disagree on, or nothing."""
    expected, table = luma_of(data)
    luma = read_luma(data)
    if luma.coefficients.shape != expected.shape:
        return f'shape {luma.coefficients.shape} instead of {expected.shape}'
    if not np.array_equal(luma.table, table):
        return 'the table'
    unequal = np.count_nonzero(luma.coefficients != expected)
    return f'{unequal} coefficients' if unequal else None


@pytest.mark.parametrize('data', FILES.values(), ids=FILES.keys())
def test_two_readers_agree_on_tables_and_coefficients(data):
    assert difference(data) is None


def test_the_reader_by_hand_tells_tables_apart():
    one, other = (written(textured(24, 24), 'JPEG', quality=quality) for quality in (80, 81))
    assert not np.array_equal(luma_of(one)[1], luma_of(other)[1])


@pytest.mark.slow
def test_two_readers_agree_on_the_jpegs_of_a_folder():
    folder = os.environ.get('MMOMNI_JPEGS')
    if not folder:
        pytest.skip('MMOMNI_JPEGS names no folder')
    files = [
        path for path in sorted(Path(folder).rglob('*'))
        if path.suffix.lower() in ('.jpg', '.jpeg') and has_luma(path.read_bytes())
    ]  # fmt: skip
    found = {path: difference(path.read_bytes()) for path in files}
    differences = {path: what for path, what in found.items() if what}
    print(f'{len(found)} JPEGs, {len(differences)} on which the two disagree')  # noqa: T201  (what -s asks for)
    assert files
    assert not differences
