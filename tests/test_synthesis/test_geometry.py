import cv2
import numpy as np
import pytest

from mmomni.synthesis.geometry import (
    at_least,
    fits,
    grown,
    misfit,
    on_or_off_grid,
    random_warp,
    shifted,
    warp_affine,
    warped,
    warped_contour,
)
from mmomni.synthesis.jpeg_history import on_same_grid
from mmomni.utils.regions import Outline, filled

TALL = np.array([[0.0, 0], [8, 0], [8, 20], [0, 20]])


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_point_grows_to_a_disc():
    point = np.zeros((31, 31), bool)
    point[15, 15] = True
    y, x = np.mgrid[:31, :31] - 15
    disc = grown(point, 6)
    assert not disc[np.hypot(y, x) > 6.9].any()
    assert disc[np.hypot(y, x) <= 5].all()
    assert disc[[15, 15, 9, 21], [9, 21, 15, 15]].all(), 'six pixels each way'


@pytest.mark.parametrize('pixels', [1, 3, 5])
def test_shrinking_a_mask_is_growing_what_surrounds_it(pixels):
    mask = cv2.GaussianBlur(noise(60, 60)[..., 0], (0, 0), 4) > 127
    inside = np.s_[6:-6, 6:-6]
    assert np.array_equal(grown(mask, -pixels)[inside], ~grown(~mask, pixels)[inside])
    assert not np.array_equal(grown(mask, -pixels), mask)
    assert np.array_equal(grown(mask, 0), mask)


def test_the_border_of_an_image_is_no_border_of_a_mask():
    assert grown(np.ones((20, 20), bool), -3).all()


def test_warps_are_rotations_scales_and_flips_within_their_limits():
    rng = np.random.default_rng(0)
    warps = np.array([random_warp(rng) for _ in range(300)])
    products = warps.transpose(0, 2, 1) @ warps
    scales = np.sqrt(np.abs(np.linalg.det(warps)))
    assert np.allclose(products, scales[:, None, None] ** 2 * np.eye(2)), 'no shear'
    assert 0.8 <= scales.min() < 0.83
    assert 1.2 < scales.max() <= 1.25
    angles = np.degrees(np.arctan2(-warps[:, 0, 1], warps[:, 1, 1]))
    assert -15 <= angles.min() < -13
    assert 13 < angles.max() <= 15
    assert 0.4 < (np.linalg.det(warps) < 0).mean() < 0.6


def test_a_warped_contour_starts_at_the_origin_and_says_where_it_was():
    contour = np.array([[0.0, 0], [4, 0], [4, 2], [0, 2]])
    quarter_turn = np.array([[0.0, -1], [1, 0]])
    moved, corner = warped_contour(contour, quarter_turn)
    assert moved.tolist() == [[2, 0], [2, 4], [0, 4], [0, 0]]
    assert corner.tolist() == [-2, 0]


@pytest.mark.parametrize(
    ('corner', 'inside'),
    [
        pytest.param((8, 18), True, id='as large as can be'),
        pytest.param((9, 18), False, id='on the right border'),
        pytest.param((8.1, 18), False, id='a tenth of a pixel into the right border'),
        pytest.param((8, 19), False, id='on the bottom border'),
    ],
)
def test_a_contour_fits_where_it_leaves_the_last_row_and_column_free(corner, inside):
    contour = np.array([[0.0, 0], [corner[0], 0], corner, [0, corner[1]]])
    assert fits(contour, (20, 10)) is inside


@pytest.mark.parametrize(
    ('source', 'target', 'kept', 'size', 'place'),
    [
        pytest.param((3, 5), (20, 30), True, (99, 99), (19, 29), id='moved up and left'),
        pytest.param((3, 5), (11, 29), True, (99, 99), (11, 29), id='on the grid already'),
        pytest.param((7, 0), (2, 3), True, (99, 99), (7, 0), id='not above the image'),
        pytest.param((7, 0), (2, 3), True, (7, 99), None, id='no such row'),
        pytest.param((0, 7), (3, 2), True, (99, 7), None, id='no such column'),
        pytest.param((3, 5), (20, 30), False, (99, 99), (20, 30), id='off the grid'),
        pytest.param((3, 5), (11, 30), False, (99, 99), (11, 30), id='off it in one direction'),
        pytest.param((3, 5), (11, 29), False, (99, 99), None, id='on it though it must not be'),
    ],
)
def test_places_on_and_off_the_grid(source, target, kept, size, place):
    assert on_or_off_grid(source, target, kept, size) == place


def test_a_kept_grid_is_kept_nearby_and_within_the_room():
    for row in range(8):
        for target in range(16):
            place = on_or_off_grid((row, 0), (target, 0), True, (16, 16))
            assert place is not None, 'any phase lies in 16 rows'
            assert on_same_grid(place[0] - row, place[1])
            assert 0 <= place[0] < 16
            assert abs(place[0] - target) < 8


