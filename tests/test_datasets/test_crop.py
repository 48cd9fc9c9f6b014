import random
from io import BytesIO

import numpy as np
import pytest
from mmcv.transforms import RandomFlip
from mmseg.datasets.transforms import PhotoMetricDistortion, RandomCrop, Resize
from PIL import Image
from scipy.fft import dctn

from mmomni.datasets.transforms import (
    AlignedRandomCrop,
    ExtractDCT,
    FreeRandomCrop,
    PackManipulationInputs,
    RandomJPEGCompress,
)
from mmomni.datasets.transforms.pixels import sign


def luma_of(data):
    with Image.open(BytesIO(data)) as image:
        image.draft('L', image.size)
        return np.array(image)


def position(window, whole):
    """Where ``window`` was cut from ``whole``, top and left."""
    height, width = window.shape[:2]
    for top in range(whole.shape[0] - height + 1):
        for left in range(whole.shape[1] - width + 1):
            if np.array_equal(whole[top : top + height, left : left + width], window):
                return top, left
    raise AssertionError('the window is no part of the image')


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('subsampling', [0, 2], ids=['4:4:4', '4:2:0'])
def test_coefficients_stay_true(subsampling, seed, extracted):
    """Those of the crop are those that its own pixels have, computed in float64."""
    random.seed(seed)
    results = extracted(61, 83, quality=80, subsampling=subsampling)
    whole = results['img']
    results = AlignedRandomCrop((32, 24))(results)
    top, left = position(results['img'], whole)
    luma = luma_of(results['img_bytes'])[top : top + 32, left : left + 24].astype(np.float64)
    blocks = luma.reshape(4, 8, 3, 8).transpose(0, 2, 1, 3) - 128
    spectrum = dctn(blocks, axes=(2, 3), norm='ortho') / results['qtable']
    expected = np.abs(np.rint(spectrum)).transpose(0, 2, 1, 3).reshape(32, 24)
    np.testing.assert_array_equal(results['dct'], expected.clip(max=20))


def test_image_mask_and_coefficients_share_one_window(extracted):
    """Three ramps say where each window came from."""
    results = extracted(64, 80)
    ramp = np.arange(64)[:, None] * 2 + np.arange(80) // 40
    results['img'][:] = ramp[..., None]
    results['dct'], results['gt_seg_map'] = ramp.astype(np.uint8), ramp.astype(np.uint8)
    sign(results)
    results = AlignedRandomCrop((16, 16))(results)
    np.testing.assert_array_equal(results['dct'], results['img'][..., 0])
    np.testing.assert_array_equal(results['gt_seg_map'], results['img'][..., 0])
    assert results['img'].shape == (16, 16, 3)
    assert results['img_shape'] == (16, 16)


def test_every_offset_on_the_grid_is_reached_and_no_other(extracted):
    results = extracted(40, 45)
    seen = {
        position(AlignedRandomCrop((16, 16))(dict(results))['img'], results['img'])
        for _ in range(400)
    }
    assert seen == {(top, left) for top in (0, 8, 16, 24) for left in (0, 8, 16, 24)}


@pytest.mark.parametrize(
    ('size', 'expected'),
    [((1, 1), (1, 1)), ((20, 20), (20, 20)), ((20, 90), (20, 32)), ((90, 31), (32, 31))],
)
def test_smaller_images_are_kept_whole(size, expected, extracted):
    results = AlignedRandomCrop((32, 32))(extracted(*size))
    for key in ('img', 'dct', 'gt_seg_map'):
        assert results[key].shape[:2] == expected
    assert results['img_shape'] == expected


def test_image_of_exactly_the_crop_size_is_unchanged(extracted):
    before = extracted(32, 32)
    after = AlignedRandomCrop((32, 32))(dict(before))
    np.testing.assert_array_equal(after['img'], before['img'])


def test_two_crops_in_a_row(extracted):
    results = AlignedRandomCrop((16, 16))(AlignedRandomCrop((32, 32))(extracted()))
    assert results['dct'].shape == (16, 16)
    assert PackManipulationInputs()(results)['inputs'].shape == (5, 16, 16)


