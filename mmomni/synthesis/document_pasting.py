"""Forging operations on documents that bring something in: words, lines, stamps, signatures."""

from collections.abc import Sequence

import cv2
import numpy as np

from . import fonts
from .documents import Desk, change_words, move_patch, room_right
from .geometry import size_of
from .jpeg_history import with_foreign_history
from .scene import Box, Edit, Scene, Word
from .words import cut, find_words, glyphs, padded

PAD = 1
LINE_WORDS = (2, 5)
# Inks of stamps and pens.
INKS = ((170, 30, 40), (40, 60, 150), (30, 40, 110), (110, 50, 130), (25, 25, 30), (20, 20, 70))
SIGNED = 0.45


def page_splice(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Paste words of another page over a few words: as ink on this paper, or with their paper."""
    if scene.donor is None:
        return None
    theirs = find_words(scene.donor) if scene.donor_words is None else scene.donor_words
    if not theirs:
        return None
    donor = with_foreign_history(scene.donor, rng, scene.first)
    as_ink = rng.random() < 0.6

    def paste(desk: Desk, word: Word) -> Box | None:
        fitting = [other for other in theirs if _as_large(word, other)]
        if not fitting:
            return None
        other = fitting[int(rng.integers(len(fitting)))]
        return _pasted(desk, word, donor, other, as_ink)

    edit = change_words(scene, rng, paste)
    if edit is None:
        return None
    details = {**edit.details, 'pasted': 'ink' if as_ink else 'patch'}
    return Edit(edit.image, edit.matte, details, used_donor=True)


def _as_large(word: Word, other: Word) -> bool:
    return 0.7 <= other.height / word.height <= 1.5 and 0.5 <= other.width / word.width <= 1.4


def _pasted(desk: Desk, word: Word, donor: np.ndarray, other: Word, as_ink: bool) -> Box | None:
    """Blank the paper of ``word`` and put a word of the donor in its place."""
    taken = padded(other.box, PAD, donor.shape)
    patch = cut(donor, taken).astype(np.float32)
    if desk.rng.random() < 0.5:  # as high as the word that was there; else as it is
        scale = word.height / other.height
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=method)
    height, width = patch.shape[:2]
    x, y = word.box[0] - PAD, word.box[3] + PAD - height
    if width > word.width + 2 * PAD + room_right(desk, word):
        return None
    if min(x, y) < 0 or x + width > desk.size[1] or y + height > desk.size[0]:
        return None
    x1, y1, x2, y2 = padded(word.box, PAD, desk.size)
    box = (min(x1, x), min(y1, y), max(x2, x + width), max(y2, y + height))
    style = desk.measure(word.box)
    paper = np.quantile(patch.reshape(-1, 3), 0.8, axis=0)
    cut(desk.canvas, box)[:] = style.blank(box, desk.rng)
    place = desk.canvas[y : y + height, x : x + width]
    if as_ink:
        through = (patch / paper).clip(0, 1)
        if desk.rng.random() < 0.7:  # in the colour of this page's ink
            covered = (1 - through.min(axis=2, keepdims=True)).astype(np.float64)
            through = 1 - covered / max(covered.max(), 0.1) * (1 - style.ink / place.mean((0, 1)))
        place[:] = np.round(place * through).clip(0, 255)
    else:
        level = style.level((x, y, x + width, y + height))
        # Whiter or darker paper is not always seen, or cared about.
        fitted = desk.rng.random() < 0.7
        place[:] = np.round(patch + (level - paper if fitted else 0)).clip(0, 255)
    return box


def block_copy(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Copy a part of a line over a part of another one."""
    words = find_words(scene.image) if scene.words is None else scene.words

    def copy(desk: Desk, word: Word) -> Box | None:
        here = _part_of_line(desk.words, word, rng)
        others = [
            other
            for other in desk.words
            if 0.85 <= other.height / word.height <= 1.18
            and (other.box[1] >= here[3] or other.box[3] <= here[1])
        ]
        for index in rng.permutation(len(others))[:6].tolist():
            there = _part_of_line(desk.words, others[index], rng)
            wider = (there[2] - there[0]) / (here[2] - here[0])
            if 0.75 <= wider <= 1.05 and there[3] - there[1] <= 1.3 * (here[3] - here[1]):
                return move_patch(desk, here, there)
        return None

    return change_words(Scene(scene.image, words=words), rng, copy, (1, 2))


def _part_of_line(words: Sequence[Word], word: Word, rng: np.random.Generator) -> Box:
    """The box of a word and of some words after it on its line."""
    _, y1, _, y2 = word.box
    middle = (y1 + y2) / 2
    line = sorted(
        (other for other in words if other.box[1] < middle < other.box[3]),
        key=lambda other: other.box[0],
    )
    at = next(i for i, other in enumerate(line) if other.box == word.box)
    part = line[at : at + int(rng.integers(LINE_WORDS[0], LINE_WORDS[1] + 1))]
    x1, y1, x2, y2 = zip(*(other.box for other in part), strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def stamp(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Put a stamp or a signature on the page; the mask is the rectangle around it."""
    words = find_words(scene.image) if scene.words is None else scene.words
    if not words:  # a blank sheet, or no document
        return None
    height, width = size_of(scene.image)
    signed = rng.random() < SIGNED
    ink = (_signature if signed else _stamp)(min(height, width), rng)
    angle, centre = float(rng.uniform(-12, 12)), (ink.shape[1] / 2, ink.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(centre, angle, 1.0)
    ink = cv2.warpAffine(ink, turn, ink.shape[1::-1], flags=cv2.INTER_LINEAR)
    ys, xs = np.flatnonzero(ink.max(axis=1) > 0.05), np.flatnonzero(ink.max(axis=0) > 0.05)
    ink = ink[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    h, w = ink.shape
    if h >= height - 2 or w >= width - 2:
        return None
    y, x = int(rng.integers(1, height - h)), int(rng.integers(1, width - w))
    colour = np.array(INKS[int(rng.integers(len(INKS)))]) / 255
    image = scene.image.copy()
    place = image[y : y + h, x : x + w]
    # As on paper, the ink lets what is beneath show through.
    strength = ink[..., None] * float(rng.uniform(0.6, 1.0))
    place[:] = np.round(place * (1 - strength * (1 - colour))).clip(0, 255)
    mask = np.zeros((height, width), bool)
    mask[y : y + h, x : x + w] = True
    return Edit(image, mask, {'kind': 'signature' if signed else 'stamp'})


def _stamp(side: int, rng: np.random.Generator) -> np.ndarray:
    """The ink of a round or angular stamp, ``float32`` (h, w) in [0, 1]."""
    width = max(48, round(side * rng.uniform(0.2, 0.45)))
    high = width if rng.random() < 0.5 else round(width * rng.uniform(0.35, 0.6))
    canvas = np.zeros((high, width), np.float32)
    centre, line = (width // 2, high // 2), max(1, width // 45)
    for inset in (0.05, 0.12)[: int(rng.integers(1, 3))]:
        half = (round(width * (0.5 - inset)), round(high * (0.5 - inset * width / high / 2)))
        if high == width:
            cv2.ellipse(canvas, centre, half, 0, 0, 360, 1.0, line, cv2.LINE_AA)
        else:
            corner = [(centre[0] + s * half[0], centre[1] + s * half[1]) for s in (-1, 1)]
            cv2.rectangle(canvas, corner[0], corner[1], 1.0, line, cv2.LINE_AA)
    texts = [fonts.word(rng).upper(), fonts.date(rng)]
    for row, text in enumerate(texts):
        coverage, _ = glyphs(text, fonts.load_font('DejaVuSans-Bold', max(8, high // 5)))
        scale = min(1.0, 0.68 * width / coverage.shape[1])
        coverage = cv2.resize(coverage, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        h, w = coverage.shape
        y, x = centre[1] + (row - 1) * (h + 2) + 1, centre[0] - w // 2
        if y >= 0 and y + h <= high and x >= 0:
            canvas[y : y + h, x : x + w] = np.maximum(canvas[y : y + h, x : x + w], coverage)
    # Ink is uneven on paper.
    worn = cv2.GaussianBlur(rng.random((high, width)).astype(np.float32), (0, 0), 2) - 0.5
    return (canvas * (1 + 2.5 * worn)).clip(0, 1).astype(np.float32)


def _signature(side: int, rng: np.random.Generator) -> np.ndarray:
    """The ink of a line of loops, ``float32`` (h, w) in [0, 1]."""
    width = max(48, round(side * rng.uniform(0.2, 0.4)))
    high = round(width * rng.uniform(0.3, 0.5))
    t = np.linspace(0, 1, 240)
    x, y = t, np.zeros_like(t)
    for frequency in rng.uniform(2, 9, 4):
        size, phase = rng.uniform(0.2, 1) / frequency**0.5, rng.uniform(0, 2 * np.pi)
        y = y + size * np.sin(2 * np.pi * frequency * t + phase)
        x = x + 0.12 * size * np.cos(2 * np.pi * frequency * t + phase)
    points = np.stack([x, y * (1.1 - t)], axis=1)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    points = points * [width * 0.9, high * 0.9] + [width * 0.05, high * 0.05]
    canvas = np.zeros((high, width), np.uint8)
    thick = max(1, round(width * rng.uniform(0.008, 0.02)))
    cv2.polylines(
        canvas, [np.round(points * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4
    )
    return canvas.astype(np.float32) / 255
