import cv2
import numpy as np
import pytest

from mmomni.synthesis.natural import objects
from mmomni.synthesis.natural.objects import at_full_size, find_object, shrunk, whole
from test_natural.shapes import disc, mask_of, overlap, rectangle

AREA = (0.02, 0.25)
RED, BLUE = (200, 60, 50), (60, 90, 170)


def box(y: int, x: int, height: int, width: int, size=(48, 64)) -> np.ndarray:
    return mask_of(rectangle(y, x, height, width), size)


def two_colours(mask: np.ndarray, inner=RED, outer=BLUE) -> np.ndarray:
    return np.where(mask[..., None], inner, outer).astype(np.uint8)


def test_a_clear_object_is_cut_out():
    image, inside = disc()
    found = [find_object(image, np.random.default_rng(seed), AREA) for seed in range(8)]
    overlaps = [overlap(mask, inside) for mask in found if mask is not None]
    assert len(overlaps) >= 4
    assert np.median(overlaps) > 0.9


def test_an_object_that_hardly_stands_out_is_none():
    _, inside = disc((96, 128), (60, 50), 22)
    # 12 levels of Lab's 255 apart, where 19 are asked for.
    image = two_colours(inside, (132, 120, 120), (120, 120, 120))
    assert not any(find_object(image, np.random.default_rng(seed), AREA) is not None
                   for seed in range(6))  # fmt: skip


def test_objects_are_a_function_of_the_generator_alone():
    image, _ = disc((96, 128), (60, 50), 22)
    masks = []
    for state in (1, 77):
        cv2.setRNGSeed(state)  # GrabCut draws from OpenCV's own generator
        masks.append(find_object(image, np.random.default_rng(3), AREA))
    np.testing.assert_array_equal(*masks)
    assert masks[0].dtype == bool
    assert masks[0].shape == (96, 128)


@pytest.mark.parametrize('size', [(16, 16), (16, 200), (200, 16), (300, 40)])
def test_small_and_narrow_images_have_room_for_a_rectangle(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for seed in range(3):
        mask = find_object(image, np.random.default_rng(seed), AREA)
        assert mask is None or mask.shape == size


@pytest.mark.parametrize(
    ('size', 'side', 'expected'),
    [
        ((100, 200), 50, (25, 50)),
        ((200, 100), 50, (50, 25)),
        ((40, 50), 50, (40, 50)),
        ((30, 20), 50, (30, 20)),
        ((10, 400), 100, (16, 100)),
    ],
    ids=['wide', 'high', 'just so', 'small', 'sliver'],
)
def test_images_are_shrunk_to_a_side_and_never_enlarged(size, side, expected):
    image = np.full((*size, 3), 77, np.uint8)
    small = shrunk(image, side)
    assert small.shape[:2] == expected
    assert (small == 77).all()


def test_what_is_shrunk_is_averaged():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, ::2] = 200
    assert (shrunk(image, 32) == 100).all()


def test_the_largest_region_is_kept_and_its_holes_are_filled():
    mask = box(5, 5, 30, 30) & ~box(15, 15, 9, 9)
    speck = box(2, 50, 1, 1)
    smaller = box(30, 42, 14, 14)
    result = whole(mask | speck | smaller)
    expected = box(5, 5, 30, 30)
    # Smoothing rounds the corners off.
    assert (result ^ expected).sum() <= 4 * 3
    assert result[15:24, 15:24].all()
    assert not result[:, 40:].any()


@pytest.mark.parametrize('mask', [np.zeros((20, 30), bool), np.ones((20, 30), bool)])
def test_nothing_and_everything_stay_what_they_are(mask):
    np.testing.assert_array_equal(whole(mask), mask)


def test_masks_are_drawn_to_the_edges_of_the_image():
    image, inside = disc((160, 200), (100, 80), 40)
    coarse = cv2.resize(inside.astype(np.float32), (25, 20), interpolation=cv2.INTER_AREA) > 0.2
    blocks = cv2.resize(coarse.astype(np.uint8), (200, 160), interpolation=cv2.INTER_NEAREST) > 0
    drawn = at_full_size(coarse, image)
    assert drawn.shape == inside.shape
    assert overlap(blocks, inside) < 0.93
    assert overlap(drawn, inside) > 0.96


