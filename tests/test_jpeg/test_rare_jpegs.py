"""Rare kinds of JPEG: read right, or named as what they are."""

import jpeglib
import jpegs_by_hand as segments
import numpy as np
import pytest
from test_metadata import photo, saved

from mmomni.jpeg import ImageReadError, decode, encode, has_luma, read_luma
from mmomni.jpeg.kinds import unusual_kind
from mmomni.jpeg.luma import NO_LUMA, obstacle_to_luma

UNDECODABLE = segments.undecodable_kinds(photo())


@pytest.mark.parametrize('kind', UNDECODABLE)
def test_a_kind_that_is_not_decoded_is_named(kind):
    message = rf'a\.jpg: expected .* got a (lossless )?.*{kind}.* cannot decode; convert it'
    with pytest.raises(ImageReadError, match=message):
        decode(UNDECODABLE[kind], 'a.jpg')


@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize(
    'options', [*(dict(subsampling=number) for number in range(3)), dict(keep_rgb=True)], ids=str
)
def test_common_kinds_have_no_name(options, progressive):
    assert unusual_kind(saved(progressive=progressive, **options)) == ''


@pytest.mark.parametrize('data', [b'', b'text', saved('PNG'), b'\xff\xd8\xff', saved()[:40]])
def test_what_is_no_jpeg_is_no_kind_of_it(data):
    assert unusual_kind(data) == ''


def test_lossless_is_decoded_where_the_library_can_and_has_no_luma():
    data = segments.lossless_grey(photo()[..., 0])
    assert not has_luma(data)
    assert obstacle_to_luma(data) == 'a lossless JPEG'
    try:
        pixels = decode(data)
    except ImageReadError as error:
        assert 'got a lossless JPEG, which' in str(error)  # noqa: PT017  (libjpeg-turbo < 3)
    else:
        np.testing.assert_array_equal(pixels, np.repeat(photo()[..., :1], 3, axis=2))


@pytest.mark.parametrize('factors', [0x11, 0x12, 0x21, 0x22])
def test_luma_as_fine_as_chroma_is_luma(factors):
    assert has_luma(segments.changed_frame(encode(photo(), 80, '4:4:4'), luma=factors))


@pytest.mark.parametrize('factors', [0x12, 0x21, 0x22])
def test_chroma_finer_than_luma_is_named(factors):
    data = bytearray(encode(photo(), 80, '4:4:4'))
    data[data.index(b'\xff\xc0') + 14] = factors
    assert obstacle_to_luma(bytes(data)) == 'a JPEG whose chroma is finer than its luma'


def test_arithmetic_coding_holds_the_same_picture_and_luma(tmp_path):
    plain = saved(quality=80)
    (tmp_path / 'a.jpg').write_bytes(plain)
    with jpeglib.version('turbo210'):
        stored = jpeglib.read_dct(str(tmp_path / 'a.jpg'))
        stored.write_dct(str(tmp_path / 'b.jpg'), flags=['+ARITH_CODE'])
    data = (tmp_path / 'b.jpg').read_bytes()
    assert unusual_kind(data) == 'a JPEG with arithmetic coding'
    np.testing.assert_array_equal(read_luma(data).coefficients, read_luma(plain).coefficients)
    try:
        pixels = decode(data)
    except ImageReadError as error:
        assert 'got a JPEG with arithmetic coding, which' in str(error)  # noqa: PT017
    else:
        np.testing.assert_array_equal(pixels, decode(plain))
    with pytest.raises(ImageReadError):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize('marker', [0xC9, 0xCA])
def test_arithmetic_coding_is_named(marker):
    data = segments.changed_frame(encode(photo(), 80), marker=marker)
    assert unusual_kind(data) == 'a JPEG with arithmetic coding'


def test_without_luma_the_reason_is_general():
    for data in (b'', saved('PNG'), saved(keep_rgb=True)):
        assert obstacle_to_luma(data) == NO_LUMA


@pytest.mark.parametrize('kind', ['of 12 bits a sample', 'of 2 components'])
def test_a_cut_file_of_a_kind_that_is_not_opened_is_named_too(kind):
    with pytest.raises(ImageReadError, match=kind):
        decode(UNDECODABLE[kind][:-100])
