from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from PIL import Image

from mmomni.synthesis.faces import boxes
from mmomni.synthesis.faces.boxes import DETECTION_SIDE, LEAST_VOTES, centre_box, find_face


class Cascade:
    """Finds faces where it is told to: (x, y, side) of the grey image that it gets, and votes."""

    def __init__(self, *faces):
        self.faces = faces
        self.asked = []

    def detect_multi_scale(self, grey, **options):
        self.asked.append((grey, options))
        return [
            {'r': y, 'c': x, 'width': side, 'height': side}
            for x, y, side, votes in self.faces
            for _ in range(votes)
        ]


@pytest.fixture
def cascade(monkeypatch):
    def use(*faces):
        found = Cascade(*faces)
        monkeypatch.setattr(boxes, '_cascade', lambda: found)
        return found

    return use


IMAGE = np.full((80, 120, 3), 90, np.uint8)
# What a detector sees of it: with a quarter of the shorter side around.
PAD = 20


def test_boxes_are_those_of_the_image_without_the_room_around_it(cascade):
    cascade((PAD + 30, PAD + 10, 50, 9))
    assert find_face(IMAGE) == (30, 10, 80, 60)


def test_faces_that_fill_the_image_are_partly_outside(cascade):
    cascade((5, 5, 110, 9))
    assert find_face(IMAGE) == (-15, -15, 95, 95)


@pytest.mark.parametrize(
    ('faces', 'expected'),
    [
        ([(30, 40, 30, 9), (70, 40, 40, 8)], (50, 20, 90, 60)),
        ([(30, 40, 30, 30), (70, 40, 40, 8)], (10, 20, 40, 50)),
        ([(40, 40, 30, LEAST_VOTES)], (20, 20, 50, 50)),
        ([(40, 40, 30, LEAST_VOTES - 1)], None),
        ([(38, 40, 30, 4), (42, 40, 30, 4)], (20, 20, 50, 50)),
        ([(30, 40, 30, 4), (60, 40, 30, 4)], None),
        ([], None),
    ],
    ids=['the larger', 'the surer', 'the only', 'unsure', 'overlapping', 'apart', 'none'],
)
def test_of_some_faces_the_most_prominent_is_found(faces, expected, cascade):
    cascade(*faces)
    assert find_face(IMAGE) == expected


@pytest.mark.parametrize(
    ('x', 'y'), [(-22, 30), (99, 30), (40, -22), (40, 59)], ids=['left', 'right', 'above', 'below']
)
def test_faces_whose_middle_is_outside_of_the_image_are_none(x, y, cascade):
    # Of a side of 42, the middle is one pixel beyond the border.
    cascade((PAD + x, PAD + y, 42, 50))
    assert find_face(IMAGE) is None
    inwards = [1 if v < 0 else -1 if (v, limit) in ((99, 'x'), (59, 'y')) else 0
               for v, limit in ((x, 'x'), (y, 'y'))]  # fmt: skip
    cascade((PAD + x + inwards[0], PAD + y + inwards[1], 42, 50))
    assert find_face(IMAGE) is not None


def test_large_images_are_shrunk_and_their_boxes_are_not(cascade):
    seen = cascade((100, 60, 80, 9))
    image = np.full((640, 960, 3), 90, np.uint8)
    x1, y1, x2, y2 = find_face(image)
    grey = seen.asked[0][0]
    assert grey.ndim == 2
    assert max(grey.shape) == DETECTION_SIDE
    scale = (960 + 2 * 160) / DETECTION_SIDE
    assert (x1, y1) == (100 * scale - 160, 60 * scale - 160)
    assert x2 - x1 == y2 - y1 == 80 * scale


def test_small_images_are_looked_at_as_they_are_with_their_border_repeated(cascade):
    seen = cascade()
    image = IMAGE.copy()
    image[:, :2] = 200
    find_face(image)
    grey, options = seen.asked[0]
    assert grey.shape == (80 + 2 * PAD, 120 + 2 * PAD)
    np.testing.assert_array_equal(grey[PAD:-PAD, PAD:-PAD], cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    assert (grey[:, :PAD] == 200).all()
    # No smaller than the detector's own 24 pixels, nor than an eighth of what it looks at.
    assert options['min_size'] == (24, 24)


def test_faces_behind_are_not_looked_for_in_large_images(cascade):
    seen = cascade()
    find_face(np.full((300, 300, 3), 90, np.uint8))
    assert seen.asked[0][1]['min_size'] == (DETECTION_SIDE // 8, DETECTION_SIDE // 8)


@pytest.mark.parametrize('size', [(1, 1), (3, 2), (16, 16), (2, 4000), (4000, 2)])
def test_images_without_room_for_a_face_have_none(size):
    assert find_face(np.full((*size, 3), 90, np.uint8)) is None


def test_the_order_of_the_detections_does_not_matter(cascade):
    """Builds of scikit-image with OpenMP look at several scales at the same time."""
    faces = [(40, 40, 30, 4), (41, 40, 30, 3), (70, 40, 33, 4), (71, 40, 33, 3), (60, 30, 30, 2)]
    cascade(*faces)
    first = find_face(IMAGE)
    cascade(*reversed(faces))
    assert first is not None
    assert find_face(IMAGE) == first


@pytest.fixture(scope='module')
def portrait():
    """Of an astronaut, as scikit-image ships it; her face is at (220, 110), 100 pixels high."""
    return np.array(Image.open(Path(skimage.__file__).parent / 'data' / 'astronaut.png'))


@pytest.mark.parametrize('scale', [1.0, 0.5, 2.5])
def test_a_real_face_is_found(portrait, scale):
    image = cv2.resize(portrait[:400, 60:460], None, fx=scale, fy=scale)
    x1, y1, x2, y2 = (v / scale for v in find_face(image))
    # Between the top of the brow and the chin, around eyes and mouth.
    assert x1 < 140
    assert x2 > 190
    assert y1 < 100
    assert y2 > 150
    assert 90 < x2 - x1 < 150


def test_a_face_that_fills_the_image_is_found(portrait):
    x1, y1, x2, y2 = find_face(np.ascontiguousarray(portrait[60:180, 160:280]))
    assert x1 < 40
    assert x2 > 90
    assert y1 < 50
    assert y2 > 90


@pytest.mark.parametrize(
    ('height', 'width', 'expected'),
    [
        (100, 100, (15, 10, 85, 80)),
        (100, 200, (65, 10, 135, 80)),
        (200, 100, (15, 55, 85, 125)),
        (64, 65, (10, 6, 54, 50)),
    ],
    ids=['square', 'wide', 'high', 'odd'],
)
def test_portraits_have_their_face_a_little_above_the_middle(height, width, expected):
    assert centre_box(np.zeros((height, width, 3), np.uint8)) == expected
