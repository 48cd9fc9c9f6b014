"""``mmomni.apis.samples`` against the pipeline that models are tested with."""

import os
import re
from functools import partial
from io import BytesIO

import cv2
import jpeg_damage
import numpy as np
import pytest
from hostile_files import REASONS, make_hostile, many_scans, png_that_says
from mmcv.transforms import Compose
from PIL import Image, PngImagePlugin

from mmomni.apis import Failure, samples
from mmomni.apis.inputs import Source, sources_of
from mmomni.apis.reading import read_in_batches
from mmomni.apis.samples import read_sample, try_to_read
from mmomni.datasets.transforms import ExtractDCT, LoadOriginalImage, PackManipulationInputs
from mmomni.jpeg import ImageReadError, planes
from mmomni.jpeg.limits import MAX_PIXELS, MOST_SCANS

HEIGHT, WIDTH = 45, 61


def picture(height=HEIGHT, width=WIDTH, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (5, 5), 0))


def saved(image, image_format, **options):
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def read(content, max_pixels=MAX_PIXELS):
    (source,) = sources_of(content)
    return read_sample(source, max_pixels)


def reason(content, max_pixels=MAX_PIXELS):
    """Why an input fails; it must be called by its name, in the failure and not in the reason."""
    (source,) = sources_of(content)
    failure = try_to_read(source, max_pixels)
    assert isinstance(failure, Failure)
    assert failure.source == source.name
    assert not failure.reason.startswith(source.name)
    return failure.reason


# ---- what the network sees -------------------------------------------------------------------

FILES = {
    'colour.jpg': dict(quality=85, subsampling=2),
    'grey.jpg': dict(quality=70),
    'progressive.jpg': dict(progressive=True),
    'CMYK.jpg': dict(quality=85),
    'coarse.jpg': dict(quality=3),
    'exif.jpg': dict(exif=b'Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0'),
    'colour.png': {},
    'alpha.png': {},
    'deflated.tif': dict(compression='tiff_adobe_deflate'),
    'lossy.webp': dict(quality=70),
    'colour.bmp': {},
    'palette.gif': {},
}
MODES = {'grey': 'L', 'CMYK': 'CMYK', 'alpha': 'RGBA', 'palette': 'P'}


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('as_bytes', [False, True], ids=['path', 'bytes'])
def test_planes_are_those_of_the_test_pipeline(tmp_path, name, as_bytes):
    path = tmp_path / name
    picture().convert(MODES.get(path.stem, 'RGB')).save(path, **FILES[name])
    pipeline = Compose([LoadOriginalImage(), ExtractDCT(), PackManipulationInputs()])
    expected = pipeline(dict(img_path=str(path)))
    sample = read(path.read_bytes() if as_bytes else path)
    np.testing.assert_array_equal(sample.planes, expected['inputs'])
    np.testing.assert_array_equal(sample.image, expected['inputs'][:3].permute(1, 2, 0))
    assert sample.dct_source == expected['data_samples'].dct_source
    assert sample.source == ('bytes 0' if as_bytes else str(path))
    assert sample.seconds > 0


def test_an_array_equals_a_lossless_file_with_its_pixels():
    bgr = np.asarray(picture())[..., ::-1]
    array, file = read(bgr), read(saved(picture(), 'PNG'))
    np.testing.assert_array_equal(array.planes, file.planes)
    np.testing.assert_array_equal(array.image, bgr[..., ::-1])
    assert (array.dct_source, array.orientation) == ('transcoded', 1)


def test_a_grey_array_is_a_picture_of_three_equal_channels():
    grey = picture().convert('L')
    array, file = read(np.asarray(grey)), read(saved(grey, 'PNG'))
    np.testing.assert_array_equal(array.planes, file.planes)


def test_samples_are_read_on_demand_in_order():
    contents = [saved(picture(seed=1), 'PNG'), b'', np.asarray(picture())]
    (found,) = read_in_batches(sources_of(contents), partial(try_to_read, max_pixels=100_000), 3)
    assert [each.source for each in found] == ['bytes 0', 'bytes 1', 'array 2']
    assert [isinstance(each, Failure) for each in found] == [False, True, False]


# ---- what a person should know ---------------------------------------------------------------

HISTORY = 'no ordinary JPEG: how it was compressed is not examined, only what the pixels show'


def test_a_jpeg_with_luma_needs_no_warning():
    sample = read(saved(picture(), 'JPEG', quality=90))
    assert (sample.warnings, sample.dct_source) == ((), 'file')


