"""Test a checkpoint on all sets of a config: ``python tools/test.py CONFIG CHECKPOINT``.

Sets of the paper that are not there are left out and named. The tables beside the paper's
figures go to ``results.json``, ``results.csv`` and ``results.md`` in the work dir.
"""

import argparse
import os
import os.path as osp
import sys

from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

import mmomni  # noqa: F401  (lets configs say _base_ = 'mmomni::...')
from mmomni.checkpoints import demand_fit
from mmomni.datasets.configured import drop_absent_sets
from mmomni.engine.launch import allow_cpu_ranks, config_path, leave_ranks, read_config
from mmomni.evaluation.paper_tables import PAPER_SETS
from mmomni.evaluation.results import Report
from mmomni.utils.allocator import keep_freed_memory


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', type=config_path, help='a file, or a config of the package')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder of logs and results')
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
    for path in (args.config, args.checkpoint):
        if '://' not in path and not osp.isfile(path):
            parser.error(f'expected a file, found none: {path}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])
    cfg.load_from = args.checkpoint
    return cfg


def main() -> None:
    args = parse_args()
    cfg = merge_args(read_config(args.config), args)
    report = Report(cfg, drop_absent_sets(cfg, optional=PAPER_SETS))
    if get_device() == 'cpu':
        keep_freed_memory()
    allow_cpu_ranks(cfg)
    runner = Runner.from_cfg(cfg)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    try:
        demand_fit(model, args.checkpoint)
    except ValueError as error:
        sys.exit(f'test.py: {error}')
    report.name_absent()
    metrics = runner.test()
    if is_main_process():
        report.write(metrics)
    leave_ranks()


if __name__ == '__main__':
    main()
