"""Histograms of coefficients as a picture."""

from collections.abc import Sequence

import cv2
import numpy as np

from .coefficients import LOOKED_AT, Trace

_COLUMNS = 5
_WIDTH, _HEIGHT = 200, 130
_VALUES = 61
_TOP, _BOTTOM, _SIDE = 34, 16, 8
_WHITE, _TEXT, _BARS = (255, 255, 255), (40, 40, 40), (62, 104, 160)
_LINE, _ALARM = (226, 120, 28), (186, 40, 40)
_ZIGZAG_NAMES = ('DC', *(f'AC {index}' for index in range(1, LOOKED_AT)))


def draw_histograms(traces: Sequence[Trace]) -> np.ndarray:
    """Bars: how often each quantised value occurs; line: what one compression would leave.

    Heights are square roots, so that rare values are seen. Frequencies without values enough stay
    empty.

    Returns:
        RGB ``uint8`` (2 * 130, 5 * 200, 3).
    """
    canvas = np.full((LOOKED_AT // _COLUMNS * _HEIGHT, _COLUMNS * _WIDTH, 3), 255, np.uint8)
    found = {trace.number: trace for trace in traces}
    for index in range(LOOKED_AT):
        row, column = divmod(index, _COLUMNS)
        panel = _panel(index, found.get(index))
        top, left = row * _HEIGHT, column * _WIDTH
        canvas[top : top + _HEIGHT, left : left + _WIDTH] = panel
    return canvas


def _panel(index: int, trace: Trace | None) -> np.ndarray:
    panel = np.full((_HEIGHT, _WIDTH, 3), _WHITE, np.uint8)
    if trace is None:
        _write(panel, f'{_ZIGZAG_NAMES[index]}: too few values', 14, _TEXT)
        return panel
    _write(panel, f'{_ZIGZAG_NAMES[index]}, step {trace.step}', 14, _TEXT)
    if trace.is_strong:
        _write(panel, f'earlier step {trace.earlier}', 28, _ALARM)
    start, bars, line = _window(trace)
    highest = max(bars.max(), line.max(), 1.0)
    floor, reach = _HEIGHT - _BOTTOM, _HEIGHT - _BOTTOM - _TOP
    width = (_WIDTH - 2 * _SIDE) / len(bars)
    edges = _SIDE + np.arange(len(bars) + 1) * width
    for number, height in enumerate(bars / highest * reach):
        left, right = int(edges[number]), max(int(edges[number + 1]) - 2, int(edges[number]))
        if height > 0:
            cv2.rectangle(panel, (left, floor - round(height)), (right, floor), _BARS, cv2.FILLED)
    points = np.stack((edges[:-1] + width / 2 - 1, floor - line / highest * reach), axis=1)
    cv2.polylines(panel, [points.round().astype(np.int32)], False, _LINE, 1, cv2.LINE_AA)
    cv2.line(panel, (_SIDE, floor + 1), (_WIDTH - _SIDE, floor + 1), _TEXT, 1)
    _write(panel, str(start), _HEIGHT - 3, _TEXT)
    end = str(start + len(bars) - 1)
    _write(panel, end, _HEIGHT - 3, _TEXT, _WIDTH - _SIDE - 7 * len(end))
    return panel


def _window(trace: Trace) -> tuple[int, np.ndarray, np.ndarray]:
    """The first value shown, and square roots of the bars and the line, for the fullest part."""
    counts, most = trace.counts, len(trace.counts) // 2
    length = min(_VALUES, len(counts))
    start = (len(counts) - length) // 2
    if trace.number == 0:
        start = int(np.convolve(counts, np.ones(length), 'valid').argmax())
    part = slice(start, start + length)
    bars, line = counts[part], trace.calibrated[part]
    line = line * bars.sum() / max(line.sum(), 1)
    return start - most, np.sqrt(bars), np.sqrt(line)


def _write(
    panel: np.ndarray, text: str, bottom: int, colour: tuple[int, int, int], left: int = _SIDE
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(panel, text, (left, bottom), font, 0.4, colour, 1, cv2.LINE_AA)