@pytest.mark.parametrize(
    ('image_format', 'mode'), [('PNG', 'RGB'), ('WEBP', 'RGB'), ('JPEG', 'CMYK')]
)
def test_without_luma_there_is_no_history(image_format, mode):
    sample = read(saved(picture().convert(mode), image_format))
    assert (sample.warnings, sample.dct_source) == ((HISTORY,), 'transcoded')
    assert sample.flaws == ()


@pytest.mark.parametrize(('step', 'warned'), [(63, False), (64, True)])
def test_quantisation_steps_above_63_are_told(step, warned):
    data = saved(picture(), 'JPEG', qtables=[[10] * 63 + [step]] * 2)
    expected = ('quantisation steps up to 64: the network reads all above 63 as 63',)
    assert read(data).warnings == (expected if warned else ())


BROKEN_EXIF = b'Exif\0\0' + bytes(400)
EXIF_NOTE = 'its EXIF cannot be read: how the photo is turned is not known'


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'WEBP'])
@pytest.mark.parametrize('dpi', [None, (72, 72)])
def test_broken_exif_is_told_and_refuses_nothing(image_format, dpi):
    options = {} if dpi is None else dict(dpi=dpi)
    sample = read(saved(picture(), image_format, exif=BROKEN_EXIF, **options))
    expected = (EXIF_NOTE,) if image_format == 'JPEG' else (EXIF_NOTE, HISTORY)
    assert sample.warnings == expected
    np.testing.assert_array_equal(sample.planes, read(saved(picture(), image_format)).planes)


@pytest.mark.parametrize('segment', [b'\xff\xee\0\x08Adobe\0', b'\xff\xe0\0\x07JFIF\0'])
@pytest.mark.parametrize('as_bytes', [False, True], ids=['path', 'bytes'])
def test_broken_application_data_are_told_and_refuse_nothing(tmp_path, segment, as_bytes):
    data = saved(picture(), 'JPEG', exif=exif(6))
    path = tmp_path / 'x.jpg'
    path.write_bytes(data[:2] + segment + data[2:])
    sample = read(path.read_bytes() if as_bytes else path)
    expected = 'broken application data (as JFIF, Adobe, profile) in it were passed over'
    assert (sample.warnings, sample.dct_source, sample.orientation) == ((expected,), 'file', 6)
    np.testing.assert_array_equal(sample.planes, read(data).planes)


@pytest.mark.parametrize('options', [{}, dict(progressive=True), dict(restart_marker_blocks=1)])
def test_a_jpeg_without_its_end_alone_is_examined_with_a_note(tmp_path, options):
    data = saved(picture(), 'JPEG', **options)
    sample = read(data[:-2])
    expected = 'its last two bytes, the end of a JPEG, are missing; the picture is whole'
    assert (sample.warnings, sample.dct_source) == ((expected,), 'file')
    assert sample.flaws == (expected,)
    np.testing.assert_array_equal(sample.planes, read(data).planes)
    path = tmp_path / 'x.jpg'
    path.write_bytes(data[:-2])
    with pytest.raises(ImageReadError, match=expected):  # training goes on leaving it out
        LoadOriginalImage()(dict(img_path=str(path)))


KINDS = [
    {}, dict(progressive=True), dict(restart_marker_blocks=1), dict(restart_marker_blocks=3),
    dict(subsampling=2), dict(optimize=True),
]  # fmt: skip


@pytest.mark.parametrize('options', KINDS)
@pytest.mark.parametrize('kept', [0.3, 0.5, 0.7, 0.95])
def test_what_is_there_of_a_cut_jpeg_is_examined_with_a_note(tmp_path, options, kept, capfd):
    data = saved(picture(), 'JPEG', **options)
    scan = data.index(b'\xff\xda') + 14
    cut = data[: scan + int(kept * (len(data) - scan))].rstrip(b'\xff')
    sample = read(cut)
    end, *notes = sample.warnings
    assert end.endswith('are missing; part of the picture may be, too')
    assert any(re.search('blocks are missing|scans are missing|mean of|no scan', n) for n in notes)
    assert sample.dct_source == 'file'
    assert not np.array_equal(sample.image[:8], np.full_like(sample.image[:8], 128))
    assert capfd.readouterr() == ('', ''), 'a note says it'
    path = tmp_path / 'x.jpg'
    path.write_bytes(cut)
    with pytest.raises(ImageReadError, match=r'expected a whole'):  # training leaves it out
        LoadOriginalImage()(dict(img_path=str(path)))


