from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmomni.synthesis.faces import retouching
from mmomni.synthesis.faces.retouching import PARTS, face_retouch
from mmomni.synthesis.scene import Scene

FACE = (80, 60, 200, 180)
BOX = (30, 20, 90, 80)


def test_pushed_features_leave_the_rest_alone(photo, edits_of):
    seen = set()
    for edit in edits_of(face_retouch, Scene(photo, face=FACE), 14):
        if edit.details['variant'] == 'push':
            seen.add(edit.details['feature'])
        assert edit.details['face_box'] == 'found'
        x = np.nonzero(edit.mask)[1]
        assert FACE[0] - 40 <= x.min() < x.max() <= FACE[2] + 40
    assert seen == set(PARTS)


def test_smoothed_skin_has_less_detail(photo, edits_of):
    noise = np.random.default_rng(0).normal(0, 5, photo.shape)
    skin = (cv2.GaussianBlur(photo, (0, 0), 4) + noise).clip(0, 255).astype(np.uint8)
    (edit,) = edits_of(face_retouch, Scene(skin, face=FACE), 1, variant='smooth')
    core = edit.matte == 1
    before, after = (cv2.Laplacian(image, cv2.CV_64F)[core].std() for image in (skin, edit.image))
    assert after < 0.8 * before


@pytest.mark.parametrize('variant', ['smooth', 'push'])
def test_retouching_changes_the_face_alone(variant, portraits, edits_of, assert_kept_outside):
    for edit in edits_of(face_retouch, portraits, 4, variant=variant):
        assert_kept_outside(portraits.image, edit)
        assert edit.details['face_box'] == 'found'
        assert not edit.used_donor
        y, x = np.nonzero(edit.mask)
        # A chin's disc goes a little beyond the box.
        assert BOX[0] - 6 <= x.min() < x.max() <= BOX[2] + 6
        assert BOX[1] - 6 <= y.min() < y.max() <= BOX[3] + 13


def test_without_a_box_the_centre_is_retouched_and_said_so(portraits, edits_of):
    for edit in edits_of(face_retouch, replace(portraits, face=None), 6):
        assert edit.details['face_box'] == 'centre'
        assert edit.mask.any()


def test_two_in_five_are_smoothed_and_each_part_is_pushed(portraits, edits_of):
    edits = edits_of(face_retouch, portraits, 100)
    smoothed = [edit for edit in edits if edit.details['variant'] == 'smooth']
    assert len(smoothed) / 100 == pytest.approx(0.4, abs=0.14)
    assert {e.details['feature'] for e in edits if e.details['variant'] == 'push'} == set(PARTS)
    strengths = [edit.details['strength'] for edit in smoothed]
    assert 25 <= min(strengths) < 35
    assert 50 < max(strengths) <= 60


def test_eyes_and_mouth_stay_sharp(portraits, edits_of):
    for edit in edits_of(face_retouch, portraits, 4, variant='smooth'):
        for name in ('eyes', 'mouth'):
            for x, y, _ in PARTS[name]:
                at = round(20 + 60 * y), round(30 + 60 * x)
                assert edit.matte[at] < 0.5, name
        for x, y in ((0.5, 0.2), (0.25, 0.6), (0.75, 0.6)):  # brow and cheeks
            assert edit.matte[round(20 + 60 * y), round(30 + 60 * x)] == 1


def test_smoothing_keeps_the_mean_of_the_skin(portraits, edits_of):
    for edit in edits_of(face_retouch, portraits, 4, variant='smooth'):
        skin = edit.matte == 1
        before, after = portraits.image[skin].astype(float), edit.image[skin].astype(float)
        assert np.abs(after.mean(axis=0) - before.mean(axis=0)).max() < 1


@pytest.mark.parametrize('name', PARTS)
def test_a_push_ends_within_its_discs(name, portraits):
    y, x = np.mgrid[:110, :120]
    for seed in range(8):
        edit = retouching._pushed(portraits.image, BOX, name, np.random.default_rng(seed))
        discs = np.zeros((110, 120), bool)
        for place_x, place_y, radius in PARTS[name]:
            u, v = x - (30 + 60 * place_x), y - (20 + 60 * place_y)
            discs |= u**2 + v**2 < (60 * radius) ** 2
        assert not edit.mask[~discs].any()
        # Where pixels move by less than a quarter of one, nobody could tell.
        assert 0.2 < edit.mask[discs].mean() < 1
        assert edit.details == {'variant': 'push', 'feature': name}
        assert set(np.unique(edit.matte)) <= {0, 1}


def pushed_dots(name: str, seed: int, dots) -> list[np.ndarray]:
    """Where dots at (x, y), in shares of the box, come to lie: their shifts in pixels."""
    shifts = []
    for x, y in dots:
        image = np.zeros((110, 120, 3), np.uint8)
        at = np.array([round(30 + 60 * x), round(20 + 60 * y)])
        cv2.circle(image, at.tolist(), 1, (255, 255, 255), cv2.FILLED)
        edit = retouching._pushed(image, BOX, name, np.random.default_rng(seed))
        weights = edit.image[..., 0].astype(float)
        ys, xs = np.mgrid[:110, :120]
        now = np.array([np.average(xs, weights=weights), np.average(ys, weights=weights)])
        shifts.append(now - at)
    return shifts


def test_both_sides_of_a_chin_are_pushed_inwards():
    wide = []
    for seed in range(10):
        left, right = pushed_dots('chin', seed, [(0.3, 0.9), (0.7, 0.9)])
        # The discs overlap a little, so that one side takes from the other.
        assert left[0] >= -0.1
        assert right[0] <= 0.1
        assert left[1] == pytest.approx(right[1], abs=0.3), 'up or down together'
        wide.append(left[0] - right[0])
    assert max(wide) > 3


def test_features_are_enlarged_shrunk_or_moved():
    kinds = set()
    for seed in range(24):
        left, right = pushed_dots('mouth', seed, [(0.42, 0.78), (0.58, 0.78)])
        apart = right[0] - left[0]
        if abs(apart) < 0.5 * abs(left[0] + right[0]):
            kinds.add('moved')
        else:
            kinds.add('enlarged' if apart > 0 else 'shrunk')
    assert kinds == {'enlarged', 'shrunk', 'moved'}


def test_the_change_begins_gently_at_the_border_of_what_is_masked():
    # On a ramp along x of two levels a pixel, the change is twice the shift along x.
    ramp = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None] * 2, 110, 0).repeat(3, 2)
    most = []
    for seed in range(6):
        edit = retouching._pushed(ramp, BOX, 'nose', np.random.default_rng(seed))
        change = np.abs(edit.image[..., 0].astype(int) - ramp[..., 0])
        rim = edit.mask & (cv2.erode(edit.matte, np.ones((3, 3), np.uint8)) == 0)
        assert change[rim].max() <= 2
        most.append(change.max())
    assert max(most) >= 4


def test_face_retouching_is_a_function_of_the_generator(portraits):
    first, same, other = (
        face_retouch(portraits, np.random.default_rng(seed)) for seed in (2, 2, 3)
    )
    np.testing.assert_array_equal(first.image, same.image)
    np.testing.assert_array_equal(first.matte, same.matte)
    assert not np.array_equal(first.image, other.image)
