import cv2
import numpy as np
import pytest

from mmomni.utils.regions import (
    AREA,
    SHAPES,
    blend,
    blob,
    boxes_of,
    ellipse,
    filled,
    matte_of,
    place,
    random_contour,
    rectangle,
    soften,
    thickness_of,
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


def test_ellipses_are_one_long_and_at_most_two_and_a_half_times_as_long_as_wide():
    rng, shortest = np.random.default_rng(0), []
    for _ in range(100):
        distances = np.linalg.norm(ellipse(rng), axis=1)
        assert distances.max() == pytest.approx(1, abs=1e-3)
        shortest.append(distances.min())
    assert 0.4 <= min(shortest) < 0.45
    assert 0.9 < max(shortest) <= 1


def test_two_rectangles_in_three_are_upright_either_way():
    rng, upright = np.random.default_rng(0), []
    for _ in range(300):
        corners = rectangle(rng)
        sides = np.diff(corners, axis=0)
        assert abs(sides[0] @ sides[1]) < 1e-9, 'right angles'
        extent = np.ptp(corners, axis=0)
        if np.abs(sides[0]).min() < 1e-9:
            upright.append(extent[0] > extent[1])
    assert 0.58 < len(upright) / 300 < 0.75
    assert 0.35 < np.mean(upright) < 0.65, 'lying or standing'


def test_blobs_are_irregular_but_never_thin():
    rng = np.random.default_rng(0)
    found = [np.linalg.norm(blob(rng), axis=1) for _ in range(100)]
    assert min(distances.min() for distances in found) >= 0.25 / 1.8
    assert np.median([np.ptp(distances) for distances in found]) > 0.3


@pytest.mark.parametrize('size', [(30, 400), (400, 30)])
def test_shapes_too_long_for_the_image_are_none(size):
    rng = np.random.default_rng(0)
    drawn = [random_contour(size, rng) for _ in range(60)]
    contours = [contour for contour in drawn if contour is not None]
    assert 5 < len(contours) < 55
    for contour in contours:
        assert contour.min(axis=0).tolist() == [0, 0]
        assert (contour.max(axis=0) < np.array(size[::-1]) - 2).all()


def test_a_contour_can_be_placed_wherever_it_fits():
    contour = np.array([[0.0, 0], [5, 0], [5, 7.5], [0, 7.5]])
    rng = np.random.default_rng(0)
    places = {place(contour, (12, 9), rng) for _ in range(300)}
    assert places == {(y, x) for y in range(4) for x in range(4)}
    assert place(contour, (4, 4), rng) == (0, 0), 'in the corner where it does not'


def test_filled_contours_hold_their_border():
    mask = filled(np.array([[2.0, 3], [5.4, 3], [5.4, 6], [2, 6]]), (9, 10))
    expected = np.zeros((9, 10), bool)
    expected[3:7, 2:6] = True
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize('feather', [0, 1, 4, 9])
def test_softening_moves_no_straight_border(feather):
    mask = np.zeros((40, 60), bool)
    mask[:, 30:] = True
    matte = soften(mask, feather)
    assert matte.dtype == np.float32
    assert np.array_equal(matte > 0.5, mask)
    assert (np.diff(matte, axis=1) >= 0).all()
    soft = np.flatnonzero((matte[20] > 0) & (matte[20] < 1))
    assert ((soft >= 30 - feather) & (soft < 30 + feather)).all()
    assert bool(soft.size) == bool(feather)


def test_the_thickness_of_a_disc_is_its_diameter_and_of_nothing_nothing():
    y, x = np.mgrid[:80, :80] - 40
    assert thickness_of(np.hypot(y, x) <= 30) == pytest.approx(60, rel=0.06)
    line = np.zeros((80, 80), bool)
    line[40, 10:70] = True
    assert thickness_of(line) < 3
    assert thickness_of(line & ~line) == 0
    ring = (np.hypot(y, x) <= 30) & (np.hypot(y, x) > 24)
    assert 9 < thickness_of(ring) < 15, 'its hole has a border, too'


def test_boxes_are_listed_from_the_top_down_and_then_from_the_left():
    mask = np.zeros((20, 30), bool)
    for y, x in ((12, 2), (3, 20), (3, 5), (8, 25)):
        mask[y : y + 2, x : x + 3] = True
    assert boxes_of(mask) == [[5, 3, 8, 5], [20, 3, 23, 5], [25, 8, 28, 10], [2, 12, 5, 14]]
