"""Train a model: ``python tools/train.py CONFIG [--work-dir DIR] [--resume] ...``."""

import argparse
import os
import os.path as osp
import sys

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.runner import Runner

from mmomni.engine.finite import DivergedError
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
from mmomni.engine.mixed_precision import mix_precision, precision, with_value_of_amp
from mmomni.engine.training import check_training, prepare_runner, resume_own
from mmomni.utils.allocator import keep_freed_memory


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', type=config_path, help='a file, or a config of the package')
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument('--resume', action='store_true', help='go on from the last checkpoint')
    add_trust_option(parser)
    parser.add_argument(
        '--amp', type=precision, metavar='{fp16,bf16}',
        help='automatic mixed precision, on an accelerator (without a value: fp16); bf16 needs no '
        'loss scaling',
    )  # fmt: skip
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override config entries, e.g. train_dataloader.batch_size=4',
    )  # fmt: skip
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    # torch.distributed.launch passes --local_rank, torchrun sets the variable
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(with_value_of_amp(sys.argv[1:]))
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    cfg.launcher = args.launcher
    override(cfg, args.cfg_options)
    merge_trust(cfg, args)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])
    if args.amp is not None and cfg.get('optim_wrapper'):  # without one the start says so
        demand(mix_precision, cfg, args.amp)
    if args.resume:  # a config's own `resume = True` stays as it is
        cfg.resume = True
        if 'load_from' not in (args.cfg_options or {}):
            resume_own(cfg)
    return cfg


def train(cfg: Config) -> None:
    runner = Runner.from_cfg(cfg)
    demand(prepare_runner, runner, cfg)
    try:
        runner.train()
    except DivergedError as error:  # of all ranks
        leave_ranks()
        end_tool(error)


def main() -> None:
    args = parse_args()
    cfg = merge_args(read_config(args.config), args)
    demand(check_training, cfg)
    freeze_imports()
    if get_device() == 'cpu':
        keep_freed_memory()
    demand(allow_cpu_ranks, cfg)
    with checkpoints_trusted(cfg), config_at_fault(cfg), run_at_fault(cfg, is_training=True):
        train(cfg)
        leave_ranks()


if __name__ == '__main__':
    main()