def guided(rough: np.ndarray, guide: np.ndarray, radius: int, smoothness: float) -> np.ndarray:
    """He et al., equations 5 to 8, window by window."""
    def windows(array):
        padded = np.pad(array, radius, mode='reflect')
        side = 2 * radius + 1
        return np.lib.stride_tricks.sliding_window_view(padded, (side, side))

    slope, offset = np.zeros(rough.shape), np.zeros(rough.shape)
    p, i = windows(rough.astype(float)), windows(guide.astype(float))
    for at in np.ndindex(rough.shape):
        covariance = (i[at] * p[at]).mean() - i[at].mean() * p[at].mean()
        slope[at] = covariance / (i[at].var() + smoothness)
        offset[at] = p[at].mean() - slope[at] * i[at].mean()
    return windows(slope).mean(axis=(2, 3)) * guide + windows(offset).mean(axis=(2, 3))


@pytest.mark.parametrize(('radius', 'smoothness'), [(1, 1e-3), (3, 0.1)])
def test_the_guided_filter_is_that_of_the_paper(radius, smoothness):
    rng = np.random.default_rng(0)
    rough, guide = rng.random((2, 14, 11)).astype(np.float32)
    found = objects._guided(rough, guide, radius, smoothness)
    np.testing.assert_allclose(found, guided(rough, guide, radius, smoothness), atol=2e-4)


def test_clarity_is_the_distance_of_the_colours_across_the_outline():
    mask = box(14, 18, 20, 28)
    lab = cv2.cvtColor(np.array([[RED, BLUE]], np.uint8), cv2.COLOR_RGB2LAB)[0].astype(float)
    apart = np.linalg.norm(lab[0] - lab[1])
    assert objects._clarity(two_colours(mask), mask) == pytest.approx(apart, rel=0.02)
    beside = np.roll(mask, 12, axis=1)
    assert objects._clarity(two_colours(mask), beside) < 0.1 * apart


@pytest.mark.parametrize(
    ('same', 'clear'), [(10, True), (26, False)], ids=['a sixth', 'two fifths']
)
def test_a_quarter_of_the_outline_may_be_lost(same, clear):
    # Up to the column ``same``, what is around the object has its colour.
    mask = box(14, 10, 20, 44)
    image = two_colours(mask)
    image[:, :same] = RED
    assert (objects._clarity(image, mask) > objects.UNCLEAR) == clear


@pytest.mark.parametrize('mask', [box(20, 20, 8, 8), box(2, 2, 44, 56)], ids=['small', 'large'])
def test_what_fills_little_or_nearly_all_of_its_window_is_no_object(mask):
    assert objects._clarity(two_colours(mask), mask) == 0


@pytest.mark.parametrize(
    ('frame', 'box_', 'middle'),
    [
        ((16, 6, 48, 36), (20, 10, 44, 32), (22, 12, 42, 30)),
        ((0, 0, 14, 16), (0, 0, 12, 14), (1, 1, 11, 13)),
        ((50, 32, 64, 48), (52, 34, 64, 48), (53, 35, 63, 47)),
    ],
    ids=['inside', 'first corner', 'last corner'],
)
def test_contrast_is_the_distance_of_a_boxs_middle_from_a_frame_around_it(frame, box_, middle):
    """Neither the rim of the box nor what is beyond the frame counts; corners as x, y, x, y."""
    image = np.full((48, 64, 3), 255, np.uint8)
    for (x1, y1, x2, y2), colour in ((frame, (10, 20, 30)), (box_, 0), (middle, (40, 60, 30))):
        image[y1:y2, x1:x2] = colour
    assert objects._contrast(cv2.integral(image), box_) == pytest.approx(50)


def test_the_rectangle_that_stands_out_most_is_chosen():
    image, inside = disc((96, 128), (80, 40), 20)
    hits = 0
    for seed in range(20):
        x1, y1, x2, y2 = objects._salient_rectangle(image, np.random.default_rng(seed), AREA)
        assert 2 <= x1 < x2 <= 126
        assert 2 <= y1 < y2 <= 94
        hits += inside[y1:y2, x1:x2].sum() > 0.5 * inside.sum()
    assert hits >= 15
