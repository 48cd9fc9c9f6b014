"""Forging operations on documents: words reprinted, copied, erased, inserted; letters copied.

Masks are rectangles around the changed words, as in DocTamper (Qu et al., CVPR 2023).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmomni.synthesis import fonts
from mmomni.synthesis.jpeg_history import on_same_grid
from mmomni.synthesis.scene import Box, Edit, Scene, Word, enclosing, within

from .print_style import PrintStyle, letter_spans, match_print
from .words import Print, cut, find_words, ink_map, measure, padded, print_glyphs

WORDS_CHANGED = (1, 6)
SMALLEST_SHARE = 0.005
PAD = 1
PLACES_TRIED = 60
LETTERS_CHANGED = 4
# How often nothing is done about noise, slope and softness of the page.
CARELESS = 0.25
# The neighbourhood that tells ink from paper, in pixels.
INK_ROOM = 18


@dataclass(frozen=True)
class Desk:
    """A page on a forger's desk."""

    canvas: np.ndarray  # the page being changed, uint8 (H, W, 3)
    image: np.ndarray  # the page as it was
    words: Sequence[Word]
    style: PrintStyle  # what new print must look like
    rng: np.random.Generator
    careless: bool = False  # whether new paper is flat and new print sharp, as image editors do
    grain: float = np.inf  # most noise of new paper, in grey levels

    def measure(self, box: Box) -> Print:
        """Paper and ink of a word; of a careless forger, without slope and noise."""
        found = measure(self.image, box)
        if not self.careless:
            found.paper[3] = np.minimum(found.paper[3], self.grain)
            return found
        flat = np.zeros_like(found.paper)
        flat[0] = found.level(box)
        return Print(flat, found.ink)

    @property
    def size(self) -> tuple[int, int]:
        return self.canvas.shape[0], self.canvas.shape[1]

    @property
    def usual_height(self) -> int:
        return round(float(np.median([word.height for word in self.words])))


# Changes one word of the canvas and returns the box it changed, or None.
_Change = Callable[[Desk, Word], Box | None]