def test_wherever_a_progressive_jpeg_is_cut_behind_its_first_scan_it_is_examined():
    data = saved(picture(), 'JPEG', progressive=True)
    second = data.index(b'\xff\xc4', data.index(b'\xff\xda'))
    for end in range(second, second + 50, 7):
        assert read(data[:end]).warnings[0].endswith('part of the picture may be, too')


@pytest.mark.parametrize('options', KINDS)
def test_a_jpeg_of_which_nothing_is_there_is_refused(options):
    data = saved(picture(), 'JPEG', **options)
    scan = data.index(b'\xff\xda')
    for end in (scan - 3, scan, scan + 3, scan + 14):
        assert reason(data[:end]).startswith('expected a')


def test_a_jpeg_with_bytes_of_no_picture_instead_of_its_end_is_examined_with_a_note():
    data = saved(picture(), 'JPEG')
    sample = read(data[:-60] + b'\xff\xe5\0\x10' + bytes(80))
    expected = 'its last two bytes, the end of a JPEG, are missing; part of the picture may be, too'
    assert sample.warnings[0] == expected
    assert sample.warnings[1].startswith('its data end before its picture does: about ')


@pytest.mark.parametrize('options', [{}, dict(progressive=True), dict(restart_marker_blocks=1)])
def test_a_jpeg_that_has_its_end_and_not_all_of_its_picture_is_examined_with_a_note(options):
    (note,) = read(saved(picture(), 'JPEG', **options)[:-30] + b'\xff\xd9').warnings
    assert note.startswith('its data end before its picture does: about ')


@pytest.mark.parametrize('kind', jpeg_damage.ALL)
@pytest.mark.parametrize('seed', ['4:2:0', 'progressive', 'restarts'])
def test_what_decodes_of_a_damaged_jpeg_is_examined_with_its_note(kind, seed):
    options = dict(progressive=dict(progressive=True), restarts=dict(restart_marker_blocks=2))
    data = saved(picture(), 'JPEG', quality=90, **options.get(seed, {}))
    damage = jpeg_damage.ALL[kind](data, np.random.default_rng(0))
    if damage is None:
        return
    (source,) = sources_of(damage[0])
    result = try_to_read(source, MAX_PIXELS)
    told = (result.reason,) if isinstance(result, Failure) else result.warnings
    assert any(re.search(damage[1], text) for text in told), told
    assert not isinstance(result, Failure) or 'cannot be decoded' in damage[1]


def finer_chroma(data):
    at = data.index(b'\xff\xc0')
    return data[: at + 14] + b'\x22' + data[at + 15 :]


def test_a_jpeg_whose_luma_does_not_fit_its_pixels_is_transcoded_with_a_note():
    sample = read(finer_chroma(saved(picture(), 'JPEG', subsampling=0)))
    assert sample.dct_source == 'transcoded'
    assert sample.warnings[-1].startswith(
        'a JPEG whose chroma is finer than its luma: there is no readable compression history, '
    )


def test_a_jpeg_whose_coefficients_alone_cannot_be_read_is_transcoded_with_a_note(monkeypatch):
    def read_luma(data, *args):
        if data.endswith(b'unreadable'):
            raise ImageReadError('x') from ValueError('broken scan')
        return real(data, *args)

    real = planes.read_luma
    monkeypatch.setattr(planes, 'read_luma', read_luma)
    data = saved(picture(), 'JPEG') + b'unreadable'
    sample = read(data)
    assert sample.dct_source == 'transcoded'
    assert sample.warnings[-1].startswith(
        'a JPEG whose coefficients cannot be read (broken scan): there is no readable'
    )


@pytest.mark.parametrize('as_bytes', [False, True], ids=['path', 'bytes'])
@pytest.mark.parametrize(
    ('change', 'kind'),
    [((4, b'\x0c'), 'a JPEG of 12 bits a sample'), ((5, b'\0\0'), 'a JPEG without a height'),
     ((1, b'\xc5'), 'a hierarchical JPEG')],
)  # fmt: skip
def test_a_jpeg_that_is_not_decoded_is_named_as_what_it_is(tmp_path, change, kind, as_bytes):
    data, (place, values) = saved(picture(), 'JPEG'), change
    at = data.index(b'\xff\xc0') + place
    path = tmp_path / 'x.jpg'
    path.write_bytes(data[:at] + values + data[at + len(values) :])
    why = reason(path.read_bytes() if as_bytes else path)
    assert why.startswith(f'expected an image that can be decoded, got {kind}')
    assert 'cannot decode; convert it' in why


