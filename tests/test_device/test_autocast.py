"""Half precision: with values on a CPU, by its forms and the accelerator's; and on a fake card."""

import copy
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from device_contract import SIZE, breaches, shrunk, train
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import DefaultScope
from mmengine.utils import digit_version
from mmseg.registry import MODELS

from mmomni.apis.tiling import predict_maps
from mmomni.apis.torch_network import TorchNetwork
from mmomni.models.backbones.convnext import ConvNeXtBlock, LayerNorm2d, SwinStage
from mmomni.models.backbones.efficientnet_lite import InvertedResidual
from mmomni.models.fast import GlobalAverage
from mmomni.models.fast.switch import as_on_accelerators
from mmomni.models.layers import (
    ConcatConv,
    DynamicFilter,
    FrequencyPerceptionHead,
    HighPass,
    ModalGate,
    QueryAttention,
    ScSE,
)
from mmomni.models.layers.mb_conv import MBConv

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
MINI = CONFIGS / 'mini/omni-iml_convnext-atto_mini.py'
LITE = CONFIGS / 'lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'
HALVES = pytest.mark.parametrize(
    'dtype',
    [
        pytest.param(
            torch.float16,
            marks=pytest.mark.skipif(
                digit_version(torch.__version__) < digit_version('2.4'),
                reason='torch casts to float16 on a CPU from 2.4 on',
            ),
        ),
        torch.bfloat16,
    ],
    ids=['float16', 'bfloat16'],
)
FORMS = pytest.mark.parametrize(
    'forms', [nullcontext, as_on_accelerators], ids=['of a CPU', 'of an accelerator']
)
BN = dict(type='BN')
SIDE = 64  # sums over so many pixels of more than 16 each are beyond float16


def bright(channels, side=SIDE):
    return torch.randn(2, channels, side, side) + 20


def logits(side=SIDE):
    return torch.randn(2, 2, side, side) * 8


MODULES = {
    'mean': (GlobalAverage, lambda: [bright(8)]),
    'norm': (lambda: LayerNorm2d(8, eps=1e-6), lambda: [bright(8)]),
    'ConvNeXt block': (lambda: ConvNeXtBlock(8, 0.0, 1.0), lambda: [bright(8)]),
    'Swin stage': (lambda: SwinStage(32, 2, 7, 0.0), lambda: [bright(32, 14)]),
    'inverted residual': (lambda: InvertedResidual(8, 8, 3, 1, 6, 0.0, BN), lambda: [bright(8)]),
    'MBConv': (lambda: MBConv(8, BN), lambda: [bright(8)]),
    'ScSE': (lambda: ScSE(16), lambda: [bright(16)]),
    'noise': (HighPass, lambda: [255 * torch.rand(2, 3, SIDE, SIDE)]),
    'gate': (lambda: ModalGate(8, 2, BN), lambda: [bright(8), bright(8), logits(), logits()]),
    'queries': (lambda: QueryAttention(16, 4, 2), lambda: [bright(16)]),
    'dynamic filter': (
        lambda: DynamicFilter(8, 4, 6, BN), lambda: [bright(8), 20 + torch.randn(2, 4)]
    ),
    'parts': (
        lambda: ConcatConv([8, 4], 8, norm_cfg=BN),
        lambda: [[bright(8), bright(4, 1)], (SIDE, SIDE)],
    ),
    'frequency head': (
        lambda: FrequencyPerceptionHead(8, 4, 8, num_blocks=1),
        lambda: [torch.randint(0, 21, (2, SIDE, SIDE)), torch.randint(1, 64, (2, 8, 8))],
    ),
}  # fmt: skip


def outcome(module, inputs, autocast):
    """Output and all gradients, of maps and weights, as vectors."""
    module, inputs = copy.deepcopy(module), copy.deepcopy(inputs)
    maps = [x for y in inputs for x in (y if isinstance(y, list) else [y])
            if torch.is_tensor(x) and x.is_floating_point()]  # fmt: skip
    for x in maps:
        x.requires_grad_()
    with autocast:
        output = module(*inputs)
    # Of maps as of a mean over pixels: sums of ones over all of them are beyond float16.
    seed = torch.linspace(-1, 1, output.numel()).view(output.shape)
    seed /= SIDE if output.dim() == 4 else 1
    if output.requires_grad:
        output.backward(seed.to(output))
    leaves = [*maps, *module.parameters()]
    return [output.detach(), *(x.grad for x in leaves if x.grad is not None)]


