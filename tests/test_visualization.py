import numpy as np
import pytest
from PIL import Image

from mmomni.visualization import GalleryRow, draw_gallery, overlay


def row(height=40, width=60, label='natural\na.jpg', caption='IoU 0.50  gate: vision'):
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[: height // 2, : width // 2] = 1
    return GalleryRow(
        image=np.full((height, width, 3), 90, dtype=np.uint8),
        mask=mask,
        heat=mask * 0.9,
        label=label,
        caption=caption,
    )


def grey(height=30, width=40):
    return np.full((height, width, 3), 100, dtype=np.uint8)


def test_overlay_tints_and_outlines_what_is_above_the_threshold():
    heat = np.zeros((30, 40))
    heat[10:20, 10:30] = 0.6
    marked = overlay(grey(), heat)
    assert marked.dtype == np.uint8
    assert marked[15, 20].tolist() == [50 + 127, 50, 50]
    assert marked[10, 10].tolist() == [255, 255, 0]
    outside = heat == 0
    np.testing.assert_array_equal(marked[outside], grey()[outside])


def test_overlay_marks_nothing_at_the_threshold():
    np.testing.assert_array_equal(overlay(grey(), np.full((30, 40), 0.5)), grey())


def test_overlay_threshold():
    heat = np.full((30, 40), 0.5)
    assert (overlay(grey(), heat, threshold=0.4) != grey()).any(axis=2).all()


def test_overlay_keeps_its_input():
    image = grey()
    overlay(image, np.ones((30, 40)))
    np.testing.assert_array_equal(image, grey())


def test_overlay_does_not_overflow_on_white():
    white = np.full((30, 40, 3), 255, dtype=np.uint8)
    assert overlay(white, np.ones((30, 40)))[15, 20].tolist() == [254, 127, 127]


def test_overlay_of_one_pixel():
    assert overlay(grey(1, 1), np.ones((1, 1))).shape == (1, 1, 3)


@pytest.mark.parametrize('rows', [1, 3])
def test_gallery_is_a_png_that_grows_with_its_rows(rows, tmp_path):
    path = tmp_path / 'new' / 'gallery.png'
    draw_gallery([row() for _ in range(rows)], path)
    with Image.open(path) as picture:
        assert picture.format == 'PNG'
        assert picture.width == 11 * 80
        assert picture.height == pytest.approx(2.6 * 80 * rows, abs=2)
        assert len(set(picture.convert('L').tobytes())) > 20


def test_gallery_shows_the_heat_map(tmp_path):
    pictures = []
    for heat in (np.zeros((40, 60)), np.ones((40, 60))):
        path = tmp_path / 'gallery.png'
        draw_gallery([row()._replace(heat=heat)], path)
        pictures.append(np.array(Image.open(path).convert('RGB')).astype(int))
    changed = np.abs(pictures[0] - pictures[1]).max(axis=(0, 2)) > 30
    third, fourth = changed[440:660], changed[660:]
    assert third.mean() > 0.4
    assert fourth.mean() > 0.4
    assert not changed[:430].any()


@pytest.mark.parametrize('size', [(1, 1), (10, 300), (300, 10)])
def test_gallery_of_odd_shapes(size, tmp_path):
    draw_gallery([row(*size)], tmp_path / 'gallery.png')
    assert (tmp_path / 'gallery.png').stat().st_size > 1000


def test_gallery_takes_any_file_name(tmp_path):
    """Dollar signs are no formula."""
    draw_gallery([row(label='natural\n$\\frac_$.jpg')], tmp_path / 'gallery.png')
    assert (tmp_path / 'gallery.png').is_file()
