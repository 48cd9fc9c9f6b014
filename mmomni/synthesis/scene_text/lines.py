"""Lines of writing in a photograph: letters that stand side by side, on something plain."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.synthesis.scene import Box, enclosing

from .letters import Letter, find_letters

# Letters of a line, and how many of them must differ from each other.
LEAST_LETTERS = 4
# Of two neighbours: the blank between them, the step from one to the other and the difference of
# their heights, over the height of the higher one; the ratio of their strokes.
GAP, STEP, RATIO, STROKES = 1.1, 0.45, 0.6, 0.45
# The same of their colours, in grey levels.
COLOURS = 50.0
# Slope of a line, in degrees, and how far letters stand off it, over their height.
SLOPE, OFF = 30.0, 0.15
# How far tops or bottoms of letters, the better ones, stand off a line, over their height.
LEDGE = 0.05
# Deviation of the grey levels of letters over their contrast.
UNEVEN = 0.33
# Deviations of contrast and height from letter to letter over their means, both together: of short
# lines, which chance makes, and of those with this many letters or more.
SPREAD, LONG, LONG_SPREAD = 0.25, 6, 0.42
# Deviation of the ground between the letters from a plane, over the contrast of the letters.
ROUGHNESS = 0.28
# Letters that are alike to this share of their pixels are the same; windows and railings are.
ALIKE, PROBE = 0.8, (16, 12)
# Letters differ in width; a line of bars is none.
BAR = 0.33


class TextLine(NamedTuple):
    """Letters of a line from left to right."""

    letters: tuple[Letter, ...]
    angle: float  # in degrees, clockwise in the picture

    @property
    def dark(self) -> bool:
        return self.letters[0].dark

    @property
    def height(self) -> float:
        return float(np.median([letter.height for letter in self.letters]))

    @property
    def box(self) -> Box:
        return enclosing(*(letter.box for letter in self.letters))


def find_lines(image: np.ndarray) -> list[TextLine]:
    """Lines of at least four letters in a photograph, ``uint8`` (H, W, 3); the higher first."""
    letters = find_letters(image)
    found = []
    for group in _side_by_side(letters):
        line = _line(group)
        if line is not None and _is_written(line) and _on_something_plain(image, line):
            found.append(line)
    return sorted(found, key=lambda line: -line.height)


def _side_by_side(letters: Sequence[Letter]) -> list[list[Letter]]:
    """Groups of letters that are linked by neighbours."""
    ordered = sorted(letters, key=lambda one: one.box[0])
    group = list(range(len(ordered)))

    def root(i: int) -> int:
        while group[i] != i:
            i = group[i]
        return i

    for i, one in enumerate(ordered):
        for j in range(i + 1, len(ordered)):
            if ordered[j].box[0] - one.box[2] > GAP * one.height / RATIO:
                break
            if _are_neighbours(one, ordered[j]):
                group[root(j)] = root(i)
    groups: dict[int, list[Letter]] = {}
    for i, one in enumerate(ordered):
        groups.setdefault(root(i), []).append(one)
    return [members for members in groups.values() if len(members) >= LEAST_LETTERS]


def _are_neighbours(left: Letter, right: Letter) -> bool:
    high, low = max(left.height, right.height), min(left.height, right.height)
    (x1, y1), (x2, y2) = left.centre, right.centre
    strokes = min(left.stroke, right.stroke) / max(left.stroke, right.stroke)
    return bool(
        left.dark == right.dark
        and low >= RATIO * high
        and right.box[0] - left.box[2] <= GAP * high
        and x2 - x1 > 0.15 * high
        and abs(y2 - y1) <= STEP * high
        and strokes >= STROKES
        and np.abs(left.colour - right.colour).max() <= COLOURS
    )


def _line(letters: Sequence[Letter]) -> TextLine | None:
    """The letters that stand on one straight line; ``None``: too few do."""
    kept = sorted(letters, key=lambda one: one.centre[0])
    while len(kept) >= LEAST_LETTERS:
        x, y = np.array([one.centre for one in kept]).T
        slope = float(np.polyfit(x, y, 1)[0])
        off = np.minimum.reduce([np.abs(edge) for edge in _edges(kept, slope)])
        if off.max() <= OFF:
            angle = float(np.degrees(np.arctan(slope)))
            return TextLine(tuple(kept), angle) if abs(angle) <= SLOPE else None
        kept.pop(int(off.argmax()))
    return None


def _edges(letters: Sequence[Letter], slope: float) -> list[np.ndarray]:
    """How far tops, bottoms and middles of letters lie off the median's, over the line's height.

    Of letters with and without ascenders or descenders, one of the three is on a line.
    """
    x = np.array([one.centre[0] for one in letters])
    height = float(np.median([one.height for one in letters]))
    ends = [np.array([one.box[i] for one in letters]) - slope * x for i in (1, 3)]
    ends.append((ends[0] + ends[1]) / 2)
    return [(edge - np.median(edge)) / height for edge in ends]


def _is_written(line: TextLine) -> bool:
    """Whether the letters are in one ink and stand on a line, differ, and are not all bars."""
    uneven = float(np.median([one.uneven / one.contrast for one in line.letters]))
    spread = LONG_SPREAD if len(line.letters) >= LONG else SPREAD
    is_even = uneven <= UNEVEN and _spread(line) <= spread
    return is_even and _ledge(line) <= LEDGE and _is_varied(line)


def _spread(line: TextLine) -> float:
    contrasts, heights = np.array([(one.contrast, one.height) for one in line.letters]).T
    return float(contrasts.std() / contrasts.mean() + heights.std() / heights.mean())


def _ledge(line: TextLine) -> float:
    """Median distance of the letters' tops or bottoms from a line, over their height."""
    tops, bottoms, _ = _edges(line.letters, float(np.tan(np.radians(line.angle))))
    return min(float(np.median(np.abs(edge))) for edge in (tops, bottoms))


def _is_varied(line: TextLine) -> bool:
    """Whether the letters are different ones, and not all of them bars."""
    widths = [(one.box[2] - one.box[0]) / one.height for one in line.letters]
    if np.median(widths) < BAR:
        return False
    size = PROBE[::-1]
    shapes = np.stack([
        cv2.resize(one.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel()
        for one in line.letters
    ])  # fmt: skip
    shared = np.minimum(shapes[:, None], shapes).sum(axis=2)
    either = np.maximum(shapes[:, None], shapes).sum(axis=2)
    others = ~np.eye(len(shapes), dtype=bool)
    return bool((shared / either)[others].mean() < ALIKE)


def _on_something_plain(image: np.ndarray, line: TextLine) -> bool:
    """Whether what is between the letters is nearly a plane of one colour."""
    x1, y1, x2, y2 = line.box
    free = np.ones((y2 - y1, x2 - x1), np.uint8)
    for letter in line.letters:
        bx1, by1, bx2, by2 = letter.box
        free[by1 - y1 : by2 - y1, bx1 - x1 : bx2 - x1][letter.mask] = 0
    y, x = np.nonzero(cv2.erode(free, np.ones((5, 5), np.uint8)))
    if len(y) < 12:
        return False
    grey = np.asarray(image[y1:y2, x1:x2].mean(axis=2)[y, x], np.float64)
    terms = np.stack([np.ones(len(x)), x, y], axis=1).astype(np.float64)
    residual = grey - terms @ np.linalg.lstsq(terms, grey, rcond=None)[0]
    contrast = float(np.median([letter.contrast for letter in line.letters]))
    return bool(residual.std() <= ROUGHNESS * contrast)