def distance(found, expected):
    """Of all values together, relative to what they are in single precision."""
    found, expected = (torch.cat([x.double().flatten() for x in xs]) for xs in (found, expected))
    return float((found - expected).norm() / expected.norm())


@HALVES
@FORMS
@pytest.mark.parametrize('name', MODULES)
def test_module(name, dtype, forms):
    """Finite, and near what single precision gives: gradients of the largest part of all."""
    make, make_inputs = MODULES[name]
    module, inputs = make().train(), make_inputs()
    expected = outcome(module, inputs, nullcontext())
    with forms():
        found = outcome(module, inputs, torch.autocast('cpu', dtype=dtype))
    assert all(x.isfinite().all() for x in found)
    assert len(found) == len(expected)
    digits = torch.finfo(dtype).eps
    assert distance(found[:1], expected[:1]) < 16 * digits
    assert distance(found, expected) < 64 * digits


def of_config(path, **changes):
    config = shrunk(Config.fromfile(path).model)
    config.update(changes)
    return config


def build(config):
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(config)


@pytest.fixture
def batch(make_planes, make_sample):
    mask = torch.zeros(SIZE, SIZE)
    mask[8:40, 16:48] = 1
    mask[:4] = 255
    samples = [make_sample(mask, [[16, 8, 48, 40]]), make_sample(torch.zeros(SIZE, SIZE))]
    return torch.stack([make_planes(SIZE, SIZE) for _ in samples]).float(), samples


@HALVES
@pytest.mark.parametrize(
    ('path', 'forms'), [(MINI, as_on_accelerators), (LITE, nullcontext)], ids=['mini', 'lite']
)
def test_losses(path, dtype, forms, shallow, batch):
    """Of all heads; those of boxes depend on which are chosen, and need only be finite."""
    model = build(of_config(path)).train()
    torch.nn.init.constant_(model.backbone.gate.linear.bias, 4.0)  # no choice by a rounding
    inputs, samples = batch

    def losses(model, autocast):
        torch.manual_seed(0)
        with autocast:
            found = model(inputs, samples, mode='loss')
        return {
            name: torch.stack(x).sum() if isinstance(x, list) else x
            for name, x in found.items() if 'loss' in name
        }  # fmt: skip

    expected = losses(copy.deepcopy(model), nullcontext())
    with forms():
        found = losses(model, torch.autocast('cpu', dtype=dtype))
        (128 * sum(found.values())).backward()
    assert {x.dtype for x in found.values()} == {torch.float32}
    assert [n for n, p in model.named_parameters() if not p.grad.isfinite().all()] == []
    near = [name for name in found if 'aux_1' not in name]
    torch.testing.assert_close([found[n] for n in near], [expected[n] for n in near],
                               rtol=0.05, atol=0.05)  # fmt: skip


@HALVES
def test_training_on_a_card(dtype, shallow, cuda, data):
    """As mmengine's ``AmpOptimWrapper`` does it, float16 with a scale that adapts itself."""
    model = cuda.build(of_config(MINI))
    outputs = []
    model.decode_head.register_forward_hook(lambda *args: outputs.append(args[-1].dtype))
    model.decode_head.coarse_cnn.register_forward_hook(lambda *args: outputs.append(args[-1].dtype))
    options = dict(loss_scale='dynamic') if dtype == torch.float16 else dict(loss_scale=1.0)
    name = str(dtype).removeprefix('torch.')
    watch = train(model, data, cuda, AmpOptimWrapper, dtype=name, **options)
    assert breaches(watch) == {}
    assert set(outputs) == {dtype}
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.float32}


@HALVES
def test_prediction_on_a_card(dtype, shallow, cuda):
    network = TorchNetwork(cuda.build(of_config(MINI, auxiliary_head=None)).eval())
    planes = np.zeros((5, SIZE, SIZE + 32), np.uint8)
    with cuda() as watch, torch.autocast('cuda', dtype=dtype):
        (found,) = predict_maps(network, [planes], SIZE, 32, max_passes=2)
    assert breaches(watch) == {}
    assert found.log_odds.dtype == np.float32