def plane(rows: int, columns: int) -> np.ndarray:
    """Three grey levels a column, one a row."""
    y, x = np.mgrid[:rows, :columns]
    return np.repeat((3 * x + y)[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ('target', 'difference'),
    [((4, 10), 0), ((6, 10), 2), ((4, 15), 15), ((6, 15), 17), ((3, 9), 4)],
)
def test_misfit_compares_what_is_left_with_what_is_met(target, difference):
    image, outline = plane(50, 60), Outline(TALL, (4, 10), 'shape')
    assert misfit(image, outline, image, TALL, target) == difference


def test_misfit_looks_at_the_outline_alone_and_stays_in_the_image():
    image, outline = plane(50, 60), Outline(TALL, (4, 10), 'shape')
    other = image.copy()
    other[6:22, 12:17] = 255  # inside of the outline
    assert misfit(image, outline, other, TALL, (4, 10)) == 0
    assert misfit(image, outline, image, TALL, (49, 59)) > 0, 'beyond it lies its last pixel'


def test_unwarped_regions_move_pixel_by_pixel():
    image = noise(40, 60)
    moved = warped(image, np.eye(2), (10, 20), (14, 9), np.zeros(2))
    assert moved.shape == image.shape
    assert np.array_equal(moved[14:34, 9:29], image[10:30, 20:40])
    small = warped(image, np.eye(2), (10, 20), (0, 1), np.zeros(2), (12, 16))
    assert np.array_equal(small[:, 1:], image[10:22, 20:35])


@pytest.mark.parametrize('seed', range(4))
def test_a_warped_image_has_its_region_where_the_warped_contour_lies(seed):
    contour, source, target = np.array([[0.0, 0], [30, 6], [22, 40], [4, 30]]), (60, 60), (71, 52)
    mask = filled(contour + source[::-1], (160, 150))
    image = np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255
    warp = random_warp(np.random.default_rng(seed))
    moved, corner = warped_contour(contour, warp)
    found = warped(image, warp, source, target, corner)[..., 0] > 127
    expected = filled(moved + target[::-1], found.shape)
    assert (found & expected).sum() / (found | expected).sum() > 0.93


def test_a_mirrored_region_holds_the_mirrored_pixels():
    image = noise(40, 60)
    mirror = np.array([[-1.0, 0], [0, 1]])
    _, corner = warped_contour(np.array([[0.0, 0], [9, 0], [9, 14], [0, 14]]), mirror)
    found = warped(image, mirror, (10, 20), (14, 9), corner)
    assert np.array_equal(found[14:29, 9:19], image[10:25, 29:19:-1])


@pytest.mark.parametrize('shift', [(0, 0), (7, 3), (-7, 3), (5, -9)])
def test_a_shift_moves_whole_pixels_and_mirrors_what_is_bared(shift):
    image, (dx, dy) = noise(30, 40), shift
    pads = [(max(step, 0), max(-step, 0)) for step in (dy, dx)]
    reference = np.pad(image, [*pads, (0, 0)], mode='reflect')
    window = np.s_[max(-dy, 0) :, max(-dx, 0) :]
    assert np.array_equal(shifted(image, shift), reference[window][:30, :40])


def test_a_shift_onto_a_larger_canvas():
    image = noise(30, 40)
    reference = np.pad(image, [(0, 10), (2, 8), (0, 0)], mode='reflect')
    assert np.array_equal(shifted(image, (2, 0), (40, 50)), reference)


def test_what_keeps_its_size_keeps_its_pixels():
    image = noise(30, 40)
    warp = np.array([[1.0, 0, 4], [0, 1, -3]])
    found = warp_affine(image, warp, (20, 30))
    assert np.array_equal(found[:, 4:], image[3:23, :26])
    dark = warp_affine(image, warp, (40, 60), cv2.BORDER_CONSTANT)
    assert not dark[:, :4].any()


@pytest.mark.parametrize(
    ('size', 'shape'),
    [
        pytest.param((20, 30), (20, 30), id='of the size'),
        pytest.param((10, 30), (20, 30), id='large enough'),
        pytest.param((40, 30), (40, 60), id='too low'),
        pytest.param((20, 75), (50, 75), id='too narrow'),
        pytest.param((30, 31), (30, 45), id='both, one more so'),
    ],
)
def test_images_are_enlarged_until_a_region_of_another_fits(size, shape):
    image = noise(20, 30)
    larger = at_least(image, size)
    assert np.abs(np.subtract(larger.shape[:2], shape)).max() <= 1
    assert (larger.shape[:2] >= np.array(size)).all()
    assert (larger is image) == (shape == (20, 30))
