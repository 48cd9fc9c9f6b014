"""Images that Pillow has opened, as inputs: the pixels they show, without a history."""

import io

import numpy as np
import pytest
from image_bytes import turned, written
from PIL import Image

from mmomni.apis import Failure
from mmomni.apis.inputs import sources_of
from mmomni.apis.pillow_images import DECODED
from mmomni.apis.samples import try_to_read

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65_536, (40, 48)).astype(np.uint16)


def read(image):
    (source,) = sources_of(image)
    return try_to_read(source, 10**6)


MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr', 'HSV')


@pytest.mark.parametrize('mode', MODES)
def test_pixels_of_every_mode_are_what_the_image_shows(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    sample = read(image)
    np.testing.assert_array_equal(sample.image, image.convert('RGB'))
    assert sample.dct_source == 'transcoded'
    assert DECODED in sample.warnings


def test_premultiplied_colours():
    alpha = Image.fromarray(np.dstack([PIXELS, np.full((40, 48), 255, np.uint8)]))
    np.testing.assert_array_equal(read(alpha.convert('RGBa')).image, PIXELS)


@pytest.mark.parametrize('kind', [np.uint16, np.int32])
def test_sixteen_bits_keep_their_high_byte(kind):
    sample = read(Image.fromarray(DEEP.astype(kind)))
    np.testing.assert_array_equal(sample.image[..., 0], DEEP >> 8)


@pytest.mark.parametrize('values', [DEEP.astype(np.float32), DEEP.astype(np.int32) * 9])
def test_values_of_no_known_white_are_refused(values):
    failure = read(Image.fromarray(values))
    assert isinstance(failure, Failure)
    assert 'white is not known' in failure.reason


def test_deep_tiffs_are_asked_for_as_files():
    """Of which Pillow reads some as their negative, as noise or as black."""
    data = written(DEEP, 'TIFF')
    failure = read(Image.open(io.BytesIO(data)))
    assert isinstance(failure, Failure)
    assert 'a TIFF of 16 bits a sample opened by Pillow' in failure.reason
    assert not isinstance(read(data), Failure)


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'TIFF'])
def test_people_see_an_opened_file_as_viewers_show_it(image_format):
    image = Image.open(io.BytesIO(written(PIXELS, image_format, exif=turned(6))))
    sample = read(image)
    if image_format == 'TIFF':  # which Pillow turns itself
        assert sample.orientation == 1
        np.testing.assert_array_equal(sample.image, np.rot90(PIXELS, -1))
    else:
        assert sample.orientation == 6
        np.testing.assert_array_equal(sample.image, np.asarray(image))


def test_a_jpeg_keeps_its_history_as_a_file_only():
    data = written(PIXELS, 'JPEG', quality=85)
    by_bytes, by_pixels = read(io.BytesIO(data)), read(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(by_bytes.image, by_pixels.image)
    assert (by_bytes.dct_source, by_pixels.dct_source) == ('file', 'transcoded')
    assert by_bytes.warnings == ()


def test_broken_and_closed_images_are_failures():
    data = written(PIXELS, 'JPEG')
    closed = Image.open(io.BytesIO(data))
    closed.close()
    for image in (closed, Image.open(io.BytesIO(data[:700]))):
        assert isinstance(read(image), Failure)
