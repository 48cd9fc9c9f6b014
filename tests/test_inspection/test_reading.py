"""What is measured of a file, and that it is what the training pipeline sees in it."""

import tracemalloc
import warnings

import cv2
import numpy as np
import pytest
from hostile_files import REASONS, make_hostile
from image_bytes import encoded, png_bytes, turned, written
from mask_files import MASKS, ONE, TRUTH, TURNED_MASKS, is_lossy, two_frames
from PIL import Image
from planting import jpeg_bytes, make_picture

from mmomni.datasets.list_files import size_of
from mmomni.datasets.mask_rules import GENERAL_RULE, mask_rule
from mmomni.datasets.masks import tampered_pixels
from mmomni.inspection import reading
from mmomni.inspection.checks import check_record
from mmomni.inspection.reading import read_bytes, read_image, read_mask, read_record
from mmomni.inspection.records import Fault, ImageFacts, ListedImage, MaskFacts
from mmomni.inspection.similarity import appearance_of
from mmomni.inspection.thumbnails import image_thumbnail, mask_thumbnail, upright_thumbnail
from mmomni.jpeg import ImageReadError


def load(image, mask=None):
    """What the training pipeline makes of a pair: pixels and mask."""
    from mmomni.datasets.transforms import LoadManipulationMask, LoadOriginalImage

    results = LoadOriginalImage()(dict(img_path=str(image), seg_map_path=mask and str(mask)))
    return LoadManipulationMask()(dict(results, seg_fields=[]))


# ---- masks -----------------------------------------------------------------------------------

LABELS_OF_TRUTH = reading._digest_of(ONE)
"""Equal masks have equal digests, whatever files they are in."""


def agree_on_mask(data, kind, tmp_path):
    """Loader and doctor find the pixels that :func:`tampered_pixels` does."""
    (tmp_path / 'mask').write_bytes(data)
    loaded = load(tmp_path / 'image.png', tmp_path / 'mask')['gt_seg_map']
    np.testing.assert_array_equal(loaded, tampered_pixels(data), err_msg=kind)
    facts = read_mask(str(tmp_path / 'mask'))
    expected = MaskFacts(
        40, 24, is_lossy(kind), TRUTH.mean(), border=0, soft=0, stray=0,
        source='lossy' if is_lossy(kind) else 'colours', labels=LABELS_OF_TRUTH,
    )  # fmt: skip
    assert facts == expected, kind


def test_loader_converters_and_doctor_see_the_same_masks(tmp_path):
    """What they should see is tested with :mod:`mmomni.datasets.masks`."""
    Image.fromarray(ONE * 3).save(tmp_path / 'image.png')  # no mask's bytes
    for kind, write in MASKS.items():
        agree_on_mask(write(), kind, tmp_path)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_neither_loader_nor_doctor_turns_a_mask(orientation, tmp_path):
    Image.fromarray(ONE * 3).save(tmp_path / 'image.png')  # no mask's bytes
    for kind, write in TURNED_MASKS.items():
        agree_on_mask(write(orientation), kind, tmp_path)


# ---- images ---------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def picture():
    return make_picture(0, (40, 64))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'TIFF', 'WEBP'])
