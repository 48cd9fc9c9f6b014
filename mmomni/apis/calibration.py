"""Thresholds of a checkpoint, from its scores of authentic images.

The score of an image is its probability map pooled by
:func:`~mmomni.evaluation.image_score.image_score`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mmomni.datasets.lists import authentic_of_list
from mmomni.evaluation.calibration import Threshold, conformal_threshold
from mmomni.jpeg.damage.integrity import damaged_text
from mmomni.utils.files import (
    Contents,
    closed_text,
    contents_of,
    copies_among,
    file_sha256,
    missing_text,
    no_images_text,
)

from .inputs import pictures_as_sources
from .network import Precision
from .predictor import Predictor, open_predictor
from .results import Failure
from .samples import Sample
from .weights import Backend, chosen_weights, packaged_hint

NAMED_COPIES = 10
"""Of those with the bytes of others, perhaps thousands; the calibration file holds them all."""


class Calibrated(NamedTuple):
    """See :func:`calibrate`."""

    found: list[dict[str, Any]]
    refused: list[str]


def authentic_images(source: Path) -> list[str]:
    """Paths of all images below a folder, or of a list file with lines ``image -`` or ``image``.

    A list may have any form that training reads; an image that it names twice is there once.

    Raises:
        FileNotFoundError: There is neither.
        ValueError: There are no images, or some have masks.
    """
    return [str(path) for path in authentic_contents(source).images]


def authentic_contents(source: Path) -> Contents:
    """The images of :func:`authentic_images`, with what else a folder holds.

    What of a folder is an image, :func:`~mmomni.utils.files.contents_of` says.
    """
    if source.is_dir():
        return _contents_of_folder(source)
    if not source.is_file():
        raise FileNotFoundError(
            f'expected a folder of authentic images or a list file at {source}, found none'
        )
    images = authentic_of_list(source, str(source.parent))
    return Contents([Path(image) for image in images], {}, {})


def _contents_of_folder(folder: Path) -> Contents:
    if (folder / 'masks').is_dir():
        raise ValueError(
            f'{folder} has a folder masks/, expected authentic images only; give a folder of '
            'authentic images, or a list file with lines `image -`'
        )
    found = contents_of(folder)
    if not found.images:
        raise ValueError(
            f'{folder}: expected a folder of authentic images, found none in it'
            f'{no_images_text(found)}'
        )
    return found


def score_images(
    predictor: Predictor,
    paths: Sequence[str],
    pooling: str,
    progress: Callable[[int, int, int], None],
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores of images by path, those of `mmomni predict`, and why others could not be used.

    Damaged ones, of which `mmomni predict` examines what is left, are not: their score is not that
    of what was saved. ``progress`` is called with (images done, all, those that have a score).
    """
    scores, unreadable = {}, {}
    # Not by stream(), which would open up what is no file.
    sources = [each for path in paths for each in pictures_as_sources(Path(path), path)]
    batches = predictor.preprocess(sources)
    results = (
        each
        for batch in batches
        for each in predictor.forward([*map(_whole, batch)], pooling=pooling)
    )
    for number, result in enumerate(results, 1):
        if isinstance(result, Failure):
            unreadable[result.source] = f'{result.source}: {result.reason}'
        else:
            scores[result.source] = result.score
        progress(number, len(sources), len(scores))
    return scores, unreadable


def _whole(item: Sample | Failure) -> Sample | Failure:
    if isinstance(item, Failure) or not item.damage:
        return item
    return Failure(item.source, damaged_text(item.damage[0]))


