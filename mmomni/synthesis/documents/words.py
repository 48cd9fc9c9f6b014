"""Words on a page: where they are, what they are printed with, and printing new ones."""

from typing import NamedTuple

import cv2
import numpy as np

from mmomni.synthesis.scene import Box, Word, within

# Heights of letters that can be read and retouched, in pixels.
LETTER_HEIGHT = (7, 64)


class Print(NamedTuple):
    """How a word is printed."""

    paper: np.ndarray  # (4, 3): per colour, weights of (1, x, y) in pixels of the image, and noise
    ink: np.ndarray  # (3,), RGB, 0 to 255

    def blank(self, box: Box, rng: np.random.Generator) -> np.ndarray:
        """Fresh paper for a box: ``uint8`` (y2 - y1, x2 - x1, 3)."""
        x1, y1, x2, y2 = box
        y, x = np.mgrid[y1:y2, x1:x2]
        plane = np.stack([np.ones_like(x), x, y], axis=-1) @ self.paper[:3]
        noise = rng.standard_normal((y2 - y1, x2 - x1, 1)) * self.paper[3]
        return np.round(plane + noise).clip(0, 255).astype(np.uint8)

    def level(self, box: Box) -> np.ndarray:
        """Mean colour of the paper in a box, (3,)."""
        x1, y1, x2, y2 = box
        return np.array([1, (x1 + x2 - 1) / 2, (y1 + y2 - 1) / 2]) @ self.paper[:3]


def find_words(image: np.ndarray) -> list[Word]:
    """Find words of a scanned page by morphology: letters, joined along the line.

    The page is ``uint8`` (H, W, 3), text darker than its paper; the words have tight boxes, none
    of which touches the border.
    """
    ink = ink_map(image)
    height = _letter_height(ink)
    if height is None:
        return []
    ink = _without_rules(ink, round(3 * height))
    reach = max(3, round(height * 0.45)) | 1
    joined = cv2.dilate(ink, np.ones((1, reach), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((3, 1), np.uint8))
    stats = cv2.connectedComponentsWithStats(joined, connectivity=8)[2][1:]
    parts = [(ink[y : y + h, x : x + w], x, y) for x, y, w, h, _ in stats.tolist()]
    boxes = [_tight(part, x, y) for part, x, y in parts if _looks_like_word(part, height)]
    return [Word(box) for box in boxes if within(box, ink.shape, 2)]


def ink_map(image: np.ndarray) -> np.ndarray:
    """1 where a pixel is clearly darker than its surroundings, else 0: ``uint8`` (H, W)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.adaptiveThreshold(
        grey, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, blockSize=35, C=18
    )


def _without_rules(ink: np.ndarray, length: int) -> np.ndarray:
    """Ink without straight runs of ``length`` pixels, the lines of tables and forms."""
    rules = np.zeros_like(ink)
    for shape in ((1, length), (length, 1)):
        rules |= cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(shape, np.uint8))
    return np.where(cv2.dilate(rules, np.ones((3, 3), np.uint8)) > 0, 0, ink).astype(np.uint8)


def _letter_height(ink: np.ndarray) -> float | None:
    """Median height of the connected regions that may be letters, in pixels."""
    stats = cv2.connectedComponentsWithStats(ink, connectivity=8)[2][1:]
    width, height = stats[:, 2], stats[:, 3]
    low, high = LETTER_HEIGHT
    letters = (height >= low) & (height <= high) & (width >= 2) & (width <= 3 * height)
    return float(np.median(stats[letters, 3].astype(np.float64))) if letters.sum() >= 5 else None


def _looks_like_word(ink: np.ndarray, letter_height: float) -> bool:
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        return False
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    filled = ink.sum() / (height * width)
    return bool(
        0.6 * letter_height <= height <= 2.2 * letter_height
        and 0.9 * height <= width <= 16 * height
        and 0.08 <= filled <= 0.75
    )


def _tight(ink: np.ndarray, x: int, y: int) -> Box:
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return int(x + columns[0]), int(y + rows[0]), int(x + columns[-1] + 1), int(y + rows[-1] + 1)


def padded(box: Box, pad: int, size: tuple[int, ...]) -> Box:
    """``box`` grown by ``pad`` pixels on each side, inside an image of (H, W, ...)."""
    x1, y1, x2, y2 = box
    return max(x1 - pad, 0), max(y1 - pad, 0), min(x2 + pad, size[1]), min(y2 + pad, size[0])


def cut(image: np.ndarray, box: Box) -> np.ndarray:
    """The pixels of a box, as a view."""
    return image[box[1] : box[3], box[0] : box[2]]


def measure(image: np.ndarray, box: Box) -> Print:
    """Paper (a plane plus noise) and ink of a word in its tight box on ``uint8`` (H, W, 3)."""
    box = padded(box, 5, image.shape)
    patch = cut(image, box).astype(np.float64)
    grey = patch.mean(axis=2)
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    # Within the rules of a table, the frame is ink.
    level = max(float(np.median(frame)), float(np.quantile(grey, 0.6)))
    contrast = np.abs(grey - level)
    paper = contrast <= max(0.2 * contrast.max(), 4)
    # JPEG rings around ink, which would pass for noise of the paper.
    clear = cv2.erode(paper.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    paper = clear if clear.sum() >= 12 else paper
    ink = patch[contrast >= 0.75 * contrast.max()]
    y, x = np.nonzero(paper)
    terms = np.stack([np.ones_like(x), x + box[0], y + box[1]], axis=1).astype(np.float64)
    plane = np.linalg.lstsq(terms, patch[paper], rcond=None)[0]
    residual = (patch[paper] - terms @ plane).mean(axis=1)
    noise = min(float(1.4826 * np.median(np.abs(residual))), 8.0)
    return Print(np.vstack([plane, np.full(3, noise)]), np.median(ink, axis=0))


def print_glyphs(
    image: np.ndarray,
    at: tuple[int, int],
    coverage: np.ndarray,
    style: Print,
    blur: float,
    rng: np.random.Generator,
) -> None:
    """Print letters, coverage ``float32`` (h, w) in [0, 1], on ``uint8`` (H, W, 3) in place.

    Their top left corner lies ``at`` (x, y), and they must fit. Ink, and noise also on the ink, are
    those of ``style``; the blur, a standard deviation in pixels, 0: none, stays inside of (h, w).
    """
    x, y = at
    height, width = coverage.shape
    if blur:
        blurred = cv2.GaussianBlur(coverage, (0, 0), blur, borderType=cv2.BORDER_CONSTANT)
        soft = np.asarray(blurred, np.float32)
        # The ink was measured where it is darkest, that is after the page's own blur.
        strokes = soft[soft > 0.2]
        peak = float(np.quantile(strokes, 0.9)) if strokes.size else 1.0
        coverage = (soft / max(peak, 0.3)).clip(0, 1)
    place = image[y : y + height, x : x + width]
    alpha = coverage[..., None]
    ink = style.ink + rng.standard_normal((height, width, 1)) * style.paper[3]
    place[:] = np.round(place * (1 - alpha) + ink * alpha).clip(0, 255).astype(np.uint8)