def test_no_reader_turns_an_image(image_format, orientation, picture, tmp_path):
    path = tmp_path / 'image'
    Image.fromarray(picture).save(path, image_format, exif=turned(orientation))
    facts, loaded = read_image(str(path)), load(path)
    assert (facts.height, facts.width) == loaded['ori_shape'] == (40, 64)
    assert facts.orientation == orientation
    assert facts.appearance == appearance_of(cv2.cvtColor(loaded['img'], cv2.COLOR_BGR2GRAY))
    assert size_of(path) == (64, 40)
    Image.fromarray(picture).save(path, image_format)
    plain = read_image(str(path))
    assert facts._replace(orientation=1, digest=plain.digest) == plain


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('mask_format', ['JPEG', 'PNG', 'TIFF', 'WEBP'])
@pytest.mark.parametrize('drawn', ['as stored', 'upright'])
def test_a_mask_has_another_size_where_the_loader_refuses_it(
    drawn, mask_format, orientation, picture, tmp_path
):
    """The image and its mask both say that they are turned; neither is."""
    mask = np.zeros((40, 64, 3), np.uint8)
    mask[8:20, 10:30] = 255
    if drawn == 'upright' and orientation > 4:
        mask = mask.transpose(1, 0, 2)
    image_path, mask_path = tmp_path / 'a.jpg', tmp_path / 'mask'
    image_path.write_bytes(jpeg_bytes(picture, exif=turned(orientation)))
    options = dict(lossless=True) if mask_format == 'WEBP' else {}
    mask_path.write_bytes(written(mask, mask_format, exif=turned(orientation), **options))
    sample = ListedImage('set', '-', 'train', str(image_path), str(mask_path))
    found = [each for each in check_record(read_record(sample)) if each.kind == 'mask-size']
    if drawn == 'as stored' or orientation <= 4:
        assert found == []
        assert load(image_path, mask_path)['gt_seg_map'].shape == (40, 64)
        return
    assert f'EXIF orientation {orientation}' in found[0].message
    with pytest.raises(ImageReadError, match='expected a mask of'):
        load(image_path, mask_path)


def deep(pixels):
    return pixels.astype(np.uint16) * 257


IMAGES = {
    'JPEG': (jpeg_bytes, ('JPEG', 'RGB', False, 8)),
    'JPEG grey': (lambda p: jpeg_bytes(p[..., 0]), ('JPEG', 'L', False, 8)),
    'JPEG CMYK': (lambda p: of_mode(p, 'CMYK', 'JPEG'), ('JPEG', 'CMYK', False, 8)),
    'MPO': (lambda p: two_frames(), ('MPO', 'L', False, 8)),
    'PNG': (png_bytes, ('PNG', 'RGB', False, 8)),
    'PNG bits': (lambda p: of_mode(p, '1', 'PNG'), ('PNG', '1', False, 8)),
    'PNG palette': (lambda p: of_mode(p, 'P', 'PNG'), ('PNG', 'P', False, 8)),
    'PNG transparent palette': (
        lambda p: written(Image.fromarray(p).convert('P'), 'PNG', transparency=3),
        ('PNG', 'P', True, 8),
    ),
    'PNG grey and alpha': (lambda p: of_mode(p, 'LA', 'PNG'), ('PNG', 'LA', True, 8)),
    'PNG 16 bits': (lambda p: png_bytes(deep(p[..., :1])), ('PNG', 'I;16', False, 16)),
    'PNG 16 bits colours': (lambda p: png_bytes(deep(p)), ('PNG', 'RGB', False, 16)),
    'PNG 16 bits alpha': (
        lambda p: png_bytes(deep(np.dstack([p, p[..., 0]]))), ('PNG', 'RGBA', True, 16),
    ),
    'TIFF bits': (lambda p: of_mode(p, '1', 'TIFF'), ('TIFF', '1', False, 8)),
    'TIFF CMYK': (lambda p: of_mode(p, 'CMYK', 'TIFF'), ('TIFF', 'CMYK', False, 8)),
    'TIFF 16 bits': (lambda p: written(deep(p[..., 0]), 'TIFF'), ('TIFF', 'I;16', False, 16)),
    'TIFF 16 bits colours': (lambda p: encoded('.tif', deep(p)), ('TIFF', 'RGB', False, 16)),
    'WebP': (lambda p: written(p, 'WEBP'), ('WEBP', 'RGB', False, 8)),
    'WebP alpha': (
        lambda p: written(np.dstack([p, p[..., 0]]), 'WEBP'), ('WEBP', 'RGBA', True, 8),
    ),
    'BMP': (lambda p: written(p, 'BMP'), ('BMP', 'RGB', False, 8)),
    'GIF': (lambda p: of_mode(p, 'P', 'GIF'), ('GIF', 'P', False, 8)),
    'PPM': (lambda p: written(p, 'PPM'), ('PPM', 'RGB', False, 8)),
}  # fmt: skip


