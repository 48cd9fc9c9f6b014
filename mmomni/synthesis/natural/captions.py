"""Words written on photos: captions, dates, names, prices, on the picture or on a bar."""

import cv2
import numpy as np

from mmomni.synthesis import fonts
from mmomni.synthesis.geometry import size_of
from mmomni.synthesis.scene import Edit, Scene
from mmomni.utils.regions import blend

# Height of a line over the image's height, and the widest that it may be over its width.
LINE_HEIGHT = (0.06, 0.16)
WIDEST = 0.92
COLOURS = (
    (255, 255, 255), (255, 255, 255), (250, 240, 60), (10, 10, 10), (220, 30, 30), (255, 140, 20),
)  # fmt: skip
TYPEFACES = tuple(name for name in fonts.FONTS if 'Bold' in name or name in ('cmss10', 'cmb10'))
# Least difference of a line's colour and what it is written on, in grey levels.
CONTRAST = 60.0
# The same of an outline, a shadow or a bar.
LEAST_SEEN = 25.0


def write_text(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Write a line on the photo: plain, with an outline, with a shadow, or on a bar.

    The mask holds letters with outline and shadow, or the bar.
    """
    height, width = size_of(scene.image)
    line = draw_line(height, width, rng)
    if line is None:
        return None
    coverage, text = line
    colour = np.array(COLOURS[int(rng.integers(len(COLOURS)))])
    style = str(rng.choice(['plain', 'outline', 'shadow', 'bar'], p=[0.4, 0.25, 0.2, 0.15]))
    y = int(rng.integers(1, height - coverage.shape[0]))
    if rng.random() < 0.6:  # captions are set at the top or at the bottom
        edge = int(0.05 * height * rng.random())
        y = edge if y < height / 2 else max(height - coverage.shape[0] - edge, 0)
    x = int(rng.integers(1, width - coverage.shape[1]))
    full = np.zeros((height, width), np.float32)
    full[y : y + coverage.shape[0], x : x + coverage.shape[1]] = coverage
    under, beneath = _beneath(full, style, colour)
    covered = scene.image[under > 0.5]
    if covered.size and abs(float(covered.mean()) - float(beneath.mean())) < LEAST_SEEN:
        return None
    image = blend(scene.image, np.broadcast_to(beneath, scene.image.shape), under)
    ground = float(image[full > 0.5].mean())
    if abs(ground - float(colour.mean())) < CONTRAST:
        return None
    opacity = float(rng.uniform(0.55, 0.85)) if rng.random() < 0.2 else 1.0
    image = blend(image, np.broadcast_to(colour.astype(np.uint8), image.shape), full * opacity)
    details = {'text': text, 'style': style, 'opacity': round(opacity, 2)}
    return Edit(image, np.maximum(full, under), details)


def draw_line(height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, str] | None:
    """Coverage of a line with some pixels around, ``float32`` (h, w), and what it says.

    ``None``: it would be too long for an image of (height, width).
    """
    kind = rng.integers(4)
    text = fonts.date(rng) if kind == 0 else ' '.join(fonts.word(rng) for _ in range(kind))
    text = text.upper() if rng.random() < 0.5 else text.capitalize()
    size = max(9, round(height * float(np.exp(rng.uniform(*np.log(LINE_HEIGHT))))))
    font = fonts.load_font(TYPEFACES[int(rng.integers(len(TYPEFACES)))], size)
    coverage = np.pad(fonts.glyphs(text, font)[0], max(4, size // 4))
    if coverage.shape[1] > WIDEST * width or coverage.shape[0] > 0.4 * height:
        return None
    return coverage, text


def _beneath(full: np.ndarray, style: str, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matte of what lies beneath the letters, and its colour."""
    dark = np.array([0, 0, 0] if colour.mean() > 90 else [255, 255, 255], np.uint8)
    y, x = np.nonzero(full)
    room = max(1, int(np.ptp(y)) // 12)
    if style == 'outline':
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * room + 1, 2 * room + 1))
        return cv2.dilate(full, kernel), dark
    if style == 'shadow':
        down = np.array([[1.0, 0, room], [0, 1, room]])
        moved = cv2.warpAffine(full, down, (full.shape[1], full.shape[0]))
        return np.asarray(0.8 * cv2.GaussianBlur(moved, (5, 5), 1), np.float32), dark
    bar = np.zeros_like(full)
    if style == 'bar':
        pad = 3 * room
        bar[max(y.min() - pad, 0) : y.max() + pad, max(x.min() - pad, 0) : x.max() + pad] = 1
    return bar, dark
