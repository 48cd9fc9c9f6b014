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


# ---- what stock transforms do between extraction and use ---------------------------------------

STOCK = {
    'RandomCrop': lambda: RandomCrop(crop_size=(32, 32)),
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