def of_mode(pixels, mode, image_format):
    return written(Image.fromarray(pixels).convert(mode), image_format)


@pytest.mark.parametrize('kind', IMAGES)
def test_format_mode_alpha_and_bits(kind, picture, tmp_path):
    write, expected = IMAGES[kind]
    (tmp_path / 'image').write_bytes(write(picture))
    facts = read_image(str(tmp_path / 'image'))
    assert (facts.format, facts.mode, facts.alpha, facts.bits) == expected
    assert (facts.height, facts.width) == load(tmp_path / 'image')['ori_shape']
    assert (facts.jpeg is None) == (facts.format not in ('JPEG', 'MPO'))


def test_equal_bytes_have_equal_digests_and_others_have_not(picture, tmp_path):
    paths = [tmp_path / name for name in 'abc']
    for path, quality in zip(paths, (90, 90, 91), strict=True):
        path.write_bytes(jpeg_bytes(picture, quality=quality))
    first, second, other = (read_image(str(path)).digest for path in paths)
    assert first == second != other


def test_a_flat_image_has_no_appearance(tmp_path):
    Image.new('RGB', (40, 40), 'grey').save(tmp_path / 'a.png')
    assert read_image(str(tmp_path / 'a.png')).appearance is None


# ---- quantisation tables --------------------------------------------------------------------


@pytest.mark.parametrize('options', [{}, dict(subsampling=0), dict(progressive=True)])
@pytest.mark.parametrize(('quality', 'largest'), [(10, 255), (75, 61), (90, 24), (100, 1)])
def test_quality_and_largest_step_of_a_jpeg(quality, largest, options, picture, tmp_path):
    """121 is the largest step at quality 50."""
    (tmp_path / 'a.jpg').write_bytes(jpeg_bytes(picture, quality=quality, **options))
    facts = read_image(str(tmp_path / 'a.jpg')).jpeg
    assert facts == (quality, largest)


def test_a_table_of_other_making_has_a_largest_step_alone(picture, tmp_path):
    luma, chroma = [3] * 63 + [70], [99] * 64
    (tmp_path / 'a.jpg').write_bytes(jpeg_bytes(picture, qtables=[luma, chroma]))
    assert read_image(str(tmp_path / 'a.jpg')).jpeg == (None, 70)


def test_luma_may_have_any_table(picture, tmp_path):
    """The second one here, as some cameras write it."""
    data = bytearray(jpeg_bytes(picture, quality=80))
    for at in (data.index(b'\xff\xdb'), data.rindex(b'\xff\xdb')):
        data[at + 4] ^= 1  # number of the table
    frame = data.index(b'\xff\xc0')
    for component in range(3):
        data[frame + 12 + 3 * component] ^= 1
    (tmp_path / 'a.jpg').write_bytes(data)
    with Image.open(tmp_path / 'a.jpg') as image:
        assert [layer[3] for layer in image.layer] == [1, 0, 0]
    assert read_image(str(tmp_path / 'a.jpg')).jpeg == (80, 48)


# ---- images that look like masks ------------------------------------------------------------

