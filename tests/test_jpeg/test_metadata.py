"""Metadata never decide whether pixels are read."""

from io import BytesIO

import jpegs_by_hand as segments
import numpy as np
import pytest
from PIL import Image

from mmomni.jpeg import ImageReadError, decode, has_luma, open_image, read_luma
from mmomni.jpeg.opening import PASSED_OVER
from mmomni.jpeg.orientation import orientation_of, readable_orientation_of

EXIF, PROFILE, PHOTOSHOP, ADOBE, JFIF = 0xE1, 0xE2, 0xED, 0xEE, 0xE0
BROKEN_EXIF = {
    'zeroed': b'Exif\0\0' + bytes(400),
    'alien': b'Exif\0\0http://ns.example/ap/1.0/' + b'x' * 60,
    'text': b'Exif\0\0' + b'no directory',
    'of one byte': b'Exif\0\0M',
}
BROKEN_SEGMENTS = {
    'JFIF without a version': (JFIF, b'JFIF\0'),
    'JFIF of a name': (JFIF, b'JFIF'),
    'Adobe without a transform': (ADOBE, b'Adobe'),
    'Adobe of a byte': (ADOBE, b'Adobe\0'),
    'profile without a number': (PROFILE, b'ICC_PROFILE\0'),
    'Photoshop that ends in a block': (PHOTOSHOP, b'Photoshop 3.0\x008BIM\4\4'),
}
SHORT_BUT_OPENED = {
    'JFIF without a density': (JFIF, b'JFIF\0\1\1'),
    'Adobe without flags': (ADOBE, b'Adobe\0\x64\0'),
}


def photo(height=32, width=48):
    rng = np.random.default_rng(0)
    y, x, _ = np.mgrid[:height, :width, :1] / 9.0
    waves = np.sin(y + np.arange(3)) + np.cos(x * [1.0, 0.7, 0.4])
    return np.uint8(127 + 30 * waves + rng.normal(0, 5, (height, width, 3)))


def saved(image_format='JPEG', **options):
    buffer = BytesIO()
    Image.fromarray(photo()).save(buffer, image_format, **options)
    return buffer.getvalue()


def without_jfif(data):
    assert data[2:4] == b'\xff\xe0'
    return data[:2] + data[4 + int.from_bytes(data[4:6], 'big') :]


PLAIN = {
    'JFIF with a density': lambda: saved(dpi=(72, 72)),
    'JFIF': saved,
    'neither': lambda: without_jfif(saved()),
}
ALL = {
    **{f'EXIF {kind}': (EXIF, content) for kind, content in BROKEN_EXIF.items()},
    **BROKEN_SEGMENTS, **SHORT_BUT_OPENED,
}  # fmt: skip


@pytest.mark.parametrize('plain', PLAIN)
@pytest.mark.parametrize('kind', ALL)
def test_pixels_and_luma_are_those_without_the_segment(kind, plain, tmp_path):
    data = PLAIN[plain]()
    broken = segments.with_segment(data, *ALL[kind])
    np.testing.assert_array_equal(decode(broken), decode(data))
    assert has_luma(broken)
    np.testing.assert_array_equal(read_luma(broken).coefficients, read_luma(data).coefficients)
    (tmp_path / 'a.jpg').write_bytes(broken)
    for file in (broken, tmp_path / 'a.jpg'):
        with open_image(file) as image:
            assert orientation_of(image) == 1
            assert image.info.get(PASSED_OVER, False) == (kind in BROKEN_SEGMENTS)
            assert (readable_orientation_of(image) is None) == kind.startswith('EXIF')


@pytest.mark.parametrize('kind', BROKEN_SEGMENTS)
def test_what_is_readable_beside_it_is_read(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    with open_image(segments.with_segment(saved(exif=exif), *BROKEN_SEGMENTS[kind])) as image:
        assert orientation_of(image) == 6


@pytest.mark.parametrize('kind', ALL)
def test_colours_stay_what_adobe_says_they_are(kind):
    """Red, green and blue are stored, which only the transform in Adobe's segment says."""
    data = saved(keep_rgb=True)
    broken = segments.with_segment(data, *ALL[kind])
    np.testing.assert_array_equal(decode(broken), decode(data))
    assert not has_luma(broken)


@pytest.mark.parametrize('kind', [*SHORT_BUT_OPENED, 'JFIF without a version'])
def test_a_segment_that_libjpeg_does_not_believe_says_nothing_of_colours(kind):
    """Component names decide then, as in the pixels."""
    data = without_jfif(saved())
    for marker, first, step in ((b'\xff\xc0', 10, 3), (b'\xff\xda', 5, 2)):
        at = data.index(marker) + first
        for number, name in enumerate(b'RGB'):
            data = data[: at + number * step] + bytes([name]) + data[at + number * step + 1 :]
    assert not has_luma(segments.with_segment(data, *ALL[kind]))


@pytest.mark.parametrize('image_format', ['PNG', 'WEBP'])
@pytest.mark.parametrize('kind', BROKEN_EXIF)
def test_broken_exif_of_other_formats(kind, image_format):
    data = saved(image_format, exif=BROKEN_EXIF[kind], lossless=True)
    np.testing.assert_array_equal(decode(data), photo())
    with open_image(data) as image:
        assert (orientation_of(image), readable_orientation_of(image)) == (1, None)


def test_metadata_are_not_blamed_for_what_is_no_image():
    for data in (b'', b'no image', b'\xff\xd8\xff\xe0\0\7JFIF\0', saved()[:100]):
        with pytest.raises(OSError):  # noqa: PT011  (Pillow's own)
            open_image(data)


def test_a_bomb_behind_broken_metadata_is_still_one(monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(ImageReadError, match='decompression bomb'):
        decode(segments.with_segment(saved(), ADOBE, b'Adobe'))
