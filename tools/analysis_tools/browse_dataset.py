"""Draw the samples of a config as training sees them: contact sheets, without a display.

    python tools/analysis_tools/browse_dataset.py CONFIG [--phase val] [--output-dir FOLDER]

Of each sample: the picture with the edges of its mask and its boxes, the mask, and the plane of
``|q|``. The order is that of the config's sampler and seed.
"""

import argparse
import os.path as osp
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

import cv2
import numpy as np
from mmengine.config import Config, DictAction
from mmengine.registry import DATA_SAMPLERS, DATASETS, DefaultScope

import mmomni  # noqa: F401  (lets configs say _base_ = 'mmomni::...')
from mmomni.datasets.configured import (
    demand_known,
    describe_absent,
    drop_absent_sets,
    sets_of,
)
from mmomni.datasets.transforms import LoadManipulationMask, LoadOriginalImage
from mmomni.engine.launch import config_at_fault, config_path, end_tool, override, read_config
from mmomni.evaluation.paper_tables import PAPER_SETS
from mmomni.jpeg import ImageReadError
from mmomni.utils.seeding import Stream, seed_all
from mmomni.visualization.samples import Drawn, draw_sample, sheets

MODES = ('transformed', 'original')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', type=config_path, help='a file, or a config of the package')
    parser.add_argument(
        '--output-dir', type=Path, help='folder of the sheets (default: work_dirs/CONFIG/browse)'
    )
    parser.add_argument('--phase', choices=['train', 'val', 'test'], default='train')
    parser.add_argument(
        '--show-number', type=int, default=60, metavar='N', help='samples (default: %(default)s)'
    )
    parser.add_argument(
        '--mode', choices=MODES, default=MODES[0],
        help="'transformed': what the network gets; 'original': the files (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument('--cell', type=int, default=192, help='pixels (default: %(default)s)')
    parser.add_argument('--columns', type=int, default=2, help='default: %(default)s')
    parser.add_argument('--rows', type=int, default=10, help='of a sheet (default: %(default)s)')
    parser.add_argument('--not-show', action='store_true', help='no windows; there never are any')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override config entries',
    )  # fmt: skip
    args = parser.parse_args()
    for name in ('show_number', 'columns', 'rows'):
        if getattr(args, name) < 1:
            parser.error(f'expected --{name.replace("_", "-")} of at least 1')
    if args.cell < 32:
        parser.error(f'expected --cell of at least 32 pixels, got {args.cell}')
    return args


def drawn_samples(cfg: Config, phase: str, mode: str) -> Iterator[Drawn]:
    """As the loader of a phase would get them, without end in training."""
    loader = cfg.get(f'{phase}_dataloader')
    if not loader:
        raise ValueError(f'the config has no {phase}_dataloader; choose another --phase')
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    seed_all(Stream.TOOL, seed)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
        dataset = DATASETS.build(loader.dataset)
        options = dict(dataset=dataset, seed=seed)
        sampler = DATA_SAMPLERS.build(loader.sampler, default_args=options)
        for index in sampler:
            yield original(dataset, index) if mode == 'original' else transformed(dataset[index])


def transformed(packed: dict) -> Drawn:
    planes, sample = packed['inputs'].numpy(), packed['data_samples']
    colours = planes[:3] if len(planes) > 3 else planes[::-1]  # mmseg packs BGR
    image = np.ascontiguousarray(colours.transpose(1, 2, 0))
    mask = np.zeros(image.shape[:2], np.uint8)
    note = ''
    if 'gt_sem_seg' in sample:
        truth = sample.gt_sem_seg.data[0].numpy().astype(np.uint8)
        mask = cv2.resize(truth, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
        note = f', {np.mean(mask == 1):.1%} tampered'
    boxes = sample.gt_instances.bboxes.tolist() if 'gt_instances' in sample else []
    meta = sample.metainfo
    note = f' {meta.get("dct_source", "")}{note}'
    if 'unreadable' in meta:
        note = ' UNREADABLE, another takes its place'
    return Drawn(image, mask, planes[3] if len(planes) > 3 else None, boxes, caption(meta) + note)


def original(dataset: Any, index: int) -> Drawn:
    info = dataset.get_data_info(int(index))
    try:
        loaded = LoadManipulationMask()(LoadOriginalImage()(dict(info)))
    except ImageReadError as error:
        print(f'unreadable: {error}', file=sys.stderr)
        blank = np.zeros((8, 8, 3), np.uint8)
        return Drawn(blank, blank[..., 0], None, [], f'{caption(info)} UNREADABLE')
    mask = loaded.get('gt_seg_map', np.zeros(loaded['ori_shape'], np.uint8))
    note = f' {np.mean(mask == 1):.1%} tampered'
    rgb = np.ascontiguousarray(loaded['img'][..., ::-1])
    return Drawn(rgb, mask, None, [], caption(info) + note)


def caption(meta: Any) -> str:
    return f'{meta.get("dataset_name", "")}/{osp.basename(meta["img_path"])}:'


def draw(cfg: Config, args: argparse.Namespace, folder: Path) -> int:
    """Write the sheets; their number."""
    samples = islice(drawn_samples(cfg, args.phase, args.mode), args.show_number)
    cells = (draw_sample(sample, args.cell) for sample in samples)
    number = 0
    for number, sheet in enumerate(sheets(cells, args.columns, args.rows), 1):
        path = folder / f'{args.phase}_{args.mode}_{number:03d}.png'
        if not cv2.imwrite(str(path), sheet[..., ::-1]):
            raise OSError(f'{path} cannot be written')
    return number


def main() -> None:
    args = parse_args()
    folder = args.output_dir or Path('work_dirs', Path(args.config).stem, 'browse')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cfg = read_config(args.config)
        override(cfg, args.cfg_options)
        demand_known(cfg, args.phase)
        absent = drop_absent_sets(cfg, optional=PAPER_SETS) if args.phase == 'test' else []
        if absent:
            print(describe_absent(absent, len(absent) + len(sets_of(cfg, 'test_dataloader'))))
        with config_at_fault(cfg):
            number = draw(cfg, args, folder)
    except (OSError, ValueError) as error:
        end_tool(error)
    print(f'{number} sheets: {folder.resolve()}')


if __name__ == '__main__':
    main()
