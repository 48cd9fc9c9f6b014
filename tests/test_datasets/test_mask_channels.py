"""Masks whose colours do not say what is tampered: in alpha, in indices, or nowhere."""

import numpy as np
import pytest
from image_bytes import png_bytes, written
from mask_files import DEEP, MASKS, ONE, TRUTH, ZERO, ZERO16
from PIL import Image

from mmomni.datasets.mask_rules import mask_rule
from mmomni.datasets.masks import mask_values, tampered_pixels
from mmomni.jpeg import ImageReadError

WHITE = ZERO + 255
PHOTO = np.random.default_rng(0).integers(1, 256, (*TRUTH.shape, 3), np.uint8)
DARK_ABOVE = PHOTO * (np.arange(len(PHOTO)) > 3)[:, None, None].astype(np.uint8)


def palette_of(colours, indices=ONE, **options):
    image = Image.fromarray(indices).convert('P')
    image.putdata(indices.ravel().tolist())
    image.putpalette([value for colour in colours for value in colour])
    return written(image, options.pop('image_format', 'PNG'), **options)


BLACK = [(0, 0, 0)] * 2
ELSEWHERE = {
    'white': (lambda: png_bytes(np.dstack([WHITE] * 3 + [ONE * 255])), 'alpha'),
    'white, faint': (lambda: png_bytes(np.dstack([WHITE] * 3 + [ONE * 90])), 'alpha'),
    'grey': (lambda: png_bytes(np.dstack([WHITE // 2, ONE * 255])), 'alpha'),
    'red': (lambda: png_bytes(np.dstack([WHITE, ZERO, ZERO, ONE * 255])), 'alpha'),
    '16 bits': (lambda: png_bytes(np.dstack([ZERO16 + 65535] * 3 + [DEEP])), 'alpha'),
    'TIFF': (lambda: written(np.dstack([WHITE] * 3 + [ONE * 255]), 'TIFF'), 'alpha'),
    'WebP': (
        lambda: written(np.dstack([WHITE] * 3 + [ONE * 255]), 'WEBP', lossless=True, exact=True),
        'alpha',
    ),
    'black palette': (lambda: palette_of(BLACK), 'indices'),
    'white palette': (lambda: palette_of([(255,) * 3] * 2), 'indices'),
    'black palette of a GIF': (lambda: palette_of(BLACK, image_format='GIF'), 'indices'),
    'black palette of a TIFF': (lambda: palette_of(BLACK, image_format='TIFF'), 'indices'),
    'black palette of a BMP': (lambda: palette_of(BLACK, image_format='BMP'), 'indices'),
    'black palette with transparency': (lambda: palette_of(BLACK, transparency=1), 'indices'),
}  # fmt: skip


@pytest.mark.parametrize('kind', ELSEWHERE)
def test_colours_that_are_all_one_give_way_to_what_is_clear(kind):
    write, source = ELSEWHERE[kind]
    values = mask_values(write(), 'mask.png')
    assert values.source == source
    np.testing.assert_array_equal(values.tampered(), TRUTH)
    plain = tampered_pixels(write(), 'mask.png', mask_rule('colour'))
    assert plain.all() or not plain.any(), 'this is what colours alone would say'


def test_colours_that_say_something_are_never_overruled():
    for kind, write in MASKS.items():
        assert mask_values(write()).source in ('colours', 'lossy'), kind
    cut_out = np.dstack([ONE * 255] * 3 + [255 - ONE * 200])
    np.testing.assert_array_equal(tampered_pixels(png_bytes(cut_out)), TRUTH)


UNCLEAR = {
    'black with alpha': np.dstack([ZERO] * 3 + [ONE * 255]),
    'grey black with alpha': np.dstack([ZERO, ONE * 255]),
    'nothing wholly transparent': np.dstack([WHITE] * 3 + [100 + ONE * 155]),
    'a photo with a hole': np.dstack([PHOTO, 255 - ONE * 255]),
    'a photo that is dark in places': np.dstack([DARK_ABOVE, ONE * 255]),
    'a photo that is cut out': np.dstack([PHOTO, ONE * 255]),
}


@pytest.mark.parametrize('kind', UNCLEAR)
def test_of_two_readings_none_is_guessed(kind):
    with pytest.raises(ImageReadError, match=r'of mine.*not clear.*mask_channel=') as error:
        tampered_pixels(png_bytes(UNCLEAR[kind]), 'of mine')
    for channel in ("'alpha'", "'transparency'", "'colour'"):
        assert channel in str(error.value)


@pytest.mark.parametrize('kind', UNCLEAR)
def test_whoever_says_it_is_obeyed(kind):
    data, alpha = png_bytes(UNCLEAR[kind]), UNCLEAR[kind][..., -1]
    for channel, expected in (('alpha', alpha > 0), ('transparency', alpha < 255)):
        values = mask_values(data, 'mask', mask_rule(channel))
        assert values.source == 'alpha'
        np.testing.assert_array_equal(values.tampered(), expected)
    expected = UNCLEAR[kind][..., :-1].max(axis=2) > 0
    np.testing.assert_array_equal(tampered_pixels(data, 'mask', mask_rule('colour')), expected)


@pytest.mark.parametrize('channel', ['alpha', 'transparency'])
@pytest.mark.parametrize('kind', ['PNG 0/255', 'JPEG', 'PNG palette', 'PNG 16 bits'])
def test_alpha_that_is_not_there_is_missed(kind, channel):
    with pytest.raises(ImageReadError, match=f"of mine: mask_channel='{channel}' asks for an alph"):
        tampered_pixels(MASKS[kind](), 'of mine', mask_rule(channel))


def test_one_transparent_level_of_a_grey_mask_is_its_alpha():
    for level in (ONE * 7, DEEP * 7):
        data = written(level, 'PNG', transparency=0)
        np.testing.assert_array_equal(tampered_pixels(data, 'm', mask_rule('alpha')), TRUTH)


# ---- saved with loss -----------------------------------------------------------------------


@pytest.mark.parametrize('quality', [75, 90, 100])
@pytest.mark.parametrize('level', [2, 5, 60, 128, 180])
@pytest.mark.parametrize('image_format', ['JPEG', 'WEBP'])
def test_a_faint_mask_saved_with_loss_is_refused(image_format, level, quality):
    data = written(np.dstack([ONE * level] * 3), image_format, quality=quality)
    with pytest.raises(ImageReadError, match=r'of mine: expected black and white.*PNG of 0 and'):
        tampered_pixels(data, 'of mine')


@pytest.mark.parametrize('level', [1, 2, 3])
def test_classes_saved_as_a_jpeg_are_refused(level):
    data = written(ONE * level, 'JPEG', quality=100)
    with pytest.raises(ImageReadError, match=r'got 0 to [1-5] of 255'):
        tampered_pixels(data)


@pytest.mark.parametrize('level', [0, 255])
@pytest.mark.parametrize('quality', [5, 30, 75, 95])
def test_a_jpeg_of_one_level_says_all_or_nothing(quality, level):
    """Black comes back as 0 to 3, by its quality; nobody meant these by it."""
    data = written(np.full((64, 64), level, np.uint8), 'JPEG', quality=quality)
    assert tampered_pixels(data).mean() == level / 255


LOSSY = {
    'WebP': lambda: written(np.dstack([ONE * 255] * 3), 'WEBP', quality=60),
    'WebP and alpha': lambda: written(
        np.dstack([ONE * 255] * 4), 'WEBP', quality=60, exact=True
    ),
    'TIFF': lambda: written(ONE * 255, 'TIFF', compression='jpeg', quality=60),
}  # fmt: skip


@pytest.mark.parametrize('kind', LOSSY)
def test_ringing_of_other_lossy_formats_is_no_ground_truth(kind):
    values = mask_values(LOSSY[kind](), 'mask', mask_rule('colour'))
    assert values.source == 'lossy'
    wrong = values.tampered() != TRUTH
    assert wrong.mean() < 0.02


def test_openexr_is_named():
    with pytest.raises(ImageReadError, match=r'm\.exr: is an OpenEXR file.*save it as PNG'):
        tampered_pixels(b'v/1\x01\x02\0\0\0channels', 'm.exr')


# ---- pixels that do not count --------------------------------------------------------------

UNKNOWN = np.zeros_like(TRUTH)
UNKNOWN[18:22, 30:38] = True
LABELS = np.where(UNKNOWN, 255, TRUTH).astype(np.uint8)
RED = np.array([255, 0, 0], np.uint8)
IGNORING = {
    'grey': (128, lambda: written(ONE * 255 + UNKNOWN * np.uint8(128), 'PNG')),
    'white': (255, lambda: written(ONE * 9 + UNKNOWN * np.uint8(255), 'PNG')),
    'several': ([7, 128], lambda: written(ONE * 255 + UNKNOWN * np.uint8(128), 'PNG')),
    'a colour': (
        [(255, 0, 0)], lambda: png_bytes(np.dstack([ONE * 255] * 3) + UNKNOWN[..., None] * RED),
    ),
    '16 bits': (300, lambda: png_bytes((DEEP * 9 + UNKNOWN * np.uint16(300))[..., None])),
    'an index': (2, lambda: palette_of([(0, 0, 0)] * 3, LABELS.clip(max=2))),
}  # fmt: skip


@pytest.mark.parametrize('kind', IGNORING)
def test_pixels_of_a_named_value_do_not_count(kind):
    ignore, write = IGNORING[kind]
    values = mask_values(write(), 'mask', mask_rule(ignore=ignore))
    np.testing.assert_array_equal(values.labels(), LABELS)
    np.testing.assert_array_equal(values.tampered(), TRUTH)
    without = mask_values(write(), 'mask').labels()
    np.testing.assert_array_equal(without, LABELS > 0)


def test_no_value_of_a_lossy_mask_can_be_named():
    with pytest.raises(ImageReadError, match=r'of mine: mask_ignore=\(128,\) names exact values'):
        mask_values(MASKS['JPEG'](), 'of mine', mask_rule(ignore=128))


@pytest.mark.parametrize('ignore', [0, [0], [(0, 0, 0)], -1, 70000, True, '128', [(1, 2)], [1.5]])
def test_no_other_value_can_be_ignored(ignore):
    with pytest.raises(ValueError, match='mask_ignore'):
        mask_rule(ignore=ignore)


def test_no_other_channel_can_be_asked_for():
    with pytest.raises(ValueError, match=r"mask_channel to be one of .*'alpha'.*got 'red'"):
        mask_rule('red')
