from collections import Counter

import numpy as np
import pytest
from odd_folders import NOT_IMAGES, close_folders, make_odd_folder
from PIL import Image

from mmomni.jpeg import ImageReadError
from mmomni.synthesis import DOMAINS
from mmomni.synthesis.authentic import (
    can_be_shrunk,
    is_jpeg,
    list_sources,
    random_view,
    read_image,
    read_source,
    survey_sources,
)
from mmomni.synthesis.jpeg_history import FIRST

PHOTO = DOMAINS['natural'].view


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ramp(height: int, width: int) -> np.ndarray:
    """A grey level a row, up to 255."""
    rows = np.minimum(np.arange(height), 255).astype(np.uint8)
    return np.broadcast_to(rows[:, None, None], (height, width, 3))


def rows_of(view: np.ndarray) -> int:
    """How many rows of a ramp are in a view of it."""
    return int(np.ptp(view[:, 0, 0].astype(int))) + 1


def test_sources_are_images_in_the_order_given_each_once(tmp_path):
    for name in ('x/b.PNG', 'x/a/z.jpg', 'x/notes.txt', 'w/c.webp', 'x/a.tif'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    single, folder = tmp_path / 'w/c.webp', tmp_path / 'x'
    names = [path.relative_to(tmp_path).as_posix() for path in list_sources([folder, single])]
    assert names == ['x/a/z.jpg', 'x/a.tif', 'x/b.PNG', 'w/c.webp']
    assert list_sources([single, folder, folder / 'b.PNG', tmp_path / 'w'])[0] == single
    assert len(list_sources([single, folder, folder / 'b.PNG', tmp_path / 'w'])) == 4


def test_content_decides_which_files_of_a_folder_are_sources(tmp_path, monkeypatch):
    images = make_odd_folder(tmp_path / 'x', np.zeros((64, 64, 3), np.uint8))
    (tmp_path / 'x/closed').mkdir()
    close_folders(monkeypatch, 'closed')
    found = survey_sources([tmp_path / 'x', tmp_path / 'x/notes.txt'])
    assert found.images == [*sorted(images), tmp_path / 'x/notes.txt']
    assert list_sources([tmp_path / 'x']) == sorted(images)
    assert found.closed == {tmp_path / 'x/closed': 'Permission denied'}
    assert Counter(found.others.values()) == NOT_IMAGES


def test_what_there_is_instead_of_sources_is_said(tmp_path):
    (tmp_path / 'paper.pdf').write_bytes(b'%PDF-1.7')
    with pytest.raises(FileNotFoundError, match=r'found none.*\(not images: 1 pdf\)$'):
        list_sources([tmp_path])


def test_sources_that_are_not_there_are_named(tmp_path):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(FileNotFoundError, match=r'a folder or an image at .*gone, found nothing'):
        list_sources([tmp_path, tmp_path / 'gone'])
    with pytest.raises(FileNotFoundError, match=r'images \(.*\.jpg .*found none; give a folder'):
        list_sources([tmp_path])


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(ImageReadError, match=r'gone\.png: cannot be opened .*No such file.*check'):
        read_image(tmp_path / 'gone.png')


@pytest.mark.parametrize(('size', 'large'), [((64, 64), True), ((200, 63), False)])
def test_sources_have_64_pixels_a_side(size, large, tmp_path):
    Image.new('RGB', size, (1, 2, 3)).save(tmp_path / 'a.png')
    if large:
        assert read_source(tmp_path / 'a.png').shape == (*size[::-1], 3)
    else:
        with pytest.raises(ImageReadError, match=r'a\.png: .* 64 px a side, got 200x63; leave'):
            read_source(tmp_path / 'a.png')
    assert (read_image(tmp_path / 'a.png') == (1, 2, 3)).all(), 'of any size'


@pytest.mark.parametrize(('kind', 'expected'), [('JPEG', True), ('PNG', False), (None, False)])
def test_what_is_a_jpeg_says_its_content(kind, expected, tmp_path):
    path = tmp_path / 'a.jpg'
    path.touch()
    if kind is not None:
        Image.new('RGB', (8, 8)).save(path, kind)
    assert is_jpeg(path) is expected


def test_only_what_stays_large_enough_is_shrunk():
    assert can_be_shrunk(np.zeros((300, 256, 3), np.uint8))
    assert not can_be_shrunk(np.zeros((300, 255, 3), np.uint8))


@pytest.mark.parametrize('first', FIRST)
@pytest.mark.parametrize('domain', DOMAINS)
def test_views_are_functions_of_the_generator_and_leave_the_image_alone(domain, first, photo):
    before = photo.copy()
    kind = DOMAINS[domain].view
    one, same = (random_view(photo, kind, generator(3), 200, first) for _ in range(2))
    others = [random_view(photo, kind, generator(seed), 200, first) for seed in range(4, 9)]
    assert np.array_equal(one, same)
    assert any(other.tobytes() != one.tobytes() for other in others)
    for view in (one, *others):
        assert view.flags.c_contiguous, 'as OpenCV wants it'
        assert view.dtype == np.uint8
    assert np.array_equal(photo, before)


def test_small_images_are_enlarged_half_as_much_again_at_most():
    sides = [
        side
        for seed in range(30)
        for side in random_view(ramp(80, 90), PHOTO, generator(seed), 512).shape[:2]
    ]
    assert 100 < max(sides) <= 135


def test_faces_lose_15_percent_of_each_side_at_most():
    shares = [
        rows_of(random_view(ramp(250, 220), DOMAINS['face'].view, generator(seed), 512)) / 250
        for seed in range(40)
    ]
    assert 0.84 < min(shares) < 0.9
    photos = [
        rows_of(random_view(ramp(250, 250), DOMAINS['natural'].view, generator(seed), 512)) / 250
        for seed in range(40)
    ]
    assert min(photos) < 0.8


def test_a_face_with_its_own_history_is_not_cut_where_it_fits():
    image = ramp(200, 220)
    assert np.array_equal(random_view(image, DOMAINS['face'].view, generator(), 256, 'own'), image)


def test_pages_are_cut_out_at_their_own_scale_every_other_time():
    scales = []
    for seed in range(60):
        view = random_view(ramp(256, 256), DOMAINS['document'].view, generator(seed), 160)
        scales.append(len(view) / rows_of(view))
    own = np.isclose(scales, 1, atol=0.001)
    assert 0.3 < own.mean() < 0.7
    assert 0.68 < min(scales) < 0.8


@pytest.mark.parametrize('first', ['made', 'own'])
def test_windows_of_pages_are_chosen_for_their_ink(first):
    page = np.full((640, 640, 3), 240, np.uint8)
    page[40:260, 40:260] = 20
    inked = [
        (random_view(page, DOMAINS['document'].view, generator(seed), 200, first) < 128).mean()
        for seed in range(40)
    ]
    assert np.mean(inked) > 0.35, 'of one window: 0.2'


def test_windows_of_photos_are_chosen_for_their_detail():
    photo = np.full((640, 640, 3), 120, np.uint8)
    photo[40:260, 40:260] = generator().integers(0, 256, (220, 220, 1))
    detailed = [
        random_view(photo, PHOTO, generator(seed), 200, 'own').std() > 20 for seed in range(40)
    ]
    assert np.mean(detailed) > 0.6, 'of one window: 0.35'
