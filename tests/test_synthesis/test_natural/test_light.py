import cv2
import numpy as np
import pytest

from mmomni.synthesis.colour import grain_of
from mmomni.synthesis.natural.light import (
    DARKNESS,
    LONGEST_SHADOW,
    darkened,
    in_its_light,
    relit,
    shadow_of,
)

SIZE = (72, 96)


def flat(level, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def box(y1: int, y2: int, x1: int, x2: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y1:y2, x1:x2] = True
    return mask


MASK = box(20, 50, 30, 70)


def lit(most: float, content: np.ndarray, image: np.ndarray) -> dict[str, list[np.ndarray]]:
    """What becomes of the content, by what is told of its colours."""
    found: dict[str, list[np.ndarray]] = {}
    for seed in range(60):
        result, kind = in_its_light(content, image, MASK, np.random.default_rng(seed), most)
        found.setdefault(kind, []).append(result)
    return found


def only(aspect: str, content: np.ndarray, image: np.ndarray, num: int = 4):
    """Contents of which nothing but one aspect of their light is changed, and its value."""
    drawn = (relit(content, image, MASK, np.random.default_rng(seed)) for seed in range(200))
    found = [(changed, told[aspect]) for changed, told in drawn if set(told) == {aspect}]
    assert len(found) >= num
    return found[:num]


@pytest.mark.parametrize('most', [0.8, 0.5, 0.3])
def test_colours_go_a_part_of_the_way_to_those_of_the_place(most):
    found = lit(most, flat(200), flat(100))
    assert set(found) == {'as they are', 'mean', 'reinhard'}
    assert all((result == 200).all() for result in found['as they are'])
    # How far from 200 to 100, inside of the mask.
    way = {kind: [(200 - r[MASK].mean()) / 100 for r in found[kind]] for kind in found}
    assert min(way['mean']) > 0.19
    assert max(way['mean']) <= 0.9 * most + 0.01
    assert min(way['reinhard']) > 0.3 * most - 0.03
    assert max(way['reinhard']) < most + 0.03


def test_the_light_of_the_place_is_measured_around_the_mask_too():
    # Black beneath the thing, bright at once beside it, and black farther off.
    image = flat(0)
    image[box(16, 54, 26, 74) & ~MASK] = 250
    results = lit(0.8, flat(40), image)['reinhard']
    assert np.mean([result[MASK].mean() for result in results]) > 55


def test_light_is_not_fitted_to_what_is_far_off():
    near, far = flat(90), flat(90)
    far[:, :8] = (255, 0, 0)
    for one, other in zip(lit(0.8, flat(200), near)['reinhard'],
                          lit(0.8, flat(200), far)['reinhard'], strict=True):  # fmt: skip
        np.testing.assert_array_equal(one, other)


def test_most_lights_are_left_and_all_can_be_changed(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[60:200, 80:220] = True
    seen, untouched = set(), 0
    for seed in range(40):
        changed, details = relit(photo, photo, mask, np.random.default_rng(seed))
        seen |= set(details)
        untouched += not details
        assert np.array_equal(changed, photo) == (not details)
    assert seen == {'stops', 'shaded', 'softened', 'grain'}
    assert 4 <= untouched <= 20, '0.7 * 0.75 * 0.7 * 0.75, or 28 %'


def test_another_exposure_scales_the_light_by_powers_of_two():
    ramp = np.repeat(np.arange(SIZE[1], dtype=np.uint8)[None, :, None] * 2, SIZE[0], 0)
    ramp = np.repeat(ramp, 3, axis=2)
    for changed, stops in only('stops', ramp, ramp):
        assert -0.6 <= stops <= 0.6
        light = (ramp / 255.0) ** 2.2 * 2**stops
        expected = (255 * light ** (1 / 2.2)).clip(0, 255)
        assert np.abs(changed - expected).max() <= 0.51


def test_light_from_one_side_brightens_it_and_darkens_the_other():
    brighter = set()
    for changed, _ in only('shaded', flat(100), flat(100), 6):
        row = changed[0, :, 0].astype(int)
        assert (changed == row[None, :, None]).all(), 'the same in all rows'
        left, right = row[30], row[69]
        assert 10 <= abs(left - 100) <= 30
        assert left + right == pytest.approx(200, abs=1), 'as much as it is brightened'
        assert abs(row[49] - 100) <= 1, 'the middle of the mask stays'
        steps = np.diff(row) * np.sign(right - left)
        assert (steps >= 0).all()
        assert (row[:30] == left).all(), 'no more outside of the mask'
        assert (row[70:] == right).all()
        brighter.add(left > right)
    assert brighter == {True, False}


def test_softened_things_lose_detail_and_keep_their_mean(photo):
    content = np.ascontiguousarray(photo[:72, :96])
    for changed, _ in only('softened', content, content):
        before, after = (cv2.Laplacian(i, cv2.CV_64F).std() for i in (content, changed))
        assert 0.1 * before < after < 0.95 * before
        assert abs(changed.mean() - content.mean()) < 0.5


def test_grain_is_that_of_the_image_and_grey():
    noise = np.random.default_rng(0).normal(128, 4, (*SIZE, 1)).repeat(3, axis=2)
    image = noise.round().astype(np.uint8)
    for changed, _ in only('grain', flat(90), image):
        added = changed.astype(int) - 90
        assert (added == added[..., :1]).all()
        assert added.std() == pytest.approx(grain_of(image), rel=0.1)
        assert abs(added.mean()) < 0.3


def shadows(matte: np.ndarray, feet: float, num: int = 40) -> list[np.ndarray]:
    return [shadow_of(matte, feet, np.random.default_rng(seed)) for seed in range(num)]


def test_shadows_lie_on_the_ground_beside_the_thing():
    matte = box(10, 46, 40, 52).astype(np.float32)
    for shadow in shadows(matte, 46):
        assert shadow.dtype == np.float32
        assert shadow[matte == 1].max() == 0
        assert 0 < shadow.max() <= DARKNESS[1]
        faint = shadow[shadow > 0]
        assert faint.min() >= 1 / 512, 'what cannot be seen is none'


def test_shadows_fall_to_the_front_and_to_the_back_and_no_farther_than_half_the_height():
    # The blur may reach three deviations of 1.5 % of the longer side beyond.
    soft = 3 * 0.015 * SIZE[1] + 1
    feet, height, before, behind = 46, 36, 0, 0
    for shadow in shadows(box(10, 46, 40, 52).astype(np.float32), feet):
        y = np.flatnonzero((shadow > 0.02).any(axis=1))
        assert feet - LONGEST_SHADOW * height - soft <= y.min()
        assert y.max() <= feet + LONGEST_SHADOW * height + soft
        assert y.min() - soft <= feet <= y.max() + soft, 'it begins at the feet'
        before += y.max() > feet + soft
        behind += y.min() < feet - soft
    assert before >= 5
    assert behind >= 5


def test_shadows_lean_to_both_sides():
    centres = [
        np.average(np.arange(SIZE[1]), weights=shadow.sum(axis=0))
        for shadow in shadows(box(10, 46, 40, 52).astype(np.float32), 46)
    ]
    assert min(centres) < 42
    assert max(centres) > 50


@pytest.mark.parametrize(
    ('matte', 'feet'),
    [(np.zeros(SIZE, np.float32), 46), (box(0, 3, 40, 52).astype(np.float32), 400)],
    ids=['no thing', 'outside of the image'],
)
def test_what_throws_no_shadow_into_the_image_darkens_nothing(matte, feet):
    for shadow in shadows(matte, feet, 4):
        assert shadow.shape == SIZE
        assert not shadow.any()


def test_a_shadow_takes_its_share_of_the_light():
    image = np.array([[[200, 100, 40], [200, 100, 40], [255, 255, 255]]], np.uint8)
    before = image.copy()
    dark = darkened(image, np.array([[0, 0.25, 1]], np.float32))
    assert dark.dtype == np.uint8
    assert dark.tolist() == [[[200, 100, 40], [150, 75, 30], [0, 0, 0]]]
    np.testing.assert_array_equal(image, before)
