"""How a page is printed: which of our fonts is most like its own, and how soft its letters are."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from mmomni.synthesis import fonts
from mmomni.synthesis.scene import Word

from .words import cut, padded

WORDS_MEASURED = 12
# Of so many fonts with about the page's weight, one is drawn.
LIKE_FONTS = 3
# Few pages are set in italics, and a word in them would not go unseen.
UPRIGHT = tuple(name for name in fonts.FONTS if not name.endswith(('Italic', 'Oblique')))
STRETCH = (0.8, 1.25)
USUAL_WIDTH = 0.7
# Texts whose look stands for that of a font.
PROBES = ('amount', '1990', 'TOTAL')
PROBE_SIZE = 24
# Softest print that is imitated, in pixels.
SOFTEST = 1.6


class PrintStyle(NamedTuple):
    """What new letters must look like."""

    font: str  # key of fonts.FONTS, for pages whose own font is unknown
    stretch: float  # how much wider than the font's the page's letters are, at the same height
    softness: float  # standard deviation of a letter's edge in pixels, as the page has it

    def as_wide(self, coverage: np.ndarray) -> np.ndarray:
        """Drawn letters, ``float32`` (h, w), stretched to the page's width."""
        height, width = coverage.shape
        method = cv2.INTER_AREA if self.stretch < 1 else cv2.INTER_LINEAR
        return cv2.resize(
            coverage, (max(1, round(width * self.stretch)), height), interpolation=method
        )

    def blur_for(self, coverage: np.ndarray) -> float:
        """The blur that makes drawn letters, ``float32`` (h, w), as soft as the page's."""
        own = softness(np.pad(1 - coverage, 2, constant_values=1))
        missing = self.softness**2 - own**2
        return float(np.sqrt(missing)) if missing > 0.04 else 0.0


class _Look(NamedTuple):
    """Measures of letters that need not be read."""

    weight: float  # share of ink in the box of a word
    width: float  # median width of single letters over the word's height


def match_print(image: np.ndarray, words: Sequence[Word], rng: np.random.Generator) -> PrintStyle:
    """Measure some random words of a page, ``uint8`` (H, W, 3), which has at least one.

    Of the fonts that are alike, a random one is taken.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    chosen = rng.permutation(len(words))[:WORDS_MEASURED].tolist()
    patches = [cut(grey, padded(words[i].box, 2, grey.shape)) for i in chosen]
    look = _look(patches)
    alike = sorted(UPRIGHT, key=lambda name: _distance(_font_look(name), look))[:LIKE_FONTS]
    font = alike[int(rng.integers(LIKE_FONTS))]
    stretch = float(np.clip(look.width / _font_look(font).width, *STRETCH))
    edge = float(np.median([softness(patch) for patch in patches]))
    return PrintStyle(font, stretch, min(edge, SOFTEST))


def _distance(one: _Look, other: _Look) -> float:
    return float(np.abs(np.log(np.array(one) / np.array(other))) @ [1.0, 0.7])


def softness(grey: np.ndarray) -> float:
    """Standard deviation of the edges, in pixels, were they steps under a Gaussian blur.

    The steepest slope of such an edge is its height over ``sigma * sqrt(2 pi)``.
    """
    height = float(np.quantile(grey, 0.9) - grey.min())
    if grey.shape[1] < 2:
        return 0.0
    slope = float(np.quantile(np.abs(np.diff(grey, axis=1)), 0.98))
    return height / max(slope * np.sqrt(2 * np.pi), 1e-3) if height > 1e-3 else 0.0


def _look(patches: Sequence[np.ndarray]) -> _Look:
    """How words look that are cut out in grey, with two pixels of paper around them."""
    weights, widths = [], []
    for patch in patches:
        paper = float(np.quantile(patch, 0.9))
        ink = ((paper - patch) / max(paper - patch.min(), 1)).clip(0)
        weights.append(float(ink.mean()))
        widths += [(b - a) / (len(patch) - 4) for a, b in letter_spans(ink[2:-2, 2:-2] > 0.4)]
    width = float(np.median(widths)) if widths else USUAL_WIDTH
    return _Look(max(float(np.median(weights)), 0.01), width)


@lru_cache(maxsize=64)
def _font_look(name: str) -> _Look:
    font = fonts.load_font(name, PROBE_SIZE)
    drawn = [255 * (1 - fonts.glyphs(text, font)[0]) for text in PROBES]
    return _look([np.pad(word, 2, constant_values=255) for word in drawn])


def letter_spans(ink: np.ndarray) -> list[tuple[int, int]]:
    """Columns [start, stop) of the single letters of a word, from left to right.

    They are the runs of columns with ink, ``uint8`` or ``bool`` (h, w) in the word's tight box,
    that are as wide as one letter.
    """
    inked = np.concatenate([[False], ink.any(axis=0), [False]])
    edges = np.flatnonzero(inked[1:] != inked[:-1]).tolist()
    spans = zip(edges[::2], edges[1::2], strict=True)
    return [(a, b) for a, b in spans if 0.2 * len(ink) <= b - a <= 1.1 * len(ink)]
