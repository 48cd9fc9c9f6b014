"""Which calibrated threshold makes "tampered" of an image's score."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple


class ImageThreshold(NamedTuple):
    """Images that score higher are called tampered.

    Attributes:
        value: A score.
        pooling: How a map becomes that score.
        fpr: The share of authentic images that it was calibrated for.
        precision: In which the network scored these.
    """

    value: float
    pooling: str
    fpr: float
    precision: Literal['fp32', 'bf16'] = 'fp32'

    def as_setting(self) -> dict[str, Any]:
        """What is told of it beside the precision, which results have anyway."""
        return dict(value=self.value, pooling=self.pooling, fpr=self.fpr)

    def verdict(self, score: float) -> str:
        """``'tampered'`` if the score is above the threshold, else ``'authentic'``."""
        return 'tampered' if score > self.value else 'authentic'


def carried_threshold(
    calibrations: Sequence[Mapping[str, Any]], fpr: float, precision: str = 'auto'
) -> ImageThreshold:
    """The first of a checkpoint's calibrations for ``fpr``, if there is one in that precision.

    Raises:
        ValueError: There is none.
    """
    found = [_image_threshold(each) for each in calibrations if math.isclose(each['fpr'], fpr)]
    if found:
        return next((each for each in found if each.precision == precision), found[0])
    rates = ', '.join(f'{calibration["fpr"]:g}' for calibration in calibrations) or 'none'
    raise ValueError(
        f'expected a checkpoint that carries a calibration for --fpr {fpr:g}, it carries {rates}; '
        f'make one (mmomni calibrate CONFIG CHECKPOINT AUTHENTIC --fpr {fpr:g}) and give its file '
        'with --calibration'
    )


def threshold_from_file(path: Path, checkpoint_sha256: str, fpr: float | None) -> ImageThreshold:
    """The one of a calibration file of ``mmomni calibrate``, which must be about the checkpoint.

    ``fpr`` is the rate that is asked for; ``None``: that of the file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no calibration, or one of another checkpoint or rate.
    """
    try:
        calibration = json.loads(path.read_text(encoding='utf-8'))
        found, digest = _image_threshold(calibration), calibration['checkpoint_sha256']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path}: expected a file that mmomni calibrate wrote, got {type(error).__name__}: '
            f'{error}'
        ) from error
    if digest != checkpoint_sha256:
        raise ValueError(
            f'{path}: expected a calibration of this checkpoint (SHA-256 {checkpoint_sha256}), got '
            f'one of {calibration.get("checkpoint")} ({digest}); run mmomni calibrate on this one'
        )
    if fpr is not None and not math.isclose(found.fpr, fpr):
        raise ValueError(
            f'{path}: expected a calibration for --fpr {fpr:g}, got one for {found.fpr:g}; leave '
            'out one of the two options, or run mmomni calibrate for that rate'
        )
    return found


def _image_threshold(calibration: Mapping[str, Any]) -> ImageThreshold:
    return ImageThreshold(
        float(calibration['threshold']), str(calibration['pooling']), float(calibration['fpr']),
        _precision(calibration),
    )  # fmt: skip


def _precision(calibration: Mapping[str, Any]) -> Literal['fp32', 'bf16']:
    """In which it was made; those that do not say so are of single precision."""
    found = calibration.get('precision', 'fp32')
    if found not in ('fp32', 'bf16'):
        raise ValueError(f"expected precision 'fp32' or 'bf16', got {found!r}")
    return found
