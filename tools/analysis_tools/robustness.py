"""How the scores fall when images are compressed, blurred, noisy or resized.

    python tools/analysis_tools/robustness.py CONFIG CHECKPOINT [--grids jpeg blur ...]

Tests the checkpoint once for each value of each grid. Every finished test is a JSON file, so an
interrupted run goes on where it stopped; the pictures and the table are made of all that are there.
"""

import argparse
import logging
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmengine.config import Config, DictAction
from mmengine.hooks import Hook
from mmengine.registry import LOOPS
from mmengine.runner import Runner
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import mmomni  # noqa: F401  (lets configs say _base_ = 'mmomni::...')
from mmomni.datasets.configured import describe_absent, drop_absent_sets, sets_of, type_name
from mmomni.datasets.transforms.perturb import SHARED
from mmomni.engine.launch import (
    add_trust_option,
    checkpoints_trusted,
    config_at_fault,
    config_path,
    end_tool,
    merge_trust,
    override,
    read_config,
    run_at_fault,
)
from mmomni.evaluation.metrics.grouped_metric import number_failed
from mmomni.evaluation.paper_tables import PAPER_SETS
from mmomni.evaluation.robustness import (
    AVERAGE,
    GRIDS,
    SCORES,
    UNCHANGED,
    Metrics,
    Point,
    fingerprint,
    grid_points,
    has_results,
    perturbed,
    point_of,
    read_results,
    score_lines,
    write_result,
    write_table,
)
from mmomni.visualization import Panel, draw_robustness

LABELS = dict(
    jpeg='JPEG quality',
    blur='Gaussian blur: kernel (px)',
    noise='Gaussian noise: variance (grey levels²)',
    resize='resize: scale',
    shared=f'shared: scale {SHARED:g}, JPEG quality',
    doctamper='DocTamper: lowest JPEG quality',
)
DRAWING_HOOKS = ('GalleryHook', 'ScoreCurvesHook', 'AreaPlotHook', 'ExtremesHook')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', type=config_path, help='a file, or a config of the package')
    parser.add_argument('checkpoint', help='checkpoint file')
    add_trust_option(parser)
    parser.add_argument(
        '--grids', nargs='+', choices=GRIDS, metavar='GRID',
        help=f'of {", ".join(GRIDS)} (default: all that fit the test sets)',
    )  # fmt: skip
    parser.add_argument('--work-dir', help='default: work_dirs/CONFIG/robustness')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override config entries, e.g. test_dataloader.num_workers=2',
    )  # fmt: skip
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """The config without what draws and logs, which would start anew with every test."""
    override(cfg, args.cfg_options)
    merge_trust(cfg, args)
    stem = os.path.splitext(os.path.basename(args.config))[0]
    default = os.path.join(cfg.get('work_dir') or os.path.join('work_dirs', stem), 'robustness')
    cfg.work_dir = args.work_dir or default
    cfg.load_from = args.checkpoint
    cfg.custom_hooks = [
        hook for hook in cfg.get('custom_hooks', [])
        if type_name(hook) not in DRAWING_HOOKS
    ]  # fmt: skip
    if 'visualizer' in cfg:
        cfg.visualizer.vis_backends = []
    return cfg


# ---- tests ---------------------------------------------------------------------------------


