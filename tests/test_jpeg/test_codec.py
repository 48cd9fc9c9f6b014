"""``mmomni.jpeg`` against Pillow's decoder and a float64 inverse DCT."""

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import chain, permutations

import cv2
import jpeglib
import jpegs_by_hand as segments
import numpy as np
import pytest
from PIL import Image
from scipy.fft import idctn

from mmomni.jpeg import ImageReadError, decode, encode, has_luma, read_luma
from mmomni.jpeg import luma as jpeg
from mmomni.jpeg import stream as jpeg_stream

HEIGHT, WIDTH = 45, 61
LAYOUTS = {'4:4:4': 0, '4:2:2': 1, '4:2:0': 2}


def photo(height=HEIGHT, width=WIDTH, seed=0):
    """Smooth colours with some noise, far enough from black and white not to be clipped."""
    rng = np.random.default_rng(seed)
    y, x, _ = np.mgrid[:height, :width, :1] / 9.0
    waves = np.sin(y + np.arange(3)) + np.cos(x * [1.0, 0.7, 0.4])
    return np.uint8(127 + 30 * waves + rng.normal(0, 5, (height, width, 3)))


def saved(image, suffix='JPEG', **options):
    buffer = BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, suffix, **options)
    return buffer.getvalue()


def luma_by_libjpeg(data):
    with Image.open(BytesIO(data)) as image:
        image.draft('L', image.size)
        return np.array(image)


