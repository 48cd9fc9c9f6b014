"""Pixels of TIFFs of all layouts, against the values they were written from."""

import struct
import zlib

import cv2
import numpy as np
import PIL
import pytest
from image_bytes import encoded, png_bytes, turned, written
from PIL import Image
from tiff_bytes import Page, tiff_bytes

from mmomni.datasets.masks import colours_of, tampered_pixels
from mmomni.jpeg import ImageReadError, decode, open_image
from mmomni.jpeg.codec import decode_with_notes
from mmomni.jpeg.orientation import orientation_of, stored_size
from mmomni.jpeg.tiff.directories import directory_at, main_pictures
from mmomni.jpeg.tiff.pixels import LAYOUT

HEIGHT, WIDTH, PIECE = 24, 37, 16
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
RAW = 32803
NONE, DEFLATE, PACK_BITS = 1, 8, 32773
PREDICTOR = 317


def packed(values, bits, order):
    """Rows of bytes of (H, N) numbers."""
    if bits == 16:
        return values.astype(f'{order}u2').view(np.uint8).reshape(len(values), -1)
    single = (values[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(single.reshape(len(values), -1).astype(np.uint8), axis=1)


def coded(rows, compression):
    if compression == DEFLATE:
        return zlib.compress(rows.tobytes())
    if compression == PACK_BITS:  # as runs of different bytes
        cut = [row[at : at + 128].tobytes() for row in rows for at in range(0, len(row), 128)]
        return b''.join(bytes([len(run) - 1]) + run for run in cut)
    return rows.tobytes()


def page_of(values, bits, photometric, order='<', planar=1, compression=NONE, tiled=False,
            predictor=1, more=()):  # fmt: skip
    """A page of (H, W, C) whole numbers, in strips or tiles of 16 rows."""
    height, width, samples = values.shape
    planes = [values] if planar == 1 else [values[..., n, None] for n in range(samples)]
    pieces = []
    for plane in planes:
        rest = (-height % PIECE, -width % PIECE) if tiled else (0, 0)
        whole = np.pad(plane, [(0, rest[0]), (0, rest[1]), (0, 0)])
        for top in range(0, len(whole), PIECE):
            for left in range(0, whole.shape[1] if tiled else 1, PIECE):
                part = whole[top : top + PIECE, left : left + PIECE if tiled else None]
                if predictor == 2:
                    part = np.diff(part, axis=1, prepend=0) % (1 << bits)
                rows = packed(part.reshape(len(part), -1), bits, order)
                pieces.append(coded(rows, compression))
    tags = {256: width, 257: height, 258: [bits] * samples, 259: compression, 262: photometric,
            277: samples, 284: planar, PREDICTOR: predictor}  # fmt: skip
    tags |= {322: PIECE, 323: PIECE} if tiled else {278: PIECE}
    return Page(tags | dict(more), pieces, tiled=tiled)


def some(bits, samples=1, seed=0):
    values = np.random.default_rng(seed).integers(0, 1 << bits, (HEIGHT, WIDTH, samples))
    values[0, 0] = (1 << bits) - 1  # all bits are in use
    return values


def seen(values, bits, photometric):
    """What a person sees of the numbers: ``uint8`` (H, W, 3)."""
    top = (1 << bits) - 1
    values = top - values if photometric == WHITE_IS_ZERO else values
    high = (values >> (bits - 8) if bits >= 8 else values * 255 // top).astype(np.uint8)
    if photometric == CMYK:
        image = Image.frombytes('CMYK', high.shape[1::-1], high[..., :4].tobytes())
        return np.array(image.convert('RGB'))
    return high[..., :3] if photometric == RGB else np.repeat(high[..., :1], 3, axis=2)


SAMPLES = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4}


@pytest.mark.parametrize('compression', [NONE, DEFLATE, PACK_BITS])
@pytest.mark.parametrize('planar', [1, 2], ids=['together', 'separate planes'])
@pytest.mark.parametrize('bits', [1, 2, 4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize('photometric', SAMPLES)
def test_numbers_of_all_layouts_are_read_as_they_were_written(
    photometric, bits, planar, compression
):
    values = some(bits, SAMPLES[photometric])
    for order, big, tiled in (('<', False, False), ('>', False, True), ('>', True, False)):
        page = page_of(values, bits, photometric, order, planar, compression, tiled)
        data = tiff_bytes(page, order=order, big=big)
        found, notes = decode_with_notes(data)
        np.testing.assert_array_equal(found, seen(values, bits, photometric))
        assert notes == []


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('tiled', [False, True], ids=['strips', 'tiles'])
@pytest.mark.parametrize('planar', [1, 2])
@pytest.mark.parametrize('bits', [8, 16])
def test_differences_are_added_up(bits, planar, tiled, order):
    values = some(bits, 3)
    page = page_of(values, bits, RGB, order, planar, DEFLATE, tiled, predictor=2)
    found = decode(tiff_bytes(page, order=order))
    np.testing.assert_array_equal(found, seen(values, bits, RGB))


@pytest.mark.parametrize('compression', [NONE, PACK_BITS])
def test_codings_without_differences_have_none_whatever_the_file_says(compression):
    """As libtiff has it, here by OpenCV."""
    values = some(8)
    page = page_of(values, 8, BLACK_IS_ZERO, compression=compression, more={PREDICTOR: 2})
    data = tiff_bytes(page)
    np.testing.assert_array_equal(decode(data), seen(values, 8, BLACK_IS_ZERO))
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), 1), decode(data))


@pytest.mark.parametrize(
    ('meaning', 'name'), [(BLACK_IS_ZERO, 'grey'), (RGB, 'RGB')], ids=['grey', 'RGB']
)
@pytest.mark.parametrize('bits', [8, 16])
def test_values_whose_meaning_is_not_said_are_no_negative(meaning, name, bits):
    values = some(bits, SAMPLES[meaning])
    page = page_of(values, bits, meaning)
    del page[262]
    found, notes = _examined(tiff_bytes(page))
    np.testing.assert_array_equal(found, seen(values, bits, meaning))
    assert notes == [f'this TIFF does not say what its values mean: they were taken for {name}']


@pytest.mark.parametrize('photometric', [BLACK_IS_ZERO, RGB])
def test_values_besides_the_colour_are_told(photometric):
    colours = SAMPLES[photometric]
    values = some(8, colours + 2)
    found, notes = _examined(tiff_bytes(page_of(values, 8, photometric, more={338: [0, 0]})))
    np.testing.assert_array_equal(found, seen(values[..., :colours], 8, photometric))
    (note,) = notes
    assert note.startswith(f'2 of the {colours + 2} values of each pixel are neither its colour')


def _examined(data):
    with open_image(data) as image:
        return decode(data), [*image.info[LAYOUT].notes]


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('planar', [1, 2])
@pytest.mark.parametrize('photometric', [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB])
def test_alpha_is_dropped_in_all_layouts(photometric, planar, bits):
    values = some(bits, SAMPLES[photometric] + 1)
    data = tiff_bytes(page_of(values, bits, photometric, planar=planar, more={338: 2}))
    colours = values[..., :-1]
    np.testing.assert_array_equal(decode(data), seen(colours, bits, photometric))
    with open_image(data) as image:
        assert image.mode in ('RGBA', 'LA')


def test_bits_may_be_stored_the_other_way_round():
    values = some(1)
    page = page_of(values, 1, BLACK_IS_ZERO, more={266: 2})
    page.strips = [bytes(int(f'{byte:08b}'[::-1], 2) for byte in each) for each in page.strips]
    np.testing.assert_array_equal(decode(tiff_bytes(page)), seen(values, 1, BLACK_IS_ZERO))


# Not so before: the rows were expected to be longer, and such a file is refused as truncated.
FULL_CHROMA = pytest.mark.xfail(
    int(PIL.__version__.split('.')[0]) < 13,
    reason='Pillow reads plain YCbCr of full chroma since version 13',
    raises=ImageReadError,
)


@pytest.mark.parametrize('factor', [pytest.param(1, marks=FULL_CHROMA), 2])
def test_plain_ycbcr_is_read_with_chroma_as_coarse_as_it_is(factor):
    luma = np.random.default_rng(0).integers(20, 230, (16, 16))
    units = luma.reshape(16 // factor, factor, 16 // factor, factor).transpose(0, 2, 1, 3)
    units = units.reshape(-1, factor * factor)
    grey = np.hstack([units, np.full((len(units), 2), 128)]).astype(np.uint8).tobytes()
    tags = {256: 16, 257: 16, 258: [8] * 3, 259: 1, 262: 6, 277: 3, 278: 16, 530: [factor] * 2}
    tags[532] = (5, [(0, 1), (255, 1), (128, 1), (255, 1), (128, 1), (255, 1)])
    found = decode(tiff_bytes(Page(tags, [grey])))
    np.testing.assert_array_equal(found, np.repeat(luma[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ('mode', 'meaning', 'compression'),
    [
        pytest.param('YCbCr', 6, NONE, marks=FULL_CHROMA),
        ('YCbCr', 6, DEFLATE),
        ('LAB', 8, NONE),
        ('LAB', 8, DEFLATE),
    ],
)
def test_other_colours_are_the_same_together_and_in_planes(mode, meaning, compression):
    image = Image.merge(mode, Image.fromarray(some(8, 3).astype(np.uint8)).split())
    more = {530: [1, 1], 532: (5, [(0, 1), (255, 1), (128, 1), (255, 1), (128, 1), (255, 1)])}
    found = [
        decode(tiff_bytes(page_of(
            np.array(image).astype(int), 8, meaning, planar=planar, compression=compression,
            more=more if mode == 'YCbCr' else {},
        ))).astype(int)
        for planar in (1, 2)
    ]  # fmt: skip
    expected = np.array(image.convert('RGB')).astype(int)
    assert np.abs(found[0] - expected).max() <= 2
    assert np.abs(found[1] - expected).max() <= 2


# ---- orientation ---------------------------------------------------------------------------

CODINGS = {
    'plain': {},
    'LZW': dict(compression='tiff_lzw'),
    'deflate': dict(compression='tiff_adobe_deflate'),
    'PackBits': dict(compression='packbits'),
    'JPEG': dict(compression='jpeg'),
    'fax': dict(compression='group4'),
}
MODES = ['1', 'L', 'P', 'RGB', 'RGBA', 'CMYK', 'I;16']
ONLY = {'JPEG': ('L', 'RGB', 'RGBA', 'CMYK'), 'fax': ('1',)}
"""Modes of the codings that are not for all."""


@pytest.mark.parametrize(
    ('mode', 'coding'),
    [(mode, coding) for mode in MODES for coding in CODINGS if mode in ONLY.get(coding, MODES)],
)
def test_no_orientation_of_a_tiff_turns_its_pixels(mode, coding):
    values = some(8, 3).astype(np.uint8)
    image = Image.fromarray(values).convert(mode if mode != 'I;16' else 'L')
    if mode == 'I;16':
        image = Image.fromarray(values[..., 0].astype(np.uint16) << 8)
    plain = written(image, 'TIFF', **CODINGS[coding])
    upright, flags = decode(plain), tampered_pixels(plain)
    if coding != 'JPEG' and mode not in ('CMYK', 'I;16'):
        np.testing.assert_array_equal(upright, np.array(image.convert('RGB')))
    for orientation in range(1, 9):
        data = written(image, 'TIFF', exif=turned(orientation), **CODINGS[coding])
        np.testing.assert_array_equal(decode(data), upright)
        np.testing.assert_array_equal(tampered_pixels(data), flags)
        with open_image(data) as opened:
            assert orientation_of(opened) == orientation
            assert stored_size(opened) == (WIDTH, HEIGHT)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_no_orientation_turns_tiles_planes_or_a_mask(orientation):
    values = some(16, 3)
    for options in (dict(tiled=True), dict(planar=2), dict(tiled=True, compression=DEFLATE)):
        data = tiff_bytes(page_of(values, 16, RGB, more={274: orientation}, **options))
        np.testing.assert_array_equal(decode(data), seen(values, 16, RGB))
        np.testing.assert_array_equal(colours_of(data)[0], values)


# ---- bits in use ---------------------------------------------------------------------------


def deep_files(values):
    """16-bit files of (H, W, 3) numbers, of colours and of their first channel."""
    values = values.astype(np.uint16)
    grey = values[..., :1].astype(np.uint16)
    return {
        'TIFF of grey': (tiff_bytes(page_of(grey.astype(int), 16, BLACK_IS_ZERO)), grey),
        'TIFF of colours': (tiff_bytes(page_of(values.astype(int), 16, RGB)), values),
        'TIFF of planes': (tiff_bytes(page_of(values.astype(int), 16, RGB, planar=2)), values),
        'PNG of grey': (png_bytes(grey), grey),
        'PNG of colours': (png_bytes(values), values),
        'PNG of colours and alpha': (encoded('.png', with_alpha(values)), values),
        'PGM': (b'P5 37 24 65535\n' + grey.astype('>u2').tobytes(), grey),
        'PPM': (b'P6 37 24 65535\n' + values.astype('>u2').tobytes(), values),
    }


def with_alpha(rgb):
    return np.dstack([rgb[..., ::-1], np.full_like(rgb[..., 0], 65535)])


@pytest.mark.parametrize('kind', deep_files(some(8, 3)))
@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
def test_the_highest_bits_in_use_are_seen_and_masks_keep_all(bits, kind):
    data, values = deep_files(some(bits, 3))[kind]
    found, notes = decode_with_notes(data)
    expected = (values >> (bits - 8)).astype(np.uint8)
    np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))
    assert len(notes) == (bits < 16)
    assert all(f'taken to be of {bits} bits, with {(1 << bits) - 1} as white' in n for n in notes)
    np.testing.assert_array_equal(colours_of(data)[0], np.broadcast_to(values, found.shape))


def test_a_value_in_the_header_tells_of_bits_that_this_picture_does_not_use():
    values = some(10)
    data = tiff_bytes(page_of(values, 16, BLACK_IS_ZERO, more={281: 4000}))
    found, notes = decode_with_notes(data)
    np.testing.assert_array_equal(found[..., 0], values[..., 0] >> 4)
    assert 'of 12 bits' in notes[0]


def test_black_of_sixteen_bits_stays_black_without_a_note():
    data = tiff_bytes(page_of(some(16) * 0, 16, BLACK_IS_ZERO))
    found, notes = decode_with_notes(data)
    assert not found.any()
    assert notes == []


@pytest.mark.parametrize('white', [4095, 1000])
def test_white_of_a_netpbm_is_that_of_its_header(white):
    """Not that of its values, of which no one is half as high."""
    values = np.arange(HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3) % (white // 3)
    data = b'P6\n# by hand\n37 24\n%d\n' % white + values.astype('>u2').tobytes()
    found, notes = decode_with_notes(data)
    np.testing.assert_array_equal(found, values * 255 // white if white == 1000 else values >> 4)
    assert notes == []
    np.testing.assert_array_equal(colours_of(data)[0], values)


def test_a_netpbm_that_lacks_its_end_is_refused():
    with pytest.raises(ImageReadError, match='truncated'):
        decode(b'P5 37 24 4095\n' + bytes(2 * 37 * 24 - 1))


@pytest.mark.parametrize('top', [1, 4095, 65535])
@pytest.mark.parametrize('photometric', [WHITE_IS_ZERO, BLACK_IS_ZERO])
def test_what_is_not_black_to_the_eye_is_tampered(photometric, top):
    truth = some(1)[..., 0] > 0
    values = np.where(truth, top, 0)[..., None]
    values = 65535 - values if photometric == WHITE_IS_ZERO else values
    data = tiff_bytes(page_of(values, 16, photometric))
    np.testing.assert_array_equal(tampered_pixels(data), truth)


# ---- which picture -------------------------------------------------------------------------


def preview(kind=1, size=16, seed=5):
    values = some(8, 3, seed)[:size, :size]
    return page_of(values, 8, RGB, more={254: kind}), seen(values, 8, RGB)


def test_the_picture_is_decoded_and_not_the_preview_in_front_of_it():
    values = some(8, 3)
    picture, (front, _) = page_of(values, 8, RGB, more={254: 0}), preview()
    front.below = [picture]
    for pages in ((front,), (preview()[0], picture)):
        data = tiff_bytes(*pages)
        np.testing.assert_array_equal(decode(data), seen(values, 8, RGB))
        with open_image(data) as image:
            assert image.size == (WIDTH, HEIGHT)
            notes = image.info['mmomni_layout'].notes
        assert notes == ('besides the picture, this TIFF has 1 preview: not looked at',)


@pytest.mark.parametrize('meaning', [RAW, 34892])
def test_of_raw_data_the_largest_preview_is_decoded_and_says_so(meaning):
    raw = page_of(some(16), 16, meaning, more={254: 0})
    (front, _), (larger, pixels) = preview(size=8), preview(size=20)
    front.below = [raw, larger]
    data = tiff_bytes(front)
    np.testing.assert_array_equal(decode(data), pixels)
    with open_image(data) as image:
        notes = image.info['mmomni_layout'].notes
    assert notes[0].startswith('only a preview of 20 x 20 in this file was looked at: its')
    assert 'picture of 37 x 24 (pixels of' in notes[0]
    assert 'sensor' in notes[0]
    assert '1 preview:' in notes[1]


UNREADABLE = {
    'raw': (page_of(some(16), 16, RAW), 'the raw mosaic of a sensor, 16 bits'),
    'signed': (page_of(some(16), 16, 1, more={339: 2}), 'pixels of int16'),
    'JPEG 2000': (page_of(some(8), 8, 1, more={259: 34712}), 'coded as JPEG 2000'),
    'floats': (page_of(some(16), 16, 1, more={258: 32, 339: 3}), 'pixels of float32'),
    'signed of 8 bits': (page_of(some(8), 8, 1, more={339: 2}), 'pixels of int8'),
    'spot colours': (page_of(some(8, 4), 8, CMYK, more={332: 2}), 'pixels of inks other than CMYK'),
    'unknown': (page_of(some(8), 8, 999), 'PhotometricInterpretation 999'),
}  # fmt: skip


@pytest.mark.parametrize('kind', UNREADABLE)
def test_what_cannot_be_decoded_is_named_as_what_it_is(kind):
    page, name = UNREADABLE[kind]
    with pytest.raises(ImageReadError, match=r'a\.tif: expected a TIFF that can be dec') as caught:
        decode(tiff_bytes(page), 'a.tif')
    assert name in str(caught.value)
    assert 'convert it to grey or RGB' in str(caught.value)


@pytest.mark.parametrize('options', [{}, dict(tiled=True), dict(planar=2)], ids=str)
@pytest.mark.parametrize('compression', [NONE, DEFLATE])
def test_a_tiff_without_all_of_its_pixels_is_refused(compression, options):
    page = page_of(some(8, 3), 8, RGB, compression=compression, **options)
    whole, last = page.strips, page.strips[-1]
    for strips in ([*whole[:-1], last[: len(last) // 2]], [*whole[:-1], b'x'], whole[:-1]):
        page.strips = strips
        with pytest.raises(ImageReadError, match='a whole image'):
            decode(tiff_bytes(page))


def test_a_tiff_whose_last_strip_lies_beyond_its_end_is_refused():
    data = bytearray(tiff_bytes(page_of(some(8), 8, 1)))
    offset = directory_at(bytes(data), main_pictures(bytes(data))[0]).fields[273].start + 4
    struct.pack_into('<I', data, offset, len(data) - 10)
    with pytest.raises(ImageReadError, match='truncated'):
        decode(bytes(data))
