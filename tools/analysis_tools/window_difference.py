"""What windows change: maps of large images in windows beside those of the images in one piece.

    python tools/analysis_tools/window_difference.py PHOTO ... [--window 1600] [--checkpoint FILE]

One line an image: megapixels, windows, the mean and largest absolute difference in probability, the
share of pixels on the other side of 0.5, both scores, and seconds in windows and in one piece. In
one piece a megapixel takes about 0.55 GB of memory with the package's weights.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmomni.apis import open_predictor
from mmomni.apis.predictor import Predictor
from mmomni.apis.results import Failure, Prediction
from mmomni.apis.tiling import WINDOW
from mmomni.utils.tables import markdown_table

COLUMNS = (
    'image', 'megapixels', 'windows', 'mean difference', 'largest', 'pixels on the other side',
    'score', 'score in one piece', 'seconds', 'seconds in one piece',
)  # fmt: skip
ROOM = 32_000
"""Side of a window that any image has room in."""


class Difference(NamedTuple):
    """Between two predictions of an image.

    Attributes:
        mean: Of the absolute differences in probability.
        largest: Of these.
        sides: Share of the pixels that one of them alone calls tampered.
    """

    mean: float
    largest: float
    sides: float


def difference(first: Prediction, second: Prediction) -> Difference:
    """Between maps of one size."""
    apart = np.abs(first.probability - second.probability)
    sides = (first.mask != second.mask).mean()
    return Difference(float(apart.mean()), float(apart.max()), float(sides))


def predict(predictor: Predictor, photo: Path, window: int) -> Prediction:
    """In windows of that size.

    Raises:
        SystemExit: The photo cannot be read, or memory is short.
    """
    predictor.window = window
    result, *others = predictor.stream(photo)
    if isinstance(result, Failure):
        raise SystemExit(f'{photo}: {result.reason}')
    if others:
        raise SystemExit(f'{photo}: expected one picture, got {1 + len(others)}')
    return result


def row(predictor: Predictor, photo: Path, window: int) -> list[str]:
    """The line of an image."""
    cut, whole = (predict(predictor, photo, side) for side in (window, ROOM))
    found = difference(cut, whole)
    return [
        photo.name, f'{math.prod(cut.mask.shape) / 1e6:.1f}', str(cut.windows),
        f'{found.mean:.6f}', f'{found.largest:.4f}', f'{100 * found.sides:.3f} %',
        f'{cut.score:.4f}', f'{whole.score:.4f}', f'{cut.seconds:.1f}', f'{whole.seconds:.1f}',
    ]  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description='Maps in windows beside those in one piece')
    parser.add_argument('photos', nargs='+', type=Path, metavar='PHOTO')
    parser.add_argument('--window', type=int, default=WINDOW, help='(default: %(default)s)')
    parser.add_argument('--checkpoint', type=Path, help='default: the weights of the package')
    parser.add_argument('--backend', choices=('auto', 'onnx', 'torch'), default='auto')
    args = parser.parse_args(words)
    predictor = open_predictor(
        args.checkpoint, device='cpu', backend=args.backend
    )
    print('\n'.join(markdown_table(COLUMNS, ())), flush=True)
    for photo in args.photos:  # a line each as soon as it is there: memory may end it
        print(f'| {" | ".join(row(predictor, photo, args.window))} |', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