@pytest.mark.parametrize(
    ('data', 'told'),
    [
        (saved(picture(), 'TGA'), 'got TGA, a format that is not read here; convert it to PNG'),
        (b'8BPS\0\1' + bytes(200), 'got PSD, a format that is not read here; convert it to PNG'),
        (b'\xff\x0a' + bytes(200), 'got JXL, a format that is not read here; convert it to PNG'),
        (b'\0\0\0\x18ftypcrx ' + bytes(200), 'got RAW, a format that is not read here; convert'),
        (b'GIF89a', 'got 6 bytes (damaged gif); replace or remove'),
        (b'PK\3\4' + bytes(200), 'got 204 bytes (zip); replace or remove'),
        (b'', 'got 0 bytes (empty); replace or remove'),
        (b'no image', 'got 8 bytes (no known format); replace or remove'),
    ],
    ids=['TGA', 'PSD', 'JXL', 'raw', 'damaged', 'archive', 'empty', 'text'],
)
def test_what_is_not_read_is_named_as_what_it_is(data, told):
    assert told in reason(data)


@pytest.mark.parametrize('image_format', ['GIF', 'PNG'])
def test_of_several_pictures_the_first_is_read_and_told(image_format):
    data = saved(picture(), image_format, save_all=True, append_images=[picture(seed=1)])
    several = 'only the first of several pictures in this file was looked at'
    assert several in read(data).warnings
    np.testing.assert_array_equal(read(data).planes, read(saved(picture(), image_format)).planes)
    assert several not in read(saved(picture(), image_format)).warnings


def test_the_preview_in_a_multi_picture_jpeg_is_no_second_picture():
    data = saved(picture(), 'MPO', save_all=True, append_images=[picture(seed=1)])
    assert read(data).warnings == ()


@pytest.mark.parametrize(
    ('size', 'warned'), [((31, 80), True), ((80, 31), True), ((32, 32), False)]
)
def test_tiny_images_are_told(size, warned):
    sample = read(saved(picture(*size), 'JPEG', quality=90))
    expected = ('less than 32 px wide or high: most of what the network sees is padding',)
    assert sample.warnings == (expected if warned else ())


# ---- orientation -----------------------------------------------------------------------------


def exif(orientation):
    tags = Image.Exif()
    tags[274] = orientation
    return tags


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_orientation_is_told_and_not_applied(image_format, orientation):
    sample = read(saved(picture(), image_format, exif=exif(orientation)))
    assert sample.orientation == orientation
    assert sample.image.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize('orientation', [0, 9, 65535])
def test_an_impossible_orientation_is_none(orientation):
    assert read(saved(picture(), 'JPEG', exif=exif(orientation))).orientation == 1


def test_orientation_in_the_text_of_a_png_as_imagemagick_writes_it():
    text = PngImagePlugin.PngInfo()
    raw = exif(6).tobytes()
    text.add_text('Raw profile type exif', f'\nexif\n{len(raw):8d}\n{raw.hex()}\n')
    assert read(saved(picture(), 'PNG', pnginfo=text)).orientation == 6


# ---- what is refused, before anything is decoded -------------------------------------------


@pytest.fixture
def no_decoding(monkeypatch):
    def decode(*args, **kwargs):
        raise AssertionError('this was decoded')

    monkeypatch.setattr(samples, 'decode_with_notes', decode)


@pytest.mark.parametrize(
    ('width', 'height'), [(60_000, 60_000), (13_378, 13_378), (2**31 - 1, 1), (1, 178_956_971)]
)
def test_a_decompression_bomb_is_refused_by_its_header(no_decoding, width, height):
    message = reason(png_that_says(width, height))
    expected = f'expected at most 178,956,970 pixels, got {width * height:,}; cut it'
    assert message.startswith(expected)


def test_the_limit_is_the_last_number_of_pixels_that_is_read():
    data, array = saved(picture(40, 50), 'PNG'), np.zeros((40, 50, 3), np.uint8)
    for content in (data, array):
        assert read(content, max_pixels=2000).image.shape == (40, 50, 3)
        assert reason(content, max_pixels=1999).startswith(
            'expected at most 1,999 pixels, got 50 x 40; raise the limit'
        )


def test_a_line_of_pixels_counts_as_what_it_is_padded_to(no_decoding):
    expected = 'expected at most 1,000,000 pixels, got 1 x 60000, padded to 32 x 60000; raise'
    assert reason(png_that_says(1, 60_000), 1_000_000).startswith(expected)


