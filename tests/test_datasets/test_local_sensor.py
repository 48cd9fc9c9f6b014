import random

import cv2
import numpy as np
import pytest

from mmomni.datasets.transforms import RandomLocalSensor
from mmomni.datasets.transforms.local_sensor import DEMOSAICING, MOSAICS, Camera

PERFECT = Camera(None, '', photons=1e12, read=0, sharpening=0, factor=1)


@pytest.fixture
def authentic(load, photo, save):
    """An image without any history, loaded with its empty mask."""
    return lambda height=96, width=128, seed=0: load(save('a.png', photo(height, width, seed)))


@pytest.mark.parametrize('demosaicing', DEMOSAICING)
@pytest.mark.parametrize('mosaic', MOSAICS)
def test_each_colour_is_seen_where_the_mosaic_has_it(photo, mosaic, demosaicing):
    """Every kind of interpolation leaves the colour that a pixel saw as it was."""
    image = photo(32, 48, 0)
    taken = PERFECT._replace(mosaic=mosaic, demosaicing=demosaicing)(image)
    inner = np.s_[4:-4, 4:-4]
    for place, colour in enumerate(mosaic):
        seen = np.s_[place // 2 :: 2, place % 2 :: 2, 'BGR'.index(colour)]
        np.testing.assert_array_equal(
            taken[inner][seen], image[inner][seen], err_msg=f'{colour} at {place}'
        )
    assert (taken[inner] != image[inner]).mean() > 0.3


def test_perfect_camera_takes_what_is_there(photo):
    image = photo(32, 48, 0)
    np.testing.assert_array_equal(PERFECT(image), image)


def srgb_slope(grey):
    """Grey levels for each share of white light, of sRGB (IEC 61966-2-1) above its linear toe."""
    light = ((grey / 255 + 0.055) / 1.055) ** 2.4
    return light, 255 * 1.055 / 2.4 * light ** (1 / 2.4 - 1)


@pytest.mark.parametrize('grey', [40, 100, 220])
def test_noise_is_that_of_photons_and_reading_in_light(grey):
    flat = np.full((300, 300, 3), grey, np.uint8)
    taken = PERFECT._replace(photons=2000, read=0.003)(flat).astype(float)
    light, slope = srgb_slope(grey)
    rounding = 1 / 12
    expected = slope**2 * (light / 2000 + 0.003**2) + rounding
    assert taken.std() == pytest.approx(expected**0.5, rel=0.05)


def test_black_and_white_keep_their_places():
    flat = np.full((100, 100, 3), 255, np.uint8)
    camera = PERFECT._replace(photons=400, read=0.0015)
    np.testing.assert_array_equal(camera(flat), flat)
    assert camera(np.zeros_like(flat)).mean() < 3


def test_sharpening_widens_an_edge_s_range():
    edge = np.full((20, 20, 3), 100, np.uint8)
    edge[:, 10:] = 150
    taken = PERFECT._replace(sharpening=1)(edge)
    assert taken[10, :7].max() == 100
    assert taken[10].min() < 95
    assert taken[10].max() > 155


@pytest.mark.parametrize('factor', [0.6, 1.6])
def test_resized_picture_keeps_its_size_and_place(photo, factor):
    image = cv2.GaussianBlur(photo(60, 90, 0), (0, 0), 3)
    taken = PERFECT._replace(factor=factor)(image)
    assert taken.shape == image.shape
    assert np.abs(taken.astype(int) - image).mean() < 0.5


def test_picture_taken_small_has_lost_detail(photo):
    image = photo(60, 90, 0)
    taken = PERFECT._replace(factor=1.6)(image)
    assert cv2.Laplacian(taken, cv2.CV_32F).std() < 0.8 * cv2.Laplacian(image, cv2.CV_32F).std()


@pytest.mark.parametrize('seed', range(6))
def test_mask_fits_what_differs(authentic, monkeypatch, seed):
    """The rest is of the first camera drawn, the regions are of the second."""
    cameras = iter([PERFECT, lambda image: 255 - image])
    monkeypatch.setattr(Camera, 'drawn', lambda: next(cameras))
    random.seed(seed)
    before = authentic(seed=seed)['img']
    results = RandomLocalSensor((1, 1), authentic_prob=0)(authentic(seed=seed))
    other = (results['img'] != before).any(axis=2)
    assert results['gt_seg_map'].dtype == np.uint8
    assert 0 < results['gt_seg_map'].mean() < 1
    np.testing.assert_array_equal(other, results['gt_seg_map'] == 1)


def test_size_follows_scale(authentic):
    results = RandomLocalSensor((0.5, 0.5))(authentic())
    assert results['img_shape'] == (48, 64)
    assert results['img'].shape == (48, 64, 3)
    assert results['gt_seg_map'].shape == (48, 64)


def test_one_camera_for_all(authentic):
    assert not RandomLocalSensor(authentic_prob=1)(authentic())['gt_seg_map'].any()


def test_seed_decides(authentic):
    def draw(seed):
        random.seed(seed)
        return RandomLocalSensor((0.5, 0.5))(authentic())['img']

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()


def test_tampered_image_is_refused(extracted):
    with pytest.raises(ValueError, match=r'image\.jpg: .* expected an authentic image'):
        RandomLocalSensor()(extracted())


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (dict(scale=(0.8, 0.4)), '0 < low <= high <= 1'),
        (dict(scale=(0, 0.4)), '0 < low <= high <= 1'),
        (dict(authentic_prob=2), r'authentic_prob in \[0, 1\]'),
    ],
)
def test_out_of_range(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        RandomLocalSensor(**arguments)
