import cv2
import numpy as np
import pytest

from mmomni.synthesis.faces import boxes
from mmomni.synthesis.faces.boxes import DETECTION_SIDE, LEAST_VOTES, centre_box, find_face


class Cascade:
    """Finds faces where it is told to: (x, y, side) of the grey image that it gets, and votes."""

    def __init__(self, *faces):
        self.faces = faces
        self.asked = []

    def detectMultiScale2(self, grey, step, votes, minSize):
        self.asked.append((grey, step, votes, minSize))
        squares = [(x, y, side, side) for x, y, side, _ in self.faces]
        return np.array(squares, np.int32).reshape(-1, 4), [face[3] for face in self.faces]


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
        ([(40, 40, 30, 9), (30, 40, 40, 8)], (10, 20, 50, 60)),
        ([(40, 40, 30, 30), (60, 40, 40, 8)], (20, 20, 50, 50)),
        ([(40, 40, 30, 8)], (20, 20, 50, 50)),
        ([], None),
    ],
    ids=['the larger', 'the surer', 'the only', 'none'],
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
    grey, _, votes, least = seen.asked[0]
    assert grey.shape == (80 + 2 * PAD, 120 + 2 * PAD)
    np.testing.assert_array_equal(grey[PAD:-PAD, PAD:-PAD], cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    assert (grey[:, :PAD] == 200).all()
    assert votes == LEAST_VOTES
    # No smaller than the detector's own 24 pixels, nor than an eighth of what it looks at.
    assert least == (24, 24)


def test_faces_behind_are_not_looked_for_in_large_images(cascade):
    seen = cascade()
    find_face(np.full((300, 300, 3), 90, np.uint8))
    assert seen.asked[0][3] == (DETECTION_SIDE // 8, DETECTION_SIDE // 8)


@pytest.fixture
def fresh_cascade():
    """The detector is loaded anew, here and by who comes after."""
    boxes._cascade.cache_clear()
    yield
    boxes._cascade.cache_clear()


def test_the_detector_is_loaded_once(fresh_cascade):
    detector = boxes._cascade()
    assert detector is None or not detector.empty()
    assert boxes._cascade() is detector


def test_an_opencv_without_its_files_finds_no_face(fresh_cascade, monkeypatch):
    monkeypatch.delattr(boxes.cv2, 'data')
    assert boxes._cascade() is None
    assert find_face(IMAGE) is None


def test_a_broken_cascade_file_is_none(fresh_cascade, monkeypatch, tmp_path):
    class Data:
        haarcascades = str(tmp_path)

    class Empty:
        def __init__(self, path):
            assert path == str(tmp_path / boxes.CASCADE)

        def empty(self):
            return True

    (tmp_path / boxes.CASCADE).write_text('')
    monkeypatch.setattr(boxes.cv2, 'data', Data)
    monkeypatch.setattr(boxes.cv2, 'CascadeClassifier', Empty)
    assert boxes._cascade() is None


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
