"""Average the weights of checkpoints of one network.

    python tools/model_converters/average_checkpoints.py OUT.pth A.pth B.pth [--shares 0.7 0.3]

Weights that come from one long training can be averaged as they are, and are then often better than
each (Wortsman et al., "Model soups", ICML 2022). ``OUT`` takes the config of the first; the others
may be published ones (``.safetensors``).
"""

import argparse
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmomni.checkpoints import average_files
from mmomni.engine.launch import add_trust_option


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Average the weights of checkpoints')
    parser.add_argument('out', type=Path)
    parser.add_argument(
        'checkpoints', nargs='+', type=Path,
        help='of trainings; all but the first may be published ones',
    )  # fmt: skip
    parser.add_argument('--shares', nargs='+', type=float, help='one each, sum 1; default: equal')
    add_trust_option(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    try:
        average_files(args.checkpoints, args.out, args.shares, args.trust_checkpoint)
    except (ValueError, OSError) as error:
        print(f'average_checkpoints.py: {error}', file=sys.stderr)
        return 1
    print(f'{args.out}: mean of {len(args.checkpoints)} checkpoints')
    return 0


if __name__ == '__main__':
    sys.exit(main())
