"""Multiply-adds and parameters of a config's model: `get_flops.py CONFIG --shape HEIGHT WIDTH`.

What is counted is said in `model_profiling/operations.py`, by which `benchmark.py` counts, too. The
weights are random: none are read or downloaded.
"""

import argparse
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

import torch
from mmengine.config import DictAction
from torch import Tensor

import mmomni  # noqa: F401  (lets configs say _base_ = 'mmomni::...')
from mmomni.engine.launch import config_path, override, read_config
from model_profiling.operations import macs_by_module, operations_of
from model_profiling.subjects import load_subject, parameters_of, random_planes

PARTS = ('backbone', 'neck', 'decode_head')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Get the FLOPs of a segmentor')
    parser.add_argument('config', type=config_path, help='a file, or a config of the package')
    parser.add_argument(
        '--shape', type=int, nargs='+', default=[512, 512], metavar='PIXELS',
        help='height and width of the image, or one number for both (default: 512 512)',
    )  # fmt: skip
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override config entries',
    )  # fmt: skip
    args = parser.parse_args()
    if len(args.shape) > 2 or min(args.shape) < 1:
        parser.error(f'expected --shape as height and width in pixels, got {args.shape}')
    return args


def padded(planes: Tensor, divisor: int) -> Tensor:
    """With zeros at the right and at the bottom, as the data preprocessor does it."""
    height, width = planes.shape[2:]
    return torch.nn.functional.pad(planes, (0, -width % divisor, 0, -height % divisor))


def main() -> None:
    args = parse_args()
    height, width = args.shape if len(args.shape) == 2 else args.shape * 2
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    cfg = read_config(args.config)
    override(cfg, args.cfg_options)
    subject = load_subject(Path(args.config), device, cfg)
    model = subject.model
    divisor = (model.data_preprocessor.test_cfg or {}).get('size_divisor', 1)
    planes = random_planes(1, max(height, width))[..., :height, :width]
    planes = padded(planes, divisor).to(device, torch.float32)
    shape = tuple(planes.shape[2:])

    @torch.no_grad()
    def run() -> Tensor:
        return model.encode_decode(planes, [dict(img_shape=shape, pad_shape=shape)])

    macs = macs_by_module(operations_of(model, run), depth=1)
    line = '=' * 30
    print(line)
    if shape != (height, width):
        print(f'Padded to multiples of {divisor}: from {(height, width)} to {shape}')
    print(f'Input shape: {shape}, five planes')
    print(f'Flops: {sum(macs.values()) / 1e9:.3f}G (a multiply-add counts as one)')
    for part in PARTS:
        print(f'  {part}: {macs.get(part, 0) / 1e9:.3f}G')
    counts = parameters_of(model)
    print(f'Params: {counts["inference"] / 1e6:.3f}M ({counts["training"] / 1e6:.3f}M in training)')
    if (model.test_cfg or {}).get('mode') == 'slide':
        print(f'Counted as one window; the config tests in windows of {model.test_cfg.crop_size}')
    print(line)


if __name__ == '__main__':
    main()
