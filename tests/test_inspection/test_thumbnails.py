"""Small pictures: what they show, and that no file ends the report."""

import io

import cv2
import numpy as np
import pytest
from image_bytes import png_bytes, turned, with_orientation
from PIL import Image, ImageOps
from planting import make_mask, make_picture, save

from mmomni.inspection import thumbnails
from mmomni.inspection.thumbnails import (
    HALO,
    OUTLINE,
    SIDE,
    image_thumbnail,
    mask_thumbnail,
    upright_thumbnail,
)


def pixels_of(jpeg):
    with Image.open(io.BytesIO(jpeg)) as image:
        assert (image.format, image.mode) == ('JPEG', 'RGB')
        return np.array(image).astype(int)


@pytest.mark.parametrize(
    ('size', 'shown'),
    [
        ((96, 128), (96, 128)),
        ((168, 168), (168, 168)),
        ((336, 200), (168, 100)),
        ((1, 500), (1, 168)),
        ((900, 2), (168, 1)),
    ],
)
def test_pictures_are_shrunk_to_168_pixels_and_never_enlarged(size, shown, tmp_path):
    path = str(save(tmp_path / 'a.png', np.full((*size, 3), 99, np.uint8)))
    assert max(shown) <= SIDE
    for thumbnail in (image_thumbnail, upright_thumbnail, mask_thumbnail):
        assert pixels_of(thumbnail(path)).shape == (*shown, 3)


def test_a_thumbnail_looks_like_its_image(tmp_path):
    picture = make_picture(0, (192, 400))
    shown = pixels_of(image_thumbnail(str(save(tmp_path / 'a.png', picture))))
    with Image.fromarray(picture).resize((168, 81), Image.Resampling.BOX) as reference:
        assert np.abs(shown - np.array(reference)).mean() < 4


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif', '.webp'])
def test_the_upright_view_is_that_of_viewers_and_the_other_the_stored_one(
    suffix, orientation, tmp_path
):
    """Both are in the report of a turned image, side by side."""
    picture = make_picture(1, (40, 64))
    path = str(save(tmp_path / f'a{suffix}', picture, exif=turned(orientation)))
    marked = Image.fromarray(picture)
    marked.getexif()[0x0112] = orientation
    expected = np.array(ImageOps.exif_transpose(marked)).astype(int)
    upright, stored = pixels_of(upright_thumbnail(path)), pixels_of(image_thumbnail(path))
    assert upright.shape == expected.shape
    assert np.abs(upright - expected).mean() < 16
    assert np.abs(stored - picture).mean() < 16
    if orientation > 1:
        assert stored.shape != upright.shape or np.abs(stored - upright).mean() > 50


@pytest.fixture
def lossless(monkeypatch):
    """Pixels as they are before JPEG blurs the colour of a thin line."""
    drawn = []
    monkeypatch.setattr(thumbnails, '_jpeg', drawn.append)

    def draw(image, mask):
        image_thumbnail(str(image), str(mask))
        return drawn.pop()

    return draw


def test_the_outline_is_the_rim_of_the_mask_in_a_halo(lossless, tmp_path):
    image, mask = save(tmp_path / 'a.png', np.full((96, 128, 3), 60, np.uint8)), make_mask()
    drawn = lossless(image, save(tmp_path / 'mask.png', mask))
    rim = (mask > 0) & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
    beside, away = (
        cv2.dilate(rim.astype(np.uint8), np.ones((side, side), np.uint8)) > 0 for side in (3, 7)
    )
    np.testing.assert_array_equal((drawn == OUTLINE).all(axis=2), rim)
    assert (drawn == HALO).all(axis=2)[beside & ~rim].all()
    assert (drawn[~away] == 60).all()


@pytest.mark.parametrize('orientation', range(1, 9))
def test_the_outline_of_a_deep_turned_mask_is_where_the_loader_has_it(
    orientation, lossless, tmp_path
):
    image = save(tmp_path / 'a.png', np.full((96, 128, 3), 60, np.uint8))
    plain = lossless(image, save(tmp_path / 'mask.png', make_mask()))
    deep = make_mask(value=1).astype(np.uint16)
    tiff = cv2.imencode('.tif', np.dstack([deep, deep * 0, deep * 0]))[1].tobytes()
    (tmp_path / 'mask.tif').write_bytes(with_orientation(tiff, orientation))
    np.testing.assert_array_equal(lossless(image, tmp_path / 'mask.tif'), plain)


