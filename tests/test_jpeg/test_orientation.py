from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from mmomni.jpeg import decode, open_image
from mmomni.jpeg.orientation import as_stored, orientation_of, stored_size, upright, upright_box


def test_upright_is_what_viewers_do():
    pixels = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    for orientation in range(1, 9):
        image = Image.fromarray(pixels)
        image.getexif()[0x0112] = orientation
        expected = np.array(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(upright(pixels, orientation), expected)
        np.testing.assert_array_equal(upright(pixels[..., 0], orientation), expected[..., 0])


@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_box_is_turned_with_its_pixels(orientation):
    mask = np.zeros((7, 11), np.uint8)
    mask[1:4, 2:9] = 1
    x1, y1, x2, y2 = upright_box((2, 1, 9, 4), mask.shape, orientation)
    expected = np.zeros_like(upright(mask, orientation))
    expected[y1:y2, x1:x2] = 1
    np.testing.assert_array_equal(upright(mask, orientation), expected)


@pytest.mark.parametrize('orientation', [0, 9])
def test_there_are_eight_orientations(orientation):
    with pytest.raises(ValueError, match='from 1 to 8'):
        upright(np.zeros((2, 2), np.uint8), orientation)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_as_stored_is_the_inverse_of_upright(orientation):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    turned = upright(pixels, orientation)
    np.testing.assert_array_equal(as_stored(turned, orientation), pixels)


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
    '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize('image_format', ['PNG', 'WEBP', 'JPEG', 'TIFF'])
def test_the_orientation_of_xmp_counts_in_all_formats(image_format):
    buffer, options = BytesIO(), dict(xmp=XMP.encode())
    if image_format == 'PNG':
        options = dict(pnginfo=PngImagePlugin.PngInfo())
        options['pnginfo'].add_itxt('XML:com.adobe.xmp', XMP)
    if image_format == 'TIFF':
        options = dict(tiffinfo={700: XMP.encode()})
    Image.new('RGB', (24, 16)).save(buffer, image_format, **options)
    assert decode(buffer.getvalue()).shape == (16, 24, 3)
    with open_image(buffer.getvalue()) as image:
        assert orientation_of(image) == 6
        assert stored_size(image) == (24, 16)


FORMATS = {'RGB': ('TIFF', 'PNG', 'WEBP', 'JPEG'), 'L': ('TIFF', 'PNG', 'WEBP', 'JPEG')}
FORMATS['I;16'] = ('TIFF', 'PNG')  # the others have 8 bits


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize(
    ('mode', 'image_format'), [(mode, name) for mode, names in FORMATS.items() for name in names]
)
def test_all_formats_are_decoded_as_stored_and_tell_their_orientation(
    mode, image_format, orientation
):
    values = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    if mode == 'L':
        values = values[..., 0]
    if mode == 'I;16':
        values = values[..., 0].astype(np.uint16) << 8
    exif = Image.Exif()
    exif[0x0112] = orientation
    files = {}
    for told in (None, exif):
        buffer = BytesIO()
        options = dict(lossless=True) if image_format == 'WEBP' else {}
        Image.fromarray(values).save(buffer, image_format, exif=told or Image.Exif(), **options)
        files[told is not None] = buffer.getvalue()
    with Image.open(BytesIO(files[True])) as image:
        assert orientation_of(image) == orientation
        assert stored_size(image) == (24, 16)
    assert decode(files[True]).shape == (16, 24, 3)
    np.testing.assert_array_equal(decode(files[True]), decode(files[False]))
