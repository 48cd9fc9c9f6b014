"""A mirrored view is what a lossless mirroring of the file would be."""

import cv2
import numpy as np
import pytest

from mmomni.datasets.transforms import ExtractDCT, MirrorBlocks, PackManipulationInputs
from mmomni.datasets.transforms.mirror import mirrored_blocks

AXES = {'horizontal': 1, 'vertical': 0}


def expected_coefficients(grey, table):
    """``|q|`` of 8x8 blocks by the DCT itself, as the encoder rounds it; clipped to 20."""
    height, width = grey.shape
    result = np.empty((height, width))
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            block = grey[top : top + 8, left : left + 8].astype(np.float64) - 128
            result[top : top + 8, left : left + 8] = np.abs(np.rint(cv2.dct(block) / table))
    return result.clip(max=20)


@pytest.mark.parametrize('direction', AXES)
def test_coefficients_are_those_of_the_mirrored_pixels(extracted, photo, save, load, direction):
    grey = photo(48, 80)[..., 0]
    sample = ExtractDCT()(load(save('grey.jpg', grey, quality=75)))
    plain = sample['img'].copy()
    mirrored = MirrorBlocks(direction)(sample)
    np.testing.assert_array_equal(mirrored['img'], np.flip(plain, AXES[direction]))
    table = mirrored['qtable'].astype(np.float64)
    expected = expected_coefficients(mirrored['img'][..., 0], table)
    assert np.mean(expected == mirrored['dct']) > 0.995
    assert (mirrored['flip'], mirrored['flip_direction']) == (True, direction)


def test_blocks_change_their_order_by_hand():
    plane = np.arange(16, dtype=np.uint8)[None].repeat(8, 0)
    expected = np.r_[8:16, 0:8].astype(np.uint8)[None].repeat(8, 0)
    np.testing.assert_array_equal(mirrored_blocks(plane, axis=1), expected)
    np.testing.assert_array_equal(mirrored_blocks(plane, axis=0), plane)


@pytest.mark.parametrize('direction', AXES)
def test_the_last_blocks_are_filled_up_as_padding_does(extracted, direction):
    """The grid of the file stays the grid of the view; what is added comes first."""
    sample = extracted(height=45, width=77)
    view = MirrorBlocks(direction)(dict(sample))
    axis = AXES[direction]
    side = sample['img'].shape[axis]
    size = [45, 77]
    size[axis] = -(-side // 8) * 8
    assert view['img_shape'] == view['ori_shape'] == view['dct'].shape == tuple(size)
    added = size[axis] - side
    back = np.flip(view['img'], axis)
    np.testing.assert_array_equal(back.take(range(side), axis), sample['img'])
    assert not back.take(range(side, size[axis]), axis).any()
    first = view['dct'].take(range(8), axis)  # the last block, of which 8 - added lines are known
    kept = sample['dct'].take(range(side - 8 + added, side), axis)
    np.testing.assert_array_equal(first.take(range(8 - added), axis), kept)


def test_twice_is_once_back(extracted):
    sample = extracted()
    twice = MirrorBlocks()(MirrorBlocks()(dict(sample)))
    for key in ('img', 'dct'):
        np.testing.assert_array_equal(twice[key], sample[key])


def test_without_a_direction_nothing_changes(extracted):
    sample = extracted()
    view = MirrorBlocks(None)(dict(sample))
    assert view['flip'] is False
    assert 'gt_seg_map' in view
    np.testing.assert_array_equal(view['img'], sample['img'])


def test_a_view_can_be_packed_and_has_no_mask(extracted):
    packed = PackManipulationInputs()(MirrorBlocks()(extracted(height=45, width=77)))
    assert packed['inputs'].shape == (5, 45, 80)
    assert 'gt_sem_seg' not in packed['data_samples']
    assert packed['data_samples'].flip_direction == 'horizontal'


def test_what_cannot_be_mirrored_is_refused(extracted, load, photo, save):
    with pytest.raises(ValueError, match=r"expected one of .*got 'diagonal'"):
        MirrorBlocks('diagonal')
    with pytest.raises(ValueError, match=r'must come after mmomni\.ExtractDCT'):
        MirrorBlocks()(load(save('a.png', photo())))
    changed = extracted()
    changed['img'] = changed['img'][:, ::-1]
    with pytest.raises(ValueError, match=r'right after mmomni\.ExtractDCT'):
        MirrorBlocks()(changed)
    resized = dict(extracted(height=45, width=77), ori_shape=(90, 154))
    with pytest.raises(ValueError, match='resized to multiples of 8'):
        MirrorBlocks()(resized)