def test_a_mask_of_another_size_is_stretched_over_its_image(lossless, tmp_path):
    """Its pair has an error, whose picture shows what does not fit."""
    image = save(tmp_path / 'a.png', np.full((96, 128, 3), 60, np.uint8))
    drawn = lossless(image, save(tmp_path / 'small.png', make_mask()[::2, ::2]))
    rows, columns = (drawn == OUTLINE).all(axis=2).nonzero()
    true_rows, true_columns = np.nonzero(make_mask())
    for found, true in ((rows, true_rows), (columns, true_columns)):
        assert abs(found.min() - true.min()) <= 1
        assert abs(found.max() - true.max()) <= 1


def test_a_speck_has_an_outline_too(tmp_path):
    """Shrunk, it would be less than half of a pixel."""
    mask = np.zeros((600, 800), np.uint8)
    mask[300, 400] = 255
    image = str(save(tmp_path / 'a.png', np.zeros((600, 800, 3), np.uint8)))
    shown = pixels_of(image_thumbnail(image, str(save(tmp_path / 'mask.png', mask))))
    rows, columns = (shown.max(axis=2) > 100).nonzero()
    assert (abs(rows - 63) < 6).all()
    assert (abs(columns - 84) < 6).all()
    assert len(rows) > 0


@pytest.mark.parametrize('mask', ['black.png', 'broken.png', 'absent.png'])
def test_a_mask_with_nothing_to_outline_leaves_the_image_alone(mask, tmp_path):
    save(tmp_path / 'black.png', np.zeros((40, 64), np.uint8))
    (tmp_path / 'broken.png').write_bytes(b'broken')
    image = str(save(tmp_path / 'a.png', make_picture(2, (40, 64))))
    assert image_thumbnail(image, str(tmp_path / mask)) == image_thumbnail(image)


MASKS = {
    '0/1': lambda mask: png_bytes(mask[..., None]),
    '0/255': lambda mask: png_bytes(mask[..., None] * 255),
    'red': lambda mask: png_bytes(np.dstack([mask * 7] * 3)),
    '16 bits': lambda mask: png_bytes(mask.astype(np.uint16)[..., None]),
    '16 bits 0/65535': lambda mask: png_bytes(mask.astype(np.uint16)[..., None] * 65535),
    '16 bits colours': lambda mask: png_bytes(np.dstack([mask] * 3).astype(np.uint16)),
}


@pytest.mark.parametrize('kind', MASKS)
def test_a_mask_of_any_values_is_shown_black_and_white(kind, tmp_path):
    mask = make_mask(value=1)
    (tmp_path / 'mask.png').write_bytes(MASKS[kind](mask))
    shown = pixels_of(mask_thumbnail(str(tmp_path / 'mask.png')))
    np.testing.assert_allclose(shown, np.dstack([mask * 255] * 3), atol=40)


def test_the_channels_of_a_mask_are_not_swapped(tmp_path):
    for kind in (np.uint8, np.uint16):
        mask = np.dstack([make_mask(value=1), np.zeros((96, 128, 2), np.uint8)]).astype(kind)
        (tmp_path / 'mask.png').write_bytes(png_bytes(mask))
        shown = pixels_of(mask_thumbnail(str(tmp_path / 'mask.png')))
        assert (shown[40, 50] > [200, -1, -1]).all()
        assert (shown[40, 50] < [256, 60, 60]).all()


def test_an_empty_mask_is_black(tmp_path):
    path = str(save(tmp_path / 'mask.png', np.zeros((20, 30), np.uint8)))
    assert pixels_of(mask_thumbnail(path)).max() == 0


@pytest.mark.parametrize('thumbnail', [image_thumbnail, upright_thumbnail, mask_thumbnail])
def test_what_cannot_be_read_has_no_picture(thumbnail, tmp_path):
    for name, data in (('broken.jpg', b'\xff\xd8\xff\xe0'), ('empty.png', b'')):
        (tmp_path / name).write_bytes(data)
        assert thumbnail(str(tmp_path / name)) is None
    assert thumbnail(str(tmp_path / 'absent.png')) is None
    assert thumbnail(str(tmp_path)) is None
