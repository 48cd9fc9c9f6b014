"""What is tampered in a mask file of any kind, by known masks."""

import io

import numpy as np
import pytest
from image_bytes import png_bytes, written
from mask_files import DEEP, MASKS, ONE, TRUTH, TURNED_MASKS, ZERO, ZERO16, is_lossy
from PIL import Image

from mmomni.datasets.masks import LOSSY_THRESHOLD, colours_of, tampered_pixels
from mmomni.jpeg import ImageReadError


@pytest.mark.parametrize('kind', MASKS)
def test_tampered_is_what_is_not_black_in_a_file_of_any_kind(kind):
    data = MASKS[kind]()
    found = tampered_pixels(data)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, TRUTH)
    colours, lossy = colours_of(data)
    assert lossy == is_lossy(kind)
    threshold = LOSSY_THRESHOLD if lossy else 0
    np.testing.assert_array_equal(colours.max(axis=2) > threshold, TRUTH)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', TURNED_MASKS)
def test_pixels_stay_as_stored_whatever_exif_says(kind, orientation):
    """OpenCV turns a TIFF of deep colours, and nothing else can read all its bits."""
    data = TURNED_MASKS[kind](orientation)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0112] == orientation
    np.testing.assert_array_equal(tampered_pixels(data), TRUTH)


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (png_bytes(np.dstack([ONE * 7, ZERO, ZERO])), np.dstack([ONE * 7, ZERO, ZERO])),
        (written(ONE * 7, 'PNG'), np.dstack([ONE * 7] * 3)),
        (png_bytes(DEEP[..., None] * 300), np.dstack([DEEP * 300] * 3)),
        (MASKS['PNG 16 bits red'](), np.dstack([DEEP, ZERO16, ZERO16])),
        (MASKS['TIFF 16 bits red'](), np.dstack([DEEP, ZERO16, ZERO16])),
    ],
    ids=['8 bits', '8 bits grey', '16 bits grey', '16 bits of a PNG', '16 bits of a TIFF'],
)
def test_colours_are_red_green_blue_in_all_the_bits_of_the_file(data, expected):
    colours, lossy = colours_of(data)
    np.testing.assert_array_equal(colours, expected)
    assert (colours.dtype, lossy) == (expected.dtype, False)


def test_an_opaque_black_mask_is_authentic():
    """The alpha channel alone says nothing."""
    assert not tampered_pixels(png_bytes(np.dstack([ZERO, ZERO, ZERO, ZERO + 255]))).any()


def test_ringing_of_a_jpeg_is_no_ground_truth():
    data = written(ONE * 255, 'JPEG', quality=40)
    stored = np.array(Image.open(io.BytesIO(data)))
    assert (stored[~TRUTH] > 0).any(), 'the case needs ringing'
    np.testing.assert_array_equal(tampered_pixels(data), TRUTH)


@pytest.mark.parametrize('data', [b'', b'no image', MASKS['PNG 0/255']()[:60]])
def test_what_is_no_whole_image_is_refused_by_its_name(data):
    with pytest.raises(ImageReadError, match='of mine'):
        tampered_pixels(data, 'of mine')
