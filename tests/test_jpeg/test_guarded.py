"""The reader of image files: what it gives, and what it refuses before that costs anything."""

import warnings
import zlib

import cv2
import pytest
from hostile_files import CONTENTS, REASONS, make_hostile, many_scans
from image_bytes import written
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import ROWSPERSTRIP
from tiff_bytes import Page, tiff_bytes

from mmomni.jpeg import ImageReadError
from mmomni.jpeg.guarded import check_image, opened_image_file, read_image_file
from mmomni.jpeg.limits import MOST_SCANS

PLAIN = Image.new('RGB', (48, 32), (200, 30, 60))


@pytest.fixture
def no_decoding(monkeypatch):
    def load(*_, **__):
        raise AssertionError('this was decoded')

    monkeypatch.setattr(cv2, 'imdecode', load)
    monkeypatch.setattr(ImageFile.ImageFile, 'load', load)


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'TIFF', 'WEBP', 'BMP', 'GIF'])
def test_bytes_are_those_of_the_file(image_format, tmp_path):
    data = written(PLAIN, image_format)
    (tmp_path / 'a').write_bytes(data)
    (tmp_path / 'link').symlink_to('a')
    assert read_image_file(tmp_path / 'a') == read_image_file(str(tmp_path / 'link')) == data
    check_image(data, 'a')
    with opened_image_file(tmp_path / 'a', 'a') as image:
        assert image.size == (48, 32)


@pytest.mark.parametrize('data', [b'', b'no image', written(PLAIN, 'PNG')[:100], b'\xff\xd8\xff'])
def test_what_cannot_be_decoded_is_left_to_who_decodes_it(data, tmp_path):
    (tmp_path / 'a.jpg').write_bytes(data)
    assert read_image_file(tmp_path / 'a.jpg') == data
    check_image(data, 'a.jpg')


@pytest.mark.parametrize('kind', REASONS)
def test_what_is_refused_is_named_with_its_reason(kind, no_decoding, tmp_path):
    path = make_hostile(tmp_path, kind)
    with pytest.raises(ImageReadError) as caught:
        read_image_file(path)
    assert str(caught.value).startswith(f'{path}: expected ')
    assert REASONS[kind] in str(caught.value)
    with pytest.raises(ImageReadError, match=r'^photo: expected'):
        read_image_file(path, name='photo')


@pytest.mark.parametrize('kind', ['scans', 'bomb', 'line', 'program'])
def test_bytes_from_elsewhere_have_the_same_limits(kind, no_decoding):
    with pytest.raises(ImageReadError) as caught:
        check_image(CONTENTS[kind](), 'lmdb://a/b')
    assert str(caught.value).startswith('lmdb://a/b: expected ')
    assert REASONS[kind] in str(caught.value)


def test_bytes_from_elsewhere_may_be_no_more_than_those_of_a_file():
    with pytest.raises(ImageReadError, match='expected at most 67,108,872 bytes'):
        check_image(bytes(2**26 + 9), 'a', max_pixels=1)


def test_limits_are_the_callers(tmp_path):
    (tmp_path / 'a.png').write_bytes(written(PLAIN, 'PNG'))
    assert read_image_file(tmp_path / 'a.png', max_pixels=48 * 32)
    with pytest.raises(ImageReadError, match='at most 1,535 pixels, got 48 x 32; raise the limit'):
        read_image_file(tmp_path / 'a.png', max_pixels=48 * 32 - 1)


def test_as_many_scans_as_are_allowed_are_read(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(many_scans(MOST_SCANS))
    assert read_image_file(tmp_path / 'a.jpg') == many_scans(MOST_SCANS)


@pytest.mark.parametrize('kind', ['pipe', 'endless', 'folder', 'bomb', 'line', 'huge'])
def test_a_header_is_read_within_the_same_limits(kind, no_decoding, tmp_path):
    path = make_hostile(tmp_path, kind)
    with pytest.raises(ImageReadError) as caught, opened_image_file(path, 'a'):
        pass
    assert REASONS[kind] in str(caught.value)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image_file(tmp_path / 'none.jpg')


def test_a_jpeg_with_broken_metadata_is_read_whole(tmp_path):
    data = written(PLAIN, 'JPEG')
    broken = data[:2] + b'\xff\xe0\x00\x06JFIF'[:8] + data[2:]
    (tmp_path / 'a.jpg').write_bytes(broken)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert read_image_file(tmp_path / 'a.jpg') == broken


# ---- TIFFs made of JPEGs ---------------------------------------------------------------------


@pytest.fixture
def strips():
    """A TIFF of one JPEG for each strip of 8 rows."""
    tall = Image.new('L', (8, 8 * (MOST_SCANS + 1)), 99)
    return written(tall, 'TIFF', compression='jpeg', tiffinfo={ROWSPERSTRIP: 8})


def test_a_tiff_has_a_jpeg_in_each_of_its_strips(strips, tmp_path):
    assert strips.count(b'\xff\xda') > MOST_SCANS
    (tmp_path / 'a.tif').write_bytes(strips)
    assert read_image_file(tmp_path / 'a.tif') == strips
    check_image(strips, 'a.tif')


@pytest.mark.parametrize('number', [MOST_SCANS, MOST_SCANS + 1])
def test_the_scans_of_each_jpeg_in_a_tiff_are_counted(number):
    """Its strips may all be the same bytes, so that few of these are many scans."""
    tags = {256: 32, 257: 32 * 9, 258: [8] * 3, 259: 7, 262: 6, 277: 3, 278: 32, 530: [2, 2]}
    stream = many_scans(number)
    at = tiff_bytes(Page(tags, [stream])).index(stream)
    shared = {273: (4, [at] * 9), 279: (4, [len(stream)] * 9)}
    data = tiff_bytes(Page(tags | {257: 32, 254: 1}, [stream]), Page(tags | shared))
    assert data.index(stream) == at
    if number == MOST_SCANS:
        check_image(data, 'a.tif')
        return
    with pytest.raises(ImageReadError, match='at most 500 scans in a JPEG, got 501'):
        check_image(data, 'a.tif')


def bands(samples, width=64):
    return {
        256: width, 257: width, 258: [8] * samples, 259: 8, 262: 2, 277: samples, 278: width,
    }  # fmt: skip


@pytest.mark.parametrize(
    'tags',
    [bands(20_000), {**bands(3), 278: None, 322: 5_008, 323: 5_008}],
    ids=['samples of a pixel', 'tile'],
)
def test_what_a_tiff_unpacks_to_is_limited_as_its_pixels_are(tags, no_decoding):
    """Few pixels may lie among many samples, or in a corner of a large tile."""
    tags = {tag: value for tag, value in tags.items() if value}
    packed = zlib.compress(bytes(1 << 20))
    data = tiff_bytes(Page(tags, [packed], tiled=322 in tags))
    check_image(data, 'a.tif')
    with pytest.raises(ImageReadError, match='bytes of unpacked strips or tiles, more than 64,000'):
        check_image(data, 'a.tif', max_pixels=64_000)
