import cv2
import numpy as np
import pytest

from mmomni.synthesis.colour import as_grey
from mmomni.synthesis.whole_edits import EDITS, blurred, levels, noisy, sharper

GREY_LEVELS = np.arange(256, dtype=np.uint8)
RAMP = GREY_LEVELS[None, :, None].repeat(3, axis=2)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def tones(seed: int) -> tuple[np.ndarray, dict]:
    """What becomes of the 256 grey levels, which have no colour to lose, and the parameters."""
    ramp, told = levels(RAMP, generator(seed))
    assert np.ptp(ramp, axis=2).max() == 0, 'grey stays grey'
    return ramp[0, :, 0].astype(int), told


@pytest.mark.parametrize('kind', EDITS)
def test_edits_are_functions_of_the_generator_and_write_into_nothing(kind, photo):
    before = photo.copy()
    (one, told), (same, again), (other, _) = (
        EDITS[kind](photo, generator(seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(photo, before)
    assert np.array_equal(one, same)
    assert told == again
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ('kind', 'name', 'low', 'high'),
    [('blur', 'sigma', 0.4, 1.2), ('noise', 'level', 1, 5), ('sharpen', 'amount', 0.2, 1.2)],
)
def test_strengths_cover_their_range(kind, name, low, high):
    found = [EDITS[kind](RAMP, generator(seed))[1][name] for seed in range(120)]
    assert low <= min(found) < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < max(found) <= high


@pytest.mark.parametrize('seed', range(3))
def test_a_blur_is_as_wide_as_told(seed):
    edge = np.zeros((20, 40, 3), np.uint8)
    edge[:, 20:] = 255
    soft, told = blurred(edge, generator(seed))
    slopes = np.diff(soft[10, :, 0].astype(float))
    positions = np.arange(39) - 19
    assert slopes @ positions == pytest.approx(0, abs=3), 'moved nowhere'
    width = np.sqrt(slopes @ positions**2 / slopes.sum())
    assert width == pytest.approx(told['sigma'], abs=0.08)


@pytest.mark.parametrize('seed', range(3))
def test_noise_is_as_strong_as_told(seed):
    image = np.full((80, 80, 3), (90, 128, 170), np.uint8)
    noise, told = noisy(image, generator(seed))
    assert (noise.astype(int) - image).std() == pytest.approx(told['level'], rel=0.06)


@pytest.mark.parametrize('seed', range(3))
def test_sharpening_adds_as_much_of_what_a_blur_takes_as_told(seed, photo):
    image = photo // 2 + 64
    sharp, told = sharper(image, generator(seed))
    taken = image - cv2.GaussianBlur(image.astype(float), (0, 0), 1.2)
    added = sharp.astype(float) - image
    assert (added * taken).sum() / (taken**2).sum() == pytest.approx(told['amount'], rel=0.06)


def test_levels_keep_the_order_of_tones_and_reach_black_and_white():
    for seed in range(40):
        tone, _ = tones(seed)
        assert (np.diff(tone) >= 0).all()
        assert tone[0] == 0
        assert tone[255] == 255
        assert tone[40] > 0, 'no black point lies above 25'
        assert tone[215] < 255, 'no white point lies below 230'


def test_a_gamma_above_1_darkens_and_one_below_brightens():
    seen = []
    for seed in range(60):
        tone, told = tones(seed)
        if told['curve']:
            continue
        # The middle lies between what the widest black and the widest white point make of it.
        lowest, highest = ((128 - 25) / (255 - 25)), 128 / 230
        gamma = told['gamma']
        assert lowest**gamma - 0.01 <= tone[128] / 255 <= highest**gamma + 0.01
        seen.append(gamma)
    assert 0.65 <= min(seen) < 0.8
    assert 1.3 < max(seen) <= 1.5


def test_a_curve_makes_dark_tones_darker_and_bright_ones_brighter():
    contrasts = {True: [], False: []}
    for seed in range(60):
        tone, told = tones(seed)
        slopes = np.diff(tone)
        middle = np.searchsorted(tone, 128)
        steepness = slopes[middle - 20 : middle + 20].mean() / slopes[slopes > 0].mean()
        contrasts[told['curve'] > 0.3].append(steepness)
    assert np.mean(contrasts[True]) > np.mean(contrasts[False]) + 0.1


def test_the_saturation_is_as_told():
    image = np.full((4, 4, 3), (150, 110, 128), np.uint8)
    seen = set()
    for seed in range(40):
        tone, told = tones(seed)
        toned, found = tone[image].astype(np.uint8), levels(image, generator(seed))[0]
        grey = as_grey(toned).astype(float)
        expected = grey + told['saturation'] * (toned - grey)
        assert np.abs(found - expected.clip(0, 255)).max() <= 1
        seen.add(np.sign(told['saturation'] - 1))
    assert seen == {-1, 0, 1}, 'less, the same and more colour'
