"""Draw a contact sheet of synthesised (or any) images with what is forged outlined.

    python tools/analysis_tools/draw_sheet.py DATA OUT [--num 60] [--first 0] [--columns 10]

``DATA`` is a folder of ``mmomni synthesize``, or any with ``images/`` and ``masks/``. Each cell
names the file, and the operation where ``meta.jsonl`` tells it.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from mmomni.jpeg import decode
from mmomni.utils.files import find_images

CAPTION = 14  # pixels of the line below an image
OUTLINE = (255, 0, 0)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('out', type=Path, help='a PNG or JPEG file')
    parser.add_argument('--num', type=int, default=60, help='default: %(default)s')
    parser.add_argument('--first', type=int, default=0, help='how many are passed over')
    parser.add_argument('--columns', type=int, default=10, help='default: %(default)s')
    parser.add_argument('--cell', type=int, default=240, help='pixels (default: %(default)s)')
    parser.add_argument('--only', nargs='+', help='operations to show')
    parser.add_argument('--bare', action='store_true', help='no outlines: judge by eye')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    labels = read_labels(args.data / 'meta.jsonl')
    images = find_images(args.data / 'images')
    if args.only:
        images = [path for path in images if labels.get(path.name) in args.only]
    images = images[args.first : args.first + args.num]
    if not images:
        raise SystemExit(f'{args.data}/images: expected images to draw, found none')
    masks = {} if args.bare else {p.stem: p for p in find_images(args.data / 'masks')}
    cells = [
        cell(path, masks.get(path.stem), labels.get(path.name, ''), args.cell) for path in images
    ]
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % args.columns)
    rows = [np.hstack(cells[i : i + args.columns]) for i in range(0, len(cells), args.columns)]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)):
        raise SystemExit(f'{args.out}: cannot be written; check folder and suffix')


def read_labels(path: Path) -> dict[str, str]:
    """The operation of every file; nothing where there is no ``meta.jsonl``."""
    if not path.is_file():
        return {}
    metas = map(json.loads, path.read_text(encoding='utf-8').splitlines())
    return {meta['file']: meta['operation'] for meta in metas}


def cell(image_path: Path, mask_path: Path | None, label: str, side: int) -> np.ndarray:
    """An image fitted into a square with a caption; ``uint8`` (side + CAPTION, side, 3)."""
    image = decode(image_path.read_bytes(), str(image_path))
    scale = (side - 4) / max(image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
    if mask_path is not None:
        mask = decode(mask_path.read_bytes(), str(mask_path))[..., 0]
        mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_AREA)
        lines = cv2.findContours(
            (mask > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )[0]
        cv2.drawContours(image, lines, -1, OUTLINE, 1)
    canvas = np.full((side + CAPTION, side, 3), 255, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    text, at = f'{image_path.stem} {label}', (2, side + CAPTION - 4)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


if __name__ == '__main__':
    main()
