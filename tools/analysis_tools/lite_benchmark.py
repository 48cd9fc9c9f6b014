"""What helps a small model to find real forgeries (docs/benchmarks.md).

    python tools/lite_data.py SOURCES data/lite
    python tools/analysis_tools/lite_benchmark.py --rows recipe 'cross-entropy alone' --seeds 0 1

Each row is the recipe with one thing changed. All rows have the same budget: iterations, and pixels
of a batch. What is finished already is not done again; an interrupted row goes on where it was.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmengine.config import Config

from mmomni.utils.tables import markdown_table

CONFIGS = Path('configs/lite')
LITE0 = 'omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'
LITE2 = 'omni-iml_efficientnet-lite2_1xb12-40k_192x192.py'
WORK_DIRS = Path('work_dirs/lite')
ITERATIONS = 1200
CROSS_ENTROPY = dict(type='CrossEntropyLoss', avg_non_ignore=True)
ENCODER = 'model.backbone'


def losses(*terms: dict) -> dict[str, list[dict]]:
    return {
        'model.decode_head.loss_decode': list(terms),
        'model.auxiliary_head.0.loss_decode': list(terms),
    }


def region(name: str, **options: Any) -> dict:
    return dict(type='mmomni.RegionLoss', loss_name=f'loss_{name}', **options)


ROWS: dict[str, dict[str, Any]] = {
    'recipe': {},
    'lite2': {'config': LITE2},
    'fused': {f'{ENCODER}.gate': 'fused'},
    'vision': {f'{ENCODER}.gate': 'vision', f'{ENCODER}.residual_fusion': False},
    'no high-pass planes': {f'{ENCODER}.high_pass': False},
    'replacing fusion': {f'{ENCODER}.residual_fusion': False},
    'no real forgeries': {'without': 'real'},
    'cross-entropy alone': losses(CROSS_ENTROPY),
    # beside 'cross-entropy alone', not beside the recipe
    'weighted cross-entropy alone': losses(
        dict(type='mmomni.WeightedCrossEntropy', class_weight=[1.0, 4.0])
    ),
    'Dice of the batch': losses(CROSS_ENTROPY, region('dice', pool='batch')),
    'false alarms in Dice': losses(CROSS_ENTROPY, region('dice', pool='sample', empty=0.02)),
    'Tversky': losses(CROSS_ENTROPY, region('tversky', alpha=0.3, beta=0.7, pool='sample')),
    # mmseg's also counts the worst pixel of a sample without tampering, which Dice leaves out
    'Lovász': losses(
        CROSS_ENTROPY,
        dict(type='LovaszLoss', classes=[1], per_image=True, reduction='mean'),
    ),
    # what is new learns at the full rate
    'frequency head from scratch': {
        f'{ENCODER}.frequency_head.init_cfg': None, 'full_rate': 'backbone.fph'
    },
    'no simulated cameras': {'without': 'sensor'},
    # the sets of tools/lite_data.py, made by another version's `mmomni synthesize`
    'earlier synthesiser': {'synthesised': 'data/lite-earlier/train'},
    'crops of 256': {'crop_size': 256, 'train_dataloader.batch_size': 7},
    'crops of 320': {'crop_size': 320, 'train_dataloader.batch_size': 4},
}


def make_config(row: str, seed: int, iterations: int) -> Config:
    """The recipe with one thing changed, and a schedule of ``iterations``."""
    changes = dict(ROWS[row])
    cfg = Config.fromfile(CONFIGS / changes.pop('config', LITE0))
    if side := changes.pop('crop_size', None):
        cfg = Config(_with_crop_size(cfg.to_dict(), side / cfg.crop_size[0]))
    if without := changes.pop('without', None):
        del cfg.train_dataloader.sampler['weights'][without]
    if folder := changes.pop('synthesised', None):
        for entry in cfg.train_dataloader.dataset.datasets:
            if Path(entry.data_root).parent.name == 'train':
                entry.data_root = f'{folder}/{Path(entry.data_root).name}'
    if part := changes.pop('full_rate', None):
        del cfg.optim_wrapper.paramwise_cfg.custom_keys[part]
    cfg.merge_from_dict(changes)
    warmup = cfg.param_scheduler[0].end
    cfg.merge_from_dict(
        {
            'randomness.seed': seed,
            'train_cfg.max_iters': iterations,
            'train_cfg.val_begin': iterations + 1,  # only the test counts
            'param_scheduler.1.end': max(iterations, warmup + 1),
            'default_hooks.checkpoint.interval': max(1, iterations // 6),
            'default_hooks.checkpoint.save_best': None,
        }
    )
    return cfg


def _with_crop_size(value: Any, factor: float) -> Any:
    """Plain data with another size of every crop, and of the preprocessor that pads them."""
    if isinstance(value, dict):
        is_padding = value.get('type') == 'SegDataPreProcessor'
        return {
            key: tuple(round(factor * side) for side in item)
            if key == 'crop_size' or (key == 'size' and is_padding)
            else _with_crop_size(item, factor)
            for key, item in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_with_crop_size(item, factor) for item in value]
    return value


def run(*command: object) -> None:
    words = [str(word) for word in command]
    print('\n$', ' '.join(words), flush=True)
    subprocess.run([sys.executable, *words], check=True)


def train_and_test(row: str, seed: int, iterations: int) -> Path:
    """``results.json`` of a row with a seed, made if it is not there."""
    work_dir = WORK_DIRS / f'{row.replace(" ", "-")}_seed{seed}_{iterations}'
    # beside the folder, in which the runner writes its own copy
    results, config = work_dir / 'results.json', Path(f'{work_dir}.py')
    wanted = make_config(row, seed, iterations)
    if config.is_file() and Config.fromfile(config).to_dict() != wanted.to_dict():
        raise SystemExit(f'{work_dir} is of another recipe; remove it')
    if not results.is_file():
        work_dir.mkdir(parents=True, exist_ok=True)
        wanted.dump(config)
        run('tools/train.py', config, '--work-dir', work_dir, '--resume')
        run('tools/test.py', config, work_dir / f'iter_{iterations}.pth', '--work-dir', work_dir)
    return results


def figures(results: Path) -> dict[str, float]:
    """The columns of the table."""
    selection = json.loads(results.read_text())['selection']
    real = selection['datasets']['real']
    images = sum(row['tampered'] for row in real.values())

    def over_images(score: str) -> float:
        return sum(row[score] * row['tampered'] for row in real.values()) / images

    columns = {'AUC': over_images('AUC'), 'IoU': over_images('IoU'),
               'best fixed': over_images('IoU_fixed'),
               'threshold': selection['average']['threshold']}  # fmt: skip
    columns |= {name: row['IoU'] for name, row in real.items()}
    columns |= {name: row['IoU'] for name, row in selection['domains'].items()
                if name not in ('real', 'authentic')}  # fmt: skip
    return columns | {'false area': selection['domains']['authentic']['false_area']}


def table(runs: Mapping[str, Sequence[dict[str, float]]]) -> str:
    """One line a row: means over seeds."""
    columns = list(next(iter(runs.values()))[0])
    lines = []
    for row, seeds in runs.items():
        means = [statistics.mean(figures[column] for figures in seeds) for column in columns]
        cells = ['-' if math.isnan(mean) else f'{mean:.3f}' for mean in means]
        lines.append([row, *cells, str(len(seeds))])
    return '\n'.join(markdown_table(['row', *columns, 'seeds'], lines))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Compare recipes for a small model')
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=list(ROWS), metavar='ROW')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument('--iterations', type=int, default=ITERATIONS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    runs: dict[str, list[dict[str, float]]] = {}
    for row in args.rows:
        for seed in args.seeds:
            results = train_and_test(row, seed, args.iterations)
            runs.setdefault(row, []).append(figures(results))
            print(table(runs), flush=True)
    (WORK_DIRS / 'table.md').write_text(table(runs) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
