"""Sets that name boxes instead of masks: the masks of their boxes, and which images are authentic.

Knows nothing of torch or OpenMMLab.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmomni.jpeg import ImageReadError
from mmomni.utils.files import replacing

from .list_files import MASK_FOLDER, Found, Pair, size_of

# (x1, y1, x2, y2) in pixels, all four inside of the box.
Box = tuple[int, int, int, int]


def box_of(numbers: Iterable[object]) -> Box:
    """Four numbers or texts of such as a box; raises ``ValueError`` if they are not in order."""
    texts = [str(number) for number in numbers]
    try:
        values = [round(float(text)) for text in texts]
    except OverflowError as error:  # of infinity
        raise ValueError(f'expected x1, y1, x2, y2 in pixels, got {texts}') from error
    if len(values) != 4 or values[0] > values[2] or values[1] > values[3]:
        raise ValueError(f'expected x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, got {values}')
    return values[0], values[1], values[2], values[3]


def add_boxed(found: Found, root: Path, image: str, boxes: Sequence[Box]) -> None:
    """Add an image whose forged parts are these boxes; without any, it is authentic.

    The mask is a 0/255 PNG in ``mmomni_masks/``. An image that is missing, cannot be read or has a
    box outside ends in ``left_out``.
    """
    try:
        if not boxes:
            size_of(root / image)
            found.authentic.append(image)
        else:
            found.tampered.append(Pair(image, _write_mask(root, image, boxes)))
    except (ImageReadError, OSError, ValueError) as error:
        found.left_out.append((image, str(error)))


def _write_mask(root: Path, image: str, boxes: Sequence[Box]) -> str:
    """The mask's path relative to the root."""
    width, height = size_of(root / image)
    mask = np.zeros((height, width), np.uint8)
    for x1, y1, x2, y2 in boxes:
        part = mask[max(y1, 0) : y2 + 1, max(x1, 0) : x2 + 1] if min(x2, y2) >= 0 else mask[:0]
        if not part.size:
            raise ValueError(f'box {(x1, y1, x2, y2)} is outside of {width}x{height} px')
        part[:] = 255
    # With the image's suffix: a.jpg and a.png may be two images.
    path = Path(MASK_FOLDER, f'{image}.png')
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(root / path) as unfinished:
        Image.fromarray(mask).save(unfinished, 'PNG')
    return path.as_posix()
