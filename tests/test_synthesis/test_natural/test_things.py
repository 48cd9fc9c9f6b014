import re

import numpy as np
import pytest
from odd_folders import close_folders
from PIL import Image

from mmomni.jpeg import ImageReadError
from mmomni.synthesis.natural.things import LEAST_SIDE, list_donors, read_thing, survey_donors

SIZE = (60, 80)


def save(path, pixels: np.ndarray):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def mask_with(height: int, width: int, level: int = 255) -> np.ndarray:
    """Grey, ``uint8`` (H, W): a thing of (height, width) in the middle of black."""
    mask = np.zeros(SIZE, np.uint8)
    mask[10 : 10 + height, 20 : 20 + width] = level
    return mask


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


@pytest.fixture
def donors(tmp_path, image):
    """A folder with photos and masks of different suffixes, one of them in a subfolder."""
    for name, mask in (('b.png', 'b.PNG'), ('a.bmp', 'a.png'), ('sub/a.png', 'sub/a.tif')):
        save(tmp_path / 'images' / name, image)
        save(tmp_path / 'masks' / mask, mask_with(40, 40))
    return tmp_path


def test_photos_are_paired_with_the_masks_of_their_path(donors):
    pairs = [
        tuple(path.relative_to(donors).as_posix() for path in pair) for pair in list_donors(donors)
    ]
    assert pairs == [
        ('images/a.bmp', 'masks/a.png'),
        ('images/b.png', 'masks/b.PNG'),
        ('images/sub/a.png', 'masks/sub/a.tif'),
    ]
    assert list_donors(str(donors)) == list_donors(donors)


def test_masks_without_a_photo_and_other_files_do_no_harm(donors):
    save(donors / 'masks/lonely.png', mask_with(40, 40))
    (donors / 'images/notes.txt').write_text('not a photo')
    assert len(list_donors(donors)) == 3


def test_content_decides_what_is_a_photo_and_a_mask(donors, monkeypatch):
    (donors / 'masks/b.PNG').rename(donors / 'masks/b.mask')
    (donors / 'images/._b.png').write_bytes(b'')
    (donors / 'masks/notes.txt').write_text('not a mask')
    found = survey_donors(donors)
    assert [mask.name for _, mask in found.pairs] == ['a.png', 'b.mask', 'a.tif']
    assert sorted(found.others.values()) == ['hidden', 'txt']
    close_folders(monkeypatch, 'sub')
    with pytest.raises(PermissionError, match=r'images/sub: a folder that cannot be entered[^/]*'
                       r'\n.*masks/sub: a folder'):  # fmt: skip
        survey_donors(donors)


def test_masks_of_another_kind_are_named_where_one_is_missing(donors):
    (donors / 'masks/b.PNG').unlink()
    (donors / 'masks/b.npy').write_bytes(b'\x93NUMPY')
    with pytest.raises(FileNotFoundError, match=r'got none for b\.png \(not images: 1 npy\); add'):
        survey_donors(donors)


def test_a_mask_in_another_folder_is_not_the_photos(donors, image):
    save(donors / 'images/sub/b.png', image)
    with pytest.raises(FileNotFoundError, match=r'each with a mask of its path in .*masks, got '
                       r'none for b\.png; add or remove files'):  # fmt: skip
        list_donors(donors)


@pytest.mark.parametrize('kind', ['images', 'masks'])
def test_a_missing_folder_is_named_with_what_belongs_there(kind, donors):
    (donors / kind).rename(donors / 'elsewhere')
    message = (
        f'expected donors in {donors}/images and their masks (white: the thing) in '
        f'{donors}/masks, found no {kind}; check the folder'
    )
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        list_donors(donors)


def test_folders_without_photos_are_named(donors):
    for path in list_donors(donors):
        path[0].unlink()
    with pytest.raises(FileNotFoundError, match=r'expected photos in .*images.*got no photo; add'):
        list_donors(donors)


def test_a_thing_is_its_photo_and_where_its_mask_is_white(image, tmp_path):
    photo = save(tmp_path / 'photo.png', image)
    thing = read_thing(photo, save(tmp_path / 'mask.png', mask_with(36, 45)))
    np.testing.assert_array_equal(thing.image, image)
    assert thing.mask.dtype == bool
    np.testing.assert_array_equal(thing.mask, mask_with(36, 45) > 0)


@pytest.mark.parametrize(
    ('level', 'white'), [(255, True), (128, True), (127, False), (1, False)]
)
def test_white_begins_in_the_middle(level, white, image, tmp_path):
    paths = (
        save(tmp_path / 'photo.png', image),
        save(tmp_path / 'mask.png', mask_with(40, 40, level)),
    )
    if white:
        assert read_thing(*paths).mask.sum() == 40 * 40
    else:
        with pytest.raises(ImageReadError, match='got 0x0'):
            read_thing(*paths)


@pytest.mark.parametrize('channel', range(3))
def test_things_drawn_in_colour_are_things(channel, image, tmp_path):
    colour = np.zeros((*SIZE, 3), np.uint8)
    colour[..., channel] = mask_with(40, 40)
    thing = read_thing(
        save(tmp_path / 'photo.png', image), save(tmp_path / 'mask.png', colour)
    )
    assert thing.mask.sum() == 40 * 40


@pytest.mark.parametrize(('height', 'width'), [(LEAST_SIDE, 40), (40, LEAST_SIDE)])
def test_the_smallest_thing_is_taken_and_a_smaller_one_is_not(height, width, image, tmp_path):
    photo, mask = save(tmp_path / 'photo.png', image), tmp_path / 'mask.png'
    assert read_thing(photo, save(mask, mask_with(height, width))).mask.any()
    height, width = (side - (side == LEAST_SIDE) for side in (height, width))
    message = (
        f'{mask}: expected a white thing of at least 32 px a side, got {width}x{height}; '
        f'remove it and its photo'
    )
    with pytest.raises(ImageReadError, match=re.escape(message)):
        read_thing(photo, save(mask, mask_with(height, width)))


def test_a_mask_of_another_size_is_refused_and_both_sizes_told(image, tmp_path):
    photo = save(tmp_path / 'photo.png', image)
    mask = save(tmp_path / 'mask.png', np.full((50, 70), 255, np.uint8))
    message = f'{mask}: expected a mask of 80x60 px, the size of {photo}, got 70x50; remove both'
    with pytest.raises(ImageReadError, match=re.escape(message)):
        read_thing(photo, mask)


@pytest.mark.parametrize('broken', ['photo.png', 'mask.png'])
def test_a_file_that_is_no_image_is_named(broken, image, tmp_path):
    paths = [
        save(tmp_path / 'photo.png', image), save(tmp_path / 'mask.png', mask_with(40, 40))
    ]  # fmt: skip
    (tmp_path / broken).write_bytes(b'no image')
    with pytest.raises(ImageReadError, match=rf'{broken}: expected a whole image file'):
        read_thing(*paths)
    (tmp_path / broken).unlink()
    with pytest.raises(ImageReadError, match=rf'{broken}: cannot be opened'):
        read_thing(*paths)
