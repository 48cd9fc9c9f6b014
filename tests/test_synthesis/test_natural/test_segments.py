import cv2
import numpy as np
import pytest

from mmomni.synthesis.colour import reinhard
from mmomni.synthesis.natural import segments
from mmomni.synthesis.natural.objects import find_object
from mmomni.synthesis.natural.segments import (
    OBJECT,
    SEGMENT,
    SHAPE,
    grow_segment,
    random_outline,
)
from mmomni.utils.regions import filled, poisson
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


MASK = np.zeros((40, 60), bool)
MASK[5:25, 8:38] = True  # a quarter of the area


def shifted(dy: int, dx: int) -> np.ndarray:
    return np.roll(MASK, (dy, dx), axis=(0, 1))


def test_outlines_of_masks_begin_at_the_origin():
    outline = segments._outline_of(MASK, SEGMENT, (0.1, 0.3))
    assert outline.at == (5, 8)
    assert outline.kind == SEGMENT
    assert outline.contour.min(axis=0).tolist() == [0, 0]
    assert outline.contour.max(axis=0).tolist() == [29, 19]
    np.testing.assert_array_equal(filled(outline.contour + np.array([8, 5]), MASK.shape), MASK)


@pytest.mark.parametrize(
    ('dy', 'dx', 'free'),
    [
        (-4, 0, True), (-5, 0, False), (0, -7, True), (0, -8, False),
        (14, 0, True), (15, 0, False), (0, 21, True), (0, 22, False),
    ],
    ids=['top', 'at the top', 'left', 'at the left', 'bottom', 'at the bottom', 'right',
         'at the right'],
)  # fmt: skip
def test_outlines_that_touch_a_border_are_none(dy, dx, free):
    outline = segments._outline_of(shifted(dy, dx), OBJECT, (0.1, 0.3))
    assert (outline is not None) == free


@pytest.mark.parametrize(
    ('area', 'taken'),
    [((0.41, 0.8), True), ((0.42, 0.8), False), ((0.01, 0.18), True), ((0.01, 0.17), False)],
    ids=['small', 'too small', 'large', 'too large'],
)
def test_found_things_may_be_a_little_smaller_or_larger_than_asked_for(area, taken):
    assert (segments._outline_of(MASK, OBJECT, area) is not None) == taken


@pytest.fixture
def searches(monkeypatch):
    """Searches for objects and segments that find nothing; returns which were made."""
    made = []
    monkeypatch.setattr(segments, 'find_object', lambda *_: made.append(OBJECT))
    monkeypatch.setattr(segments, 'grow_segment', lambda *_: made.append(SEGMENT))
    return made


@pytest.mark.parametrize(
    ('shares', 'made', 'kind'),
    [
        ({OBJECT: 1.0, SEGMENT: 0.0, SHAPE: 0.0}, [OBJECT, SEGMENT], SHAPE),
        ({OBJECT: 0.0, SEGMENT: 1.0, SHAPE: 0.0}, [SEGMENT], SHAPE),
        ({OBJECT: 0.0, SEGMENT: 0.0, SHAPE: 1.0}, [], SHAPE),
        ({SEGMENT: 1.0, OBJECT: 0.0}, [SEGMENT, OBJECT], None),
        ({OBJECT: 1.0}, [OBJECT], None),
    ],
    ids=['object', 'segment', 'shape', 'another order', 'nothing else'],
)
def test_what_is_not_found_gives_way_to_the_next_kind(shares, made, kind, searches):
    flat = np.full((60, 80, 3), 90, np.uint8)
    found = [random_outline(flat, np.random.default_rng(seed), AREA, shares) for seed in range(8)]
    assert searches == 8 * made
    kinds = {outline.kind for outline in found if outline is not None}
    assert kinds == ({kind} if kind else set())


def test_a_found_mask_that_touches_the_border_gives_way_too(monkeypatch):
    monkeypatch.setattr(segments, 'find_object', lambda *_: shifted(-5, 0))
    monkeypatch.setattr(segments, 'grow_segment', lambda *_: MASK)
    image, shares = np.zeros((40, 60, 3), np.uint8), {OBJECT: 1.0, SEGMENT: 0.0}
    outline = random_outline(image, np.random.default_rng(0), (0.1, 0.3), shares)
    assert outline.kind == SEGMENT
    assert outline.at == (5, 8)


def test_neighbours_share_a_side():
    labels = np.array([[0, 0, 1], [2, 3, 1]])
    expected = {(0, 0), (1, 1), (0, 1), (0, 2), (0, 3), (1, 3), (2, 3)}
    matrix = segments._adjacency(labels, 5)
    assert {(i, j) for i, j in np.argwhere(matrix).tolist() if i <= j} == expected
    np.testing.assert_array_equal(matrix, matrix.T)


@pytest.mark.parametrize('size', [(54, 72), (8, 100)])
def test_superpixels_cover_the_image_and_keep_to_its_edges(size):
    image = np.zeros((*size, 3), np.uint8)
    image[:, size[1] // 2 :] = 230
    labels, count = segments._superpixels(image, np.random.default_rng(0))
    assert labels.shape == size
    assert labels.min() == 0
    assert labels.max() < count == max(size[0] // 9, 1) * max(size[1] // 9, 1)
    assert len(np.unique(labels)) > 0.9 * count
    sides = [np.bincount(labels[half], minlength=count)
             for half in (image[..., 0] == 0, image[..., 0] > 0)]  # fmt: skip
    assert np.minimum(*sides).sum() <= 0.06 * labels.size, 'none lies on both'


def test_segments_grow_to_an_area_within_the_range_and_stay_off_the_border():
    flat = np.full((96, 128, 3), 90, np.uint8)
    shares = []
    for seed in range(12):
        mask = grow_segment(flat, np.random.default_rng(seed), (0.05, 0.15))
        shares.append(mask.mean())
        assert mask[1:-1, 1:-1].sum() == mask.sum()
    assert 0.03 < min(shares) < 0.08
    # The last superpixel may go beyond.
    assert 0.1 < max(shares) < 0.15 + 2 * 81 / (96 * 128)


def test_where_no_colours_are_alike_nothing_grows():
    cells = np.random.default_rng(0).integers(0, 2, (12, 16, 3)) * 255
    image = cells.repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)
    for seed in range(6):
        assert grow_segment(image, np.random.default_rng(seed), (0.2, 0.4)) is None


def test_an_image_of_border_alone_has_no_segment_and_a_sky():
    tiny = np.full((16, 16, 3), 90, np.uint8)
    assert grow_segment(tiny, np.random.default_rng(0), AREA) is None
    assert grow_segment(tiny, np.random.default_rng(0), (0.1, 1.0), 'top').all()


@pytest.mark.parametrize(('border', 'row'), [('top', 0), ('bottom', -1)])
def test_a_sky_or_ground_grows_from_its_border_to_the_next_thing(border, row):
    image = np.full((96, 128, 3), (90, 140, 220), np.uint8)
    image[40:56] = (20, 20, 20)
    for seed in range(4):
        mask = grow_segment(image, np.random.default_rng(seed), (0.1, 0.9), border)
        assert mask[row].all()
        assert not mask[44:52].any()
        assert mask[:38].all() == (border == 'top')
        assert mask[58:].all() == (border == 'bottom')
