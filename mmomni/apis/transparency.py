"""Whether an image hides colours under transparent pixels."""

from io import BytesIO

import numpy as np
from PIL import Image

from mmomni.jpeg import open_image, values_of
from mmomni.jpeg.orientation import as_stored, orientation_of
from mmomni.jpeg.tiff import with_first
from mmomni.jpeg.tiff_layout import Layout
from mmomni.jpeg.tiff_pixels import LAYOUT
from mmomni.jpeg.tiff_tags import Tag

UNKNOWN = 'it has transparency that could not be looked at: what was examined are its colours alone'
_ALPHA = (1, 2)  # of ExtraSamples
_MODES = ('RGBA', 'LA', 'PA', 'RGBa', 'La')


def note_on_transparency(data: bytes, pixels: np.ndarray) -> list[str]:
    """What is to be said of an image of which not all pixels are opaque, if anything.

    Transparent pixels of one colour hide nothing.

    Args:
        data: The whole file, which has been decoded before.
        pixels: As decoded from it, without its transparency; ``uint8`` (H, W, 3).
    """
    with open_image(data) as image:
        layout = image.info.get(LAYOUT)
        alpha = _alpha_of(image) if layout is None else _alpha_of_tiff(data, layout)
    is_told = layout is not None and layout.directory.number(Tag.EXTRA_SAMPLES) in _ALPHA
    if alpha is None and is_told:
        return [UNKNOWN]
    if alpha is None or alpha.shape != pixels.shape[:2]:
        return []
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


def _alpha_of(image: Image.Image) -> np.ndarray | None:
    if image.mode not in _MODES and 'transparency' not in image.info:
        return None
    return values_of(image, 'RGBA')[..., 3]


def _alpha_of_tiff(data: bytes, layout: Layout) -> np.ndarray | None:
    """By Pillow, which does not know all kinds; ``uint8`` (H, W)."""
    try:
        with Image.open(BytesIO(with_first(data, layout.directory.offset))) as image:
            turned = orientation_of(image)
            found = _alpha_of(image)
            return None if found is None else as_stored(found, turned)
    except Exception:  # noqa: BLE001  (decoders raise whatever a rare file makes them)
        return None


def _percent(share: float) -> str:
    return f'{share:.1%}'.replace('%', ' %') if share >= 0.001 else 'less than 0.1 %'
