"""What of the models is measured, as a command line says it."""

import argparse

import torch

from mmomni.models import fast

from .subjects import DTYPES, FORMS, LAYOUTS, OWN, short_name

TRAINING_FORMS = ('eager', 'channels_last')


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Declare what all combinations of are cases."""
    cuda = torch.cuda.is_available()
    parser.add_argument('--sizes', nargs='+', type=int, default=[512], help='multiples of 32')
    parser.add_argument('--batch-sizes', nargs='+', type=int, default=[1, 8, 32] if cuda else [1])
    parser.add_argument(
        '--precisions', nargs='+', choices=list(DTYPES),
        help='tf32 and fp32 are of the same numbers, which CUDA multiplies with TF32 and without '
        '(default: all on CUDA, else fp32)',
    )  # fmt: skip
    parser.add_argument(
        '--forms', nargs='+', choices=FORMS, default=list(FORMS) if cuda else ['eager', 'fused'],
        help='logits are compared with those of the first; training runs in '
        f'{" and ".join(TRAINING_FORMS)} (default: all on CUDA, else eager and fused)',
    )  # fmt: skip
    parser.add_argument(
        '--layouts', nargs='+', choices=list(LAYOUTS), default=[OWN],
        help="of our networks' maps; own: the device's, which mmomni/models/fast/memory.py names "
        '(default: own)',
    )  # fmt: skip
    parser.add_argument(
        '--frequency-forms', nargs='+', choices=fast.FREQUENCY_FORMS, default=['auto'],
        help='forms of the frequency head (default: auto)',
    )  # fmt: skip
    parser.add_argument('--train-batch-size', type=int, default=2, help='default: 2')


def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End the program with a message where arguments cannot be measured; fill in precisions."""
    on_cuda = torch.device(args.device).type == 'cuda'
    args.precisions = args.precisions or (list(DTYPES) if on_cuda else ['fp32'])
    if wrong := [size for size in args.sizes if size < 32 or size % 32]:
        parser.error(f'expected --sizes as multiples of 32, got {wrong}')
    if wrong := [size for size in (*args.batch_sizes, args.train_batch_size) if size < 1]:
        parser.error(f'expected batches of at least one image, got {wrong}')
    if set(args.measure) == {'training'} and not set(args.forms) & set(TRAINING_FORMS):
        parser.error(f'--measure training runs in {TRAINING_FORMS}, got --forms {args.forms}')
    if args.rounds < 1:
        parser.error(f'expected at least one of --rounds, got {args.rounds}')
    if on_cuda and not torch.cuda.is_available():
        parser.error(f'--device {args.device}: there is no CUDA here; leave it out for the CPU')
    if 'tf32' in args.precisions and not on_cuda:
        parser.error(f'--precisions tf32 is for CUDA, got --device {args.device}; take fp32')
    names = [short_name(path) for path in args.models]
    if len(set(names)) < len(names):
        parser.error(f'expected models of different names, got {names}; give each once')
