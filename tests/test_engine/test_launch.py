import pytest
import torch
from mmengine.config import Config

from mmomni.engine.launch import allow_cpu_ranks


@pytest.fixture
def started(monkeypatch):
    """Backends of the process groups that were asked for, on a machine without CUDA."""
    backends = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.distributed, 'init_process_group', backends.append)
    return backends


def config(backend, launcher='pytorch', **more):
    return Config(dict(launcher=launcher, env_cfg=dict(dist_cfg=dict(backend=backend)), **more))


def test_modules_on_the_cpu_get_no_device(started):
    cfg = config('gloo', model_wrapper_cfg=dict(find_unused_parameters=True))
    allow_cpu_ranks(cfg)
    assert started == ['gloo']
    assert cfg.model_wrapper_cfg.device_ids is None
    assert cfg.model_wrapper_cfg.find_unused_parameters is True


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
