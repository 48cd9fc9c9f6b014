import random

import cv2
import numpy as np
import pytest

from mmomni.datasets.transforms import RandomPaste


@pytest.fixture
def donors(save, tmp_path):
    """A list of two images, white and black, one smaller than what is pasted into."""
    save('donors/white.png', np.full((200, 240, 3), 255, np.uint8))
    save('donors/black.png', np.zeros((40, 300, 3), np.uint8))
    path = tmp_path / 'donors/list.txt'
    path.write_text('white.png -\nblack.png\n')
    return dict(ann_file='list.txt', data_root=str(path.parent))


@pytest.fixture
def authentic(load, photo, save):
    """An image loaded with its empty mask."""
    return lambda height=96, width=128, seed=0: load(save('a.png', photo(height, width, seed)))


@pytest.mark.parametrize('seed', range(8))
def test_what_is_labelled_is_of_another_image(donors, authentic, seed):
    before = authentic()['img'].copy()
    random.seed(seed)
    results = RandomPaste(**donors, copy_prob=0, authentic_prob=0)(authentic())
    pasted = results['gt_seg_map'] == 1
    value = results['img'][pasted].mean(axis=1)
    assert 0.01 < pasted.mean() < 0.5
    assert (np.minimum(value, 255 - value) < 10).mean() > 0.5  # but for a soft border
    far = cv2.dilate(results['gt_seg_map'], np.ones((41, 41))) == 0
    change = np.abs(results['img'][far].astype(int) - before[far])
    assert change.size == 0 or change.max() <= 1  # what a soft border rounds


@pytest.mark.parametrize('seed', range(8))
def test_copy_has_the_colours_of_its_image_and_another_place(donors, authentic, seed):
    before = authentic(seed=1)['img'].copy()
    random.seed(seed)
    results = RandomPaste(**donors, copy_prob=1, authentic_prob=0)(authentic(seed=1))
    pasted = results['gt_seg_map'] == 1
    assert (results['img'][pasted] != before[pasted]).any(axis=1).mean() > 0.9
    assert abs(results['img'][pasted].mean() - before.mean()) < 40


def test_authentic_images_stay(donors, authentic):
    before = authentic()['img'].copy()
    results = RandomPaste(**donors, authentic_prob=1)(authentic())
    assert not results['gt_seg_map'].any()
    np.testing.assert_array_equal(results['img'], before)


@pytest.mark.parametrize('copy_prob', [0, 1])
@pytest.mark.parametrize('size', [(9, 300), (8, 8), (3, 5)])
def test_narrow_and_small_images_are_forged_too(donors, authentic, size, copy_prob):
    for seed in range(5):
        random.seed(seed)
        results = RandomPaste(**donors, copy_prob=copy_prob, authentic_prob=0)(authentic(*size))
        assert results['img'].shape == (*size, 3)
        assert results['gt_seg_map'].any()


def test_equal_seeds_give_equal_forgeries(donors, authentic):
    def forged():
        random.seed(3)
        return RandomPaste(**donors)(authentic())['img']

    np.testing.assert_array_equal(forged(), forged())


def test_forged_images_are_refused(donors, extracted):
    with pytest.raises(ValueError, match='RandomPaste makes its own mask'):
        RandomPaste(**donors)(extracted())


@pytest.mark.parametrize(
    ('lines', 'error', 'message'),
    [
        (None, FileNotFoundError, 'expected a list of authentic images'),
        ('', ValueError, 'found none in it'),
        ('white.png mask.png\n', ValueError, '1 have masks, the first is .*white.png'),
        ('nothing.png -\n', FileNotFoundError, 'do not exist'),
    ],
)
def test_lists_without_authentic_images_are_refused(
    donors, authentic, tmp_path, lines, error, message
):
    path = tmp_path / 'donors/list.txt'
    path.unlink() if lines is None else path.write_text(lines)
    with pytest.raises(error, match=message):
        RandomPaste(**donors, copy_prob=0, authentic_prob=0)(authentic())


@pytest.mark.parametrize('name', ['copy_prob', 'authentic_prob'])
@pytest.mark.parametrize('value', [-0.1, 1.1])
def test_values_out_of_range_are_refused(donors, name, value):
    with pytest.raises(ValueError, match=name):
        RandomPaste(**donors, **{name: value})
