import argparse
import json
from collections import Counter
from pathlib import Path

from .parser import RATE, Commands
from .progress import counter
from .stopping import ending_at_once

# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
POOLINGS = ('max', 'top_k_mean')


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'calibrate',
        help='find the score above which an image is flagged, for a rate of false alarms',
        description='Score authentic images with a checkpoint and find the threshold that at most '
        'a given share of such images exceeds. Writes a JSON file.',
    )
    parser.add_argument('config', metavar='CONFIG')
    parser.add_argument('checkpoint', metavar='CHECKPOINT')
    parser.add_argument(
        'authentic', type=Path, metavar='AUTHENTIC',
        help='a folder of authentic images, or a list file with lines `image -` or `image`',
    )  # fmt: skip
    parser.add_argument(
        '--fpr', type=RATE, default=0.01,
        help='largest share of authentic images to be flagged; n images can vouch for '
        '1/(n+1) at best (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--pooling', choices=POOLINGS, default='top_k_mean',
        help='how the probability map becomes one score (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--precision', choices=('fp32', 'bf16'), default='fp32',
        help='in which the network computes, here and wherever the threshold is used (default: '
        '%(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='default: CHECKPOINT.calibration.json'
    )
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='also load an unpublished training checkpoint, which can run code that it contains',
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    with ending_at_once('mmomni calibrate: stopped; nothing was written'):
        from mmomni.apis.calibration import calibrate
        from mmomni.utils.files import counted_kinds, replacing

        found = calibrate(
            args.config, args.checkpoint, args.authentic, args.fpr, args.pooling,
            progress=counter('calibrate'), trust_checkpoint=args.trust_checkpoint,
            precision=args.precision,
        )  # fmt: skip
    out = args.out or Path(f'{args.checkpoint}.calibration.json')
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as unfinished:
        unfinished.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')
    rate, deviation = found['expected_fpr'], found['expected_fpr_std']
    print(f'flagged if the score ({found["pooling"]}) is above {found["threshold"]:.6g}')
    print(f'rests on {found["num_images"]} authentic images')
    print(f'false alarms to expect among images like these: {rate:.2%} +- {deviation:.2%}')
    if found['unreadable']:
        print(f'{len(found["unreadable"])} unreadable images, not used:')
        print('\n'.join(f'  {reason}' for reason in found['unreadable'].values()))
    if kinds := found.get('not_images'):
        print(f'not images: {counted_kinds(Counter(kinds).elements())}')
    print(f'calibration: {out}')
