from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmomni.synthesis.faces import blending
from mmomni.synthesis.faces.blending import FEATURES, face_blend, region_swap
from mmomni.synthesis.scene import Scene
from mmomni.utils.regions import boxes_of

BOX, DONOR_BOX = (30, 20, 90, 80), (20, 30, 60, 70)


def centre_of(mask: np.ndarray) -> np.ndarray:
    """(x, y) of the middle of a mask."""
    return np.argwhere(mask).mean(axis=0)[::-1]


@pytest.mark.parametrize('variant', ['swap', 'self_blend'])
def test_a_face_is_blended_within_its_box(variant, portraits, edits_of, assert_kept_outside):
    donor = portraits.donor.copy()
    for edit in edits_of(face_blend, portraits, 5, variant=variant):
        assert_kept_outside(portraits.image, edit)
        assert edit.details == {'variant': variant, 'face_box': 'found'}
        assert edit.used_donor == (variant == 'swap')
        assert len(boxes_of(edit.mask)) == 1
        assert np.abs(centre_of(edit.mask) - (60, 53)).max() < 4
        y, x = np.nonzero(edit.mask)
        # Jittered by a tenth, it stays about as large as the box.
        assert 0.55 * 60 < np.ptp(x) < 1.0 * 60
        assert 0.7 * 60 < np.ptp(y) < 1.2 * 60
    np.testing.assert_array_equal(portraits.donor, donor, 'the donor was written into')


@pytest.mark.parametrize('lacking', ['face', 'donor_face'])
def test_without_both_boxes_a_face_is_blended_with_itself(lacking, portraits, edits_of):
    scene = replace(portraits, **{lacking: None})
    for edit in edits_of(face_blend, scene, 10):
        place = 'centre' if lacking == 'face' else 'found'
        assert edit.details == {'variant': 'self_blend', 'face_box': place}
        assert not edit.used_donor


def test_half_of_the_pairs_of_faces_are_swapped(portraits, edits_of):
    edits = edits_of(face_blend, portraits, 60)
    assert np.mean([edit.used_donor for edit in edits]) == pytest.approx(0.5, abs=0.17)


def test_a_face_that_does_not_fit_is_not_swapped(portraits):
    checks = np.indices((110, 120)).sum(axis=0) // 4 % 2 * 255
    donor = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    rng = np.random.default_rng(0)
    edits = [face_blend(replace(portraits, donor=donor), rng) for _ in range(20)]
    assert None in edits
    assert {edit.details['variant'] for edit in edits if edit} == {'self_blend'}


@pytest.mark.parametrize('operation', [face_blend, region_swap])
def test_blending_is_a_function_of_the_generator(operation, portraits):
    first, same, other = (
        next(filter(None, (operation(portraits, rng) for _ in range(40))))
        for rng in map(np.random.default_rng, (2, 2, 3))
    )
    np.testing.assert_array_equal(first.image, same.image)
    np.testing.assert_array_equal(first.matte, same.matte)
    assert not np.array_equal(first.image, other.image)


