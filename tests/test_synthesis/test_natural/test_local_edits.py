import cv2
import numpy as np
import pytest

from mmomni.synthesis.natural import local_edits
from mmomni.synthesis.natural.local_edits import FILTERS, local_filter, recolour
from mmomni.synthesis.scene import Scene
from mmomni.synthesis.whole_edits import EDITS


def lab(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[mask].astype(float)


def test_a_grey_photo_is_not_given_another_hue(edits_of):
    grey = np.random.default_rng(0).normal(120, 30, (160, 200, 1)).repeat(3, axis=2)
    grey = cv2.GaussianBlur(grey, (0, 0), 3).clip(0, 255).astype(np.uint8)
    kinds = {edit.details['kind'] for edit in edits_of(recolour, Scene(grey), 12)}
    assert kinds <= {'brightness', 'tint'}


@pytest.mark.parametrize('kind', FILTERS)
def test_every_filter_does_what_it_says(kind, photo, edits_of):
    (edit,) = edits_of(local_filter, Scene(photo), 1, filter=kind)
    core = cv2.erode(edit.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    before, after = (cv2.Laplacian(image, cv2.CV_64F)[core].std() for image in (photo, edit.image))
    assert (after > before) == (kind in ('sharpen', 'noise'))


def stripes(*colours) -> np.ndarray:
    """Vertical stripes of 16 pixels in these colours, with room for any change, (64, N, 3)."""
    return np.repeat(np.repeat(np.array([colours], np.uint8), 64, axis=0), 16, axis=1)


MUTED = stripes((150, 110, 100), (100, 130, 110), (110, 115, 150), (140, 135, 100))


@pytest.fixture
def recoloured(region):
    """Changes of a square in the middle of ``MUTED`` by kind: Lab before and after, inside."""
    matte = np.zeros((64, 64), np.float32)
    matte[16:48, 16:48] = 1
    region(local_edits, matte)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    rng = np.random.default_rng(0)
    for _ in range(80):
        edit = recolour(Scene(MUTED), rng)
        assert np.array_equal(edit.image[matte == 0], MUTED[matte == 0])
        pair = tuple(lab(image, matte == 1) - [0, 128, 128] for image in (MUTED, edit.image))
        found.setdefault(edit.details['kind'], []).append(pair)
    return found


def steady(pairs):
    """Those of the pairs whose lightness is left alone, as seven in ten are."""
    found = [(b, a) for b, a in pairs if np.abs(a[:, 0] - b[:, 0]).max() <= 3]
    assert 0.4 < len(found) / len(pairs) < 1
    return found


def test_all_kinds_of_colours_are_changed_as_often_as_told(recoloured):
    shares = {kind: len(pairs) / 80 for kind, pairs in recoloured.items()}
    assert set(shares) == {'hue', 'saturation', 'brightness', 'tint'}
    assert shares['hue'] > shares['saturation']


def test_a_hue_is_turned_and_keeps_its_chroma(recoloured):
    for before, after in steady(recoloured['hue']):
        radius = [np.linalg.norm(colours[:, 1:], axis=1) for colours in (before, after)]
        assert np.abs(radius[1] - radius[0]).max() < 3.5
        turn = np.arctan2(after[:, 2], after[:, 1]) - np.arctan2(before[:, 2], before[:, 1])
        turn = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)
        assert turn.min() > np.radians(25) - 0.2
        assert np.ptp(turn) < 0.4, 'all by the same angle'


def test_saturation_scales_the_chroma(recoloured):
    factors = []
    for before, after in steady(recoloured['saturation']):
        assert np.abs(after[:, 1:] * np.linalg.norm(before[:, 1:]) / np.linalg.norm(after[:, 1:])
                      - before[:, 1:]).max() < 8 or np.abs(after[:, 1:]).max() < 6  # fmt: skip
        factors.append(np.linalg.norm(after[:, 1:]) / np.linalg.norm(before[:, 1:]))
    assert all(factor < 0.6 or 1.65 < factor < 1.95 for factor in factors)
    assert min(factors) < 0.6
    assert max(factors) > 1.65


def test_a_tint_moves_all_colours_alike(recoloured):
    for before, after in steady(recoloured['tint']):
        moved = after[:, 1:] - before[:, 1:]
        assert np.ptp(moved, axis=0).max() <= 6
        assert 8 < np.linalg.norm(moved.mean(axis=0)) < 37


def test_brightness_leaves_the_colours(recoloured):
    shifts = []
    for before, after in recoloured['brightness']:
        assert np.abs(after[:, 1:] - before[:, 1:]).max() < 5
        shifts.append(after[:, 0].mean() - before[:, 0].mean())
    assert np.abs(shifts).min() > 12
    assert np.abs(shifts).max() < 70
    assert min(shifts) < 0 < max(shifts)


@pytest.mark.parametrize('operation', [recolour, local_filter])
def test_without_a_region_nothing_is_edited(operation, region):
    region(local_edits, None)
    assert operation(Scene(MUTED), np.random.default_rng(0)) is None


@pytest.mark.parametrize('kind', [kind for kind in FILTERS if kind != 'noise'])
def test_filters_do_nothing_to_what_is_flat(kind):
    flat = np.full((40, 50, 3), (90, 140, 200), np.uint8)
    for seed in range(4):
        filtered = local_edits._filtered(flat, kind, np.random.default_rng(seed))
        assert np.abs(filtered.astype(int) - flat).max() <= 1


@pytest.mark.parametrize('kind', ['blur', 'motion', 'mosaic', 'noise', 'soft'])
def test_filters_keep_the_mean(kind, photo):
    image = np.ascontiguousarray(photo[:96, :128])
    for seed in range(4):
        filtered = local_edits._filtered(image, kind, np.random.default_rng(seed))
        assert filtered.shape == image.shape
        assert abs(filtered.mean() - image.mean()) < 1.5


def test_motion_blurs_along_one_line():
    point = np.zeros((65, 65, 3), np.uint8)
    point[32, 32] = 255
    angles = []
    for seed in range(12):
        blurred = local_edits._filtered(point, 'motion', np.random.default_rng(seed))[..., 0]
        y, x = np.nonzero(blurred)
        along = np.stack([x, y], axis=1) - 32.0
        length = np.linalg.norm(along, axis=1).max()
        assert 3.5 <= length <= 12
        assert abs(int(blurred.sum()) - 255) <= len(x), 'as bright as it was'
        direction = np.linalg.svd(along, full_matrices=False)[2][0]
        across = np.abs(along @ [-direction[1], direction[0]])
        assert across.max() <= 1, 'one pixel thin'
        assert np.abs(along.mean(axis=0)).max() <= 0.5, 'as far to both sides'
        angles.append(np.arctan2(*direction) % np.pi)
    assert np.ptp(angles) > 1.5


def test_pixels_of_a_mosaic_are_the_means_of_their_cells(photo):
    image = np.ascontiguousarray(photo[:40, :60])
    mosaic = local_edits._pixelated(image, 10)
    means = image.reshape(4, 10, 6, 10, 3).mean(axis=(1, 3))
    expected = np.repeat(np.repeat(means, 10, axis=0), 10, axis=1)
    assert np.abs(mosaic - expected).max() <= 0.51


def test_a_mosaic_may_have_a_single_cell():
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    mosaic = local_edits._pixelated(image, 13)
    assert mosaic.shape == image.shape
    assert len(np.unique(mosaic.reshape(-1, 3), axis=0)) == 1


def test_the_median_takes_specks_away_and_keeps_edges():
    image = np.full((40, 40, 3), 50, np.uint8)
    image[:, 20:] = 200
    edge = image.copy()
    image[10, 8], image[30, 30] = 255, 0
    for seed in range(4):
        filtered = local_edits._filtered(image, 'median', np.random.default_rng(seed))
        np.testing.assert_array_equal(filtered, edge)


def test_noise_is_grey_and_seen(photo):
    flat = np.full((64, 64, 3), (90, 140, 120), np.uint8)
    for seed in range(4):
        added = local_edits._filtered(flat, 'noise', np.random.default_rng(seed)).astype(int) - flat
        assert (added == added[..., :1]).all()
        assert 2.8 < added.std() < 13


def test_a_filter_changes_its_region_alone(region, edits_of, photo, assert_kept_outside):
    scene = Scene(np.ascontiguousarray(photo[:96, :128]))
    matte = np.zeros((96, 128), np.float32)
    matte[0:30, 90:128] = 1
    matte[30] = np.where(matte[29] > 0, 0.5, 0)
    region(local_edits, matte, 'segment')
    for kind in FILTERS:
        for edit in edits_of(local_filter, scene, 1, filter=kind):
            assert_kept_outside(scene.image, edit)
            assert edit.details == {'filter': kind, 'region': 'segment'}
            np.testing.assert_array_equal(edit.matte, matte)


@pytest.mark.parametrize('kind', EDITS)
def test_edits_of_the_whole_image_tell_their_parameters(kind, photo):
    changed, parameters = EDITS[kind](photo, np.random.default_rng(1))
    assert changed.shape == photo.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, photo)
    assert parameters
    assert all(isinstance(value, float) for value in parameters.values())
