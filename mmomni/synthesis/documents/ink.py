"""Ink on paper that is not print: stamps and signatures.

Ink is ``float32`` (h, w) in [0, 1]: how much of the paper it covers.
"""

import cv2
import numpy as np

from mmomni.synthesis import fonts

# Inks of stamps and pens.
INKS = ((170, 30, 40), (40, 60, 150), (30, 40, 110), (110, 50, 130), (25, 25, 30), (20, 20, 70))
SIGNED = 0.45


def draw_ink(side: int, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """``'stamp'`` or ``'signature'``, and its ink, slightly turned, in its tight box.

    ``side`` is the shorter one of the page in pixels.
    """
    signed = rng.random() < SIGNED
    ink = (_signature if signed else _stamp)(side, rng)
    room = max(2, max(ink.shape) // 8)
    ink = np.pad(ink, room)
    centre = (ink.shape[1] / 2, ink.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(centre, float(rng.uniform(-12, 12)), 1.0)
    ink = cv2.warpAffine(ink, turn, ink.shape[1::-1], flags=cv2.INTER_LINEAR)
    x, y, width, height = cv2.boundingRect((ink > 0.05).astype(np.uint8))
    return 'signature' if signed else 'stamp', ink[y : y + height, x : x + width]


def print_ink(
    image: np.ndarray, ink: np.ndarray, at: tuple[int, int], rng: np.random.Generator
) -> None:
    """Put ink on a page, ``uint8`` (H, W, 3), in place; what is beneath shows through.

    Its top left corner lies ``at`` (y, x), and it must fit; colour and strength are random.
    """
    y, x = at
    height, width = ink.shape
    colour = np.array(INKS[int(rng.integers(len(INKS)))]) / 255
    place = image[y : y + height, x : x + width]
    strength = ink[..., None] * float(rng.uniform(0.6, 1.0))
    place[:] = np.round(place * (1 - strength * (1 - colour))).clip(0, 255)


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
    for row, text in enumerate([fonts.word(rng).upper(), fonts.date(rng)]):
        coverage, _ = fonts.glyphs(text, fonts.load_font('DejaVuSans-Bold', max(8, high // 5)))
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