def test_around_a_face_that_fills_the_image_something_authentic_stays():
    for seed in range(20):
        matte = blending._face_matte((100, 100), (-30, -30, 130, 130), np.random.default_rng(seed))
        assert 0.3 < (matte > 0.5).mean() < np.pi * 0.42**2 * 1.1**2
        assert matte[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.1


def test_mattes_of_faces_are_soft_and_convex():
    for seed in range(10):
        matte = blending._face_matte((110, 120), BOX, np.random.default_rng(seed))
        assert matte.dtype == np.float32
        assert ((matte > 0.05) & (matte < 0.95)).sum() > 100
        (contour,), _ = cv2.findContours(
            (matte > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        hull = cv2.contourArea(cv2.convexHull(contour))
        assert cv2.contourArea(contour) > 0.97 * hull


def test_the_other_face_comes_to_lie_on_this_one():
    # A spot in the middle of the donor's face, and one to the right of it.
    donor = np.full((110, 120, 3), 90, np.uint8)
    cv2.circle(donor, (40, 50), 4, (255, 255, 255), cv2.FILLED)
    cv2.circle(donor, (52, 50), 2, (0, 0, 0), cv2.FILLED)
    image = np.full((110, 120, 3), 90, np.uint8)
    image[30:70, 40:80] = np.random.default_rng(0).integers(60, 130, (40, 40, 1))
    scene, sides = Scene(image, donor, face=BOX, donor_face=DONOR_BOX), set()
    for seed in range(12):
        content = blending._other_face(scene, BOX, np.random.default_rng(seed)).astype(int)
        grey, usual = content[..., 1], np.median(content[..., 1])
        bright, dark = grey > (grey.max() + usual) / 2, grey < 0.8 * grey.min() + 0.2 * usual
        assert np.abs(centre_of(bright) - (60, 50)).max() < 0.7
        # The box is half as large again as the donor's.
        assert bright.sum() == pytest.approx(49 * 1.5**2, rel=0.2)
        away = centre_of(dark) - (60, 50)
        assert np.abs(np.abs(away) - (18, 0)).max() < 1
        sides.add(away[0] > 0)
    assert sides == {True, False}, 'one in two is mirrored'


def test_the_other_face_takes_the_colours_of_this_one(portraits):
    donor = (portraits.donor * 0.6).astype(np.uint8)
    content = blending._other_face(
        replace(portraits, donor=donor), BOX, np.random.default_rng(0)
    )
    inner = np.s_[32:68, 42:78]
    apart = content[inner].mean(axis=(0, 1)) - portraits.image[inner].mean(axis=(0, 1))
    assert np.abs(apart).max() < 6


@pytest.mark.parametrize('lacking', ['donor', 'donor_face'])
def test_another_face_without_a_donor_is_an_error(lacking, portraits):
    scene = replace(portraits, **{lacking: None})
    with pytest.raises(ValueError, match='expected a donor with the box of its face, got none'):
        blending._other_face(scene, BOX, np.random.default_rng(0))


def test_the_same_face_is_moved_and_scaled_by_little():
    image = np.full((110, 120, 3), 90, np.uint8)
    cv2.circle(image, (60, 50), 4, (255, 255, 255), cv2.FILLED)
    cv2.circle(image, (80, 50), 4, (255, 255, 255), cv2.FILLED)
    moved = []
    for seed in range(12):
        content = blending._same_face(image, BOX, np.random.default_rng(seed))
        bright = content.mean(axis=2) > 160
        middle = bright.copy()
        middle[:, 70:] = False
        moved.append(centre_of(middle) - (60, 50))
        turned = centre_of(bright & ~middle) - centre_of(middle)
        assert 0.94 * 20 < turned[0] < 1.06 * 20
        assert abs(np.degrees(np.arctan2(turned[1], turned[0]))) < 4
    assert 0.3 < np.abs(moved).max() <= 0.03 * 60 + 0.5


@pytest.mark.parametrize('feature', FEATURES)
def test_features_lie_where_a_face_has_them(feature, portraits, edits_of, assert_kept_outside):
    x, y, half_width, half_height = (60 * share for share in FEATURES[feature])
    for edit in edits_of(region_swap, portraits, 3, feature=feature):
        assert_kept_outside(portraits.image, edit)
        assert edit.used_donor
        assert np.abs(centre_of(edit.mask) - (30 + x, 20 + y)).max() < 2.5
        ys, xs = np.nonzero(edit.mask)
        assert np.ptp(xs) / 2 == pytest.approx(half_width, abs=0.08 * half_width + 2)
        assert np.ptp(ys) / 2 == pytest.approx(half_height, abs=0.08 * half_height + 2)
        assert edit.details == {'feature': feature}


@pytest.mark.parametrize('lacking', ['face', 'donor_face', 'donor'])
def test_features_need_both_faces(lacking, portraits):
    scene = replace(portraits, **{lacking: None})
    rng = np.random.default_rng(0)
    assert not any(region_swap(scene, rng) for _ in range(6))


@pytest.mark.parametrize(
    ('box', 'free'),
    [
        ((-6, 10, 54, 70), True),
        ((-7, 10, 53, 70), False),
        ((10, -6, 70, 54), True),
        ((10, -7, 70, 53), False),
        ((66, 10, 126, 70), True),
        ((67, 10, 127, 70), False),
        ((10, 56, 70, 116), True),
        ((10, 57, 70, 117), False),
    ],
)
def test_a_tenth_of_a_face_may_be_outside_for_its_features_to_be_inside(box, free, portraits):
    assert blending._inside(box, portraits.image) == free
    scene = replace(portraits, donor_face=box)
    if not free:
        assert not any(region_swap(scene, np.random.default_rng(seed)) for seed in range(6))


def test_misfit_is_the_mean_difference_along_the_soft_border():
    image = np.full((20, 20, 3), 100, np.uint8)
    content = np.full((20, 20, 3), 130, np.uint8)
    matte = np.zeros((20, 20), np.float32)
    matte[5:15, 5:15] = 1
    assert blending._misfit(image, content, matte) == 0, 'a hard border has no place to meet'
    matte[5, 5:15], matte[14, 5:15] = 0.5, 0.5
    assert blending._misfit(image, content, matte) == 30
    content[14] = 100
    assert blending._misfit(image, content, matte) == 15
    content[6:14] = 255
    assert blending._misfit(image, content, matte) == 15, 'inside, anything may differ'


@pytest.mark.parametrize('warp', [np.eye(2), np.array([[0, -1.0], [1, 0]]), np.diag([-1.0, 1])])
def test_a_point_is_moved_to_its_target(warp):
    image = np.zeros((60, 70, 3), np.uint8)
    image[20, 30] = 255
    moved = blending._move(image, warp, np.array([30, 20]), np.array([44, 35]), (60, 70))
    assert np.argwhere(moved[..., 0] > 128).tolist() == [[35, 44]]
