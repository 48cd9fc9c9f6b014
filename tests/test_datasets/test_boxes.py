import numpy as np
import pytest

from mmomni.datasets.transforms import MaskToBoxes


def boxes_of(rows, min_size=1):
    """Boxes of a mask drawn with characters: ``#`` tampered, ``.`` authentic, ``i`` ignored."""
    values = {'#': 1, '.': 0, 'i': 255}
    mask = np.array([[values[c] for c in row] for row in rows], dtype=np.uint8)
    results = MaskToBoxes(min_size)(dict(gt_seg_map=mask.copy()))
    np.testing.assert_array_equal(results['gt_seg_map'], mask)
    assert results['gt_bboxes'].dtype == np.float32
    assert results['gt_bboxes'].shape[1:] == (4,)
    return sorted(results['gt_bboxes'].tolist())


def test_one_region():
    assert boxes_of(['.....', '.##..', '.###.']) == [[1, 1, 4, 3]]


def test_two_regions():
    assert boxes_of(['##..', '##..', '...#']) == [[0, 0, 2, 2], [3, 2, 4, 3]]


def test_diagonal_neighbours_are_one_region():
    assert boxes_of(['#...', '.#..', '..#.']) == [[0, 0, 3, 3]]


def test_hole_and_the_region_in_it():
    assert boxes_of(['#####', '#...#', '#.#.#', '#...#', '#####']) == [
        [0, 0, 5, 5],
        [2, 2, 3, 3],
    ]


def test_ignored_pixels_are_not_tampered():
    assert boxes_of(['ii##', 'ii##', 'iiii']) == [[2, 0, 4, 2]]


def test_ignored_pixels_join_nothing():
    assert boxes_of(['#i#']) == [[0, 0, 1, 1], [2, 0, 3, 1]]


@pytest.mark.parametrize('rows', [['....', '....'], ['iiii'], ['.']], ids=['zero', '255', 'pixel'])
def test_no_region_no_box(rows):
    assert boxes_of(rows) == []


def test_mask_flipped_by_a_view():
    mask = np.zeros((6, 9), np.uint8)
    mask[1:3, 0:4] = 1
    for axis, box in ((1, [5, 1, 9, 3]), (0, [0, 3, 4, 5])):
        results = MaskToBoxes(1)(dict(gt_seg_map=np.flip(mask, axis)))
        assert results['gt_bboxes'].tolist() == [box]


def test_whole_image():
    assert boxes_of(['###', '###']) == [[0, 0, 3, 2]]


@pytest.mark.parametrize(('side', 'kept'), [(3, 0), (4, 1)])
def test_regions_under_four_pixels_have_no_box(side, kept):
    mask = np.zeros((12, 12), dtype=np.uint8)
    mask[2 : 2 + side, 1:11] = 1
    results = MaskToBoxes()(dict(gt_seg_map=mask))
    assert len(results['gt_bboxes']) == kept
    assert results['gt_seg_map'].sum() == side * 10
