"""A result as a notebook shows it."""

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from mmomni.jpeg import encode
from mmomni.utils.templates import render
from mmomni.visualization import heat_map, shrunk

SIDE = 320
QUALITY = 80
WARNINGS = 5
"""So many are shown; the result has them all."""


def result_card(
    source: str,
    image: np.ndarray,
    probability: np.ndarray,
    orientation: int,
    facts: Sequence[tuple[str, str]],
    warnings: Sequence[str],
) -> str:
    """HTML with pictures inside: no file and no host is asked, and no path of this machine told.

    Args:
        source: Its last part is shown.
        image: RGB ``uint8`` (H, W, 3), as stored.
        probability: ``float32`` (H, W), as stored.
        orientation: EXIF's; pictures are upright, ``SIDE`` pixels at most.
        facts: Terms and what they are.
        warnings: What to know before trusting the result.
    """
    # No copy where ``image`` is a view of the decoder's BGR.
    photo = shrunk(np.ascontiguousarray(image[..., ::-1]), SIDE, orientation)
    heat = heat_map(shrunk(probability, SIDE, orientation))[..., ::-1]
    pictures = [
        (title, encode(np.ascontiguousarray(bgr), QUALITY, '4:2:0', channel_order='bgr'))
        for title, bgr in (('image', photo), ('heat map', heat))
    ]
    more = len(warnings) - WARNINGS
    shown = [*warnings[:WARNINGS], *([f'and {more} more: .warnings'] if more > 0 else [])]
    name = PurePath(source).name
    return render(
        'prediction.html.jinja', name=name, pictures=pictures, facts=facts, warnings=shown
    )
