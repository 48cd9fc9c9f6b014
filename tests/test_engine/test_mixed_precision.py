import sys
from importlib import import_module

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmomni.engine import mixed_precision
from mmomni.engine.mixed_precision import mix_precision

FP16 = dict(type='AmpOptimWrapper', loss_scale='dynamic')
BF16 = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False))
DTYPE = dict(dtype='float16')


@pytest.fixture
def accelerator(monkeypatch):
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: 'cuda')


@pytest.fixture
def arguments_of(load_tool, monkeypatch):
    tool = load_tool('train.py')

    def parse(*options):
        monkeypatch.setattr(sys, 'argv', ['train.py', *options])
        return tool, tool.parse_args()

    return parse


CONFIG = 'mmomni::demo/omni-iml_convnext-atto_demo.py'


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (['--amp', CONFIG], FP16),
        ([CONFIG, '--amp'], FP16),
        ([CONFIG, '--amp', '--work-dir', 'w'], FP16),
        (['--amp', 'fp16', CONFIG], FP16 | DTYPE),
        (['--amp=fp16', CONFIG], FP16 | DTYPE),
        (['--amp', 'bf16', CONFIG], BF16),
        ([CONFIG, '--amp=bf16'], BF16),
        ([CONFIG], dict(type='OptimWrapper')),
    ],
    ids=str,
)
def test_the_option(arguments_of, accelerator, options, expected):
    """Without a value it is what it was, wherever it stands."""
    tool, args = arguments_of(*options)
    cfg = tool.merge_args(Config(dict(optim_wrapper=dict(type='OptimWrapper'))), args)
    assert cfg.optim_wrapper.to_dict() == expected


def test_no_such_precision(arguments_of, capsys):
    with pytest.raises(SystemExit):
        arguments_of(CONFIG, '--amp=fp8')
    assert "expected fp16 or bf16, got 'fp8'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('given', 'precision', 'expected'),
    [
        (BF16, mixed_precision.PLAIN_AMP, BF16),
        (BF16, 'fp16', FP16 | DTYPE),
        (FP16 | dict(loss_scale=512.0), 'fp16', FP16 | DTYPE | dict(loss_scale=512.0)),
        (FP16 | dict(loss_scale=512.0), 'bf16', BF16),
    ],
    ids=str,
)
def test_what_the_config_says_already(accelerator, given, precision, expected):
    cfg = Config(dict(optim_wrapper=dict(given)))
    mix_precision(cfg, precision)
    assert cfg.optim_wrapper.to_dict() == expected


@pytest.mark.parametrize('options', [['--amp'], ['--amp', 'bf16']], ids=str)
def test_a_cpu_has_none(arguments_of, monkeypatch, options):
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: 'cpu')
    tool, args = arguments_of(CONFIG, *options)
    with pytest.raises(SystemExit, match='--amp needs an accelerator'):
        tool.merge_args(Config(dict(optim_wrapper=dict(type='OptimWrapper'))), args)


@pytest.mark.parametrize('wrapper', [FP16 | DTYPE, BF16], ids=str)
def test_mmengine_takes_it(wrapper, monkeypatch):
    """It asks for CUDA when it is built, and for nothing of it here."""
    module = import_module('mmengine.optim.optimizer.amp_optimizer_wrapper')
    monkeypatch.setattr(module, 'is_cuda_available', lambda: True)
    model = torch.nn.Linear(1, 1)
    built = build_optim_wrapper(model, dict(wrapper, optimizer=dict(type='SGD', lr=1.0)))
    assert built.cast_dtype == getattr(torch, wrapper['dtype'])
