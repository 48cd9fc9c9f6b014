"""Whether an image hides colours under transparent pixels."""

import numpy as np
from PIL import Image

from mmomni.jpeg import open_image, values_of
from mmomni.jpeg.tiff.pixels import LAYOUT

_WITH_ALPHA = ('RGBA', 'LA', 'PA', 'RGBa', 'La')
"""Modes of Pillow."""


def note_on_transparency(data: bytes, pixels: np.ndarray) -> list[str]:
    """What is to be said of an image of which not all pixels are opaque, if anything.

    Transparent pixels of one colour hide nothing.

    Args:
        data: The whole file, which has been decoded before.
        pixels: As decoded from it, without its transparency; ``uint8`` (H, W, 3).
    """
    with open_image(data) as image:
        if not _has_alpha(image):
            return []
        alpha = values_of(image, 'RGBA')[..., 3]
    see_through = alpha < 255
    under = pixels[see_through]
    if not len(under) or (under == under[0]).all():
        return []
    share, invisible = see_through.mean(dtype=float), (alpha == 0).mean(dtype=float)
    fully = f' ({_percent(invisible)} fully, where viewers show none of it)' if invisible else ''
    note = (
        f'{_percent(share)} of its pixels are transparent{fully}: what was examined are the '
        'colours under them, not what a viewer makes of them'
    )
    return [note]


def _has_alpha(image: Image.Image) -> bool:
    if LAYOUT in image.info:
        return image.info[LAYOUT].has_alpha
    return image.mode in _WITH_ALPHA or 'transparency' in image.info


def _percent(share: float) -> str:
    return f'{share:.1%}'.replace('%', ' %') if share >= 0.001 else 'less than 0.1 %'