class _Advance(Hook):
    """Moves a progress bar with every tested batch."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task('')

    def before_test(self, runner: Runner) -> None:
        self.progress.reset(self.task, total=len(runner.test_dataloader))

    def after_test_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        self.progress.advance(self.task)


def run_tests(
    cfg: Config, points: Sequence[Point], inputs: Mapping[str, str], folder: Path
) -> None:
    """Test with one model, write one file a point."""
    loaders = {point: perturbed(cfg.test_dataloader, point) for point in points}
    runner = Runner.from_cfg(cfg)
    for handler in runner.logger.handlers:  # the log file has everything; here goes the bar
        if not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.ERROR)
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        everything = progress.add_task('all tests', total=len(points))
        bar = _Advance(progress)
        runner.register_hook(bar)
        for point, loader in loaders.items():
            progress.update(bar.task, description=str(point))
            parts = dict(runner=runner, dataloader=loader, evaluator=cfg.test_evaluator)
            runner._test_loop = LOOPS.build(cfg.test_cfg, default_args=parts)
            metrics = runner.test()
            write_result(folder, point, metrics, inputs)
            progress.console.print(f'{point}: {_summary(metrics)}', highlight=False)
            progress.advance(everything)


def _summary(metrics: Mapping[str, float]) -> str:
    averages = [key for key in metrics if re.search(rf'(^|/){AVERAGE}/({"|".join(SCORES)})$', key)]
    return ', '.join(f'{key} {metrics[key]:.3f}' for key in averages)


# ---- pictures ------------------------------------------------------------------------------


def draw(results: Mapping[Point, Metrics], folder: Path) -> list[Path]:
    """One picture a protocol: a panel for each grid that has results."""
    protocols: dict[str, set[str]] = {}
    for metrics in results.values():
        for line, score, _ in score_lines(metrics):
            protocols.setdefault(line.protocol, set()).add(score)
    paths = []
    for protocol, found in sorted(protocols.items()):
        scores = [score for score in SCORES if score in found]
        panels = [panel(results, grid, protocol) for grid in GRIDS if has_results(results, grid)]
        paths.append(folder / f'robustness_{protocol.replace("/", "_")}.png')
        draw_robustness(panels, scores, f'protocol {protocol}', paths[-1])
    return paths


def panel(results: Mapping[Point, Metrics], grid: str, protocol: str) -> Panel:
    """The curves of a grid: one for each dataset, and their average."""
    lines: dict[str, dict[str, list[float]]] = {}
    for index, value in enumerate(GRIDS[grid]):
        for line, score, number in score_lines(results.get(point_of(grid, value), {})):
            if line.protocol == protocol and line.name is not None:
                empty = {score: [math.nan] * len(GRIDS[grid]) for score in SCORES}
                lines.setdefault(line.name, empty)[score][index] = number
    ticks = [UNCHANGED[grid] if value is None else f'{value:g}' for value in GRIDS[grid]]
    return Panel(LABELS[grid], ticks, lines)


def main() -> None:
    args = parse_args()
    cfg = merge_args(read_config(args.config), args)
    total = len(sets_of(cfg, 'test_dataloader'))
    work_dir = Path(cfg.work_dir)
    folder = work_dir / 'points'
    try:
        absent = drop_absent_sets(cfg, optional=PAPER_SETS)
        if absent:
            print(describe_absent(absent, total))
        points = grid_points(cfg, args.grids)
        inputs = fingerprint(cfg, args.checkpoint)
        done = read_results(folder, inputs)
        todo = [point for point in points if point not in done]
        print(f'{len(points)} tests, {len(points) - len(todo)} of them finished before')
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'robustness.py: {error}')
    try:
        if todo:
            with checkpoints_trusted(cfg), config_at_fault(cfg), run_at_fault(cfg):
                run_tests(cfg, todo, inputs, folder)
    except FileNotFoundError as error:  # any other error may be a fault of the code
        end_tool(error)
    results = read_results(folder, inputs)
    write_table(results, work_dir / 'robustness.csv')
    print(work_dir / 'robustness.csv')
    for path in draw(results, work_dir):
        print(path)
    demand_scored(results)


def demand_scored(results: Mapping[Point, Metrics]) -> None:
    """End with a message where images were not scored, of which curves know nothing."""
    failed = [f'{point}: {n}' for point, found in results.items() if (n := number_failed(found))]
    if failed:
        end_tool(f'not all images were scored, the log says why; left out of {", ".join(failed)}')


if __name__ == '__main__':
    main()
