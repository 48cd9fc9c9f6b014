"""The checksum that ties pixels to their JPEG."""

import numpy as np
import pytest

from mmomni.datasets.transforms.pixels import check, sign


def changed(image, other):
    """Whether ``other`` is told from a signed ``image``."""
    results = dict(img=image)
    sign(results)
    results['img'] = other
    try:
        check(results, 'user', 'remedy')
    except ValueError:
        return True
    return False


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 255, shape).astype(dtype)


@pytest.mark.parametrize('shape', [(1, 1, 3), (7, 9, 3), (64, 80, 3)])
def test_every_byte_counts(shape):
    image = noise(*shape)
    for position in np.random.default_rng(1).integers(image.size, size=100):
        other = image.copy()
        other.flat[position] ^= 1
        assert changed(image, other)


# 4072 pixels: a row is a whole number of the words that the checksum folds
@pytest.mark.parametrize('shape', [(40, 40, 3), (2, 4072, 3), (3, 4072, 3), (509, 8, 3)])
def test_the_same_pixels_elsewhere_are_others(shape):
    image = noise(*shape)
    moved = [image[::-1], image[:, ::-1], image[..., ::-1], np.roll(image, 1, 0),
             np.roll(image, 3, 1), image[1:], image[:, 1:]]  # fmt: skip
    assert [changed(image, other) for other in moved] == [True] * len(moved)


@pytest.mark.parametrize(
    'rows', [[100, 609], range(50, 1068)], ids=['two rows, 509 apart', 'a box of 1018 rows']
)
def test_equal_changes_do_not_cancel(rows):
    """On pages of 1024 pixels' width, rows 509 apart fall onto the same words of the checksum."""
    page = np.full((1200, 1024, 3), 255, np.uint8)
    other = page.copy()
    other[list(rows), 200:700] = 0
    assert changed(page, other)


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_layout_in_memory_does_not_matter(dtype):
    image = noise(30, 50, 3, dtype=dtype)
    assert not changed(image, np.asfortranarray(image))
    assert not changed(image[5:, 8:], image[5:, 8:].copy())
