"""What ``predictions.jsonl`` says about an image."""

import os
import stat
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from mmomni.apis.results import Prediction
from mmomni.utils.files import missing_text
from mmomni.utils.regular_files import kind_of_mode

from .verdict import ImageThreshold

LISTED_REGIONS = 1000
"""So many regions of an image, the largest, are listed; ``num_regions`` counts all."""

RECORD_KEYS: dict[str, Any] = dict(
    name=str, score=(int, float), pooling=str, verdict=(str, NoneType),
    tampered_share=(int, float), num_regions=int, gate=(dict, NoneType),
    regions=[dict(box=[int], area=int, mean_probability=(int, float))],
    dct_source=str, width=int, height=int, orientation=int, windows=int, seconds=(int, float),
    warnings=[str], image=str, path=str, size_bytes=int, mtime_ns=int, sha256=str, files=dict,
)  # fmt: skip
"""A line of ``predictions.jsonl``: its keys, and the :func:`form <has_form>` of their values."""
# `precision` is there where it is not fp32.
LATER_KEYS: dict[str, Any] = dict(
    picture=str, page=int,  # which of several of a file
    examined_at=str, mmomni=str,  # when (UTC), by which version
    output_bytes=dict,  # of each output, by its path
    evidence=[dict(
        title=str, facts=[dict(term=str, value=str, note=str)],
        pictures=[dict(shows=str, file=str)],
    )],
    views=[dict(name=str, title=str, explanation=str, file=str)],
    damage=[str],  # those of the warnings that tell of pixels that are not as they were saved
)  # fmt: skip
"""Likewise, what lines of earlier versions lack, and what may be ``null``."""


def has_form(value: Any, form: Any) -> bool:
    """Whether JSON has a form: a type, or several; ``[form]`` of each element; forms by keys."""
    if isinstance(form, list):
        return isinstance(value, list) and all(has_form(each, form[0]) for each in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            key in value and has_form(value[key], each) for key, each in form.items()
        )
    return isinstance(value, form)


class FileState(NamedTuple):
    """What tells that a file is the one that was predicted."""

    size_bytes: int
    mtime_ns: int


def file_state(path: Path) -> FileState:
    """Size and time of the last change.

    Raises:
        OSError: There is no such file, or it is a folder, pipe or device.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(missing_text(path)) from error
    if stat.S_ISDIR(status.st_mode):
        _check_folder(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f'{path}: expected an image file, got a {kind_of_mode(status.st_mode)}')
    return FileState(status.st_size, status.st_mtime_ns)


def _check_folder(path: Path) -> None:
    """A folder that was found among images is one that could not be opened up."""
    try:
        os.scandir(path).close()
    except OSError as error:
        raise OSError(
            f'{path}: a folder that cannot be entered ({error.strerror}), nothing in it was '
            'examined; allow it and run again'
        ) from error


def make_record(
    prediction: Prediction, name: str, image_threshold: ImageThreshold | None
) -> dict[str, Any]:
    """All that is known of a prediction but its maps; boxes are in pixels of the file as stored.

    Its ``pooling`` is that of the threshold, without which there is no verdict. The name is that of
    its outputs.
    """
    height, width = prediction.mask.shape
    return dict(
        name=name,
        score=prediction.score,
        pooling=prediction.pooling,
        verdict=None if image_threshold is None else image_threshold.verdict(prediction.score),
        tampered_share=float(prediction.mask.mean(dtype=float)),
        num_regions=len(prediction.regions),
        regions=[region._asdict() for region in prediction.regions[:LISTED_REGIONS]],
        gate=None if prediction.gate is None else prediction.gate._asdict(),
        dct_source=prediction.dct_source,
        width=width,
        height=height,
        orientation=prediction.orientation,
        windows=prediction.windows,
        seconds=prediction.seconds,
        warnings=list(prediction.warnings),
        damage=list(prediction.damage),
        **({} if prediction.precision == 'fp32' else dict(precision=prediction.precision)),
    )