LIKE_MASKS = {
    '0/1': lambda: written(ONE, 'PNG'),
    '0/255': lambda: written(ONE * 255, 'PNG'),
    'bits': lambda: written(Image.fromarray(ONE * 255).convert('1'), 'TIFF'),
    'red': lambda: png_bytes(np.dstack([ONE * 255, ONE * 0, ONE * 0])),
    'JPEG': lambda: jpeg_bytes(cv2.resize(ONE * 255, (160, 96), interpolation=0), quality=95),
}
UNLIKE_MASKS = {
    'a photo': lambda: png_bytes(make_picture(0)),
    'a JPEG': lambda: jpeg_bytes(make_picture(0)),
    'black': lambda: written(ONE * 0, 'PNG'),
    'black JPEG': lambda: jpeg_bytes(ONE * 0),
    'a page': lambda: written(Image.fromarray(255 - ONE * 255).convert('1'), 'TIFF'),
    'a page as JPEG': lambda: jpeg_bytes(255 - ONE * 255),
    'two colours': lambda: png_bytes(np.dstack([ONE * 9 + 1] * 3)),
    'three greys': lambda: written(np.pad(ONE * 255, ((0, 0), (0, 1)), constant_values=9), 'PNG'),
}


@pytest.mark.parametrize('kind', [*LIKE_MASKS, *UNLIKE_MASKS])
def test_an_image_of_black_and_one_other_colour_looks_like_a_mask(kind, tmp_path):
    (tmp_path / 'image').write_bytes((LIKE_MASKS | UNLIKE_MASKS)[kind]())
    assert read_image(str(tmp_path / 'image')).like_mask == (kind in LIKE_MASKS)


# ---- shares of a mask -----------------------------------------------------------------------


def test_border_is_the_outermost_pixels(tmp_path):
    frame = np.full((6, 9), 255, np.uint8)
    frame[1:-1, 1:-1] = 0
    Image.fromarray(frame).save(tmp_path / 'frame.png')
    facts = read_mask(str(tmp_path / 'frame.png'))
    assert (facts.border, facts.tampered) == (1, 26 / 54)
    frame[:, :-1] = 0
    Image.fromarray(frame).save(tmp_path / 'frame.png')
    assert read_mask(str(tmp_path / 'frame.png')).border == pytest.approx(6 / 26)


def test_a_mask_of_one_pixel_is_border(tmp_path):
    Image.new('L', (1, 1), 9).save(tmp_path / 'mask.png')
    facts = read_mask(str(tmp_path / 'mask.png'))
    assert (facts.tampered, facts.border, facts.soft, facts.stray) == (1, 1, 0, 0)


