"""What a published file says about its weights: plain data.

Whoever reads it needs neither torch nor OpenMMLab.
"""

import math
from collections.abc import Mapping
from typing import Any

from mmomni.evaluation.image_score import IMAGE_POOLINGS


def check_calibration(calibration: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for what no ``mmomni calibrate`` wrote."""
    threshold, fpr = (calibration.get(field, math.nan) for field in ('threshold', 'fpr'))
    if not (
        type(threshold) in {int, float}
        and type(fpr) in {int, float}
        and 0 <= threshold < 1
        and 0 < fpr < 1
        and calibration.get('pooling') in IMAGE_POOLINGS
    ):
        raise ValueError(
            'expected calibrations with threshold (from 0 to below 1), fpr (above 0, below 1) and '
            f'pooling (one of {IMAGE_POOLINGS}), got {calibration}'
        )
