import cv2
import numpy as np
import pytest

from mmomni.synthesis.colour import (
    as_grey,
    change_sharpness,
    grain_of,
    jitter_colours,
    re_expose,
    reinhard,
    resampled,
    sharpened,
    towards_mean,
    with_grain,
)

EVERYWHERE = (slice(None), slice(None))


def grey_noise(seed: int, mean: float, deviation: float) -> np.ndarray:
    values = np.random.default_rng(seed).normal(mean, deviation, (60, 60, 1))
    return np.round(values.repeat(3, axis=2)).clip(0, 255).astype(np.uint8)


def flat(*colour: int) -> np.ndarray:
    return np.full((40, 50, 3), colour, np.uint8)


def edge() -> np.ndarray:
    image = flat(80, 80, 80)
    image[:, 25:] = 160
    return image


def lightness(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 0].astype(float)


def test_grey_is_the_luma_of_bt601(photo):
    grey = as_grey(photo)
    assert np.ptp(grey, axis=2).max() == 0
    assert np.abs(grey[..., 0] - photo @ [0.299, 0.587, 0.114]).max() <= 1


@pytest.mark.parametrize(('deviation', 'gain'), [(30, 1.6), (12, 1.2), (4, 0.6)])
def test_colour_transfer_scales_contrast_within_limits(deviation, gain):
    content, image = grey_noise(0, 110, 10), grey_noise(1, 140, deviation)
    before, after = lightness(content), lightness(reinhard(content, EVERYWHERE, image, EVERYWHERE))
    assert abs(after.mean() - lightness(image).mean()) < 1
    assert abs(after.std() / before.std() - gain) < 0.08


def test_colour_transfer_measures_nothing_elsewhere():
    content, image = grey_noise(0, 110, 10), grey_noise(1, 150, 10)
    mask = np.zeros((60, 60), bool)
    mask[10:30, 5:50] = True
    window = np.s_[10:30, 5:50]
    expected = reinhard(content, mask, image, mask)
    assert np.array_equal(reinhard(content, window, image, window), expected)
    other = np.where(mask[..., None], image, 0).astype(np.uint8)
    assert np.array_equal(reinhard(content, mask, other, mask), expected)
    other = np.where(mask[..., None], content, 255).astype(np.uint8)
    assert np.array_equal(reinhard(other, mask, image, mask)[window], expected[window])
    assert abs(lightness(expected)[~mask].mean() - lightness(image)[~mask].mean()) < 2, (
        'all of the content is changed'
    )


def test_without_strength_or_region_no_colour_is_transferred():
    content, image = grey_noise(0, 110, 10), grey_noise(1, 150, 30)
    unchanged = reinhard(content, EVERYWHERE, image, EVERYWHERE, strength=0)
    assert np.abs(unchanged.astype(int) - content).max() <= 2, 'there and back through Lab'
    nothing = np.zeros((60, 60), bool)
    assert reinhard(content, nothing, image, EVERYWHERE) is content
    assert reinhard(content, EVERYWHERE, image, nothing) is content


@pytest.mark.parametrize(
    ('strength', 'colour'), [(0, (100, 60, 40)), (0.5, (120, 50, 45)), (1, (140, 40, 50))]
)
def test_means_are_moved_by_a_part_of_the_way(strength, colour):
    content, image = flat(100, 60, 40), flat(0, 0, 0)
    mask = np.zeros((40, 50), bool)
    mask[10:20, 10:20] = True
    image[mask] = (140, 40, 50)
    moved = towards_mean(content, image, mask, strength)
    assert (moved == colour).all(), 'outside of the mask as well'
    assert towards_mean(content, image, ~mask & mask, strength) is content


def test_what_is_moved_beyond_white_or_black_stays_there():
    mask = np.ones((40, 50), bool)
    content = edge()
    assert (towards_mean(content, flat(255, 0, 120), mask, 1)[:, 30] == [255, 40, 160]).all()


