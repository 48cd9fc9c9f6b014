"""Which phases of a run have TF32 and autotuning; CUDA's flags can be read without CUDA."""

import argparse
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import DataLoader

from mmomni.engine.hooks import CudaMathHook, cuda_math_hook
from mmomni.registry import HOOKS
from mmomni.utils.cuda_math import CudaMath, allow, current

RUNTIME = Path(__file__).resolve().parents[2] / 'configs/_base_/default_runtime.py'
EXACT, FAST = CudaMath(False, False, False), CudaMath(True, True, True)


@pytest.fixture(autouse=True)
def torch_defaults():
    before = current()
    allow(CudaMath(False, True, False))
    yield
    allow(before)


@pytest.fixture
def cuda(monkeypatch):
    monkeypatch.setattr(cuda_math_hook, 'get_device', lambda: 'cuda')


class Noting(BaseModel):
    """Notes what CUDA is allowed whenever it is called."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.noted = {}

    def forward(self, inputs, data_samples=None, mode='tensor'):
        phase = 'train' if mode == 'loss' else 'predict'
        self.noted.setdefault(phase, set()).add(current())
        return dict(loss=self.weight.sum()) if mode == 'loss' else [BaseDataElement()]


class Nothing(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {}


def run(tmp_path, test=False, env=True, hooks=(), **options):
    loader = DataLoader([dict(inputs=torch.zeros(1))] * 2)
    runner = Runner(
        Noting(), str(tmp_path), train_dataloader=loader, val_dataloader=loader,
        test_dataloader=loader, train_cfg=dict(by_epoch=False, max_iters=2, val_interval=1),
        val_cfg={}, test_cfg={}, val_evaluator=[Nothing()],
        test_evaluator=[Nothing()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(cuda_math=dict(type='mmomni.CudaMathHook', **options)),
        custom_hooks=list(hooks), env_cfg=dict(cudnn_benchmark=env),
        experiment_name=str(tmp_path.name),
    )  # fmt: skip
    if test:
        runner.test()
    else:
        runner.train()
    return runner.model.noted


def test_training_is_fast_and_its_validation_exact(tmp_path, cuda):
    noted = run(tmp_path)
    assert noted == dict(train={FAST}, predict={EXACT})
    assert current() == CudaMath(False, True, True)  # as the runner found it, with env_cfg's


class Again(Hook):
    """Predicts once more when all is tested, as hooks do that draw pictures."""

    def after_test(self, runner):
        runner.model.test_step(dict(inputs=torch.zeros(1)))


def test_testing_is_exact(tmp_path, cuda):
    assert run(tmp_path, test=True, hooks=[Again()]) == dict(predict={EXACT})
    assert current() == CudaMath(False, True, True)


def test_phases_are_chosen(tmp_path, cuda):
    noted = run(tmp_path, tf32=['val'], autotune=['val'])
    assert noted == dict(train={EXACT}, predict={FAST})


@pytest.mark.parametrize('off', [(), []])
def test_switched_off(tmp_path, cuda, off):
    assert run(tmp_path, tf32=off, autotune=off) == dict(train={EXACT}, predict={EXACT})


def test_no_autotuning_that_the_config_does_not_want(tmp_path, cuda):
    noted = run(tmp_path, env=False, autotune=['train', 'val'])
    assert noted == dict(train={CudaMath(True, True, False)}, predict={EXACT})


def test_nothing_changes_on_a_cpu(tmp_path):
    assert run(tmp_path) == {key: {CudaMath(False, True, True)} for key in ('train', 'predict')}


@pytest.mark.parametrize('name', ['tf32', 'autotune'])
@pytest.mark.parametrize('phases', ['train', ['training'], True, None])
def test_no_such_phase(name, phases):
    with pytest.raises(ValueError, match=rf"{name} as a list of some of \('train', 'val', 'test'"):
        CudaMathHook(**{name: phases})


def test_a_command_line_switches_it_off():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    cfg = Config.fromfile(RUNTIME)
    options = ['default_hooks.cuda_math.tf32=[]', 'default_hooks.cuda_math.autotune=[test]']
    cfg.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    hook = HOOKS.build(cfg.default_hooks.cuda_math)
    assert (hook.tf32, hook.autotune) == ((), ('test',))
