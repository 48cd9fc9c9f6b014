"""Convert ADE20K weights of ConvNeXt (OpenMMLab's or the original ones) to start a training from.

    python tools/model_converters/convnext2mmomni.py upernet_convnext_base_22k_640.pth \
        convnext-base_ade20k.pth configs/omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py

Then train with
    --cfg-options model.backbone.backbone.init_cfg.checkpoint=convnext-base_ade20k.pth
"""

import argparse
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmomni.checkpoints import convert_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Convert ADE20K weights of ConvNeXt')
    parser.add_argument('source', type=Path, metavar='SRC', help='checkpoint of a segmentor')
    parser.add_argument('out', type=Path, metavar='OUT', help='file NAME.pth')
    parser.add_argument('config', type=Path, help='config to be trained: the weights must fit it')
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='also read a file that holds more than weights, which can run any code',
    )  # fmt: skip
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    try:
        report = convert_file(args.source, args.out, args.config, args.trust_checkpoint)
    except (ValueError, OSError) as error:
        print(f'convnext2mmomni.py: {error}', file=sys.stderr)
        return 1
    print(f'{report}\n{args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