def luma_by_idct(data, height=HEIGHT, width=WIDTH):
    """Dequantise and invert every block in float64."""
    coefficients, table = read_luma(data)
    rows, columns = (side // 8 for side in coefficients.shape)
    blocks = coefficients.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
    pixels = idctn(blocks.astype(np.float64) * table, axes=(2, 3), norm='ortho') + 128
    plane = pixels.transpose(0, 2, 1, 3).reshape(rows * 8, columns * 8)
    return plane[:height, :width].clip(0, 255)


def assert_luma_is_reproduced(data, height=HEIGHT, width=WIDTH):
    difference = luma_by_idct(data, height, width) - luma_by_libjpeg(data)
    assert np.abs(difference).max() <= 1


# ---- coefficients and table ----------------------------------------------------------------


@pytest.mark.parametrize('quality', [10, 30, 50, 75, 90, 95, 100])
@pytest.mark.parametrize('subsampling', LAYOUTS)
def test_inverse_dct_reproduces_the_luma_of_libjpeg(subsampling, quality):
    assert_luma_is_reproduced(saved(photo(), quality=quality, subsampling=LAYOUTS[subsampling]))


@pytest.mark.parametrize('quality', [10, 75, 100])
def test_inverse_dct_reproduces_a_grey_jpeg(quality):
    assert_luma_is_reproduced(saved(photo()[..., 0], quality=quality))


@pytest.mark.parametrize(
    'options',
    [dict(progressive=True), dict(restart_marker_blocks=2), dict(optimize=True)],
    ids=['progressive', 'restart markers', 'optimised Huffman tables'],
)
@pytest.mark.parametrize('subsampling', LAYOUTS)
def test_inverse_dct_reproduces_other_codings(options, subsampling):
    data = saved(photo(), quality=80, subsampling=LAYOUTS[subsampling], **options)
    assert_luma_is_reproduced(data)


def test_progressive_and_baseline_hold_equal_coefficients():
    baseline, progressive = (
        read_luma(saved(photo(), quality=80, progressive=flag)) for flag in (False, True)
    )
    np.testing.assert_array_equal(baseline.coefficients, progressive.coefficients)
    np.testing.assert_array_equal(baseline.table, progressive.table)


@pytest.mark.parametrize('size', [(1, 1), (1, 40), (7, 9), (8, 8), (16, 17), (33, 15)])
@pytest.mark.parametrize('subsampling', LAYOUTS)
def test_odd_sizes_are_padded_to_whole_blocks_only(size, subsampling):
    data = saved(photo(*size), quality=85, subsampling=LAYOUTS[subsampling])
    assert read_luma(data).coefficients.shape == tuple(-(-side // 8) * 8 for side in size)
    assert_luma_is_reproduced(data, *size)


def test_types_are_those_of_the_docstring():
    luma = read_luma(encode(photo(), 75))
    assert luma.coefficients.dtype == np.int16
    assert luma.table.dtype == np.uint16
    assert luma.table.shape == (8, 8)


@pytest.mark.parametrize('quality', [1, 10, 50, 95, 100])
def test_table_is_the_one_that_pillow_reads(quality):
    data = saved(photo(), quality=quality)
    with Image.open(BytesIO(data)) as image:
        expected = np.reshape(image.quantization[0], (8, 8))
    np.testing.assert_array_equal(read_luma(data).table, expected)


def test_row_of_the_table_is_the_vertical_frequency():
    """Entry [1, 0] of the standard table at quality 50 is 12, entry [0, 1] is 11."""
    table = read_luma(encode(photo(), 50)).table
    assert (table[1, 0], table[0, 1]) == (12, 11)


def test_row_of_a_block_is_the_vertical_frequency():
    stripes = np.uint8(128 + 60 * np.cos(np.pi * (np.arange(8) + 0.5) / 8))
    horizontal_stripes = np.repeat(stripes[:, None], 8, axis=1)
    coefficients = read_luma(encode(horizontal_stripes, 100)).coefficients
    assert coefficients[1, 0] > 200
    assert abs(coefficients[0, 1]) <= 1


def test_every_block_lies_where_its_pixels_are():
    grey = np.full((24, 32), 128, dtype=np.uint8)
    grey[8:16, 16:24] = 208
    coefficients = read_luma(encode(grey, 100)).coefficients
    assert np.argwhere(coefficients).tolist() == [[8, 16]]
    assert coefficients[8, 16] == 8 * (208 - 128)


def test_sixteen_bit_table():
    data = saved(photo(), qtables=[[300] * 64, [1] * 64])
    assert read_luma(data).table.tolist() == [[300] * 8] * 8
    assert_luma_is_reproduced(data)


def test_luma_table_is_told_from_the_chroma_table():
    data = saved(photo(), qtables=[[7] * 64, [99] * 64])
    assert read_luma(data).table.tolist() == [[7] * 8] * 8


def by_public_reader(data, tmp_path):
    (tmp_path / 'a.jpg').write_bytes(data)
    stored = jpeglib.read_dct(str(tmp_path / 'a.jpg'))
    rows, columns = stored.Y.shape[:2]
    plane = stored.Y.transpose(0, 2, 1, 3).reshape(rows * 8, columns * 8)
    return plane, stored.get_component_qt(0)


@pytest.mark.parametrize('size', [(1, 1), (7, 9), (16, 16), (45, 61), (64, 130)])
@pytest.mark.parametrize('factor', ['444', '422', '420', '440', '411', 'grey'])
@pytest.mark.parametrize(
    'options', [{}, dict(progressive=1), dict(rst_interval=2), dict(quality=100)], ids=str
)
def test_numbers_are_those_of_jpeglibs_public_reader(options, factor, size, tmp_path):
    flags = {f'JPEG_{name.upper()}': value for name, value in options.items()}
    image = photo(*size)
    if factor == 'grey':
        image = image[..., 0].copy()
    else:
        flags['JPEG_SAMPLING_FACTOR'] = getattr(cv2, f'IMWRITE_JPEG_SAMPLING_FACTOR_{factor}')
    pairs = [(getattr(cv2, f'IMWRITE_{name}'), value) for name, value in flags.items()]
    data = cv2.imencode('.jpg', image, list(chain(*pairs)))[1].tobytes()
    plane, table = by_public_reader(data, tmp_path)
    np.testing.assert_array_equal(read_luma(data).coefficients, plane)
    np.testing.assert_array_equal(read_luma(data).table, table)


def test_many_threads_read_at_once():
    files = [encode(photo(seed=seed), 60 + seed) for seed in range(8)] * 20
    expected = [read_luma(data).coefficients for data in files[:8]] * 20
    with ThreadPoolExecutor(8) as pool:
        for found, plane in zip(pool.map(read_luma, files), expected, strict=True):
            np.testing.assert_array_equal(found.coefficients, plane)


def test_what_stands_between_the_tables_does_not_matter():
    """Fill bytes, bytes of no segment, a comment that looks like a frame, hundreds of comments."""
    data = encode(photo(), 80)
    table = data.index(b'\xff\xdb')
    comment = b'\xff\xfe\0\x0a' + b'\xff\xc0\0\x0b\x08\xff\xff\xff'
    between = b'\xff\xff\xff' + b'\xfe\0\2' + b'no segment' + 300 * comment
    found = read_luma(data[:table] + between + data[table:])
    np.testing.assert_array_equal(found.coefficients, read_luma(data).coefficients)


# ---- decoding ------------------------------------------------------------------------------


def as_mode(mode):
    return Image.fromarray(photo()).convert(mode)


@pytest.mark.parametrize('suffix', ['PNG', 'TIFF', 'BMP', 'PPM'])
def test_lossless_formats_decode_exactly(suffix):
    np.testing.assert_array_equal(decode(saved(photo(), suffix)), photo())


def test_webp_decodes_exactly_when_lossless():
    np.testing.assert_array_equal(decode(saved(photo(), 'WEBP', lossless=True)), photo())


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA'])
def test_png_modes_become_rgb(mode):
    image = as_mode(mode)
    expected = np.array(image.convert('RGB'))
    decoded = decode(saved(image, 'PNG'))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, expected)


def test_alpha_is_dropped_not_blended():
    transparent = np.dstack([photo(), np.zeros((HEIGHT, WIDTH), np.uint8)])
    np.testing.assert_array_equal(decode(saved(transparent, 'PNG')), photo())


@pytest.mark.parametrize('suffix', ['PNG', 'TIFF'])
def test_sixteen_bit_grey_keeps_the_high_byte(suffix):
    grey = np.array([[0, 255, 256, 0x1234, 65535]], dtype=np.uint16)
    decoded = decode(saved(grey, suffix))
    assert decoded[0].tolist() == [[value] * 3 for value in (0, 0, 1, 0x12, 255)]


def test_cmyk_jpeg_becomes_rgb():
    decoded = decode(saved(as_mode('CMYK'), quality=95))
    assert decoded.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(decoded.astype(int) - photo()).mean() < 10


def by_pillow(data):
    with Image.open(BytesIO(data)) as image:
        return np.array(image.convert('RGB'))


@pytest.mark.parametrize('size', [(1, 1), (7, 9), (16, 16), (45, 61), (64, 130)])
@pytest.mark.parametrize('factor', ['444', '422', '420', '440', '411'])
@pytest.mark.parametrize('progressive', [0, 1], ids=['baseline', 'progressive'])
def test_jpeg_pixels_are_pillows(progressive, factor, size):
    layout = getattr(cv2, f'IMWRITE_JPEG_SAMPLING_FACTOR_{factor}')
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, layout, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    data = cv2.imencode('.jpg', photo(*size), options)[1].tobytes()
    np.testing.assert_array_equal(decode(data), by_pillow(data))


@pytest.mark.parametrize(
    'options', [dict(keep_rgb=True), dict(restart_marker_blocks=1), {}], ids=str
)
@pytest.mark.parametrize('grey', [False, True], ids=['colour', 'grey'])
@pytest.mark.parametrize('tail', [b'', bytes(10), b'more\xff\xd9'], ids=['', 'zeros', 'more'])
def test_other_jpeg_pixels_are_pillows(tail, grey, options):
    data = saved(photo()[..., 0] if grey else photo(), quality=70, **options) + tail
    np.testing.assert_array_equal(decode(data), by_pillow(data))


@pytest.mark.parametrize('options', [{}, dict(progressive=True)], ids=['baseline', 'progressive'])
def test_half_a_jpeg_is_refused_whatever_thumbnail_it_holds(options):
    """The thumbnail has an end of its own."""
    thumbnail = encode(photo(8, 8), 50)
    data = saved(photo(), comment=thumbnail, **options)
    assert decode(data).shape == photo().shape
    scan = data.index(b'\xff\xda', data.index(thumbnail) + len(thumbnail))
    for cut in np.linspace(scan + 12, len(data) - 3, 20).astype(int):
        with pytest.raises(ImageReadError, match=r'(?i)truncated'):
            decode(data[:cut])


def test_one_pixel():
    assert decode(saved(photo(1, 1), 'PNG')).tolist() == photo(1, 1).tolist()


def test_exif_orientation_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown rotated by 90 degrees
    rotated, plain = saved(photo(), exif=exif), saved(photo())
    assert rotated != plain
    np.testing.assert_array_equal(decode(rotated), decode(plain))
    np.testing.assert_array_equal(read_luma(rotated).coefficients, read_luma(plain).coefficients)


def test_jpeg_and_its_encoder_agree():
    data = encode(photo(), 100)
    assert np.abs(decode(data).astype(int) - photo()).max() <= 4


@pytest.mark.parametrize('subsampling', LAYOUTS)
def test_encoder_keeps_quality_and_subsampling(subsampling):
    assert encode(photo(), 83, subsampling) == saved(
        photo(), quality=83, subsampling=LAYOUTS[subsampling]
    )


def test_encoder_takes_grey():
    assert decode(encode(photo()[..., 0], 90)).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize('axes', [0, 1, (0, 1)], ids=['vertical', 'horizontal', 'diagonal'])
@pytest.mark.parametrize('grey', [False, True], ids=['colour', 'grey'])
def test_a_flipped_view_is_encoded_as_its_copy(grey, axes):
    flipped = np.flip(photo()[..., 0] if grey else photo(), axes)
    assert encode(flipped, 80) == encode(flipped.copy(), 80)


# ---- files that cannot be used -------------------------------------------------------------


def png_with_a_broken_chunk():
    """The second chunk of pixels has no name."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    data = saved(noise, 'PNG')
    second = data.index(b'IDAT', data.index(b'IDAT') + 4)
    return data[:second] + bytes(4) + data[second + 4 :]


def broken(kind):
    data = encode(photo(), 90)
    return {
        'empty': b'',
        'text': b'not an image\n' * 20,
        'signature only': data[:2],
        'header only': data[: data.index(b'\xff\xda')],
        'truncated': data[: len(data) // 2],
        'truncated PNG': saved(photo(), 'PNG')[:300],
        'broken PNG': png_with_a_broken_chunk(),
        'truncated TIFF': saved(photo(), 'TIFF')[:300],
        'truncated WebP': saved(photo(), 'WEBP')[:100],
        'zeros': bytes(500),
    }[kind]


BROKEN = [
    'empty', 'text', 'signature only', 'header only', 'truncated', 'truncated PNG',
    'broken PNG', 'truncated TIFF', 'truncated WebP', 'zeros',
]  # fmt: skip


@pytest.mark.parametrize('kind', BROKEN)
def test_broken_file_is_named_with_its_size_and_a_remedy(kind):
    data = broken(kind)
    message = rf'folder/a\.jpg: expected a whole image.* got {len(data)} bytes.*replace or remove'
    with pytest.raises(ImageReadError, match=message):
        decode(data, 'folder/a.jpg')


@pytest.mark.filterwarnings('ignore:Corrupt EXIF|Truncated File')
@pytest.mark.parametrize('suffix', ['JPEG', 'PNG', 'TIFF', 'WEBP', 'BMP', 'GIF'])
def test_a_file_cut_anywhere_raises_no_other_error(suffix):
    """The last bytes may be dispensable, so a whole decode is the other possible outcome."""
    data = saved(photo(12, 20), suffix)
    outcomes = set()
    for length in range(len(data)):
        try:
            outcomes.add(decode(data[:length]).shape)
        except ImageReadError:
            outcomes.add('rejected')
    assert 'rejected' in outcomes
    assert outcomes <= {'rejected', (12, 20, 3)}


def test_decompression_bomb_is_an_error_not_a_crash(monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(ImageReadError, match=r'big\.png.*decompression bomb'):
        decode(saved(photo(), 'PNG'), 'big.png')


@pytest.mark.parametrize('kind', ['empty', 'text', 'signature only', 'header only'])
def test_reader_rejects_what_is_no_jpeg(kind):
    with pytest.raises(ImageReadError):
        read_luma(broken(kind))


def with_header(change):
    """A grey JPEG; ``change(bytes, offset of the frame, offset of the scan)`` breaks it."""
    data = bytearray(saved(photo()[..., 0]))
    return bytes(change(data, data.index(b'\xff\xc0'), data.index(b'\xff\xda')))


def replaced(data, offset, *values):
    data[offset : offset + len(values)] = bytes(values)
    return data


BROKEN_HEADERS = {
    'no frame': lambda d, frame, scan: d[:frame] + d[frame + 13 :],
    'two frames': lambda d, frame, scan: d[:frame] + d[frame : frame + 13] + d[frame:],
    'no height': lambda d, frame, scan: replaced(d, frame + 5, 0, 0),
    'twelve bits': lambda d, frame, scan: replaced(d, frame + 4, 12),
    'lossless': lambda d, frame, scan: replaced(d, frame + 1, 0xC3),
    'sampling factor 0': lambda d, frame, scan: replaced(d, frame + 11, 0),
    'sampling factor 5': lambda d, frame, scan: replaced(d, frame + 11, 0x55),
    'table that does not exist': lambda d, frame, scan: replaced(d, frame + 12, 3),
    'more components than fit': lambda d, frame, scan: replaced(d, frame + 9, 3),
    'five components': lambda d, frame, scan: (
        d[: frame + 2] + b'\0\x17' + d[frame + 4 : frame + 9] + b'\5'
        + b''.join(bytes([n, 0x11, 0]) for n in range(1, 6)) + d[frame + 13 :]
    ),
    'segment of length 1': lambda d, frame, scan: replaced(d, 4, 0, 1),
    'segment beyond the end': lambda d, frame, scan: replaced(d, scan + 2, 0xFF, 0xFF),
    'Huffman table too long': lambda d, frame, scan: replaced(d, d.index(b'\xff\xc4') + 5, 255),
    'unknown segment': lambda d, frame, scan: replaced(d, frame + 1, 0xF3),
    'second start': lambda d, frame, scan: replaced(d, 3, 0xD8),
    'second frame after the scan': lambda d, frame, scan: (
        d[:-2] + d[frame : frame + 13] + d[-2:]
    ),
}  # fmt: skip


@pytest.mark.parametrize('kind', BROKEN_HEADERS)
def test_reader_rejects_broken_headers_and_lives_on(kind):
    with pytest.raises(ImageReadError, match=r'b\.jpg: .* jpeglib can read, got a damaged one'):
        read_luma(with_header(BROKEN_HEADERS[kind]), name='b.jpg')
    assert read_luma(encode(photo(), 75)).table.shape == (8, 8)


# ---- which files have luma coefficients ----------------------------------------------------


@pytest.mark.parametrize('subsampling', LAYOUTS)
def test_colour_jpeg_has_luma(subsampling):
    assert has_luma(encode(photo(), 75, subsampling))


def test_grey_jpeg_has_luma():
    assert has_luma(saved(photo()[..., 0]))


def test_multi_picture_jpeg_has_luma_and_it_is_the_first_picture():
    first, second = (Image.fromarray(photo(seed=seed)) for seed in (0, 1))
    data = saved(first, 'MPO', save_all=True, append_images=[second], quality=90)
    with Image.open(BytesIO(data)) as image:
        assert (image.format, image.n_frames) == ('MPO', 2)
    assert has_luma(data)
    alone = read_luma(saved(first, quality=90))
    np.testing.assert_array_equal(read_luma(data).coefficients, alone.coefficients)


def test_jpeg_that_stores_rgb_has_none():
    """Its first component is red."""
    data = saved(photo(), keep_rgb=True)
    with Image.open(BytesIO(data)) as image:
        assert (image.mode, image.info['adobe_transform']) == ('RGB', 0)
    assert not has_luma(data)


@pytest.mark.parametrize(('ids', 'expected'), [(b'RGB', False), (b'\1\2\3', True), (b'abc', True)])
def test_without_any_marker_the_component_names_decide(ids, expected):
    assert has_luma(without_markers(ids)) is expected


def without_markers(ids):
    """A colour JPEG with neither JFIF nor Adobe marker, its components renamed to ``ids``."""
    data = encode(photo(), 90)
    size = int.from_bytes(data[4:6], 'big')
    assert data[2:4] == b'\xff\xe0'
    data = bytearray(data[:2] + data[4 + size :])
    for marker, first, step in ((b'\xff\xc0', 10, 3), (b'\xff\xda', 5, 2)):
        start = data.index(marker) + first
        for number, name in enumerate(ids):
            data[start + number * step] = name
    return bytes(data)


@pytest.mark.parametrize('transform', [0, 2], ids=['CMYK', 'YCCK'])
def test_four_components_have_none(transform):
    data = bytearray(saved(as_mode('CMYK')))
    data[data.index(b'Adobe') + 11] = transform
    with Image.open(BytesIO(data)) as image:
        assert (image.mode, image.info['adobe_transform']) == ('CMYK', transform)
    assert not has_luma(bytes(data))


@pytest.mark.parametrize('suffix', ['PNG', 'TIFF', 'WEBP', 'BMP', 'GIF'])
def test_other_formats_have_none(suffix):
    assert not has_luma(saved(photo(), suffix))


# ---- backends ------------------------------------------------------------------------------


@pytest.fixture
def fresh_process(monkeypatch):
    """As if no reader had been used in this process."""
    monkeypatch.setattr(jpeg, '_backend_in_use', None)


def test_unknown_backend():
    with pytest.raises(ValueError, match=r"one of \('jpeglib', 'jpegio'\), got 'turbo'"):
        read_luma(encode(photo(), 90), backend='turbo')


def test_second_backend_in_one_process_is_refused(fresh_process):
    read_luma(encode(photo(), 90), backend='jpeglib')
    with pytest.raises(RuntimeError, match=r'already reads JPEGs with jpeglib.*one backend'):
        read_luma(encode(photo(), 90), backend='jpegio')


def test_missing_jpegio_names_the_pip_command(fresh_process, monkeypatch):
    monkeypatch.setitem(sys.modules, 'jpegio', None)
    with pytest.raises(ImportError, match=r'pip install mmomni\[jpegio\]'):
        read_luma(encode(photo(), 90), backend='jpegio')


def test_missing_jpegio_leaves_jpeglib_usable(fresh_process, monkeypatch):
    monkeypatch.setitem(sys.modules, 'jpegio', None)
    with pytest.raises(ImportError):
        read_luma(encode(photo(), 90), backend='jpegio')
    assert read_luma(encode(photo(), 90), backend='jpeglib').table.shape == (8, 8)


def test_without_memfd_a_temporary_file_is_used_and_removed(monkeypatch, tmp_path):
    expected = read_luma(encode(photo(), 90))
    monkeypatch.delattr(os, 'memfd_create', raising=False)
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    found = read_luma(encode(photo(), 90))
    np.testing.assert_array_equal(found.coefficients, expected.coefficients)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.isdir('/proc/self/fd'), reason='counts the open files of Linux')
def test_reading_leaves_no_open_file():
    data = encode(photo(), 90)
    read_luma(data)
    before = len(os.listdir('/proc/self/fd'))
    for _ in range(20):
        read_luma(data)
    assert len(os.listdir('/proc/self/fd')) == before


READ_WITH_JPEGIO = """
import sys
from pathlib import Path
import numpy as np
from mmomni.jpeg import read_luma
for path in map(Path, sys.argv[1:]):
    np.savez(path.with_suffix('.npz'), *read_luma(path.read_bytes(), 'jpegio'))
"""


STAND_IN = """
from pathlib import Path
from types import SimpleNamespace
from coefficients_by_hand import luma_of

def read(path):
    coefficients, _ = luma_of(Path(path).read_bytes())
    return SimpleNamespace(coef_arrays=[coefficients.astype('int32')])
"""
READERS = ['stand-in'] + ['installed'] * bool(importlib.util.find_spec('jpegio'))
"""Of jpegio, whose wheels end with Python 3.10: a stand-in by hand has its names and its layout."""


@pytest.mark.parametrize('reader', READERS)
def test_both_readers_give_equal_output(reader, tmp_path):
    """In a process of its own: the two libraries crash side by side."""
    files = {
        'grey': saved(photo()[..., 0], quality=70),
        'colour': encode(photo(), 95, '4:2:0'),
        'odd': encode(photo(1, 17), 50, '4:2:2'),
        'progressive': saved(photo(), quality=30, progressive=True),
        'tables': saved(photo(), qtables=[[300] * 64, [1] * 64]),
    }
    for name, data in files.items():
        (tmp_path / f'{name}.jpg').write_bytes(data)
    path = [os.environ.get('PYTHONPATH', '')]
    if reader == 'stand-in':
        (tmp_path / 'jpegio.py').write_text(STAND_IN)
        path = [str(tmp_path), os.path.dirname(__file__), *path]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, path)))
    command = [sys.executable, '-c', READ_WITH_JPEGIO]
    command += [str(tmp_path / f'{name}.jpg') for name in files]
    subprocess.run(command, env=env, check=True)
    for name, data in files.items():
        with np.load(tmp_path / f'{name}.npz') as other:
            for expected, key in zip(read_luma(data), ('arr_0', 'arr_1'), strict=True):
                np.testing.assert_array_equal(other[key], expected)
                assert other[key].dtype == expected.dtype


# ---- a slot of tables that is filled again -------------------------------------------------


def with_table_before_scan(data, number, step):
    """Slot 0 filled anew before a scan, counted from 0."""
    start = -1
    for _ in range(number + 1):
        start = data.index(b'\xff\xda', start + 1)
    return data[:start] + segments.flat_table(step) + data[start:]


@pytest.mark.parametrize('scan', [1, 2, -1])
@pytest.mark.parametrize('grey', [False, True], ids=['colour', 'grey'])
def test_table_of_a_progressive_jpeg_is_that_of_its_first_scan(grey, scan):
    data = saved(photo()[..., 0] if grey else photo(), quality=80, progressive=True)
    changed = with_table_before_scan(data, scan % data.count(b'\xff\xda'), 77)
    np.testing.assert_array_equal(read_luma(changed).table, read_luma(data).table)
    np.testing.assert_array_equal(read_luma(changed).coefficients, read_luma(data).coefficients)
    assert_luma_is_reproduced(changed)


def test_table_before_the_first_scan_that_is_filled_twice_is_the_last():
    data = with_table_before_scan(saved(photo(), quality=80), 0, 9)
    assert read_luma(data).table.tolist() == [[9] * 8] * 8
    assert_luma_is_reproduced(data)


@pytest.mark.parametrize('order', permutations(range(3)), ids=str)
def test_table_of_separate_scans_is_that_in_force_at_lumas(order):
    planes = [photo()[..., number].copy() for number in range(3)]
    data = segments.separate_scans(planes, (6, 11, 40), order)
    assert read_luma(data).table.tolist() == [[6] * 8] * 8
    assert_luma_is_reproduced(data)


def test_several_tables_of_both_precisions_in_one_segment():
    steps = np.arange(1, 65)
    content = b'\x11' + (steps + 500).astype('>u2').tobytes() + b'\0' + bytes(range(1, 65))
    table = jpeg_stream.luma_table(
        b'\xff\xd8' + segments.segment(0xDB, content) + segments.frame(8, 8, [(7, 0x11, 1)])
        + segments.segment(0xDA, bytes([1, 7, 0, 0, 63, 0]))
    )  # fmt: skip
    assert table[0, :3].tolist() == [501, 502, 506]
    assert table[:3, 0].tolist() == [501, 503, 504]
    assert sorted(table.ravel().tolist()) == (steps + 500).tolist()
