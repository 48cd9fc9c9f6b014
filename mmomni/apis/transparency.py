"""Whether an image hides colours under transparent pixels."""

import numpy as np

from mmomni.jpeg import open_image, values_of


def note_on_transparency(data: bytes, pixels: np.ndarray) -> str:
    """What is to be said of an image of which not all pixels are opaque; empty if nothing is.

    Transparent pixels of one colour hide nothing.

    Args:
        data: The whole file, which has been decoded before.
        pixels: As decoded from it, without its transparency; ``uint8`` (H, W, 3).
    """
    with open_image(data) as image:
        if not (image.mode in ('RGBA', 'LA', 'PA', 'RGBa', 'La') or 'transparency' in image.info):
            return ''
        alpha = values_of(image, 'RGBA')[..., 3]
    if alpha.shape != pixels.shape[:2]:
        return ''
    see_through = alpha < 255
    under = pixels[see_through]
    if not len(under) or (under == under[0]).all():
        return ''
    share, invisible = see_through.mean(dtype=float), (alpha == 0).mean(dtype=float)
    fully = f' ({_percent(invisible)} fully, where viewers show none of it)' if invisible else ''
    return (
        f'{_percent(share)} of its pixels are transparent{fully}: what was examined are the '
        'colours under them, not what a viewer makes of them'
    )


def _percent(share: float) -> str:
    return f'{share:.1%}'.replace('%', ' %') if share >= 0.001 else 'less than 0.1 %'
