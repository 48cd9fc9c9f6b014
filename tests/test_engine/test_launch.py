from datetime import timedelta
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import utils

from mmomni.engine.launch import allow_cpu_ranks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def started(monkeypatch):
    """Backends of the process groups that were asked for, on a machine without CUDA."""
    backends = []

    def start(backend, **more):
        backends.append((backend, more) if more else backend)

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.distributed, 'init_process_group', start)
    return backends


def config(backend, launcher='pytorch', **more):
    return Config(dict(launcher=launcher, env_cfg=dict(dist_cfg=dict(backend=backend)), **more))


def test_modules_on_the_cpu_get_no_device(started):
    cfg = config('gloo', model_wrapper_cfg=dict(find_unused_parameters=True))
    allow_cpu_ranks(cfg)
    assert started == ['gloo']
    assert cfg.model_wrapper_cfg.device_ids is None
    assert cfg.model_wrapper_cfg.find_unused_parameters is True


def test_the_timeout_of_the_config_is_that_of_the_processes(started):
    cfg = config('gloo')
    cfg.env_cfg.dist_cfg.timeout = 90
    allow_cpu_ranks(cfg)
    assert started == [('gloo', dict(timeout=timedelta(seconds=90)))]
    cfg.env_cfg.dist_cfg.timeout = '90'
    with pytest.raises(ValueError, match=r'timeout: expected a number of seconds, got .90.'):
        allow_cpu_ranks(cfg)


def test_the_host_makes_seconds_of_the_timeout_of_all_configs(monkeypatch):
    dist_cfg = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py').env_cfg.dist_cfg
    asked = {}
    monkeypatch.setattr(utils, '_init_dist_pytorch', lambda backend, **more: asked.update(more))
    monkeypatch.setattr(utils.mp, 'get_start_method', lambda **_: 'fork')
    utils.init_dist('pytorch', **dist_cfg)
    assert asked['timeout'] == timedelta(seconds=1800)


def test_a_backend_for_gpus_is_named(started):
    with pytest.raises(ValueError, match=r'env_cfg\.dist_cfg\.backend=gloo'):
        allow_cpu_ranks(config('nccl'))


def test_other_launchers_and_gpus_are_left_alone(started, monkeypatch):
    allow_cpu_ranks(config('nccl', launcher='none'))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cfg = config('nccl')
    allow_cpu_ranks(cfg)
    assert started == []
    assert 'model_wrapper_cfg' not in cfg
