import cv2
import numpy as np
import pytest

from mmomni.synthesis.natural import inpainting
from mmomni.synthesis.natural.inpainting import (
    METHODS,
    PATCH_SIDE,
    inpaint,
    roughness_around,
    window_around,
)
from test_natural.shapes import disc, mask_of, rectangle

SIZE = (64, 80)


def periodic(size: tuple[int, int] = SIZE, period: int = 8) -> np.ndarray:
    """A texture that repeats: whatever is cut out of it is there a second time."""
    tile = np.random.default_rng(0).integers(40, 216, (period, period, 3))
    repeats = (-(-size[0] // period), -(-size[1] // period), 1)
    return np.tile(tile, repeats)[: size[0], : size[1]].astype(np.uint8)


def box(y: int, x: int, height: int, width: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return mask_of(rectangle(y, x, height, width), size)


@pytest.mark.parametrize(
    ('mask', 'margin', 'rows', 'columns'),
    [
        (box(10, 20, 5, 7), 0, (10, 15), (20, 27)),
        (box(10, 20, 5, 7), 3, (7, 18), (17, 30)),
        (box(2, 1, 5, 7), 4, (0, 11), (0, 12)),
        (box(59, 73, 5, 7), 4, (55, 64), (69, 80)),
        (box(0, 40, 1, 1) | box(63, 41, 1, 1), 0, (0, 64), (40, 42)),
    ],
    ids=['tight', 'grown', 'top left', 'bottom right', 'two pixels'],
)
def test_windows_are_boxes_within_the_image(mask, margin, rows, columns):
    window = window_around(mask, margin)
    assert window[0].indices(SIZE[0])[:2] == rows
    assert window[1].indices(SIZE[1])[:2] == columns


def test_roughness_is_the_deviation_in_a_ring_of_three_pixels():
    hole = box(20, 30, 10, 12)
    image = np.zeros((*SIZE, 3), np.uint8)
    # The hole's middle is at x = 36: as much of the ring left of it as right of it.
    image[:, 36:] = 200
    assert roughness_around(image, hole) == pytest.approx(100)
    ring = box(17, 27, 16, 18) & ~hole
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    image[ring] = 70
    assert roughness_around(image, hole) == 0, 'neither the hole counts nor what is farther off'


@pytest.mark.parametrize('colour', [(40, 40, 40), (90, 140, 220), (255, 0, 0)])
def test_what_has_one_colour_is_smooth_whatever_the_colour(colour):
    image = np.full((*SIZE, 3), colour, np.uint8)
    assert roughness_around(image, box(20, 30, 10, 12)) == 0


def test_nothing_is_rougher_than_what_is_not_there():
    assert roughness_around(np.zeros((*SIZE, 3), np.uint8), np.ones(SIZE, bool)) == np.inf


@pytest.mark.parametrize('method', ['telea', 'navier-stokes'])
def test_smooth_methods_are_opencvs_on_the_whole_image(method, photo):
    image = np.ascontiguousarray(photo[:64, :80])
    hole = box(25, 30, 9, 14)
    flag = {'telea': cv2.INPAINT_TELEA, 'navier-stokes': cv2.INPAINT_NS}[method]
    expected = cv2.inpaint(image, hole.astype(np.uint8), 3, flag)
    result = inpaint(image, hole, method, np.random.default_rng(0))
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize(
    'hole',
    [box(25, 30, 9, 14), box(0, 0, 8, 8), box(56, 70, 8, 10), box(30, 0, 3, 80)],
    ids=['middle', 'top left', 'bottom right', 'across'],
)
def test_whatever_is_in_a_hole_does_not_matter(hole, method, photo):
    image = np.ascontiguousarray(photo[:64, :80])
    first, second = image.copy(), image.copy()
    first[hole], second[hole] = (255, 0, 255), (0, 255, 0)
    filled = [inpaint(each, hole, method, np.random.default_rng(0)) for each in (first, second)]
    # At a border of the image, OpenCV's first method looks into the hole, a little.
    assert np.abs(np.subtract(*filled, dtype=int)).max() <= 8
    np.testing.assert_array_equal(filled[0][~hole], image[~hole])
    assert (first[hole] == (255, 0, 255)).all(), 'the source was written into'


def test_exemplars_restore_a_texture_that_repeats():
    image, hole = periodic(), box(22, 30, 14, 17)
    ruined = np.where(hole[..., None], 255, image).astype(np.uint8)
    errors = {
        method: np.abs(
            inpaint(ruined, hole, method, np.random.default_rng(0)).astype(int) - image
        )[hole].mean()
        for method in METHODS
    }
    assert errors['exemplar'] < 1
    assert min(errors['telea'], errors['navier-stokes']) > 20


def test_exemplars_are_found_in_a_smaller_copy_of_a_large_image():
    # Cells of 8 pixels that repeat every 40, so that a pixel or two beside does little.
    image = periodic((32, 40), 5).repeat(8, axis=0).repeat(8, axis=1)
    hole = box(100, 130, 40, 60, (256, 320))
    ruined = np.where(hole[..., None], 255, image).astype(np.uint8)
    results = [inpaint(ruined, hole, method, np.random.default_rng(0)) for method in METHODS]
    *smooth, copied = (np.abs(result.astype(int) - image)[hole].mean() for result in results)
    assert copied < 0.5 * min(smooth)


def test_exemplars_are_drawn_among_the_best():
    image, hole = periodic(), box(22, 30, 14, 17)
    image = image + np.random.default_rng(1).integers(0, 3, image.shape).astype(np.uint8)
    results = {inpaint(image, hole, 'exemplar', np.random.default_rng(seed)).tobytes()
               for seed in range(12)}  # fmt: skip
    assert 2 <= len(results) <= inpainting.BEST


def test_a_hole_without_anything_to_copy_stays_smooth(photo):
    image, hole = np.ascontiguousarray(photo[:64, :80]), np.ones(SIZE, bool)
    hole[:3] = False
    rng = np.random.default_rng(0)
    smooth, copied = (inpaint(image, hole, method, rng) for method in ('telea', 'exemplar'))
    np.testing.assert_array_equal(copied, smooth)


@pytest.mark.parametrize('method', METHODS)
def test_inpainting_changes_the_hole_alone_and_takes_the_thing_away(method):
    image, inside = disc()
    hole = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    filled = inpaint(image, hole, method, np.random.default_rng(0))
    assert np.array_equal(filled[~hole], image[~hole])
    assert np.abs(filled[hole].mean(axis=0) - (60, 90, 170)).max() < 8


def test_exemplars_keep_the_grain_that_smooth_inpainting_loses():
    image, inside = disc()
    hole = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    core = cv2.erode(hole.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
    smooth, patched = (
        inpaint(image, hole, method, np.random.default_rng(0))[core].std(axis=0).mean()
        for method in ('telea', 'exemplar')
    )
    assert smooth < 3
    assert 4.5 < patched < 8


@pytest.mark.parametrize(
    ('hole', 'count'),
    [
        (box(3, 4, PATCH_SIDE, PATCH_SIDE, (256, 256)), 1),
        (box(3, 4, PATCH_SIDE + 1, 20, (256, 256)), 2),
        (box(3, 4, 2 * PATCH_SIDE + 5, PATCH_SIDE + 5, (256, 256)), 6),
        (box(0, 0, 10, 10, (256, 256)) | box(190, 190, 10, 10, (256, 256)), 2),
    ],
    ids=['one', 'a row more', 'three by two', 'two corners'],
)
def test_large_holes_are_cut_into_parts(hole, count):
    parts = inpainting._parts(hole)
    assert len(parts) == count
    np.testing.assert_array_equal(np.sum(parts, axis=0), hole, 'each pixel in one part')
    for part in parts:
        rows, columns = window_around(part, 0)
        assert max(rows.stop - rows.start, columns.stop - columns.start) <= PATCH_SIDE