def test_jitter_has_one_contrast_and_an_offset_per_channel():
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        changed = jitter_colours(edge(), rng).astype(int)
        dark, bright = changed[0, 0], changed[0, -1]
        assert np.ptp(bright - dark) <= 1, 'one contrast'
        found.append([*(bright - dark) / 80, *(bright + dark) / 2])
    contrasts, middles = np.array(found)[:, :3], np.array(found)[:, 3:]
    assert 0.88 <= contrasts.min() < 0.93
    assert 1.07 < contrasts.max() <= 1.12
    offsets = middles - 120 * contrasts.mean(axis=1, keepdims=True)
    assert 10 < np.abs(offsets).max() <= 13.5
    assert np.ptp(offsets, axis=1).mean() > 4, 'of its own'


@pytest.mark.parametrize('stops', [-1.5, -0.5, 0, 0.7])
def test_stops_double_light(stops):
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    exposed = re_expose(ramp, stops)[0, :, 0] / 255
    light = (np.arange(256) / 255) ** 2.2 * 2**stops
    assert np.abs(exposed - light.clip(0, 1) ** (1 / 2.2)).max() < 0.003


def test_resampling_takes_detail_and_leaves_shape_and_level():
    checks = np.indices((40, 50)).sum(axis=0) % 2 * 120 + 60
    image = checks[..., None].repeat(3, axis=2).astype(np.uint8)
    soft = resampled(image, 0.4)
    assert soft.shape == image.shape
    assert soft.std() < 0.3 * image.std()
    assert abs(soft.mean() - image.mean()) < 2
    assert np.array_equal(resampled(flat(10, 120, 250), 0.53), flat(10, 120, 250))


@pytest.mark.parametrize('amount', [0.3, 0.8])
def test_sharpening_overshoots_at_edges_alone(amount):
    before, after = edge().astype(int), sharpened(edge(), amount).astype(int)
    assert (after == before)[:, [0, 10, 15, 35, 49]].all(), 'far from the edge'
    # Half a pixel past its middle, a step blurred by 1.2 px has risen by 0.66 of its height.
    overshoot = amount * 80 * 0.34
    assert np.abs(after[:, 25] - 160 - overshoot).max() <= 2
    assert np.abs(80 - after[:, 24] - overshoot).max() <= 2


def test_sharpness_is_changed_in_both_directions():
    detail, image = [], cv2.GaussianBlur(grey_noise(0, 128, 60), (0, 0), 1)
    for seed in range(40):
        changed = change_sharpness(image, np.random.default_rng(seed))
        detail.append(np.abs(np.diff(changed.astype(int), axis=1)).mean())
    before = np.abs(np.diff(image.astype(int), axis=1)).mean()
    sharper = np.array(detail) > before
    assert 0.15 < sharper.mean() < 0.55, 'one in three'
    assert len(set(np.array(detail)[sharper])) == 1, 'always as much'
    assert len(set(np.array(detail)[~sharper])) > 10


def test_grain_is_grey_of_the_level_asked_for_and_never_wraps():
    image, rng = flat(120, 130, 140), np.random.default_rng(0)
    grain = with_grain(image, 4, rng).astype(int) - image
    assert np.ptp(grain, axis=2).max() == 0
    assert 3.7 < grain.std() < 4.3
    assert abs(grain.mean()) < 0.3
    assert with_grain(flat(255, 255, 255), 4, rng).min() > 230
    assert with_grain(flat(0, 0, 0), 4, rng).max() < 25


@pytest.mark.parametrize('level', [1, 2, 4])
def test_the_level_of_grain_is_found_again(level):
    smooth = np.broadcast_to(np.linspace(90, 150, 128)[:, None, None], (128, 128, 3))
    grainy = with_grain(smooth, level, np.random.default_rng(0))
    assert 0.8 * level < grain_of(grainy) < 1.25 * level + 0.2


def test_edges_are_no_grain_and_grain_is_limited():
    assert grain_of(edge()) == pytest.approx(0.3, abs=1e-3)
    assert grain_of(grey_noise(0, 128, 50)) == 6
