import cv2
import numpy as np
import pytest

from mmomni.synthesis.regions import (
    AREA,
    SHAPES,
    blend,
    boxes_of,
    matte_of,
    place,
    random_contour,
)


@pytest.mark.parametrize('shape', SHAPES)
def test_shapes_surround_the_origin(shape):
    contour = shape(np.random.default_rng(0)).astype(np.float32)
    assert cv2.pointPolygonTest(contour, (0, 0), measureDist=False) > 0


def test_area_of_contours_lies_within_its_range_and_the_image():
    rng, size = np.random.default_rng(0), (200, 300)
    contours = [c for c in (random_contour(size, rng) for _ in range(200)) if c is not None]
    assert len(contours) > 150
    shares = [cv2.contourArea(c.astype(np.float32)) / (200 * 300) for c in contours]
    assert AREA[0] * 0.99 < min(shares) < 0.05
    assert 0.15 < max(shares) < AREA[1] * 1.01
    for contour in contours:
        y, x = place(contour, size, rng)
        placed = contour + np.array([x, y])
        assert (placed >= 0).all()
        assert (placed <= (299, 199)).all()


@pytest.mark.parametrize('feather', [1, 2, 3, 4])
def test_matte_is_zero_beyond_its_feather(feather):
    square = np.array([[20.0, 20], [60, 20], [60, 60], [20, 60]])
    matte = matte_of(square, (80, 80), feather)
    ys, xs = np.nonzero(matte)
    assert 20 - feather <= min(ys.min(), xs.min()) < 20
    assert max(ys.max(), xs.max()) <= 60 + feather
    assert matte[40, 40] == 1
    assert ((matte > 0) & (matte < 1)).any()


def test_blend_touches_nothing_where_the_matte_is_zero(photo, other_photo):
    matte = np.zeros(photo.shape[:2], np.float32)
    matte[50:90, 60:100] = 1
    matte[90, 60:100] = 0.5
    mixed = blend(photo, other_photo, matte)
    assert np.array_equal(mixed[matte == 0], photo[matte == 0])
    assert np.array_equal(mixed[matte == 1], other_photo[matte == 1])
    mean = (photo[90, 70].astype(float) + other_photo[90, 70]) / 2
    assert np.abs(mixed[90, 70] - mean).max() <= 0.5


def test_boxes_are_half_open_and_diagonal_neighbours_are_one_region():
    mask = np.zeros((10, 12), bool)
    mask[1:3, 2:5] = True
    mask[3, 5] = True  # touches the first by a corner
    mask[8, 0] = True
    assert boxes_of(mask) == [[2, 1, 6, 4], [0, 8, 1, 9]]
    assert boxes_of(np.zeros((4, 4), bool)) == []
