from itertools import pairwise

import numpy as np
import pytest

from mmomni.apis.tiling import WINDOW as WINDOW_OF_PHOTOS
from mmomni.apis.windows import Side, overlap_of, plan_windows

SIZES = [1, 7, 32, 33, 96, 100, 255, 256, 257, 415, 1000]
WINDOW, OVERLAP = 256, 96


def padded(size):
    return -(-size // 32) * 32


@pytest.mark.parametrize('height', SIZES)
@pytest.mark.parametrize('width', SIZES)
def test_cover_once(height, width):
    """Every pixel's weights add up to 1, whatever the size; windows lie on the grid."""
    total = np.zeros((padded(height), padded(width)))
    windows = plan_windows(height, width, WINDOW, OVERLAP)
    for rows, columns in windows:
        assert not rows.start % 32
        assert not columns.start % 32
        assert not rows.size % 32
        assert not columns.size % 32
        assert rows.size * columns.size <= WINDOW**2
        assert (rows.whole, columns.whole) == total.shape
        weights = np.outer(rows.weights, columns.weights)
        total[rows.start : rows.stop, columns.start : columns.stop] += weights
    np.testing.assert_allclose(total, 1, rtol=1e-12)
    assert sum(window.share for window in windows) == pytest.approx(1)


@pytest.mark.parametrize(
    ('size', 'windows'),
    [((256, 256), 1), ((32, 2048), 1), ((33, 1024), 1), ((65, 1024), 2), ((250, 260), 2)],
    ids=str,
)
def test_whole_if_no_larger_than_a_window(size, windows):
    """Whatever its shape; padded to multiples of 32, 250 x 260 are 256 x 288."""
    assert len(plan_windows(*size, WINDOW, OVERLAP)) == windows


def test_neighbours_overlap_and_are_silent_at_their_edges():
    sides = [columns for _, columns in plan_windows(256, 3000, WINDOW, OVERLAP)]
    for left, right in pairwise(sides):
        assert left.stop - right.start >= OVERLAP
        assert not left.weights[-int(0.4 * OVERLAP) :].any()
        assert not right.weights[: int(0.4 * OVERLAP)].any()


def test_edges_of_the_image_count_fully():
    *_, last = plan_windows(300, 3000, WINDOW, OVERLAP)
    first = plan_windows(300, 3000, WINDOW, OVERLAP)[0]
    for side in first:
        assert side.weights[0] == 1
    for side in last:
        assert side.weights[-1] == 1
        assert side.stop == side.whole


def test_side_of_a_feature_map():
    side = Side(32, 128, np.repeat([0.0, 0.5, 1.0, 1.0], 16)).at_stride(32)
    assert (side.start, side.stop, side.whole) == (1, 3, 4)
    np.testing.assert_allclose(side.weights, [0.25, 1.0])


@pytest.mark.parametrize(('window', 'overlap'), [(250, 96), (256, 100), (256, 256), (256, 0)])
def test_bad_numbers(window, overlap):
    with pytest.raises(ValueError, match='multiples of 32'):
        plan_windows(10, 10, window, overlap)


@pytest.mark.parametrize(
    ('size', 'number', 'shape'),
    [
        ((2012, 4032), 5, (2016, 1216)),  # not eight of 1600 x 1600
        ((1600, 2560), 2, (1600, 1536)),
        ((4000, 6000), 18, (1696, 1440)),
        ((12000, 400), 3, (4352, 416)),
    ],
    ids=str,
)
def test_no_more_pixels_than_needed(size, number, shape):
    windows = plan_windows(*size, WINDOW_OF_PHOTOS)
    assert {(rows.size, columns.size) for rows, columns in windows} == {shape}
    assert len(windows) == number


@pytest.mark.parametrize(
    ('window', 'overlap'), [(64, 32), (96, 32), (256, 128), (1024, 512), (1600, 512)]
)
def test_small_windows_overlap_by_half_and_large_ones_as_far_as_the_network_sees(window, overlap):
    assert overlap_of(window) == overlap
    own, named = (
        [(rows.start, rows.size, columns.start, columns.size) for rows, columns in windows]
        for windows in (
            plan_windows(1500, 2000, window), plan_windows(1500, 2000, window, overlap)
        )
    )  # fmt: skip
    assert own == named