def text_edit(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Erase a few words and print other digits or words in their places."""
    return change_words(scene, rng, _reprint)


def text_copy(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Copy the pixels of other words over a few words."""
    return change_words(scene, rng, _copy_over)


def char_copy(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Copy single letters from one line over letters of another."""
    return change_words(scene, rng, _copy_letters)


def text_removal(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Erase a few words: paper of the local colour, slope and noise in their places."""
    return change_words(scene, rng, _erase)


def text_insert(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Print new words on blank paper, on the lines of the page."""
    return change_words(scene, rng, _insert)


def change_words(
    scene: Scene,
    rng: np.random.Generator,
    change: _Change,
    wanted_words: tuple[int, int] = WORDS_CHANGED,
) -> Edit | None:
    """Apply ``change`` to 1-6 words; to more of them while the mask is below its least share."""
    words = find_words(scene.image) if scene.words is None else scene.words
    if not words:
        return None
    style, careless = match_print(scene.image, words, rng), rng.random() < CARELESS
    if careless:
        style = style._replace(softness=0.0)
    desk = Desk(scene.image.copy(), scene.image, words, style, rng, careless, scene.grain)
    mask = np.zeros(desk.size, bool)
    wanted, changed = int(rng.integers(wanted_words[0], wanted_words[1] + 1)), 0
    for index in rng.permutation(len(words)).tolist():
        enough = changed >= wanted and mask.mean() >= SMALLEST_SHARE
        if enough or changed == wanted_words[1]:
            break
        if cut(mask, padded(words[index].box, PAD + 2, desk.size)).any():
            continue
        box = change(desk, words[index])
        if box is not None:
            cut(mask, box)[:] = True
            changed += 1
    return Edit(desk.canvas, mask, {'words': changed, 'careless': careless}) if changed else None


def _erase(desk: Desk, word: Word) -> Box:
    box = padded(word.box, PAD, desk.size)
    cut(desk.canvas, box)[:] = desk.measure(word.box).blank(box, desk.rng)
    return box


def _reprint(desk: Desk, word: Word) -> Box | None:
    coverage, top = _new_glyphs(desk, word)
    coverage = _narrowed(coverage, word.width + 2 * PAD + room_right(desk, word))
    x, y = word.box[0] - PAD, word.box[1] + top
    height, width = coverage.shape
    if not within((x, y, x + width, y + height), desk.size):
        return None
    x1, y1, x2, y2 = word.box
    box = padded((x1, min(y1, y), max(x2, x + width), max(y2, y + height)), PAD, desk.size)
    style = desk.measure(word.box)
    cut(desk.canvas, box)[:] = style.blank(box, desk.rng)
    print_glyphs(desk.canvas, (x, y), coverage, style, desk.style.blur_for(coverage), desk.rng)
    return box


def _copy_over(desk: Desk, word: Word) -> Box | None:
    fitting = _look_alikes(desk, word)
    if not fitting:
        return None
    source = fitting[int(desk.rng.integers(len(fitting)))]
    return move_patch(desk, word.box, source.box)


def _copy_letters(desk: Desk, word: Word) -> Box | None:
    """Copy up to ``LETTERS_CHANGED`` letters of other lines over letters of ``word``."""
    lines = [
        other
        for other in desk.words
        if 0.88 <= other.height / word.height <= 1.14
        and (other.box[1] >= word.box[3] or other.box[3] <= word.box[1])
    ]
    spans = _spans(desk, word)
    if not lines or not spans:
        return None
    changed: list[Box] = []
    wanted = int(desk.rng.integers(1, LETTERS_CHANGED + 1))
    for index in desk.rng.permutation(len(spans))[:wanted].tolist():
        source = lines[int(desk.rng.integers(len(lines)))]
        here = spans[index]
        fitting = [there for there in _spans(desk, source) if _as_wide(here, there)]
        if fitting:
            there = fitting[int(desk.rng.integers(len(fitting)))]
            changed.append(move_patch(desk, here, there))
    return enclosing(*changed) if changed else None


def _spans(desk: Desk, word: Word) -> list[Box]:
    """Boxes of the letters of a word, as high as the word."""
    x1, y1, x2, y2 = word.box
    room = padded(word.box, INK_ROOM, desk.size)
    ink = ink_map(cut(desk.image, room))[y1 - room[1] : y2 - room[1], x1 - room[0] : x2 - room[0]]
    return [(x1 + a, y1, x1 + b, y2) for a, b in letter_spans(ink)]


def _as_wide(here: Box, there: Box) -> bool:
    return abs((here[2] - here[0]) - (there[2] - there[0])) <= max(1, (here[2] - here[0]) // 8)


def move_patch(desk: Desk, here: Box, there: Box) -> Box:
    """Blank the paper ``here`` and put the pixels of ``there`` on it, off their JPEG grid."""
    old, taken = (padded(box, PAD, desk.size) for box in (here, there))
    height, width = taken[3] - taken[1], taken[2] - taken[0]
    x = min(old[0], desk.size[1] - width)
    y = min(max(old[3] - height, 0), desk.size[0] - height)
    if on_same_grid(y - taken[1], x - taken[0]):
        x += 1 if x + width < desk.size[1] else -1
    style = desk.measure(here)
    offset = np.round(style.level(old) - desk.measure(there).level(taken))
    cut(desk.canvas, old)[:] = style.blank(old, desk.rng)
    patch = cut(desk.image, taken) + (offset if np.abs(offset).max() > 2 else 0)
    desk.canvas[y : y + height, x : x + width] = patch.clip(0, 255).astype(np.uint8)
    return enclosing(old, (x, y, x + width, y + height))


def _look_alikes(desk: Desk, word: Word) -> list[Word]:
    """Other words of about the same height that fit into the place of ``word``."""
    room = word.width + room_right(desk, word)
    return [
        other
        for other in desk.words
        if other.box != word.box
        and 0.85 <= other.height / word.height <= 1.18
        and 0.5 * word.width <= other.width <= room
    ]


def _insert(desk: Desk, word: Word) -> Box | None:
    coverage, top = _new_glyphs(desk, word)
    height, width = coverage.shape
    # A blank's width stays free on both sides.
    gap = max(7, 2 * (desk.usual_height // 3) + 1)
    ink = cv2.dilate(ink_map(desk.canvas), np.ones((5, gap), np.uint8))
    last_y, last_x = desk.size[0] - height - PAD - 1, desk.size[1] - width - PAD - 1
    if last_x <= PAD:
        return None
    for _ in range(PLACES_TRIED):
        y = desk.words[int(desk.rng.integers(len(desk.words)))].box[1] + top
        x = int(desk.rng.integers(PAD, last_x))
        if not PAD <= y < last_y:
            continue
        box = padded((x, y, x + width, y + height), PAD, desk.size)
        if not cut(ink, box).any():
            style, blur = desk.measure(word.box), desk.style.blur_for(coverage)
            print_glyphs(desk.canvas, (x, y), coverage, style, blur, desk.rng)
            return box
    return None


def _new_glyphs(desk: Desk, word: Word) -> tuple[np.ndarray, int]:
    """New text in the manner of ``word``, and its first row relative to the word's.

    It is coverage, (h, w) in [0, 1], with ``PAD`` empty pixels around.
    """
    if word.text is not None and word.font is not None:
        coverage, above = fonts.glyphs(fonts.altered(word.text, desk.rng), word.font)
        return np.pad(coverage, PAD), -fonts.ink_box(word.text, word.font)[1] - above - PAD
    # A box that is higher than usual holds ascenders with descenders, or dirt.
    height = min(word.height, desk.usual_height)
    # A letter is about 0.7 times as wide as a word is high.
    text = fonts.text_of_length(max(1, round(word.width / (0.7 * height))), desk.rng)
    _, y1, _, y2 = fonts.ink_box(text, fonts.load_font(desk.style.font, 64))
    font = fonts.load_font(desk.style.font, max(4, round(64 * height / max(y2 - y1, 1))))
    coverage = desk.style.as_wide(fonts.glyphs(text, font)[0])
    return np.pad(coverage, PAD), (word.height - height) // 2 - PAD


def _narrowed(coverage: np.ndarray, room: int) -> np.ndarray:
    """Letters condensed to at most ``room`` pixels."""
    if coverage.shape[1] <= room:
        return coverage
    return cv2.resize(coverage, (room, coverage.shape[0]), interpolation=cv2.INTER_AREA)


def room_right(desk: Desk, word: Word) -> int:
    """Free pixels up to the next word on the line, or the border; at most half the word's width."""
    _, y1, x2, y2 = word.box
    line = [other.box for other in desk.words if other.box[1] < y2 and other.box[3] > y1]
    starts = [box[0] for box in line if box[0] >= x2]
    gap = min([*starts, desk.size[1]]) - x2 - 2 * PAD - max(2, word.height // 3)
    return max(0, min(gap, word.width // 2))