WAYS = {
    'grey': lambda mask: written(mask, 'PNG'),
    'red': lambda mask: png_bytes(np.dstack([mask, mask * 0, mask * 0])),
    '16 bits': lambda mask: png_bytes(mask.astype(np.uint16)[..., None]),
    '16 bits, high byte': lambda mask: png_bytes(mask.astype(np.uint16)[..., None] << 8),
    '16 bits, blue': lambda mask: png_bytes(np.dstack([mask * 0] * 2 + [mask]).astype(np.uint16)),
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize(
    ('third', 'soft', 'stray'),
    [
        ((9, 5, 60), 1, 0),  # the nearest row below the region
        ((10, 5, 60), 1, 0),
        ((11, 5, 60), 1, 1),  # three pixels off
        ((5, 11, 60), 1, 1),
        ((5, 5, 150), 1, 1),  # a hole in the middle that is no hole
        ((2, 5, 150), 1, 0),
    ],
)
def test_third_values_are_soft_and_away_from_edges_stray(way, third, soft, stray, tmp_path):
    """However the values are stored; the region has 7x7 pixels of 200 from (2, 2)."""
    mask = np.zeros((20, 20), np.uint8)
    mask[2:9, 2:9] = 200
    mask[third[:2]] = third[2]
    (tmp_path / 'mask').write_bytes(WAYS[way](mask))
    facts = read_mask(str(tmp_path / 'mask'))
    assert (facts.soft * 400, facts.stray * 400) == pytest.approx((soft, stray))
    assert facts.tampered == np.count_nonzero(mask) / 400


@pytest.mark.parametrize('way', WAYS)
def test_a_mask_without_black_has_third_values_too(way, tmp_path):
    """Not 0 alone is authentic: of a picture given as its mask, all but one value are too many."""
    mask = np.full((20, 20), 3, np.uint8)
    mask[:, :5] = 7
    (tmp_path / 'mask').write_bytes(WAYS[way](mask))
    assert read_mask(str(tmp_path / 'mask')).soft == pytest.approx(0.25)


def test_colours_of_8_bits_are_counted_in_numbers_of_32():
    """Four for each pixel, three channels and the code; numbers of 64 bits would take 32 bytes."""
    colours = np.zeros((500, 500, 3), np.uint8)
    colours[:250, :, 2] = 9
    tracemalloc.start()
    codes, counts = reading._count_colours(colours)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * codes.size
    assert sorted(counts[counts > 0]) == [125000, 125000]


# ---- files that cannot be read --------------------------------------------------------------


def record_of(image, mask=None):
    return read_record(ListedImage('set', '-', 'train', str(image), mask and str(mask)))


BROKEN = {
    'empty': (b'', 'got 0 bytes (empty); replace or remove the file'),
    'text': (b'no image', 'got 8 bytes (no known format); replace or remove the file'),
    'floats': (written(np.ones((16, 16), np.float32), 'TIFF'), 'it has pixels of float32, not'),
    'cut': (jpeg_bytes(make_picture(0))[:900], 'damaged one: its data end before its picture does'),
    'cut header': (jpeg_bytes(make_picture(0))[:100], '(Truncated File Read); replace or remove'),
    'cut PNG': (png_bytes(make_picture(0))[:900], 'image file is truncated'),
}


@pytest.mark.parametrize('kind', BROKEN)
def test_a_broken_file_is_a_fault_in_words(kind, tmp_path):
    """The same words each time, on one line, without path or address."""
    path = tmp_path / 'it is.png'
    data, reason = BROKEN[kind]
    path.write_bytes(data)
    record = record_of(path, path)
    assert isinstance(record.image, Fault)
    assert record.image == record.mask == record_of(path).image
    assert not record.image.missing
    assert reason in record.image.reason
    assert record.image.reason == ' '.join(record.image.reason.split()) != ''
    assert str(tmp_path) not in record.image.reason
    assert '0x' not in record.image.reason


PLAIN = jpeg_bytes(make_picture(0), quality=90)
KINDS_OF_JPEG = {
    'a JPEG of 12 bits a sample': PLAIN.replace(b'\xff\xc0\0\x11\x08', b'\xff\xc1\0\x11\x0c'),
    'a hierarchical JPEG': PLAIN.replace(b'\xff\xc0', b'\xff\xc5'),
}
DAMAGED = {
    'its data end before its picture does: about': PLAIN[: len(PLAIN) // 2] + b'\xff\xd9',
    'of component 1 are 0': PLAIN.replace(PLAIN[25:89], bytes(64)),
}


@pytest.mark.parametrize('words', KINDS_OF_JPEG | DAMAGED)
def test_why_a_jpeg_is_of_no_use_is_said_without_its_path(words, tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes((KINDS_OF_JPEG | DAMAGED)[words])
    image = record_of(path).image
    assert isinstance(image, Fault)
    assert image.reason.startswith('expected ')
    assert words in image.reason
    assert str(tmp_path) not in image.reason


ODD = {
    'text: no part of the picture': PLAIN + b'text',
    '3 stray byte(s) at byte 20': PLAIN[:20] + b'abc' + PLAIN[20:],
    'its EXIF cannot be read': PLAIN[:2] + b'\xff\xe1\0\x0aExif\0\0xx' + PLAIN[2:],
    'broken application data': PLAIN[:2] + b'\xff\xee\0\x07Adobe' + PLAIN[2:],
}


@pytest.mark.parametrize('words', ODD)
def test_what_is_odd_in_a_whole_jpeg_is_a_note(words, tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(ODD[words])
    (finding,) = check_record(record_of(path))
    assert (finding.kind, finding.level) == ('image-odd', 'note')
    assert words in finding.message


def test_a_missing_file_is_told_from_a_broken_one(tmp_path):
    missing = Fault(True, 'no such file (No such file or directory)')
    assert record_of(tmp_path / 'missing.png').image == missing
    reason = 'expected an image file, got a folder; remove it'
    assert record_of(tmp_path).image == Fault(False, reason)


@pytest.mark.parametrize('kind', REASONS)
def test_what_would_hang_or_fill_the_memory_is_a_fault(kind, tmp_path):
    path = make_hostile(tmp_path, kind)
    record = record_of(path, path)
    assert record.image == record.mask == Fault(False, record.image.reason)
    assert 'bomb' in kind or REASONS[kind] in record.image.reason  # those, Pillow names itself
    assert str(tmp_path) not in record.image.reason
    for shown in (image_thumbnail, upright_thumbnail, mask_thumbnail):
        assert shown(str(path)) is None


def test_one_file_of_a_pair_may_be_broken(picture, tmp_path):
    (tmp_path / 'a.png').write_bytes(png_bytes(picture))
    (tmp_path / 'b.png').write_bytes(b'broken')
    record = record_of(tmp_path / 'a.png', tmp_path / 'b.png')
    assert isinstance(record.image, ImageFacts)
    assert isinstance(record.mask, Fault)
    assert record_of(tmp_path / 'a.png').mask is None


def test_images_beyond_the_limit_of_pillow_are_faults(picture, tmp_path, monkeypatch):
    (tmp_path / 'a.png').write_bytes(png_bytes(picture))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 40 * 64 // 2 - 1)
    reason = record_of(tmp_path / 'a.png').image.reason
    assert reason.startswith('expected at most ')


def test_warnings_of_pillow_are_no_findings(picture, tmp_path, monkeypatch):
    (tmp_path / 'a.png').write_bytes(png_bytes(picture))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 40 * 64 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(tmp_path / 'a.png')
        assert isinstance(record_of(tmp_path / 'a.png').image, ImageFacts)


def test_files_may_be_records_of_a_database(picture, tmp_path):
    lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    with lmdb.open(str(tmp_path), map_size=1 << 20) as db, db.begin(write=True) as transaction:
        transaction.put(b'image', png_bytes(picture))
    assert read_bytes(f'lmdb://{tmp_path}/image') == png_bytes(picture)
    record = record_of(f'lmdb://{tmp_path}/image', f'lmdb://{tmp_path}/label')
    assert record.image.format == 'PNG'
    assert record.mask.missing
    assert "no key 'label'" in record.mask.reason


# ---- masks that mark nothing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ('values', 'rule', 'told'),
    [
        (np.array([[0, 0.4]]), GENERAL_RULE, 'no share reaches one half, the highest is 0.400'),
        (np.array([[0, 0.498]]), GENERAL_RULE, 'no share reaches one half, the highest is 0.498'),
        (np.zeros((1, 2)), GENERAL_RULE, 'every pixel is 0'),
        (np.array([[0, 7]]), mask_rule(ignore=7), 'values that do not count (mask_ignore)'),
    ],
)  # fmt: skip
def test_it_is_said_why_a_mask_marks_nothing(values, rule, told, tmp_path):
    path = tmp_path / 'mask.npy'
    np.save(path, values)
    record = read_record(ListedImage('set', '-', 'train', 'absent.png', str(path), rule))
    (message,) = [each.message for each in check_record(record) if each.kind == 'mask-empty']
    assert message.endswith(told)


@pytest.mark.parametrize('shape', [(2, 3), (1, 2, 3), (2, 3, 1)])
@pytest.mark.parametrize('highest', [1.0, 255.0])
def test_floats_of_whole_numbers_and_one_channel_are_masks(shape, highest, tmp_path):
    values = np.zeros(6)
    values[1] = highest
    np.save(tmp_path / 'a.npy', values.reshape(shape))
    facts = read_mask(str(tmp_path / 'a.npy'))
    assert (facts.width, facts.height, facts.tampered) == (3, 2, 1 / 6)
