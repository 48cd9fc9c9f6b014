import argparse
import gc
import os
import os.path as osp
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

import torch
from mmengine.config import Config

from mmomni.engine.building import fault_of_config
from mmomni.engine.configs import config_file, open_config
from mmomni.engine.faults import fault_of_run
from mmomni.engine.outputs import keep_traceback
from mmomni.engine.starting import merge_options
from mmomni.models.pretrained.trusting import reading_by_trust
from mmomni.utils.digests import UnusableFileError

LAUNCHED = {'TORCHELASTIC_RUN_ID', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'}
"""Of the environment: whoever sets one of these ends all processes where one has ended."""
PATIENCE = 20.0
"""Seconds for that. So the process that failed is named once, and not by all others as well."""


def config_path(name: str) -> str:
    """The ``type`` of a tool's config: a file, or the name of one of the package.

    Where there is none, the tool ends in one line.
    """
    try:
        return config_file(name)
    except (FileNotFoundError, ValueError) as error:
        end_tool(error)


def read_config(path: str) -> Config:
    """The config of a tool, which ends in one line where it cannot be read."""
    try:
        return open_config(path)
    except (FileNotFoundError, ValueError) as error:
        end_tool(error)


def override(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Merge ``--cfg-options``; the tool ends in one line where they would have no effect."""
    demand(merge_options, cfg, options or {})


def demand(check: Callable[..., Any], *subject: Any) -> None:
    """End a tool in one message where files are absent, or what was asked for cannot be done."""
    try:
        check(*subject)
    except (FileNotFoundError, ValueError) as error:
        end_tool(error)


@contextmanager
def config_at_fault(cfg: Config) -> Iterator[None]:
    """End a tool in one line where the config is why something could not be built.

    The traceback goes to the log in the work dir, as what a constructor refuses may be a fault of
    its code. Whatever else the code that the config names raises goes on, with its traceback.
    """
    try:
        yield
    except (KeyError, TypeError, RuntimeError, ValueError, AssertionError) as error:
        if fault := fault_of_config(error, cfg):
            end_tool(_with_traceback(fault))
        raise


@contextmanager
def run_at_fault(cfg: Config, is_training: bool = False) -> Iterator[None]:
    """End a tool in one line where the machine ended the run, see :func:`fault_of_run`.

    The traceback goes to the log in the work dir. All other errors go on, with theirs.
    """
    try:
        yield
    except Exception as error:
        fault = fault_of_run(error, cfg, is_training)
        if fault is None:
            raise
        line = _with_traceback(fault.text)
        if fault.is_elsewhere and LAUNCHED & set(os.environ):
            time.sleep(PATIENCE)
    else:
        return
    _leave_at_once(line)


def _with_traceback(line: str) -> str:
    """The line, and where the traceback of what is being handled was kept."""
    kept = keep_traceback(traceback.format_exc())
    return f'{line} (traceback: {kept})' if kept else line


def _leave_at_once(line: str) -> NoReturn:
    """End in one line; with other processes without waiting for what they still hold of this one.

    While the interpreter shuts down, threads of gloo or NCCL may wait for a process that has gone.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        end_tool(line)
    sys.stderr.write(f'{_name()}: rank {torch.distributed.get_rank()}: {line}\n')
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(1)


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Declare what :func:`checkpoints_trusted` reads of a config, see :func:`merge_trust`."""
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='also read checkpoints that hold more than weights and the records of a training, '
        'which can run any code',
    )  # fmt: skip


def merge_trust(cfg: Config, args: argparse.Namespace) -> None:
    """The option of a tool over the config's own entry ``trust_checkpoint``, which it ends by."""
    if args.trust_checkpoint:
        cfg.trust_checkpoint = True
    if type(given := cfg.get('trust_checkpoint', False)) is not bool:
        end_tool(f'trust_checkpoint: expected True or False, got {given!r}')


@contextmanager
def checkpoints_trusted(cfg: Config) -> Iterator[None]:
    """Let the host read, to start from, resume or test, what is harmless or trusted by the config.

    The tool ends in one line where a file is neither, or is damaged.
    """
    try:
        with reading_by_trust(cfg.get('trust_checkpoint', False)):
            yield
    except UnusableFileError as error:
        end_tool(error)


def end_tool(error: Exception | str) -> NoReturn:
    """End a tool, or a command that runs it, by what a person did wrong."""
    sys.exit(f'{_name()}: {error}')


def _name() -> str:
    return osp.basename(sys.argv[0])


def freeze_imports() -> None:
    """Let garbage collection pass over all that is there by now: for programs, before they build.

    mmengine asks for a collection for every data set, each of which went through all modules: that
    was a second of a start. And workers that are forked copied the pages of what it touched.
    """
    gc.freeze()


def allow_cpu_ranks(cfg: Config) -> None:
    """Let ``--launcher pytorch`` start processes on a machine without CUDA.

    mmengine would set a CUDA device in every process and hand its number to DDP, which refuses
    one for modules on the CPU. The config must name a backend for CPUs:
    ``env_cfg.dist_cfg.backend=gloo``.

    Raises:
        ValueError: The config names a backend for GPUs, or its ``timeout`` is no number of seconds.
    """
    if cfg.launcher != 'pytorch' or torch.cuda.is_available():
        return
    backend = cfg.env_cfg.dist_cfg.backend
    if backend == 'nccl':
        raise ValueError(
            "backend 'nccl' needs GPUs and there are none here; on CPUs add --cfg-options "
            'env_cfg.dist_cfg.backend=gloo'
        )
    # as mmengine's own start does, which comes too late
    timeout = cfg.env_cfg.dist_cfg.get('timeout')
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float)):
        raise ValueError(
            f'env_cfg.dist_cfg.timeout: expected a number of seconds, got {timeout!r}'
        )
    limit: dict[str, Any] = {} if timeout is None else dict(timeout=timedelta(seconds=timeout))
    torch.distributed.init_process_group(backend, **limit)
    wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
    wrapper['find_unused_parameters'] = cfg.get('find_unused_parameters', False)
    cfg.model_wrapper_cfg = {**wrapper, **cfg.get('model_wrapper_cfg', {}), 'device_ids': None}


def leave_ranks() -> None:
    """End what connects the processes, if anything does, while Python still runs.

    gloo's threads may hold tensors of the last exchange; freeing those while the interpreter shuts
    down aborts the process.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