def calibrate(
    config: str | None,
    checkpoint: str | Path | None,
    source: Path,
    fprs: Sequence[float],
    pooling: str,
    progress: Callable[[int, int, int], None],
    trust_checkpoint: bool = False,
    precision: Precision = 'fp32',
    device: str | None = None,
    backend: Backend | Literal['auto'] = 'auto',
    domain: str | None = None,
) -> Calibrated:
    """Find thresholds of a checkpoint on the :func:`authentic_images` of a source.

    Args:
        config: Of the checkpoint, a file or the name of one of the package; ``None``: its own.
        checkpoint: Its weights; ``None``: those of the package.
        source: See :func:`authentic_images`.
        fprs: One or more, see :func:`~mmomni.evaluation.calibration.conformal_threshold`.
        pooling: See :func:`mmomni.evaluation.image_score.image_score`.
        progress: Called with (images done, all images, those that have a score).
        trust_checkpoint: See :func:`~mmomni.apis.open_predictor`.
        precision: In which the network computes, and then has to wherever the threshold is used.
        device: See :func:`~mmomni.apis.open_predictor`.
        backend: Likewise.
        domain: What kind of images these are; ``None``: they are meant for any.

    Returns:
        Of each rate what its calibration file holds, and of each that the images cannot vouch for
        why, as long as there is one that they can. A file holds ``threshold``, ``pooling``, ``fpr``
        (that was asked for), ``expected_fpr``, ``expected_fpr_std``, ``num_images``, ``unreadable``
        (path to reason; damaged ones too), ``source``, ``config`` (``None``: the checkpoint's own),
        ``checkpoint``, ``checkpoint_sha256``; where a folder holds other files, ``not_images``
        (kind to number); where files have the bytes of others, ``copies`` (path to that of the
        first, which counts); where it is not ``'fp32'``, ``precision``; where there is one,
        ``domain``. Folders that cannot be entered are unreadable.

    Raises:
        FileNotFoundError: Files are not there, all of which are named.
        ImportError: What the checkpoint needs is not installed.
        ValueError: Too few images can be read for any of the rates, see
            :func:`conformal_threshold`; no score can be above the threshold; or the checkpoint
            cannot be used or trusted.
    """
    config = _existing(config, None if checkpoint is None else Path(checkpoint), source)
    path, backend, _ = chosen_weights(checkpoint, backend)
    contents = authentic_contents(source)
    copies = copies_among(contents.images)
    paths = [str(path) for path in contents.images if path not in copies]
    # Too few images are refused before the work.
    _vouched_for([0.0] * len(paths), fprs, _copies_text(copies), of_what='file')
    digest = file_sha256(path)
    predictor = open_predictor(
        path, config=config, device=device, backend=backend, trust_checkpoint=trust_checkpoint,
        precision=precision,
    )  # fmt: skip
    scores, unreadable = score_images(predictor, paths, pooling, progress)
    unreadable |= (bad_copies := _of_bad(copies, unreadable))
    copies = {path: first for path, first in copies.items() if str(path) not in bad_copies}
    unreadable |= {str(path): closed_text(path, why) for path, why in contents.closed.items()}
    about = dict(
        unreadable=unreadable,
        source=str(source),
        config=config,
        checkpoint=str(path),
        checkpoint_sha256=digest,
        **_not_images(contents),
        **_copies(copies),
        **({} if precision == 'fp32' else dict(precision=precision)),
        **({} if domain is None else dict(domain=domain)),
    )
    left_out = [*unreadable.values(), *_copies_text(copies)]
    thresholds, refused = _vouched_for(list(scores.values()), fprs, left_out)
    return Calibrated(
        [_as_told(each, fpr, pooling) | about for fpr, each in thresholds.items()], refused
    )


def _existing(config: str | None, checkpoint: Path | None, source: Path) -> str | None:
    """The path of a config that can be read; all that is not there is named at once."""
    missing = []
    if config is not None:
        from mmomni.engine.configs import config_file, open_config

        try:
            open_config(config)  # which says in one line what is wrong with it
            config = config_file(config)
        except FileNotFoundError as error:
            missing.append(str(error))
    if checkpoint is not None and not checkpoint.exists():
        missing.append(missing_text(checkpoint) + packaged_hint(checkpoint))
    if not source.exists():
        missing.append(missing_text(source))
    if missing:
        raise FileNotFoundError('\n  '.join(missing))
    return config


def _vouched_for(
    scores: Sequence[float],
    fprs: Sequence[float],
    left_out: Sequence[str],
    of_what: str = 'authentic image',
) -> tuple[dict[float, Threshold], list[str]]:
    """Thresholds by rate, and why others have none; ``ValueError`` where none has one."""
    found, refused = {}, []
    for fpr in fprs:
        try:
            threshold = conformal_threshold(scores, fpr, of_what)
        except ValueError as error:
            reasons = [f'{error}. Not used:', *left_out] if left_out else [str(error)]
            refused.append('\n  '.join(reasons))
            continue
        if threshold.value < 1:
            found[fpr] = threshold
        else:
            refused.append(
                'too many authentic images have the highest score, 1, for a false-positive rate of '
                f'{fpr}: no image could be called tampered; use another pooling or a higher rate'
            )
    if not found:
        raise ValueError('\n  '.join(refused))
    return found, refused


def _as_told(threshold: Threshold, fpr: float, pooling: str) -> dict[str, Any]:
    return dict(
        threshold=threshold.value,
        pooling=pooling,
        fpr=fpr,
        expected_fpr=threshold.rate,
        expected_fpr_std=threshold.rate_std,
        num_images=threshold.num_images,
    )


def _of_bad(copies: Mapping[Path, Path], unreadable: Mapping[str, str]) -> dict[str, str]:
    """Why copies cannot be used: what is wrong with the first file is wrong with them."""
    return {
        str(path): unreadable[str(first)].replace(str(first), str(path), 1)
        for path, first in copies.items()
        if str(first) in unreadable
    }


def _copies(copies: Mapping[Path, Path]) -> dict[str, dict[str, str]]:
    found = {str(path): str(first) for path, first in copies.items()}
    return dict(copies=found) if found else {}


def _copies_text(copies: Mapping[Path, Path]) -> list[str]:
    """Why copies are not counted, of the first of them and how many more there are."""
    found = [*copies.items()]
    told = [
        f'{path}: the bytes of {first}, which count once' for path, first in found[:NAMED_COPIES]
    ]
    more = len(found) - NAMED_COPIES
    return [*told, f'{more:,} more copies of others'] if more > 0 else told


def _not_images(contents: Contents) -> dict[str, dict[str, int]]:
    kinds = Counter(contents.others.values())
    return dict(not_images=dict(kinds.most_common())) if kinds else {}
