"""Signs: plain surfaces with lines of writing, cut out upright and dark on light, and put back."""

from collections.abc import Sequence
from itertools import pairwise, product

import cv2
import numpy as np

from mmomni.synthesis.documents.words import padded
from mmomni.synthesis.geometry import size_of
from mmomni.synthesis.scene import Box, Sign, Word, enclosing, within

from .letters import Letter
from .lines import TextLine, find_lines

# Slope below which a line counts as level, in degrees, and lines as parallel.
LEVEL, PARALLEL = 1.5, 4.0
# Longest side at which a source is looked at, in pixels.
SOUGHT_SIDE = 640
# Blank around the writing that is cut out with it, over the height of its lines.
ROOM = 1.0
# Lines of one sign: ratio of their heights, and the blank between them over the higher one's.
HEIGHTS, LEADING = 0.4, 1.6
# A blank between words is wider than this share of the line's height and so many usual blanks.
BLANK, USUAL_BLANKS = 0.28, 2.0


def has_signs(image: np.ndarray) -> bool:
    """Whether there is writing in a photograph, ``uint8`` (H, W, 3), shrunk to be looked at."""
    scale = min(1.0, SOUGHT_SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return bool(find_signs(small))


def find_signs(image: np.ndarray) -> list[Sign]:
    """The signs of a photograph, ``uint8`` (H, W, 3), those with the highest letters first."""
    signs: list[list[TextLine]] = []
    for line in find_lines(image):
        beside = next((sign for sign in signs if _belong_together(sign[-1], line)), None)
        signs.append([line]) if beside is None else beside.append(line)
    made = [_sign(lines, size_of(image)) for lines in signs]
    return [sign for sign in made if sign.words]


def _belong_together(one: TextLine, other: TextLine) -> bool:
    """Whether two lines, the second not higher than the first, are written on one sign."""
    (x1, y1, x2, y2), (a1, b1, a2, b2) = one.box, other.box
    return bool(
        one.dark == other.dark
        and abs(one.angle - other.angle) <= PARALLEL
        and other.height >= HEIGHTS * one.height
        and max(b1 - y2, y1 - b2) <= LEADING * one.height
        and min(x2, a2) - max(x1, a1) > 0
    )


def _sign(lines: Sequence[TextLine], size: tuple[int, int]) -> Sign:
    """The upright sign of some lines in an image of (H, W)."""
    longest = max(lines, key=lambda line: line.box[2] - line.box[0])
    x1, y1, x2, y2 = enclosing(*(line.box for line in lines))
    room = round(ROOM * longest.height)
    if abs(longest.angle) < LEVEL:
        left, top, right, bottom = padded((x1, y1, x2, y2), room, size)
        warp = np.array([[1.0, 0, -left], [0, 1.0, -top]])
        upright = (bottom - top, right - left)
    else:
        middle = ((x1 + x2) / 2, (y1 + y2) / 2)
        turn = np.array(cv2.getRotationMatrix2D(middle, longest.angle, 1.0), np.float64)
        letters = [letter for line in lines for letter in line.letters]
        points = np.concatenate([_corners(letter, turn) for letter in letters])
        corner = np.floor(points.min(axis=0)) - room
        turn[:, 2] -= corner
        width, height = (np.ceil(points.max(axis=0)) + room - corner).astype(int)
        warp, upright = turn, (int(height), int(width))
    words = [word for line in lines for word in _words(line, warp)]
    shown = [word for word in words if within(word.box, upright, 3)]
    return Sign(warp, upright, tuple(shown), longest.dark)


def _words(line: TextLine, warp: np.ndarray) -> list[Word]:
    """The words of a line, in the coordinates that ``warp`` leads to."""
    boxes = sorted(_turned(letter, warp) for letter in line.letters)
    gaps = [right[0] - left[2] for left, right in pairwise(boxes)]
    least = max(BLANK * line.height, USUAL_BLANKS * float(np.median(gaps)))
    words: list[list[Box]] = [[boxes[0]]]
    for gap, box in zip(gaps, boxes[1:], strict=True):
        words.append([box]) if gap > least else words[-1].append(box)
    return [Word(enclosing(*word)) for word in words]


def _turned(letter: Letter, warp: np.ndarray) -> Box:
    """The box of a letter's pixels after a warp."""
    points = _corners(letter, warp)
    (x1, y1), (x2, y2) = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    return int(x1), int(y1), int(x2), int(y2)


def _corners(letter: Letter, warp: np.ndarray) -> np.ndarray:
    """The corners of a letter's outermost pixels after a warp, (N, 2)."""
    y, x = np.nonzero(letter.mask)
    points = np.stack([x + letter.box[0], y + letter.box[1]], axis=1)
    hull = cv2.convexHull(points.astype(np.int32))[:, 0]
    # A pixel reaches from its place to the next one.
    corners = np.concatenate([hull + np.array(pixel) for pixel in product((0, 1), repeat=2)])
    return corners @ warp[:, :2].T + warp[:, 2]
