"""Rendered documents: receipts, letters, tables, invoices, certificates, as scanners see them."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmomni.synthesis import fonts
from mmomni.synthesis.scene import Word, within

from .ink import draw_ink, print_ink

TEXT_SIZE = (11, 26)
# Words nearer to the border than this count as cut off, in pixels.
BORDER = 2
# How many pages bear a stamp or a signature.
STAMPED = 0.3
PAPERS = ((255, 255, 255), (250, 250, 248), (251, 246, 232), (243, 238, 222), (238, 238, 240))
INKS = ((15, 15, 15), (45, 45, 48), (80, 80, 85), (25, 35, 95), (110, 25, 30), (20, 70, 50))


class Page(NamedTuple):
    """A rendered page, ``uint8`` (H, W, 3), RGB, and the words that lie in it as a whole."""

    image: np.ndarray
    words: list[Word]


@dataclass
class _Sheet:
    """A sheet of paper in the making; texts leave their words behind."""

    canvas: Image.Image
    ink: tuple[int, int, int]
    words: list[Word] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = ImageDraw.Draw(self.canvas)

    def text(
        self, x: float, baseline: int, text: str, font: ImageFont.FreeTypeFont, right: bool = False
    ) -> float:
        """Print from ``x`` on (or up to ``x``); returns where the text ends."""
        space = font.size * 0.32
        parts = text.split()
        if right:
            x -= sum(font.getlength(part) for part in parts) + space * (len(parts) - 1)
        for part in parts:
            self._word(round(x), baseline, part, font)
            x += font.getlength(part) + space
        return x

    def centred(self, baseline: int, text: str, font: ImageFont.FreeTypeFont) -> None:
        """Print in the middle of the sheet."""
        space = font.size * 0.32 * (len(text.split()) - 1)
        length = sum(font.getlength(part) for part in text.split()) + space
        self.text((self.canvas.width - length) / 2, baseline, text, font)

    def _word(self, x: int, baseline: int, text: str, font: ImageFont.FreeTypeFont) -> None:
        self.draw.text((x, baseline), text, font=font, fill=self.ink, anchor='ls')
        left, top, right, bottom = fonts.ink_box(text, font)
        box = (x + left, baseline + top, x + right, baseline + bottom)
        if within(box, self.canvas.size[::-1], BORDER):
            self.words.append(Word(box, text, font))

    def rule(self, x1: float, x2: float, y: float) -> None:
        self.draw.line((x1, y, x2, y), fill=self.ink, width=1)


def render_page(rng: np.random.Generator, max_side: int = 512) -> Page:
    """Render a window into a page of a random kind.

    It has at most ``max_side`` pixels a side, and at least 0.6 of that.
    """
    height, width = (int(side) for side in rng.uniform(0.6, 1, 2) * max_side)
    paper = PAPERS[rng.integers(len(PAPERS))]
    sheet = _Sheet(Image.new('RGB', (width, height), paper), INKS[rng.integers(len(INKS))])
    size = int(rng.integers(TEXT_SIZE[0], TEXT_SIZE[1] + 1))
    KINDS[rng.integers(len(KINDS))](sheet, size, rng)
    page = np.array(sheet.canvas)
    if rng.random() < STAMPED:
        _stamp(page, rng)
    return Page(_scanned(page, rng), sheet.words)


def _letter(sheet: _Sheet, size: int, rng: np.random.Generator) -> None:
    body = _font(fonts.SERIF + fonts.SANS, size, rng)
    width, height = sheet.canvas.size
    left, pitch = rng.uniform(-1, 3) * size, round(size * rng.uniform(1.25, 1.8))
    baseline = round(rng.uniform(0, 3) * size)
    sheet.text(left, baseline, _heading(rng), _font(fonts.SANS, round(size * 1.4), rng))
    sheet.text(width - 2 * size, baseline + pitch, fonts.date(rng), body, right=True)
    baseline += 3 * pitch
    while baseline < height + size:
        x, end = left, width - rng.uniform(0, 2) * size
        while x < end - 3 * size:
            x = sheet.text(x, baseline, _running_word(rng), body)
        baseline += pitch * (2 if rng.random() < 0.15 else 1)


def _receipt(sheet: _Sheet, size: int, rng: np.random.Generator) -> None:
    body = _font(fonts.MONO + fonts.SANS, size, rng)
    width, height = sheet.canvas.size
    left, right = rng.uniform(0.5, 2) * size, width - rng.uniform(0.5, 2) * size
    pitch, baseline = round(size * rng.uniform(1.2, 1.6)), round(rng.uniform(0.5, 2) * size)
    big = _font(fonts.SANS, round(size * 1.3), rng)
    sheet.text(left + size, baseline, _heading(rng).upper(), big)
    sheet.text(left, baseline + pitch, f'{fonts.date(rng)} No. {fonts.number(5, rng)}', body)
    baseline += 3 * pitch
    while baseline < height + size:
        if rng.random() < 0.12:
            sheet.rule(left, right, baseline - size * 0.35)
        else:
            sheet.text(left, baseline, f'{rng.integers(1, 10)} {_item(rng, 2)}', body)
            sheet.text(right, baseline, fonts.amount(rng), body, right=True)
        baseline += pitch


def _table(sheet: _Sheet, size: int, rng: np.random.Generator) -> None:
    body = _font(fonts.SANS + fonts.SERIF, size, rng)
    width, height = sheet.canvas.size
    columns = max(2, min(int(rng.integers(2, 6)), width // (7 * size)))
    edges = np.linspace(size * 0.5, width - size * 0.5, columns + 1)
    pitch, ruled = round(size * rng.uniform(1.5, 2.1)), rng.random() < 0.7
    top = round(rng.uniform(0.3, 2) * size)
    for row in range((height - top) // pitch + 1):
        baseline = top + row * pitch + round(size * 1.1)
        for column, (start, end) in enumerate(pairwise(edges)):
            if row == 0 or column == 0:
                sheet.text(start + 4, baseline, fonts.word(rng).capitalize(), body)
            else:
                sheet.text(end - 4, baseline, fonts.amount(rng), body, right=True)
        if ruled:
            sheet.rule(edges[0], edges[-1], top + (row + 1) * pitch)
    if ruled:
        for edge in edges:
            sheet.draw.line((edge, top, edge, height), fill=sheet.ink, width=1)


def _invoice(sheet: _Sheet, size: int, rng: np.random.Generator) -> None:
    body = _font(fonts.SANS + fonts.SERIF, size, rng)
    width, height = sheet.canvas.size
    left, right = rng.uniform(0.5, 2) * size, width - rng.uniform(0.5, 2) * size
    pitch, baseline = round(size * rng.uniform(1.3, 1.8)), round(1.5 * size)
    sheet.text(left, baseline, _heading(rng), _font(fonts.SANS, round(size * 1.5), rng))
    for label in rng.permutation(['Invoice', 'Date:', 'Customer', 'Order', 'Due:'])[:4]:
        baseline += pitch
        value = fonts.date(rng) if label.endswith(':') else fonts.number(6, rng)
        sheet.text(left, baseline, str(label), body)
        sheet.text(left + 7 * size, baseline, value, body)
    baseline += pitch
    sheet.rule(left, right, baseline)
    last = height - 3 * pitch
    while baseline + pitch < last:
        baseline += pitch
        sheet.text(left, baseline, _item(rng, 3), body)
        sheet.text(right, baseline, fonts.amount(rng), body, right=True)
    sheet.rule(left, right, baseline + pitch * 0.5)
    for label in ('Tax', 'Total'):
        baseline += pitch * 5 // 4
        sheet.text(right - 6 * size, baseline, label, body, right=True)
        sheet.text(right, baseline, fonts.amount(rng), body, right=True)


def _certificate(sheet: _Sheet, size: int, rng: np.random.Generator) -> None:
    width, height = sheet.canvas.size
    tint = INKS[rng.integers(len(INKS))]
    for inset in (0.4, 0.8)[: rng.integers(1, 3)]:
        edge = round(inset * size)
        sheet.draw.rectangle((edge, edge, width - edge, height - edge), outline=tint, width=2)
    faces = (*fonts.SERIF, 'STIXGeneralItalic')
    face = faces[rng.integers(len(faces))]
    body, big = fonts.load_font(face, size), fonts.load_font(face, round(1.9 * size))
    pitch, baseline = round(size * rng.uniform(1.6, 2.2)), round(3.2 * size)
    sheet.centred(baseline, f'Certificate {fonts.word(rng)}'.upper(), body)
    sheet.centred(baseline + 2 * pitch, _heading(rng), big)
    baseline += 3 * pitch
    while baseline < height - 3.5 * pitch:
        words = [_running_word(rng) for _ in range(max(2, width // (6 * size)))]
        baseline += pitch
        sheet.centred(baseline, ' '.join(words), body)
    foot = height - round(1.6 * size)
    sheet.text(2 * size, foot, fonts.date(rng), body)
    sheet.text(width - 2 * size, foot, f'No. {fonts.number(6, rng)}', body, right=True)


KINDS = (_letter, _receipt, _table, _invoice, _certificate)


def _stamp(page: np.ndarray, rng: np.random.Generator) -> None:
    """A stamp or a signature, as many honest pages have them, in the lower half; in place."""
    height, width = page.shape[:2]
    _, ink = draw_ink(min(height, width), rng)
    room = height - ink.shape[0], width - ink.shape[1]
    if min(room) > 2:
        at = int(rng.integers(room[0] // 2, room[0])), int(rng.integers(room[1]))
        print_ink(page, ink, at, rng)


def _font(names: tuple[str, ...], size: int, rng: np.random.Generator) -> ImageFont.FreeTypeFont:
    return fonts.load_font(names[rng.integers(len(names))], size)


def _heading(rng: np.random.Generator) -> str:
    return f'{fonts.word(rng)} {fonts.word(rng)}'.title()


def _item(rng: np.random.Generator, most: int) -> str:
    return ' '.join(fonts.word(rng) for _ in range(rng.integers(1, most + 1))).capitalize()


def _running_word(rng: np.random.Generator) -> str:
    if rng.random() < 0.1:
        return fonts.number(int(rng.integers(1, 6)), rng)
    text = fonts.word(rng)
    return (text.capitalize() if rng.random() < 0.12 else text) + str(rng.choice(['', '', '', ',']))


def _scanned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mild illumination, blur and sensor noise; ``uint8`` (H, W, 3) in and out."""
    height, width = image.shape[:2]
    page = image.astype(np.float32)
    if rng.random() < 0.6:
        y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j].astype(np.float32) - 0.5
        slope = rng.uniform(-0.12, 0.12, 2)
        page *= (1 - abs(slope).sum() / 2 + slope[0] * y + slope[1] * x)[..., None]
    if rng.random() < 0.7:
        cv2.GaussianBlur(page, (0, 0), rng.uniform(0.3, 0.8), dst=page)
    if rng.random() < 0.7:
        page += rng.normal(0, rng.uniform(0.5, 3.5), (height, width, 1))
    return np.round(page).clip(0, 255).astype(np.uint8)
