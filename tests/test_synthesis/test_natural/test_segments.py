import cv2
import numpy as np
import pytest

from mmomni.synthesis.colour import reinhard
from mmomni.synthesis.natural.objects import find_object
from mmomni.synthesis.natural.segments import (
    OBJECT,
    SEGMENT,
    SHAPE,
    grow_segment,
    random_outline,
)
from mmomni.synthesis.regions import poisson
from test_natural.shapes import disc

AREA = (0.02, 0.25)


def test_segments_keep_to_edges_of_colour():
    image, inside = disc()
    for seed in range(12):
        mask = grow_segment(image, np.random.default_rng(seed), AREA)
        if mask is not None:
            assert not 0.1 < (mask & inside).sum() / mask.sum() < 0.85


def test_on_a_flat_image_only_segments_and_shapes_are_found():
    flat = np.full((120, 160, 3), 90, np.uint8)
    rng = np.random.default_rng(0)
    assert find_object(flat, rng, AREA) is None
    kinds = {outline.kind for outline in (random_outline(flat, rng) for _ in range(20)) if outline}
    assert kinds == {SEGMENT, SHAPE}


def test_outlines_touch_no_border_and_have_all_kinds(photo):
    rng = np.random.default_rng(0)
    outlines = [random_outline(photo, rng, AREA) for _ in range(40)]
    height, width = photo.shape[:2]
    for outline in filter(None, outlines):
        placed = outline.contour + outline.at[::-1]
        assert placed.min() >= 0
        assert (placed.max(axis=0) <= (width - 1, height - 1)).all()
        assert np.allclose(outline.contour.min(axis=0), 0)
    assert {outline.kind for outline in outlines if outline} == {OBJECT, SEGMENT, SHAPE}


@pytest.mark.parametrize(('height', 'width'), [(17, 1), (1, 17), (17, 2), (2, 17)])
def test_poisson_leaves_slivers_as_they_are(height, width):
    image, content = np.full((30, 30, 3), 90, np.uint8), np.full((30, 30, 3), 120, np.uint8)
    mask = np.zeros((30, 30), bool)
    mask[5 : 5 + height, 5 : 5 + width] = True
    np.testing.assert_array_equal(poisson(image, content, mask), content)


@pytest.mark.parametrize('box', [(40, 60, 90, 140), (0, 0, 50, 60), (100, 200, 180, 240)])
def test_poisson_blending_keeps_the_place_and_takes_the_surroundings_colour(box):
    y1, x1, y2, x2 = box
    image = np.full((180, 240, 3), (90, 140, 60), np.uint8)
    content = np.full_like(image, (200, 40, 90))
    y, x = (y1 + y2) // 2, (x1 + x2) // 2
    content[y - 4 : y + 4, x - 4 : x + 4] += 40
    mask = np.zeros(image.shape[:2], bool)
    mask[y1:y2, x1:x2] = True
    blended = poisson(image, content, mask)
    assert np.array_equal(blended[~mask], image[~mask])
    peak = cv2.GaussianBlur(blended[..., 0], (0, 0), 2)
    row, column = np.unravel_index(int(peak.argmax()), peak.shape)
    if y1 and y2 < 180:
        assert abs(row - y) <= 3
        assert abs(column - x) <= 3
        ground = blended[y1 + 8, x1 + 8].astype(int)
        assert np.abs(ground - image[0, 0]).max() <= 6


def test_colour_transfer_meets_mean_and_deviation(photo, other_photo):
    everything = np.ones(photo.shape[:2], bool)
    darker = (photo * 0.6).astype(np.uint8)
    matched = reinhard(other_photo, everything, darker, everything)
    half = reinhard(other_photo, everything, darker, everything, 0.5)
    goal, start = darker.mean(), other_photo.mean()
    assert abs(matched.mean() - goal) < 4
    assert abs(half.mean() - (goal + start) / 2) < 6
