"""The options of commands that predict, and what they open."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .parser import RATE, checked

if TYPE_CHECKING:
    from mmomni.apis import ManipulationInferencer
    from mmomni.reporting import ImageThreshold

DEFAULT_POOLING = 'top_k_mean'
# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
PRECISIONS = ('auto', 'fp32', 'bf16')


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Declare what :func:`open_model` reads."""
    parser.set_defaults(needs_host=True)
    parser.add_argument(
        '--checkpoint', required=True, type=Path, metavar='FILE',
        help='a published checkpoint, or an .onnx file with --backend onnx',
    )  # fmt: skip
    parser.add_argument(
        '--config', metavar='CONFIG',
        help='a file, or a config of the package (default: the one inside of the checkpoint)',
    )  # fmt: skip
    parser.add_argument(
        '--threshold', default=0.5, metavar='P',
        type=checked(float, lambda p: 0 <= p < 1, 'a probability from 0 to below 1'),
        help='a pixel is called tampered above this probability (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--fpr', type=RATE, metavar='RATE',
        help='also flag images, by a threshold that flags this share of unchanged images, too '
        '(false alarms); needs a calibration for it, in the checkpoint or by --calibration',
    )  # fmt: skip
    parser.add_argument(
        '--calibration', type=Path, metavar='FILE',
        help='that of `mmomni calibrate`, where the checkpoint carries none',
    )  # fmt: skip
    parser.add_argument(
        '--device', default='auto', help='cpu, cuda, cuda:1 ... (default: an accelerator, or cpu)'
    )
    parser.add_argument('--backend', choices=('torch', 'onnx'), default='torch')
    parser.add_argument(
        '--precision', choices=PRECISIONS, default='auto',
        help='bf16: faster, on CUDA; auto: that of the calibration if there is one, else bf16 on '
        'CUDA from compute capability 8 on, and fp32 (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='also load an unpublished training checkpoint, which can run code that it contains',
    )  # fmt: skip


def open_model(
    args: argparse.Namespace, **options: Any
) -> tuple['ManipulationInferencer', dict[str, Any], 'ImageThreshold | None']:
    """Load what :func:`add_model_options` names; ``options`` are more of the inferencer's.

    Returns:
        What :class:`~mmomni.web.Examiner` takes: inferencer, settings and threshold of an image.

    Raises:
        ValueError: The checkpoint, config, calibration or device cannot be used.
        OSError: One of them cannot be read.
    """
    from mmomni.apis import ManipulationInferencer
    from mmomni.engine.configs import config_file
    from mmomni.reporting import carried_threshold, model_summary, threshold_from_file
    from mmomni.utils.allocator import keep_freed_memory
    from mmomni.utils.files import file_sha256

    try:
        config = None if args.config is None else config_file(args.config)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{error} (--config)') from error
    config_digest = _config_digest(config)  # first of all: it says what is wrong with a config
    inferencer = ManipulationInferencer(
        config, args.checkpoint, _device(args.device, args.backend), backend=args.backend,
        trust_checkpoint=args.trust_checkpoint, precision=args.precision, **options,
    )  # fmt: skip
    if inferencer.model.device.type == 'cpu':
        keep_freed_memory()
    digest = file_sha256(args.checkpoint)
    limit = None
    if args.calibration is not None:
        limit = threshold_from_file(args.calibration, digest, args.fpr)
    elif args.fpr is not None:
        limit = carried_threshold(inferencer.calibrations, args.fpr, args.precision)
    if limit is not None:
        _compute_as_calibrated(inferencer, limit, args.precision)
    settings = dict(
        checkpoint=str(args.checkpoint),
        checkpoint_sha256=digest,
        config_sha256=config_digest,
        backend=args.backend,
        threshold=args.threshold,
        pooling=DEFAULT_POOLING if limit is None else limit.pooling,
        precision=inferencer.precision,
        model=model_summary(inferencer.card, inferencer.calibrations),
    )
    return inferencer, settings, limit


def _compute_as_calibrated(
    inferencer: 'ManipulationInferencer', limit: 'ImageThreshold', asked: str
) -> None:
    """Scores are compared with a threshold of the same precision only."""
    if asked not in ('auto', limit.precision):
        raise ValueError(
            f'expected --precision {limit.precision}, in which the threshold was calibrated, got '
            f'{asked}; leave it out, or run mmomni calibrate --precision {asked}'
        )
    inferencer.precision = limit.precision


def _device(name: str, backend: str) -> str | None:
    """For the inferencer; ``None``: it chooses."""
    if name == 'auto':
        return None
    import torch

    try:
        device = torch.device(name)
        if backend == 'torch':  # that of ONNX has devices of its own
            torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition('\n')[0]
        raise ValueError(
            f'expected a device of this machine for --device (auto, cpu, cuda, cuda:1), got '
            f'{name!r}: {reason}'
        ) from error
    return name


def _config_digest(config: str | None) -> str | None:
    """SHA-256 of what a config says, with its bases; ``None``: the checkpoint's own."""
    if config is None:
        return None
    from hashlib import sha256

    from mmomni.engine.configs import open_config

    return sha256(repr(open_config(config)).encode()).hexdigest()
