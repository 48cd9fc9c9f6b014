import cv2
import numpy as np

from .drawing import checked, turned
from .matching import Copy, find_copies

COLOURS = (
    (255, 210, 0), (0, 200, 255), (255, 90, 160), (120, 255, 90), (255, 140, 0), (170, 140, 255),
)  # fmt: skip
SHOWN_LINES = 200
"""Of one copy; more would hide it."""


def copy_move_matches(image: np.ndarray, orientation: int = 1) -> np.ndarray:
    """Places that look like copies of others (SIFT, as Amerini et al., TIFS 2011).

    Keypoints of the luma are matched with those of the same image. Where eight or more matches
    agree on one shift, turn and scale, lines join the two places, in one colour for each copy; the
    picture says how many there are, or that there are none, and at which scale a large image was
    searched. Which of two places is the copy is not known.

    It cannot see what is copied without texture (sky, skin, a wall), mirrored, or smaller than some
    30 pixels, nor what came from another image. Windows, tiles, print and things that are really
    there twice are found, too.

    Args:
        image: RGB, ``uint8`` (H, W, 3).
        orientation: EXIF, 1 to 8: the result is turned by it.

    Returns:
        RGB, ``uint8`` (H, W, 3): the image, darkened, with the lines.
    """
    image = checked(image)
    copies, scale = find_copies(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    picture = cv2.convertScaleAbs(image, alpha=0.5)
    thickness = max(1, round(max(image.shape) / 1000))
    for number, copy in enumerate(copies):
        _draw(picture, copy, COLOURS[number % len(COLOURS)], thickness)
    return turned(picture, orientation, _words(copies, scale))


def _words(copies: list[Copy], scale: float) -> str:
    searched = '' if scale == 1 else f' (searched at {100 * scale:.0f} %)'
    if not copies:
        return f'copy-move: none found{searched}'
    matches = sum(len(copy.source) for copy in copies)
    several = '1 pair' if len(copies) == 1 else f'{len(copies)} pairs'
    return f'copy-move: {several} of places, {matches} matches{searched}'


def _draw(
    picture: np.ndarray, copy: Copy, colour: tuple[int, int, int], thickness: int
) -> None:
    ends = [np.stack([each.real, each.imag], axis=1).round().astype(np.int32) for each in copy]
    for points in ends:
        cv2.polylines(picture, [cv2.convexHull(points)], True, colour, thickness + 1, cv2.LINE_AA)
    chosen = np.linspace(0, len(ends[0]) - 1, min(len(ends[0]), SHOWN_LINES)).astype(int)
    for start, end in zip(ends[0][chosen].tolist(), ends[1][chosen].tolist(), strict=True):
        cv2.line(picture, start, end, colour, thickness, cv2.LINE_AA)
        for point in (start, end):
            cv2.circle(picture, point, 2 * thickness, colour, -1, cv2.LINE_AA)