def test_other_seg_fields_are_cropped_too(extracted):
    results = extracted()
    results['gt_edge_map'] = results['gt_seg_map'].copy()
    results['seg_fields'].append('gt_edge_map')
    results = AlignedRandomCrop((16, 16))(results)
    np.testing.assert_array_equal(results['gt_edge_map'], results['gt_seg_map'])


@pytest.mark.parametrize(
    ('size', 'remedy'),
    [((500, 512), (496, 512)), ((512, 509), (512, 512)), ((3, 0), (8, 8)), ((-8, 8), (8, 8))],
)
def test_unaligned_crop_size_is_told_the_nearest(size, remedy):
    with pytest.raises(ValueError, match='multiples of 8') as error:
        AlignedRandomCrop(size)
    assert str(error.value).endswith(f'use {remedy}')


def test_crop_before_extraction_is_refused(load, photo, save):
    results = load(save('a.jpg', photo()))
    with pytest.raises(ValueError, match=r'after mmomni\.ExtractDCT'):
        AlignedRandomCrop((16, 16))(results)


# ---- windows with tampering ---------------------------------------------------------------------

CROPS = {'aligned': AlignedRandomCrop, 'free': FreeRandomCrop}


def windows(crop, results, number):
    """Corners of ``number`` windows, found by two ramps in the image."""
    rows, columns = np.indices(results['gt_seg_map'].shape)
    results['img'] = np.stack([rows, columns, rows], axis=2).astype(np.uint8)
    sign(results)
    return [tuple(crop(dict(results))['img'][0, 0, :2].tolist()) for _ in range(number)]


def test_default_draws_as_ever(extracted):
    """Row, then column: runs of configs without ``tampered_prob`` stay bit for bit."""
    results = extracted(61, 83)
    random.seed(3)
    expected = [(8 * random.randint(0, 3), 8 * random.randint(0, 7)) for _ in range(20)]
    random.seed(3)
    assert windows(AlignedRandomCrop((32, 24)), results, 20) == expected


@pytest.mark.parametrize('kind', CROPS)
def test_every_window_with_the_pixel_is_reached_and_no_other(kind, extracted):
    step = CROPS[kind].step
    results = extracted(40, 45)
    results['gt_seg_map'] = np.zeros((40, 45), np.uint8)
    results['gt_seg_map'][20, 5] = 1
    seen = set(windows(CROPS[kind](16, tampered_prob=1.0), results, 800))
    assert seen == {(top, left) for top in range(0, 25, step) for left in range(0, 6, step)
                    if top <= 20 < top + 16}  # fmt: skip


@pytest.mark.parametrize('kind', CROPS)
def test_share_of_windows_with_tampering(kind, extracted):
    """One corner pixel: chance meets it in 1 of 16 (aligned) or 1 of 625 windows."""
    results = extracted(40, 40)
    results['gt_seg_map'] = np.zeros((40, 40), np.uint8)
    results['gt_seg_map'][0, 0] = 1
    chance = 1 / len(range(0, 25, CROPS[kind].step)) ** 2
    found = windows(CROPS[kind](16, tampered_prob=0.6), results, 1000)
    assert found.count((0, 0)) / 1000 == pytest.approx(0.6 + 0.4 * chance, abs=0.05)


@pytest.mark.parametrize('where', [np.s_[:, 40:], np.s_[:0]], ids=['out of reach', 'none'])
def test_without_a_reachable_pixel_windows_are_uniform(where, extracted):
    """The grid ends before the last columns of an image whose width is no multiple of 8."""
    results = extracted(16, 45)
    results['gt_seg_map'] = np.zeros((16, 45), np.uint8)
    results['gt_seg_map'][where] = 1
    found = windows(AlignedRandomCrop(16, tampered_prob=1.0), results, 100)
    assert set(found) == {(0, left) for left in (0, 8, 16, 24)}


