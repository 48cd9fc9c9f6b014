"""Export a published checkpoint as ONNX, for images of any size, whole and in windows.

    python tools/deployment/pytorch2onnx.py omni-iml-1a2b3c4d.pth omni-iml.onnx
    mmomni predict photo.jpg --checkpoint omni-iml.onnx

Config, thresholds and model card travel inside the file. The result is compared with torch; a
file that differs is not written. `publish_model.py` does the same for each checkpoint that it
writes as .safetensors.
"""

import argparse
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmomni.apis.onnx_export import export_onnx
from mmomni.checkpoints import read_checkpoint


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Export a published checkpoint as ONNX')
    parser.add_argument(
        'checkpoint', type=Path, help='file of tools/model_converters/publish_model.py'
    )
    parser.add_argument('out', type=Path, help='file NAME.onnx')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    try:
        parity = export_onnx(read_checkpoint(args.checkpoint), args.out, args.checkpoint)
    except (ValueError, OSError, ImportError) as error:
        print(f'pytorch2onnx.py: {error}', file=sys.stderr)
        return 1
    print(
        f'{args.out}: probabilities differ from torch by {parity.maximum:.1e} at most, '
        f'{parity.mean:.1e} on average'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
