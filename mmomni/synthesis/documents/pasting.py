"""Forging operations on documents that bring something in: words, lines, stamps, signatures."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from mmomni.synthesis.geometry import size_of
from mmomni.synthesis.jpeg_history import with_foreign_history
from mmomni.synthesis.scene import Box, Edit, Scene, Word, enclosing, within

from .ink import draw_ink, print_ink
from .text import Desk, change_words, move_patch, room_right
from .words import cut, find_words, padded

PAD = 1
LINE_WORDS = (2, 5)


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
    return replace(edit, details=details, used_donor=True)


def _as_large(word: Word, other: Word) -> bool:
    return 0.7 <= other.height / word.height <= 1.5 and 0.5 <= other.width / word.width <= 1.4


def _pasted(desk: Desk, word: Word, donor: np.ndarray, other: Word, as_ink: bool) -> Box | None:
    """Blank the paper of ``word`` and put a word of the donor in its place."""
    taken = padded(other.box, PAD, donor.shape)
    patch: np.ndarray = cut(donor, taken).astype(np.float32)
    if desk.rng.random() < 0.5:  # as high as the word that was there; else as it is
        scale = word.height / other.height
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=method)
    height, width = patch.shape[:2]
    x, y = word.box[0] - PAD, word.box[3] + PAD - height
    there = (x, y, x + width, y + height)
    too_wide = width > word.width + 2 * PAD + room_right(desk, word)
    if too_wide or not within(there, desk.size):
        return None
    box = enclosing(padded(word.box, PAD, desk.size), there)
    style = desk.measure(word.box)
    paper = np.maximum(np.quantile(patch.reshape(-1, 3), 0.8, axis=0), 1)
    cut(desk.canvas, box)[:] = style.blank(box, desk.rng)
    place = cut(desk.canvas, there)
    if as_ink:
        through = (patch / paper).clip(0, 1)
        if desk.rng.random() < 0.7:  # in the colour of this page's ink
            covered = (1 - through.min(axis=2, keepdims=True)).astype(np.float64)
            ink = style.ink / np.maximum(place.mean((0, 1)), 1)
            through = 1 - covered / max(covered.max(), 0.1) * (1 - ink)
        place[:] = np.round(place * through).clip(0, 255)
    else:
        level = style.level(there)
        # Whiter or darker paper is not always seen, or cared about.
        fitted = desk.rng.random() < 0.7
        place[:] = np.round(patch + (level - paper if fitted else 0)).clip(0, 255)
    return box


def block_copy(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Copy a part of a line over a part of another one, once or twice."""
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

    edit = change_words(Scene(scene.image, words=words), rng, copy, (1, 2))
    if edit is None:
        return None
    details = dict(edit.details)
    return replace(edit, details={'blocks': details.pop('words'), **details})


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
    return enclosing(*(other.box for other in part))


def stamp(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Put a stamp or a signature on the page; the mask is the rectangle around it."""
    words = find_words(scene.image) if scene.words is None else scene.words
    if not words:  # a blank sheet, or no document
        return None
    height, width = size_of(scene.image)
    kind, ink = draw_ink(min(height, width), rng)
    h, w = ink.shape
    if h >= height - 2 or w >= width - 2:
        return None
    y, x = int(rng.integers(1, height - h)), int(rng.integers(1, width - w))
    image = scene.image.copy()
    print_ink(image, ink, (y, x), rng)
    mask = np.zeros((height, width), bool)
    mask[y : y + h, x : x + w] = True
    return Edit(image, mask, {'kind': kind})
