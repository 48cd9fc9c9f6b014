import cv2
import numpy as np
import pytest

from mmomni.synthesis.natural import strokes
from mmomni.synthesis.natural.strokes import LARGEST, retouch
from mmomni.synthesis.scene import Scene
from test_natural.shapes import mask_of, rectangle

SIZE = (96, 128)


@pytest.mark.parametrize('brush', ['stroke', 'dabs'])
@pytest.mark.parametrize('tool', ['clone', 'heal'])
def test_retouching_shows_pixels_of_the_image(tool, brush, photo, edits_of):
    for edit in edits_of(retouch, Scene(photo), 3, tool=tool, brush=brush):
        dy, dx = edit.details['shift']
        y, x = np.nonzero(edit.matte == 1)
        assert edit.mask.mean() < 0.2
        same = edit.image[y, x] == photo[y + dy, x + dx]
        assert (same.mean() > 0.95) == (tool == 'clone')
        gap = np.abs(np.diff(edit.image.astype(int), axis=0))[edit.matte[1:] > 0]
        assert gap.mean() < 40, 'no seams'


def test_nothing_is_retouched_where_there_is_nothing_to_cover():
    flat = np.full((200, 240, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    assert not any(retouch(Scene(flat), rng) for _ in range(30))


@pytest.mark.parametrize('tool', ['clone', 'heal'])
def test_only_pixels_of_the_strokes_change(tool, photo, edits_of, assert_kept_outside):
    scene = Scene(np.ascontiguousarray(photo[:96, :128]))
    for edit in edits_of(retouch, scene, 4, tool=tool):
        assert_kept_outside(scene.image, edit)
        assert 0 < edit.mask.mean() <= 1.1 * LARGEST
        # At least the brush, of 3 pixels or more, was set down once.
        assert edit.mask.sum() >= 16
        assert edit.details['radius'] >= 3
        assert not edit.used_donor


def test_brushes_are_as_thick_as_told(photo, edits_of):
    scene = Scene(photo)
    for edit in edits_of(retouch, scene, 8, brush='stroke'):
        distance = cv2.distanceTransform(edit.mask.astype(np.uint8), cv2.DIST_L2, 5)
        # Half of the strokes cross themselves nowhere.
        assert distance.max() >= 0.6 * edit.details['radius']
    thickness = [
        cv2.distanceTransform(e.mask.astype(np.uint8), cv2.DIST_L2, 5).max() / e.details['radius']
        for e in edits_of(retouch, scene, 8, brush='stroke')
    ]
    assert 0.8 < np.median(thickness) < 1.4


def test_sources_are_farther_off_than_the_brush_is_wide(photo, edits_of):
    for edit in edits_of(retouch, Scene(photo), 12, tool='clone'):
        dy, dx = edit.details['shift']
        diameter = 2 * edit.details['radius']
        assert 1.5 * diameter - 1.5 <= np.hypot(dy, dx) <= 7 * diameter + 1.5
        y, x = np.nonzero(edit.mask)
        # Within the image, a soft rim aside.
        assert -2 <= (y + dy).min() <= (y + dy).max() < photo.shape[0] + 2
        assert -2 <= (x + dx).min() <= (x + dx).max() < photo.shape[1] + 2


def test_retouching_is_a_function_of_the_generator(photo):
    scene = Scene(np.ascontiguousarray(photo[:96, :128]))
    first, same, other = (
        next(filter(None, (retouch(scene, rng) for _ in range(40))))
        for rng in map(np.random.default_rng, (1, 1, 2))
    )
    assert np.array_equal(first.image, same.image)
    assert first.details == same.details
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize('eventful', ['left', 'right'])
def test_strokes_begin_where_there_is_something_to_cover(eventful):
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    noise[:, slice(64, 128) if eventful == 'left' else slice(0, 64)] = 120
    starts = [strokes._something(noise, 4, np.random.default_rng(seed)) for seed in range(20)]
    on_the_left = np.array(starts)[:, 0] < 64
    # Of six places, all lie in the flat half once in 64 times.
    assert (on_the_left == (eventful == 'left')).sum() >= 18


@pytest.mark.parametrize('start', [(64.0, 48.0), (3.0, 92.0)], ids=['middle', 'corner'])
def test_paths_begin_at_their_start_bend_smoothly_and_stay_inside(start):
    for seed in range(20):
        path = strokes._path(np.array(start), SIZE, np.random.default_rng(seed))
        assert np.allclose(path[0], start)
        assert path.min() >= 2
        assert (path.max(axis=0) <= np.array(SIZE[::-1]) - 3).all()
        length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
        assert length <= 0.6 * min(SIZE) + 1e-6
        assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() <= 0.3 * min(SIZE)


def test_of_some_sources_the_one_that_fits_best_is_taken():
    # It gets brighter downwards: what fits is at the same height.
    ramp = np.repeat(np.arange(SIZE[0], dtype=np.uint8)[:, None, None] * 2, SIZE[1], 1)
    ramp = np.repeat(ramp, 3, axis=2)
    mask = mask_of(rectangle(44, 60, 6, 8), SIZE)
    found = [strokes._best_source(ramp, mask, 4, np.random.default_rng(seed)) for seed in range(20)]
    away = np.abs([shift for shift in found if shift is not None])
    assert len(away) == 20
    assert away[:, 1].mean() < away[:, 0].mean() / 3


def test_without_room_there_is_no_source(photo):
    image, mask = np.ascontiguousarray(photo[:96, :128]), mask_of(rectangle(4, 4, 88, 120), SIZE)
    for seed in range(5):
        assert strokes._best_source(image, mask, 4, np.random.default_rng(seed)) is None


def test_sources_are_not_what_is_covered(photo):
    image = np.ascontiguousarray(photo[:96, :128])
    mask = mask_of(rectangle(40, 50, 8, 30), SIZE)
    rim = (cv2.dilate(mask.astype(np.uint8), np.ones((7, 7))) > 0) & ~mask
    y, x = np.nonzero(rim)
    rngs = map(np.random.default_rng, range(40))
    shifts = list(filter(None, (strokes._best_source(image, mask, 3, rng) for rng in rngs)))
    assert len(shifts) > 20
    for dx, dy in shifts:
        # A sample of the rim is looked at: one pixel in two.
        assert mask[(y + dy).clip(0, 95), (x + dx).clip(0, 127)].mean() < 0.02
