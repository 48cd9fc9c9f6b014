"""A threshold for "this image is tampered" with a known rate of false alarms.

The score of an image is its probability map pooled by :func:`image_score`; nothing is trained. The
threshold is a conformal quantile of the scores of authentic images: whatever the network and
the distribution of its scores, of new authentic images that are exchangeable with these no larger
share than asked for lies above it, on average over such sets of images.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmomni.utils.files import file_sha256, find_images

if TYPE_CHECKING:
    from mmomni.apis import ManipulationInferencer


class Threshold(NamedTuple):
    """Images that score above ``value`` are called tampered.

    Attributes:
        value: A score, between 0 and 1.
        rate: Share of authentic images above it, expected over calibration sets of this size; at
            most the one asked for.
        rate_std: Standard deviation of that share over calibration sets of this size.
        num_images: How many authentic images it rests on.
    """

    value: float
    rate: float
    rate_std: float
    num_images: int


def conformal_threshold(scores: Sequence[float], fpr: float) -> Threshold:
    """The lowest threshold that ``n`` scores of authentic images vouch for.

    With ``m = floor((n + 1) fpr)`` it is the m-th largest score. A new authentic score is as likely
    to rank first as last among the ``n + 1``, so it lies above with probability at most
    ``m / (n + 1)``; ties only lower that. The share above a given threshold varies with the
    calibration set as ``Beta(m, n + 1 - m)`` (Vovk 2012, "Conditional validity of inductive
    conformal predictors").

    Args:
        scores: Of authentic images.
        fpr: Largest share of authentic images to be called tampered, above 0 and below 1.

    Raises:
        ValueError: ``fpr`` makes no sense, or is below ``1 / (n + 1)``, the smallest rate that n
            images can vouch for.
    """
    if not 0 < fpr < 1:
        raise ValueError(f'the false-positive rate must be above 0 and below 1, got {fpr}')
    exact = Fraction(str(fpr))  # 0.29 * 100 is 28.999999999999996
    n = len(scores)
    m = int((n + 1) * exact)
    if m < 1:
        raise ValueError(
            f'{n} authentic images can vouch for a false-positive rate of at least 1/{n + 1} = '
            f'{1 / (n + 1):.2g}, not for {fpr}; give at least {-(-1 // exact) - 1} images, or a '
            'higher rate'
        )
    rate = m / (n + 1)
    return Threshold(
        value=float(sorted(scores)[n - m]),
        rate=rate,
        rate_std=(rate * (1 - rate) / (n + 2)) ** 0.5,
        num_images=n,
    )


# ---- scores of a checkpoint ------------------------------------------------------------------


def authentic_images(source: Path) -> list[str]:
    """Paths of all images below a folder, or of a list file with lines ``image -``.

    Raises:
        FileNotFoundError: There is neither.
        ValueError: There are no images, or some have masks.
    """
    from mmomni.datasets import ManipulationDataset

    if source.is_dir():
        if (source / 'masks').is_dir():
            raise ValueError(
                f'{source} has a folder masks/, expected authentic images only; give a folder of '
                'authentic images, or a list file with lines `image -`'
            )
        paths = [str(path) for path in find_images(source)]
        if not paths:
            raise ValueError(f'{source}: expected a folder of authentic images, found none in it')
        return paths
    dataset = ManipulationDataset(
        domain='authentic', data_root=str(source.parent), ann_file=source.name, pipeline=[]
    )
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    masked = [sample['img_path'] for sample in samples if sample['seg_map_path'] is not None]
    if masked:
        raise ValueError(
            f'{source}: expected authentic images only (lines `image -`), but {len(masked)} have '
            f'masks, the first is {masked[0]}; make a list without them'
        )
    return [sample['img_path'] for sample in samples]


def score_images(
    inferencer: 'ManipulationInferencer',
    paths: Sequence[str],
    pooling: str,
    progress: Callable[[int, int], None],
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores of images by path, and why others could not be used.

    Args:
        inferencer: With the checkpoint to calibrate; its scores are those of `mmomni predict`.
        paths: Image files.
        pooling: See :func:`mmomni.evaluation.functional.image_score`.
        progress: Called with (images done, all images).
    """
    from mmomni.apis import Failure

    scores, unreadable = {}, {}
    for number, result in enumerate(inferencer.stream(paths, pooling=pooling), 1):
        if isinstance(result, Failure):
            unreadable[result.source] = f'{result.source}: {result.reason}'
        else:
            scores[result.source] = result.score
        progress(number, len(paths))
    return scores, unreadable


def calibrate(
    config: str,
    checkpoint: str,
    source: Path,
    fpr: float,
    pooling: str,
    progress: Callable[[int, int], None],
    trust_checkpoint: bool = False,
) -> dict[str, Any]:
    """Find the threshold of a checkpoint on authentic images.

    Args:
        config: Config file of the checkpoint.
        checkpoint: Its weights.
        source: See :func:`authentic_images`.
        fpr: See :func:`conformal_threshold`.
        pooling: See :func:`mmomni.evaluation.functional.image_score`.
        progress: Called with (images done, all images).
        trust_checkpoint: See :class:`~mmomni.apis.ManipulationInferencer`.

    Returns:
        What the calibration file holds: ``threshold``, ``pooling``, ``fpr`` (asked for),
        ``expected_fpr``, ``expected_fpr_std``, ``num_images``, ``unreadable`` (path to reason),
        ``source``, ``config``, ``checkpoint`` and ``checkpoint_sha256``.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: Too few images can be read for that rate, see :func:`conformal_threshold`; no
            score can be above the threshold; or the checkpoint cannot be used or trusted.
    """
    from mmomni.apis import ManipulationInferencer

    paths = authentic_images(source)
    conformal_threshold([0.0] * len(paths), fpr)  # refuse too few images before the work
    digest = file_sha256(Path(checkpoint))
    inferencer = ManipulationInferencer(config, checkpoint, trust_checkpoint=trust_checkpoint)
    scores, unreadable = score_images(inferencer, paths, pooling, progress)
    threshold = _threshold(scores, unreadable, fpr)
    return dict(
        threshold=threshold.value,
        pooling=pooling,
        fpr=fpr,
        expected_fpr=threshold.rate,
        expected_fpr_std=threshold.rate_std,
        num_images=threshold.num_images,
        unreadable=unreadable,
        source=str(source),
        config=config,
        checkpoint=checkpoint,
        checkpoint_sha256=digest,
    )


def _threshold(
    scores: Mapping[str, float], unreadable: Mapping[str, str], fpr: float
) -> Threshold:
    try:
        threshold = conformal_threshold(list(scores.values()), fpr)
    except ValueError as error:
        reasons = [f'{error}. Could not be read:', *unreadable.values()]
        raise ValueError('\n  '.join(reasons)) from error
    if threshold.value >= 1:
        raise ValueError(
            f'too many authentic images have the highest score, 1, for a false-positive rate of '
            f'{fpr}: no image could be called tampered; use another pooling or a higher rate'
        )
    return threshold
