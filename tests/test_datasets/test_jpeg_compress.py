import random
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmomni.datasets.transforms import RandomJPEGCompress
from mmomni.datasets.transforms import jpeg as module
from mmomni.jpeg import decode, encode


@pytest.fixture
def saves(monkeypatch):
    """Every (quality, subsampling) that is asked for."""
    asked = []

    def recording(image, quality, subsampling, *others):
        asked.append((quality, subsampling))
        return encode(image, quality, subsampling, *others)

    monkeypatch.setattr(module, 'encode', recording)
    return asked


def bgr(photo):
    return dict(img=photo(24, 32)[..., ::-1].copy())


def test_pixels_are_those_of_the_bytes(photo):
    results = RandomJPEGCompress(quality=(60, 60))(bgr(photo))
    np.testing.assert_array_equal(results['img'][..., ::-1], decode(results['img_bytes']))
    assert results['dct_source'] == 'recompressed'
    assert results['img'].flags.c_contiguous


def test_one_save_is_pillows(photo):
    results = RandomJPEGCompress(quality=(60, 60), times=(1, 1), subsampling=['4:2:0'])(bgr(photo))
    buffer = BytesIO()
    Image.fromarray(photo(24, 32)).save(buffer, 'JPEG', quality=60, subsampling=2)
    assert results['img_bytes'] == buffer.getvalue()


def test_saves_follow_one_another(photo):
    results = RandomJPEGCompress(quality=(50, 50), times=(2, 2), subsampling=['4:4:4'])(bgr(photo))
    once = decode(encode(photo(24, 32), 50))
    assert results['img_bytes'] == encode(once, 50)


def test_both_ends_of_every_range_are_drawn_and_nothing_beyond(photo, saves):
    random.seed(0)
    compress = RandomJPEGCompress(quality=(70, 73), times=(1, 3))
    numbers = set()
    for _ in range(100):
        before = len(saves)
        compress(bgr(photo))
        numbers.add(len(saves) - before)
    assert numbers == {1, 2, 3}
    assert set(saves) == {(q, s) for q in (70, 71, 72, 73) for s in ('4:4:4', '4:2:0')}


@pytest.mark.parametrize('axes', [0, 1, (0, 1)], ids=['vertical', 'horizontal', 'diagonal'])
def test_a_flipped_view_is_saved_as_its_copy(axes, photo):
    flipped = np.flip(bgr(photo)['img'], axes)
    saved = []
    for image in (flipped, flipped.copy()):
        random.seed(3)
        saved.append(RandomJPEGCompress()(dict(img=image))['img_bytes'])
    assert saved[0] == saved[1]


def test_draws_follow_the_seed(photo):
    outputs = []
    for _ in range(2):
        random.seed(7)
        outputs.append(RandomJPEGCompress()(bgr(photo))['img_bytes'])
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize('quality', [(0, 50), (90, 70), (50, 101)])
def test_impossible_quality(quality):
    with pytest.raises(ValueError, match=r'1 <= (lowest <= highest|end <= start) <= 100'):
        RandomJPEGCompress(quality=quality)


@pytest.mark.parametrize('times', [(0, 1), (3, 2)])
def test_impossible_number_of_saves(times):
    with pytest.raises(ValueError, match=r'times must be 1 <= lowest <= highest'):
        RandomJPEGCompress(times=times)


def test_one_pixel():
    results = RandomJPEGCompress()(dict(img=np.full((1, 1, 3), 90, dtype=np.uint8)))
    assert results['img'].shape == (1, 1, 3)
