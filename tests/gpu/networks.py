"""Whole models with random weights, and what trains them."""

import copy
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from model_profiling.subjects import load_subject, training_batch

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
DEMO = CONFIGS / 'demo/omni-iml_convnext-atto_demo.py'
LITE = CONFIGS / 'lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'
WITHOUT_BOXES = CONFIGS / 'mini/omni-iml-wo-ae_convnext-atto_mini.py'
BASE = CONFIGS / 'omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'
CPU = torch.device('cpu')


def subject_of(path, side=64):
    """A config's model on the CPU, without chance, with a gate that is sure of its choice.

    Random numbers are others on another device, and a choice is not differentiable: near its
    threshold a rounding error would decide.
    """
    cfg = Config.fromfile(path)
    cfg.model.data_preprocessor.size = (side, side)
    torch.manual_seed(0)
    subject = load_subject(path, CPU, cfg)
    for module in subject.model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        if hasattr(module, 'drop_prob'):
            module.drop_prob = 0.0
    gate = getattr(subject.model.backbone, 'gate', None)
    if gate is not None:
        nn.init.constant_(gate.linear.bias, -4.0)
    return subject


def optim_wrapper_of(model, cfg, precision='fp32'):
    """The config's own, for a precision: fp16 with the dynamic loss scale of ``--amp``."""
    types = {
        'fp32': dict(type='OptimWrapper'),
        'bf16': dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False)),
        'fp16': dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic'),
    }
    with DefaultScope.overwrite_default_scope('mmseg'):
        return build_optim_wrapper(model, {**cfg.optim_wrapper, **types[precision]})


@contextmanager
def amp_anywhere(device):
    """Lets mmengine's ``AmpOptimWrapper`` on a CPU, for the trial of the tests: in bfloat16.

    There it refuses to be made, and its autocast knows no other type.
    """
    if device.type == 'cuda':
        yield
        return
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    autocast = torch.autocast('cpu', torch.bfloat16)
    with (
        patch(f'{module}.is_cuda_available', lambda: True),
        patch('mmengine.runner.amp.autocast', lambda dtype=None: autocast),
    ):
        yield


class Training:
    """Steps of a copy of a subject's model on a device, all with the same batch."""

    def __init__(self, subject, device, precision='fp32', side=64):
        self.side, self.device = side, device
        self.model = copy.deepcopy(subject.model).to(device).train()
        with amp_anywhere(device):
            self.wrapper = optim_wrapper_of(self.model, subject.cfg, precision)
        for group in self.wrapper.optimizer.param_groups:
            group['lr'] /= 20  # as in the first steps of a config's warm-up

    def step(self):
        """One by mmengine's own ``train_step``; the losses."""
        torch.manual_seed(0)  # mmdet draws its samples on the CPU
        with amp_anywhere(self.device):
            losses = self.model.train_step(training_batch(2, self.side), self.wrapper)
        return {name: value.item() for name, value in losses.items() if 'loss' in name}

    def weights(self):
        return {name: p.detach().clone() for name, p in self.model.named_parameters()}