@pytest.mark.parametrize('kind', CROPS)
def test_ignored_pixels_are_no_tampering(kind, extracted):
    results = extracted(16, 40)
    results['gt_seg_map'] = np.full((16, 40), 255, np.uint8)
    results['gt_seg_map'][3, 2] = 1
    found = windows(CROPS[kind](16, tampered_prob=1.0), results, 50)
    assert all(left <= 2 for _, left in found)


@pytest.mark.parametrize('kind', CROPS)
def test_smaller_images_with_tampering_are_kept_whole(kind, extracted):
    results = CROPS[kind](64, tampered_prob=1.0)(extracted(20, 30))
    assert results['img'].shape[:2] == results['gt_seg_map'].shape == (20, 30)


def test_free_crop_takes_image_and_masks_and_any_size(extracted):
    results = FreeRandomCrop((15, 17), tampered_prob=0.5)(extracted(40, 45))
    assert results['img'].shape[:2] == results['gt_seg_map'].shape == (15, 17)
    assert results['img_shape'] == (15, 17)
    with pytest.raises(ValueError, match=r'mmomni\.RandomJPEGCompress'):
        ExtractDCT()(results)


@pytest.mark.parametrize('kind', CROPS)
def test_window_with_tampering_needs_a_mask(kind, extracted):
    results = extracted()
    del results['gt_seg_map']
    results['seg_fields'] = []
    with pytest.raises(ValueError, match=r'tampered_prob=1\.0.* mmomni\.LoadManipulationMask'):
        CROPS[kind](16, tampered_prob=1.0)(results)


@pytest.mark.parametrize('kind', CROPS)
@pytest.mark.parametrize('prob', [-0.1, 1.1, float('nan')])
def test_probability_beyond_one_is_refused(prob, kind):
    with pytest.raises(ValueError, match=r'tampered_prob in \[0, 1\], got'):
        CROPS[kind](16, tampered_prob=prob)


def test_empty_free_crop_is_refused():
    with pytest.raises(ValueError, match=r'must be positive, got \(0, 16\); use \(1, 16\)'):
        FreeRandomCrop((0, 16))


# ---- what stock transforms do between extraction and use ---------------------------------------

STOCK = {
    'RandomCrop': lambda: RandomCrop(crop_size=(32, 32)),
    'FreeRandomCrop': lambda: FreeRandomCrop(32),
    'Resize': lambda: Resize(scale=(40, 40), keep_ratio=False),
    'RandomFlip': lambda: RandomFlip(prob=1.0),
    'PhotoMetricDistortion': PhotoMetricDistortion,
}
USERS = {
    'AlignedRandomCrop': lambda: AlignedRandomCrop((16, 16)),
    'PackManipulationInputs': PackManipulationInputs,
    'ExtractDCT': ExtractDCT,
}


@pytest.mark.parametrize('user', USERS)
@pytest.mark.parametrize('stock', STOCK)
def test_stock_transform_after_extraction_is_refused(stock, user, extracted):
    """The error names the file and the order that would be right."""
    np.random.seed(0)
    random.seed(0)
    results = STOCK[stock]()(extracted())
    order = r'before mmomni\.|after mmomni\.|may stand between|after the last transform'
    with pytest.raises(ValueError, match=rf'image\.jpg: .*({order})'):
        USERS[user]()(results)


@pytest.mark.parametrize('stock', STOCK)
def test_stock_transform_before_new_compression_is_fine(stock, load, photo, save):
    results = STOCK[stock]()(load(save('a.jpg', photo()), save('m.png', photo()[..., 0])))
    for transform in (RandomJPEGCompress(), ExtractDCT(), PackManipulationInputs()):
        results = transform(results)
    assert results['inputs'].shape[0] == 5


def test_resize_to_the_same_size_is_fine(extracted):
    results = Resize(scale=(80, 48), keep_ratio=False)(extracted(48, 80))
    assert PackManipulationInputs()(results)['inputs'].shape == (5, 48, 80)
