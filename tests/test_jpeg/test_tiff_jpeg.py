"""JPEGs inside of TIFFs: their pixels and coefficients are those of the same JPEGs as files."""

import cv2
import numpy as np
import pytest
from image_bytes import written
from PIL import Image
from tiff_bytes import Page, tiff_bytes

from mmomni.jpeg import ImageReadError, decode, read_luma
from mmomni.jpeg.damage.integrity import check_whole, examined
from mmomni.jpeg.luma import NO_LUMA, obstacle_to_luma
from mmomni.jpeg.stream import segments
from mmomni.jpeg.tiff.pixels import jpegs_in

GREY, RGB, YCBCR = 1, 2, 6


def photo(height=48, width=64):
    """Smooth colours with some noise."""
    y, x, _ = np.mgrid[:height, :width, :1] / 9.0
    waves = np.sin(y + np.arange(3)) + np.cos(x * [1.0, 0.7, 0.4])
    noise = np.random.default_rng(0).normal(0, 5, (height, width, 3))
    return np.uint8(127 + 30 * waves + noise)


def shared_tables(streams):
    """JPEGTables of streams that begin with the same ones, and the streams without them."""
    tables = []
    for segment in segments(streams[0]):
        if segment.marker in (b'\xdb', b'\xc4'):
            tables.append(streams[0][segment.start : segment.end])
        if segment.marker == b'\xda':
            break
    without = streams
    for table in tables:
        assert all(table in stream for stream in without)
        without = [stream.replace(table, b'') for stream in without]
    return b''.join([b'\xff\xd8', *tables, b'\xff\xd9']), without


def jpeg_tiff(image, piece, tiled=False, tables=False, photometric=None, more=(), **options):
    """A TIFF of JPEGs of equal pieces (height, width) of an image; and these, by place."""
    options = dict(quality=80) | options
    height, width = image.shape[:2]
    grey = image.ndim == 2
    streams = {}
    for top in range(0, height, piece[0]):
        for left in range(0, width, piece[1]):
            part = image[top : top + piece[0], left : left + piece[1]]
            if tiled:
                missing = [(0, piece[i] - part.shape[i]) for i in (0, 1)] + [(0, 0)] * (not grey)
                part = np.pad(part, missing, 'edge')
            streams[top, left] = written(np.ascontiguousarray(part), 'JPEG', **options)
    kept = list(streams.values())
    samples = 1 if grey else 3
    tags = {
        256: width, 257: height, 258: [8] * samples, 259: 7, 277: samples, 284: 1,
        262: photometric if photometric is not None else (GREY if grey else YCBCR), **dict(more),
    }  # fmt: skip
    if not grey and options.get('subsampling', 2):
        tags[530] = [2, 2 if options.get('subsampling', 2) == 2 else 1]
    elif not grey:
        tags[530] = [1, 1]
    if tables:
        tags[347], kept = shared_tables(kept)
    tags |= {322: piece[1], 323: piece[0]} if tiled else {278: piece[0]}
    return Page(tags, kept, tiled=tiled), streams


def joined(read, streams, shape):
    """What is read of each piece, in its place; cut to the shape."""
    plane = None
    for (top, left), stream in streams.items():
        part = read(stream)
        if plane is None:
            plane = np.zeros((shape[0] + 64, shape[1] + 64, *part.shape[2:]), part.dtype)
        plane[top : top + part.shape[0], left : left + part.shape[1]] = part
    return plane[: shape[0], : shape[1]]


def coefficients(data):
    return read_luma(data).coefficients


