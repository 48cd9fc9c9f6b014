import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from mmomni.evaluation.functional import score_histogram
from mmomni.visualization import (
    GalleryRow,
    Panel,
    draw_area_plot,
    draw_gallery,
    draw_reliability,
    draw_robustness,
    draw_score_curves,
    heat_levels,
    heat_map,
    outline_regions,
    overlay,
    running_median,
    shrink,
)
from mmomni.visualization.maps import NUMBERED


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


def test_large_rows_shrink():
    large = row(600, 1200)
    small = shrink(large)
    for part in (small.image[..., 0], small.mask, small.heat):
        assert part.shape == (256, 512)
    assert set(np.unique(small.mask)) == {0, 1}
    assert small.mask.mean() == pytest.approx(0.25, abs=0.01)
    assert small.heat.max() == pytest.approx(0.9)
    assert small.caption == large.caption


def test_small_rows_stay():
    small = row(512, 300)
    assert shrink(small) is small


def test_thin_rows_keep_a_pixel():
    assert shrink(row(1, 3000)).image.shape == (1, 512, 3)


# ---- curves ------------------------------------------------------------------------------------


@pytest.fixture
def axes(monkeypatch):
    """The axes of every picture that is saved."""
    saved = []
    save = Figure.savefig

    def recording(figure, path, **options):
        saved.append(figure.axes)
        save(figure, path, **options)

    monkeypatch.setattr(Figure, 'savefig', recording)
    return saved


def saved_as_png(path):
    with Image.open(path) as picture:
        return picture.format == 'PNG' and len(set(picture.convert('L').tobytes())) > 20


def curve(axis, number=0):
    lines = [line for line in axis.lines if len(line.get_xdata()) > 2]
    return lines[number].get_xydata()


def test_curves_go_through_every_threshold(axes, tmp_path):
    scores, labels = torch.rand(500), torch.rand(500) < 0.3
    scores[labels] = scores[labels].sqrt()
    histogram = torch.stack(score_histogram(scores, labels, bins=20))
    path = tmp_path / 'new' / 'pr_roc.png'
    draw_score_curves({'natural': histogram}, path)
    assert saved_as_png(path)
    recall_precision, roc = curve(axes[0][0]), curve(axes[0][1])
    for number, threshold in enumerate(np.arange(19, -1, -1) / 20):
        called = scores >= threshold
        hits, alarms = int((called & labels).sum()), int((called & ~labels).sum())
        expected = hits / labels.sum(), hits / max(1, hits + alarms)
        np.testing.assert_allclose(recall_precision[number], expected, rtol=1e-6)
        expected = alarms / (~labels).sum(), hits / labels.sum()
        np.testing.assert_allclose(roc[number], expected, rtol=1e-6)
        if threshold == 0.5:
            points = [line.get_xydata() for line in axes[0][1].lines]
            marks = [point[0] for point in points if len(point) == 1]
            np.testing.assert_allclose(marks, [expected], rtol=1e-6)


def test_legend_tells_the_areas(axes, tmp_path):
    """One positive above, one below the only negative."""
    histogram = torch.tensor([[1, 0, 1], [0, 1, 0]])
    draw_score_curves({'face': histogram}, tmp_path / 'a.png')
    texts = [axis.get_legend_handles_labels()[1] for axis in axes[0]]
    assert texts == [['face: AP 0.833'], ['face: AUC 0.500']]


@pytest.mark.parametrize('empty', [0, 1])
def test_no_curve_without_positives_or_negatives(empty, axes, tmp_path):
    histogram = torch.ones(2, 10, dtype=torch.int64)
    histogram[empty] = 0
    draw_score_curves({'natural': histogram}, tmp_path / 'a.png')
    labels = [axis.get_legend_handles_labels()[1] for axis in axes[0]]
    assert labels == [[], []] if empty == 0 else [['natural: AP 1.000'], []]


def test_reliability_is_drawn_with_its_error(axes, tmp_path):
    """Half of the pixels are at .025 and authentic, half at .975 and tampered every other time."""
    positives, negatives = (torch.zeros(20, dtype=torch.int64) for _ in range(2))
    positives[0], negatives[0], negatives[-1] = 5, 5, 10
    path = tmp_path / 'reliability.png'
    draw_reliability({'face': torch.stack([positives, negatives])}, path)
    assert saved_as_png(path)
    ((axis,),) = axes
    _, line = axis.lines
    np.testing.assert_allclose(line.get_xydata(), [[0.025, 0], [0.975, 0.5]])
    assert line.get_label() == 'face: expected calibration error 0.250'