def test_a_limit_below_pillows_own_comes_without_its_warning(recwarn):
    read(png_that_says(100, 1))
    assert len(recwarn) == 0


def test_a_jpeg_of_too_many_scans_is_refused(no_decoding):
    message = reason(many_scans(MOST_SCANS + 1))
    assert message.startswith('expected at most 500 scans in a JPEG, got 501, ')


def test_what_only_looks_like_scans_in_a_video_behind_a_photo_counts_for_nothing():
    photo = saved(picture(), 'JPEG')
    assert read(many_scans(MOST_SCANS)).dct_source == 'file'
    assert read(photo + b'\xff\xda\x11\x22' * 1000 + b'\xff\xd9').dct_source == 'file'


def test_postscript_is_not_run(no_decoding):
    postscript = saved(picture(), 'EPS')
    assert reason(postscript).startswith('expected an image (JPEG, PNG, ')


@pytest.mark.parametrize('kind', REASONS)
def test_what_would_hang_or_fill_the_memory_is_refused(kind, no_decoding, tmp_path):
    source = Source('name', make_hostile(tmp_path, kind))
    assert REASONS[kind] in try_to_read(source, MAX_PIXELS).reason


# ---- what cannot be read ---------------------------------------------------------------------


@pytest.mark.parametrize('content', [b'', b'GIF89a', b'no image', bytes(1000)])
def test_bytes_of_no_image(content):
    assert reason(content).startswith('expected a whole image file')
    assert reason(content).endswith('; replace or remove the file')


@pytest.mark.parametrize('image_format', ['PNG', 'TIFF', 'WEBP', 'BMP', 'GIF'])
def test_a_file_cut_in_half(image_format):
    data = saved(picture(), image_format)
    message = reason(data[: len(data) // 2])
    assert message.startswith('expected a')
    assert message.endswith('; replace or remove the file')


def test_a_missing_file(tmp_path):
    expected = 'expected an image file, there is none'
    assert reason(tmp_path / 'missing.jpg') == expected


@pytest.mark.parametrize('name', ['a\0b.jpg', 'x' * 5000])
def test_a_name_that_no_file_can_have(name):
    assert reason(name).endswith('; replace or remove the file')


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
    ids=str,
)
def test_an_array_that_is_no_image(array):
    expected = 'expected uint8 (H, W, 3) in BGR, or (H, W), got '
    assert reason(array) == f'{expected}{array.dtype} {array.shape}'


def test_whatever_a_decoder_raises_ends_in_a_reason(monkeypatch):
    def decode(*args, **kwargs):
        raise RecursionError('too deep')

    monkeypatch.setattr(samples, 'decode_with_notes', decode)
    expected = 'reading it ended with RecursionError: too deep; replace'
    assert expected in reason(saved(picture(), 'PNG'))


def test_reading_without_trying_raises():
    with pytest.raises(ImageReadError, match=r'^name: expected a whole image'):
        read_sample(Source('name', b'no image'), MAX_PIXELS)


def test_a_file_far_larger_than_its_image_is_not_read(tmp_path):
    path = tmp_path / 'sparse.png'
    Image.new('RGB', (64, 64)).save(path)
    os.truncate(path, 2**26 + 8 * 10_000 + 1)
    reason = try_to_read(Source('sparse', path), max_pixels=10_000).reason
    assert 'expected at most 67,188,864 bytes' in reason
    os.truncate(path, 2**26 + 8 * 10_000)
    assert try_to_read(Source('sparse', path), max_pixels=10_000).image.shape == (64, 64, 3)


def test_what_is_said_of_coefficients_is_told_beside_notes_of_something_else(monkeypatch):
    """But not where there are words on the same, better than those of libjpeg."""

    def luma_of_image(*args, **options):
        os.write(2, b'Corrupt JPEG data: 3 extraneous bytes\n')
        return planes.luma_of_image(*args, **options)

    monkeypatch.setattr(samples, 'luma_of_image', luma_of_image)
    told = 'its decoder says: Corrupt JPEG data: 3 extraneous bytes'
    clear = picture()
    clear.putalpha(0)
    sample = read(saved(clear, 'PNG'))
    assert sample.flaws[-1] == told
    assert 'transparent' in ''.join(sample.flaws[:-1])
    followed = read(saved(picture(), 'JPEG') + b'text')
    assert followed.flaws
    assert told not in followed.flaws
