"""Test a checkpoint on all sets of a config: ``python tools/test.py CONFIG CHECKPOINT``.

Sets of the paper that are not there are left out and named. The tables beside the paper's
figures go to ``results.json``, ``results.csv`` and ``results.md`` in the work dir.
"""

import argparse
import os
import os.path as osp
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

import mmomni  # noqa: F401  (lets configs say _base_ = 'mmomni::...')
from mmomni.checkpoints import demand_fit
from mmomni.datasets.configured import demand_known, drop_absent_sets
from mmomni.engine.hooks.every_image_hook import EveryImageHook
from mmomni.engine.hooks.results_hook import ResultsHook
from mmomni.engine.launch import (
    add_trust_option,
    allow_cpu_ranks,
    checkpoints_trusted,
    config_at_fault,
    config_path,
    demand,
    end_tool,
    freeze_imports,
    leave_ranks,
    merge_trust,
    override,
    read_config,
    run_at_fault,
)
from mmomni.engine.outputs import guard_outputs
from mmomni.engine.test_time import augment_tests
from mmomni.evaluation.metrics.grouped_metric import number_failed
from mmomni.evaluation.paper_tables import PAPER_SETS
from mmomni.evaluation.results import Report
from mmomni.utils.allocator import keep_freed_memory

FILES = frozenset(('.pkl', '.pickle', '.json', '.csv', '.txt', '.npy', '.npz', '.png', '.jpg'))
"""Ends of names that ask for a file, as mmseg's own ``--out`` writes one."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', type=config_path, help='a file, or a config of the package')
    parser.add_argument('checkpoint', help='checkpoint file')
    add_trust_option(parser)
    parser.add_argument('--work-dir', help='folder of logs and results')
    parser.add_argument('--out', help='folder of all predictions: masks and probabilities as PNG')
    parser.add_argument(
        '--show', action='store_true', help='open a window for each picture; needs a display'
    )
    parser.add_argument(
        '--show-dir', help='folder of pictures: ground truth and prediction over the image'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, metavar='SECONDS',
        help='until the next window of --show (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--tta', action='store_true', help="test-time augmentation by the config's tta_pipeline"
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override config entries, e.g. test_dataloader.num_workers=2',
    )  # fmt: skip
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    # torch.distributed.launch passes --local_rank, torchrun sets the variable
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if '://' not in args.checkpoint and not osp.isfile(args.checkpoint):
        parser.error(f'expected a file, found none: {args.checkpoint}')
    if args.show and not has_display():
        parser.error('--show opens windows and there is no display here; take --show-dir FOLDER')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def has_display() -> bool:
    """Whether matplotlib, by which mmengine shows pictures, can open a window."""
    from matplotlib import pyplot as plt

    return plt.get_backend().lower() != 'agg'


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    cfg.launcher = args.launcher
    override(cfg, args.cfg_options)
    merge_trust(cfg, args)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        hook = dict(
            type='mmomni.VisualizationHook', draw=True, show=args.show, wait_time=args.wait_time,
            out_dir=args.show_dir,
        )  # fmt: skip
        cfg.default_hooks = {**(cfg.get('default_hooks') or {}), 'visualization': hook}
    if args.out:
        hook = dict(type='mmomni.SavePredictionsHook', out_dir=args.out)
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]
    if args.tta:
        demand(augment_tests, cfg)
    return cfg


def demand_folders(args: argparse.Namespace) -> None:
    """Make the folders of pictures before the work."""
    for option, folder in (('--out', args.out), ('--show-dir', args.show_dir)):
        if folder and Path(folder).suffix.lower() in FILES and not osp.isdir(folder):
            end_tool(
                f'expected {option} as a folder to write pictures to, got the name of a file, '
                f'{folder}; scores are in results.json in the work dir'
            )
        try:
            if folder:
                os.makedirs(folder, exist_ok=True)
        except OSError as error:
            end_tool(f'expected {option} as a folder to write to: {error}')


def demand_complete(runner: Runner, metrics: dict) -> None:
    """End with a message where not everything was scored and drawn; the log says why."""
    failed = number_failed(metrics)
    hooks = [hook for hook in runner.hooks if isinstance(hook, EveryImageHook)]
    lacking = [type(hook).__name__ for hook in hooks if not hook.is_complete]
    scored = [f'{failed} images were not scored'] * bool(failed)
    drawn = [f'not all was drawn by {", ".join(lacking)}'] * bool(lacking)
    if scored or drawn:
        what, results = ' and '.join([*scored, *drawn]), osp.join(runner.work_dir, 'results.json')
        end_tool(f'{what}; the log says why. All other scores: {results}')


def segmentor_of(runner: Runner) -> nn.Module:
    """The model without what wraps it: several ranks, test-time augmentation."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.module if isinstance(model, BaseTTAModel) else model


def main() -> None:
    args = parse_args()
    cfg = merge_args(read_config(args.config), args)
    demand_folders(args)
    demand(demand_known, cfg, 'test')
    report = Report(cfg, drop_absent_sets(cfg, optional=PAPER_SETS))
    freeze_imports()
    if get_device() == 'cpu':
        keep_freed_memory()
    demand(allow_cpu_ranks, cfg)
    with checkpoints_trusted(cfg), config_at_fault(cfg), run_at_fault(cfg):
        runner = Runner.from_cfg(cfg)
        demand(demand_fit, segmentor_of(runner), args.checkpoint)
        report.name_absent()
        results = ResultsHook(report)
        runner.register_hook(results)
        guard_outputs(runner, pictures=False)
        metrics = runner.test()
        leave_ranks()
        results.demand()
    if runner.rank == 0:
        for option, folder in (('--out', args.out), ('--show-dir', args.show_dir)):
            if folder:
                print(f'{option}: {osp.abspath(folder)}')
        demand_complete(runner, metrics)


if __name__ == '__main__':
    main()
