import random
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmomni.datasets.transforms import ExtractDCT, RandomLocalHistory
from mmomni.jpeg import encode, read_luma


@pytest.fixture
def authentic(load, photo, save):
    """An image without any history, loaded with its empty mask."""
    return lambda height=96, width=128, seed=0: load(save('a.png', photo(height, width, seed)))


def blocks(array):
    """(H, W) -> (H / 8, W / 8, 8, 8)."""
    height, width = array.shape
    return array.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)


@pytest.mark.parametrize('seed', range(8))
def test_the_rest_alone_was_compressed_before_on_its_grid(authentic, seed):
    """Saved at 100 at last, its coefficients still lie at multiples of the first table's steps."""
    random.seed(seed)
    results = RandomLocalHistory((50, 50), (100, 100))(authentic(seed=seed))
    luma = read_luma(results['img_bytes'])
    steps = read_luma(encode(np.zeros((8, 8, 3), np.uint8), 50)).table
    distance = np.abs(blocks(luma.coefficients) / steps)
    # zero is a multiple of everything
    telling = distance > 0.5
    off = np.abs(distance - np.rint(distance)) * steps
    mask = blocks(results['gt_seg_map'])
    rest, region = (mask.max(axis=(2, 3)) == 0), (mask.min(axis=(2, 3)) == 1)
    assert rest.any()
    assert (off[rest][telling[rest]] <= 1.01).mean() > 0.9
    if telling[region].sum() > 20:
        assert (off[region][telling[region]] <= 1.01).mean() < 0.6


def test_mask_is_binary_and_a_minority(authentic):
    shares = []
    for seed in range(20):
        random.seed(seed)
        mask = RandomLocalHistory()(authentic())['gt_seg_map']
        assert mask.dtype == np.uint8
        assert mask.shape == (96, 128)
        assert mask.max() == 1
        shares.append(mask.mean())
    assert 0.02 < np.median(shares) < 0.5


def test_pixels_bytes_and_coefficients_belong_together(authentic):
    results = RandomLocalHistory()(authentic())
    with Image.open(BytesIO(results['img_bytes'])) as image:
        np.testing.assert_array_equal(results['img'][..., ::-1], np.asarray(image))
    results = ExtractDCT()(results)
    assert results['dct_source'] == 'recompressed'
    assert results['dct'].shape == (96, 128)


def test_seed_decides(authentic):
    def draw(seed):
        random.seed(seed)
        return RandomLocalHistory()(authentic())['img_bytes']

    assert draw(1) == draw(1) != draw(2)


def test_tampered_image_is_refused(extracted):
    with pytest.raises(ValueError, match=r'image\.jpg: .* expected an authentic image'):
        RandomLocalHistory()(extracted())


@pytest.mark.parametrize('arguments', [dict(first_quality=(90, 50)), dict(second_quality=(0, 9))])
def test_no_range(arguments):
    with pytest.raises(ValueError, match='1 <= low <= high <= 100'):
        RandomLocalHistory(**arguments)