def in_blocks(shape):
    return tuple(-(-side // 8) * 8 for side in shape[:2])


CUTS = {
    'one strip': dict(piece=(48, 64)),
    'strips': dict(piece=(16, 64)),
    'strips, the last one shorter': dict(piece=(32, 64)),
    'tiles': dict(piece=(16, 32), tiled=True),
    'tiles beyond the edge': dict(piece=(32, 48), tiled=True),
    'one tile': dict(piece=(64, 80), tiled=True),
}
KINDS = {
    'grey': dict(image=photo()[..., 0]),
    'odd grey': dict(image=photo(45, 61)[..., 0]),
    '4:4:4': dict(image=photo(), subsampling=0),
    '4:2:0': dict(image=photo(), subsampling=2),
    '4:2:2 of odd size': dict(image=photo(43, 59), subsampling=1),
}


@pytest.mark.parametrize('tables', [False, True], ids=['whole', 'shared tables'])
@pytest.mark.parametrize('cut', CUTS)
@pytest.mark.parametrize('kind', KINDS)
def test_pixels_and_coefficients_are_those_of_the_jpegs(kind, cut, tables):
    options = KINDS[kind] | CUTS[cut]
    image = options.pop('image')
    height, width = image.shape[:2]
    if not options.get('tiled'):
        options['piece'] = min(options['piece'][0], height), width
    page, streams = jpeg_tiff(image, tables=tables, **options)
    for order, big in (('<', False), ('>', True)):
        data = tiff_bytes(page, order=order, big=big)
        assert obstacle_to_luma(data) == ''
        luma = read_luma(data)
        expected = joined(coefficients, streams, in_blocks(image.shape))
        np.testing.assert_array_equal(luma.coefficients, expected)
        np.testing.assert_array_equal(luma.table, read_luma(streams[0, 0]).table)
        np.testing.assert_array_equal(decode(data), joined(decode, streams, (height, width)))


@pytest.mark.parametrize('mode', ['L', 'RGB'])
def test_a_tiff_of_pillow_has_the_coefficients_of_its_jpeg(mode):
    image = Image.fromarray(photo()).convert(mode)
    data = written(image, 'TIFF', compression='jpeg', quality=70)
    if mode == 'L':
        assert obstacle_to_luma(data) == ''
        pixels = decode(data)[..., 0]
        back = cv2.idct((coefficients(data)[:8, :8] * read_luma(data).table).astype(float))
        assert np.abs(back + 128 - pixels[:8, :8]).max() <= 1
    else:  # as Pillow writes it: not even YCbCr
        assert 'without luma' in obstacle_to_luma(data)
    assert np.abs(decode(data).astype(int) - np.array(image.convert('RGB'))).mean() < 6


@pytest.mark.parametrize('photometric', [RGB, 0], ids=['RGB', 'negative'])
def test_jpegs_whose_first_component_is_no_luma_are_transcoded_and_say_why(photometric):
    image = photo() if photometric == RGB else photo()[..., 0]
    options = dict(keep_rgb=True, subsampling=0) if photometric == RGB else {}
    page, _ = jpeg_tiff(image, (48, 64), photometric=photometric, **options)
    data = tiff_bytes(page)
    assert obstacle_to_luma(data).startswith('JPEG in a TIFF')
    expected = image if photometric == RGB else np.repeat(255 - image[..., None], 3, 2)
    assert np.abs(decode(data).astype(int) - expected).mean() < 4


def test_parts_of_other_tables_are_transcoded_and_say_why():
    top, bottom = (
        written(photo()[rows], 'JPEG', quality=quality, subsampling=0)
        for rows, quality in ((slice(0, 24), 60), (slice(24, 48), 90))
    )
    page, _ = jpeg_tiff(photo(), (24, 64), subsampling=0)
    page.strips = [top, bottom]
    data = tiff_bytes(page)
    assert 'different quantisation tables' in obstacle_to_luma(data)
    np.testing.assert_array_equal(decode(data), np.vstack([decode(top), decode(bottom)]))


def test_parts_that_divide_blocks_are_transcoded_and_say_why():
    page, streams = jpeg_tiff(photo(), (12, 64), subsampling=0)
    data = tiff_bytes(page)
    assert 'divide blocks' in obstacle_to_luma(data)
    np.testing.assert_array_equal(decode(data), joined(decode, streams, (48, 64)))


@pytest.mark.parametrize('rows', [48, 16, 7])
@pytest.mark.parametrize('where', ['JPEGInterchangeFormat', 'strip'])
def test_a_whole_jpeg_in_the_old_style_is_read_as_it_is(where, rows):
    """It has all rows, whatever the directory says of strips."""
    stream = written(photo(), 'JPEG', quality=75)
    tags = {256: 64, 257: 48, 258: [8, 8, 8], 259: 6, 262: YCBCR, 277: 3, 278: rows}
    if where == 'JPEGInterchangeFormat':
        tags |= {513: 8, 514: len(stream)}
    data = tiff_bytes(Page(tags, [stream]))
    assert data[8 : 8 + len(stream)] == stream
    assert obstacle_to_luma(data) == ''
    np.testing.assert_array_equal(read_luma(data).coefficients, read_luma(stream).coefficients)
    np.testing.assert_array_equal(decode(data), decode(stream))


def test_other_tiffs_have_no_luma():
    assert obstacle_to_luma(written(photo(), 'TIFF')) == NO_LUMA


def test_the_jpegs_of_a_tiff_are_at_hand_for_whoever_looks_for_flaws():
    page, streams = jpeg_tiff(photo(), (16, 64), tables=True)
    found = jpegs_in(tiff_bytes(page))
    assert len(found) == 3
    for stream, expected in zip(found, streams.values(), strict=True):
        np.testing.assert_array_equal(decode(stream), decode(expected))
    assert jpegs_in(streams[0, 0]) == jpegs_in(written(photo(), 'TIFF')) == []


def test_a_damaged_jpeg_of_a_tiff_is_named_and_not_trained_on():
    whole = tiff_bytes(jpeg_tiff(photo(), (16, 64))[0])
    assert examined(whole) == (whole, [])
    check_whole(whole, 'a.tif', decode(whole))
    scan = whole.index(b'\xff\xda', whole.index(b'\xff\xda') + 1) + 14  # of the second of three
    damaged = whole[: scan + 8] + bytes(64) + whole[scan + 72 :]
    ((note, _),) = examined(damaged)[1]
    assert note.startswith('of the JPEGs that it is made of, number 2: ')
    for _ in range(2):  # what was found once is found again
        with pytest.raises(ImageReadError, match=r'^a\.tif: expected a whole .* number 2: '):
            check_whole(damaged, 'a.tif', decode(damaged))
