"""The options of commands that predict, and what they open."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .parser import DOMAIN, RATE, Once, checked

if TYPE_CHECKING:
    from mmomni.apis import Predictor
    from mmomni.reporting import ImageThreshold

DEFAULT_POOLING = 'top_k_mean'
# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
PRECISIONS = ('auto', 'fp32', 'bf16')
BACKENDS = ('auto', 'torch', 'onnx')
WINDOW = 1600


def add_weights_options(parser: argparse.ArgumentParser) -> None:
    """Declare what :func:`settle_weights` and :func:`device_of` read."""
    parser.add_argument(
        '--checkpoint', type=Path, metavar='FILE',
        help='a published checkpoint, or an .onnx file (default: the weights of the package)',
    )  # fmt: skip
    parser.add_argument(
        '--config', metavar='CONFIG',
        help='a file, or a config of the package (default: the one inside of the checkpoint)',
    )  # fmt: skip
    parser.add_argument(
        '--device', default='auto', help='cpu, cuda, cuda:1 ... (default: an accelerator, or cpu)'
    )
    parser.add_argument(
        '--backend', choices=BACKENDS, default='auto',
        help="auto: onnx for .onnx files, and where torch is not installed for a checkpoint's "
        '.onnx form beside it, else torch (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='also load an unpublished training checkpoint, which can run code that it contains',
    )  # fmt: skip


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Declare what :func:`open_model` reads."""
    add_weights_options(parser)
    parser.add_argument(
        '--threshold', default=0.5, metavar='P',
        type=checked(float, lambda p: 0 <= p < 1, 'a probability from 0 to below 1'),
        help='a pixel is called tampered above this probability (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--fpr', type=RATE, action=Once, metavar='RATE',
        help='also flag images, by a threshold that flags this share of unchanged images, too '
        '(false alarms); needs a calibration for it, in the checkpoint or by --calibration',
    )  # fmt: skip
    parser.add_argument(
        '--domain', type=DOMAIN, action=Once, metavar='NAME',
        help='what kind of images these are, such as document: take the calibration for it '
        '(default: the one for images of any kind)',
    )  # fmt: skip
    parser.add_argument(
        '--calibration', type=Path, action=Once, metavar='FILE',
        help='that of `mmomni calibrate`, where the checkpoint carries none',
    )  # fmt: skip
    parser.add_argument(
        '--window', default=WINDOW, metavar='SIDE',
        type=checked(int, lambda n: n >= 64 and n % 32 == 0, 'a multiple of 32 from 64 on'),
        help='images of more pixels than a square of this side pass in windows of at most so many, '
        'in less memory and several times the time (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--precision', choices=PRECISIONS, default='auto',
        help='bf16: faster, on CUDA; auto: that of the calibration if there is one, else bf16 on '
        'CUDA from compute capability 8 on, and fp32 (default: %(default)s)',
    )  # fmt: skip


def settle_weights(args: argparse.Namespace) -> None:
    """Fill in the weights and the backend that were left open, and say which they are.

    A file that is not there is left to those who open it.

    Raises:
        OSError: The package has no weights.
        ImportError: What the file needs is not installed.
        ValueError: It is none of that backend.
    """
    from mmomni.apis.weights import chosen_weights

    if args.checkpoint is not None and not args.checkpoint.is_file():
        return
    args.checkpoint, args.backend, note = chosen_weights(args.checkpoint, args.backend)
    if note:
        print(f'mmomni {args.command}: {note}', file=sys.stderr)


def open_model(
    args: argparse.Namespace, **options: Any
) -> tuple['Predictor', dict[str, Any], 'ImageThreshold | None']:
    """Load what :func:`add_model_options` names; ``options`` are more of the predictor's.

    Returns:
        What :class:`~mmomni.web.Examiner` takes: predictor, settings and threshold of an image.

    Raises:
        ValueError: The checkpoint, config, calibration or device cannot be used.
        OSError: One of them cannot be read.
        ImportError: What the checkpoint needs is not installed.
    """
    from mmomni.apis import open_predictor
    from mmomni.apis.network import DeviceError
    from mmomni.reporting import carried_threshold, model_summary, threshold_from_file
    from mmomni.utils.allocator import keep_freed_memory
    from mmomni.utils.files import file_sha256

    if args.domain is not None and args.fpr is None and args.calibration is None:
        raise ValueError('--domain chooses a calibration: give --fpr or --calibration with it')
    settle_weights(args)
    config, config_digest = _config(args)  # first of all: it says what is wrong with a config
    try:
        predictor = open_predictor(
            args.checkpoint, config=config, device=device_of(args), backend=args.backend,
            trust_checkpoint=args.trust_checkpoint, precision=args.precision,
            window=args.window, **options,
        )  # fmt: skip
    except DeviceError as error:
        raise DeviceError(f'{error} (--device)') from error
    if predictor.network.on_cpu:
        keep_freed_memory()
    digest = file_sha256(args.checkpoint)
    limit = None
    if args.calibration is not None:
        limit = threshold_from_file(args.calibration, digest, args.fpr, args.domain)
    elif args.fpr is not None:
        limit = carried_threshold(predictor.calibrations, args.fpr, args.precision, args.domain)
    if limit is not None:
        _compute_as_calibrated(predictor, limit, args.precision)
    settings = dict(
        checkpoint=str(args.checkpoint),
        checkpoint_sha256=digest,
        config_sha256=config_digest,
        backend=args.backend,
        threshold=args.threshold,
        pooling=DEFAULT_POOLING if limit is None else limit.pooling,
        precision=predictor.precision,
        window=args.window,
        model=model_summary(predictor.card, predictor.calibrations),
    )
    return predictor, settings, limit


def _compute_as_calibrated(
    predictor: 'Predictor', limit: 'ImageThreshold', asked: str
) -> None:
    """Scores are compared with a threshold of the same precision only."""
    if asked not in ('auto', limit.precision):
        raise ValueError(
            f'expected --precision {limit.precision}, in which the threshold was calibrated, got '
            f'{asked}; leave it out, or run mmomni calibrate --precision {asked}'
        )
    predictor.precision = limit.precision


def device_of(args: argparse.Namespace) -> str | None:
    """That of the arguments; ``None``: the backend chooses."""
    return None if args.device == 'auto' else args.device


def _config(args: argparse.Namespace) -> tuple[str | None, str | None]:
    """A config's path, and the SHA-256 of what it says with its bases; none: the checkpoint's own.

    Beside an ``.onnx`` file, which takes none, it is not looked at.
    """
    if args.config is None or args.backend == 'onnx':
        return args.config, None
    from hashlib import sha256

    from mmomni.engine.configs import config_file, open_config

    try:
        path = config_file(args.config)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{error} (--config)') from error
    return path, sha256(repr(open_config(path)).encode()).hexdigest()
