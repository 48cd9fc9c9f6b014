"""Average the weights of checkpoints of one network.

    python tools/model_converters/average_checkpoints.py OUT.pth A.pth B.pth [--shares 0.7 0.3]

Weights that come from one long training can be averaged as they are, and are then often better than
each (Wortsman et al., "Model soups", ICML 2022). ``OUT`` takes the config of the first.
"""

import argparse
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader, save_checkpoint
from torch import Tensor


def average(state_dicts: list[dict[str, Tensor]], shares: list[float]) -> dict[str, Tensor]:
    """Mean of weights and statistics of norms; whole numbers (counts) are those of the first.

    Raises:
        ValueError: Names or shapes differ.
    """
    first = state_dicts[0]
    for other in state_dicts[1:]:
        differing = [n for n in first.keys() | other.keys() if _shape(first, n) != _shape(other, n)]
        if differing:
            raise ValueError(f'expected checkpoints of one network, differing: {differing[:5]}')
    averaged = dict(first)
    for name, tensor in first.items():
        if tensor.is_floating_point():
            weighted = [s * each[name] for s, each in zip(shares, state_dicts, strict=True)]
            averaged[name] = torch.stack(weighted).sum(dim=0)
    return averaged


def _shape(state_dict: dict[str, Tensor], name: str) -> torch.Size | None:
    return state_dict[name].shape if name in state_dict else None


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Average the weights of checkpoints')
    parser.add_argument('out', type=Path)
    parser.add_argument('checkpoints', nargs='+', help='of trainings, trusted: they are unpickled')
    parser.add_argument('--shares', nargs='+', type=float, help='one each, sum 1; default: equal')
    args = parser.parse_args()
    number = len(args.checkpoints)
    args.shares = args.shares or [1 / number] * number
    if len(args.shares) != number or abs(sum(args.shares) - 1) > 1e-6:
        parser.error(f'expected {number} shares whose sum is 1, got {args.shares}')
    return args


def main() -> None:
    args = parse_args()
    loaded = [
        CheckpointLoader.load_checkpoint(path, map_location='cpu') for path in args.checkpoints
    ]
    state_dict = average([each['state_dict'] for each in loaded], args.shares)
    meta = dict(loaded[0]['meta'], iter=None)  # of several trainings
    save_checkpoint(dict(state_dict=state_dict, meta=meta), str(args.out))
    print(f'{args.out}: mean of {len(loaded)} checkpoints')


if __name__ == '__main__':
    main()