# ---- area --------------------------------------------------------------------------------------


def test_running_median_by_hand():
    """Windows of five of the areas in order: 1 2 3 4 5, 2 3 4 5 6."""
    areas = np.array([3, 1, 2, 6, 5, 4]) / 10
    ious = np.array([0.9, 0.1, 0.2, 0.8, 0.3, 0.4])
    x, y = running_median(areas, ious)
    np.testing.assert_allclose(x, [0.3, 0.4])
    np.testing.assert_allclose(y, [0.3, 0.4])


def test_running_median_takes_a_fifth_of_the_images():
    x, _ = running_median(np.linspace(0.01, 1, 100), np.ones(100))
    assert len(x) == 100 - 20 + 1


def test_running_median_of_too_few_images_is_empty():
    x, y = running_median(np.ones(4), np.ones(4))
    assert len(x) == len(y) == 0


def test_area_plot_shows_every_image(axes, tmp_path):
    points = dict(natural=[(0.01 * n, 0.1 * n) for n in range(1, 8)], face=[(0.3, 0.5)])
    draw_area_plot(points, tmp_path / 'new' / 'area.png')
    assert saved_as_png(tmp_path / 'new' / 'area.png')
    ((axis,),) = axes
    shown = [dots.get_offsets().tolist() for dots in axis.collections]
    assert shown == [[list(point) for point in points[name]] for name in points]
    assert [len(line.get_xdata()) for line in axis.lines] == [3, 0]
    assert axis.get_legend_handles_labels()[1] == ['natural (7 images)', 'face (1 images)']


# ---- robustness --------------------------------------------------------------------------------


def test_robustness_has_a_column_for_each_panel(axes, tmp_path):
    values = dict(IoU=[0.1, 0.2], F1=[0.3, float('nan')])
    panels = [
        Panel('JPEG quality', ['50', '60'], dict(a=values, average=values)),
        Panel('scale', ['0.5', '1'], dict(b=values)),
    ]
    draw_robustness(panels, ('IoU', 'F1'), 'protocol per_image', tmp_path / 'new' / 'a.png')
    assert saved_as_png(tmp_path / 'new' / 'a.png')
    (drawn,) = axes
    assert [len(axis.lines) for axis in drawn] == [2, 1, 2, 1]
    assert [axis.get_ylabel() for axis in drawn] == ['IoU', '', 'F1', '']
    assert [axis.get_xlabel() for axis in drawn] == ['', '', 'JPEG quality', 'scale']
    assert [text.get_text() for text in drawn[3].get_xticklabels()] == ['0.5', '1']
    np.testing.assert_array_equal(drawn[2].lines[0].get_ydata(), values['F1'])
    legend = drawn[0].figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ['a', 'b', 'average']


def test_heat_levels_and_colours():
    probability = np.float32([[0, 0.001, 0.25, 0.5], [0.75, 0.999, 1, 1]])
    levels = heat_levels(probability)
    np.testing.assert_array_equal(levels, np.rint(probability * 255))
    colours = heat_map(probability).astype(int)
    inferno = np.rint(255 * mpl.colormaps['inferno'](levels)[..., :3])
    assert np.abs(colours - inferno).max() <= 1


def test_outlines_leave_the_inside_and_the_outside():
    image = np.full((60, 80, 3), 50, np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 0:30] = 1  # at the border
    drawn = outline_regions(image, mask, [])
    assert drawn is image
    line = (drawn == (255, 0, 255)).all(axis=2)
    expected = np.zeros_like(line)
    expected[19:41, 0:31] = True
    expected[21:39, 1:29] = False
    np.testing.assert_array_equal(line, expected)
    assert (drawn[23:37, 3:27] == 50).all()
    assert (drawn[:17] == 50).all()
    assert (drawn[18, 0:31] == 255).all()  # the halo


def test_numbers_stay_inside_the_image():
    image = np.full((60, 80, 3), 50, np.uint8)
    boxes = [(70, 0, 80, 10), (0, 50, 10, 60)]
    drawn = outline_regions(image, np.zeros((60, 80), np.uint8), boxes)
    corners = drawn[:20, 60:], drawn[30:, :20]
    for corner in corners:  # the strokes are thin and smooth: hardly a pixel is pure
        assert ((corner[..., 0] > 200) & (corner[..., 1] < 150)).sum() > 5


def test_only_the_largest_regions_are_numbered():
    boxes = [(0, 0, 1, 1)] * NUMBERED + [(70, 50, 71, 51)]
    drawn = outline_regions(np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8), boxes)
    assert not drawn[30:, 40:].any()
