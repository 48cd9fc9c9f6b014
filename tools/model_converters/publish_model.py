"""Publish a checkpoint of your own training.

    python tools/model_converters/publish_model.py work_dirs/x/iter_370000.pth omni-iml.pth \
        --calibration iter_370000.pth.calibration.json --results work_dirs/x/results.json

The file holds the weights that inference needs, the config, thresholds and a model card, and loads
without running code. OUT may end with .pth or .safetensors; the first eight digits of the file's
SHA-256 are appended to its name. Beside a .safetensors its .onnx form is written, which predicts
where torch is not installed and names the file that it was made of.
"""

import argparse
import json
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmomni.apis.onnx_export import export_beside
from mmomni.checkpoints import publish, read_checkpoint
from mmomni.engine.launch import add_trust_option


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Publish a checkpoint of your own training')
    parser.add_argument('source', type=Path, metavar='SRC', help='checkpoint of a training')
    parser.add_argument('out', type=Path, metavar='OUT', help='NAME.pth or NAME.safetensors')
    parser.add_argument('--config', type=Path, help='its config; default: the one inside of SRC')
    parser.add_argument(
        '--calibration', type=Path, nargs='+', default=[], metavar='FILE',
        help='files that `mmomni calibrate` wrote for SRC',
    )  # fmt: skip
    parser.add_argument(
        '--results', type=Path, metavar='FILE', help='results.json of tools/test.py with SRC'
    )
    parser.add_argument('--name', help='of the model; default: that of OUT')
    parser.add_argument(
        '--licence', default='not stated',
        help='of the weights, e.g. CC-BY-NC-4.0: mind the licences of the training images',
    )  # fmt: skip
    add_trust_option(parser)
    parser.add_argument(
        '--half', action='store_true', help='write weights in half precision: half the size'
    )
    parser.add_argument(
        '--no-onnx', action='store_true', help='write no .onnx beside a .safetensors'
    )
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    try:
        path = publish(
            args.source, args.out, config=args.config, calibrations=args.calibration,
            results=args.results, name=args.name, licence=args.licence,
            half=args.half, trust=args.trust_checkpoint,
        )  # fmt: skip
    except (ValueError, OSError) as error:
        print(f'publish_model.py: {error}', file=sys.stderr)
        return 1
    print(json.dumps(read_checkpoint(path).card, indent=2, ensure_ascii=False))
    print(path)
    if path.suffix == '.safetensors' and not args.no_onnx:
        write_onnx(path)
    return 0


def write_onnx(published: Path) -> None:
    """Beside a published file; where that cannot be, a line says why."""
    try:
        path, parity = export_beside(published)
    except (ValueError, OSError, ImportError) as error:
        print(f'publish_model.py: no .onnx beside {published.name}: {error}', file=sys.stderr)
    else:
        print(f'{path}: probabilities differ from torch by {parity.maximum:.1e} at most')


if __name__ == '__main__':
    sys.exit(main())
