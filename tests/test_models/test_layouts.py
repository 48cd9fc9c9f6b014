"""Memory layouts by decision: what a map's layout is in each part, and where it changes.

An accelerator's branches are taken on the CPU (``on_accelerator``).
"""

from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.models import fast
from mmomni.models.backbones import ConvNeXt
from mmomni.models.backbones.convnext import LayerNorm2d
from mmomni.models.fast import memory

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
CONVNEXT = 'demo/omni-iml_convnext-atto_demo.py'
LITE = 'lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'
PLANES, LAST = torch.contiguous_format, torch.channels_last
LAYOUTS = pytest.mark.parametrize('layout', [PLANES, LAST], ids=['planes', 'last'])
MODELS_OF_OURS = pytest.mark.parametrize('config', [CONVNEXT, LITE], ids=['convnext', 'lite'])
FILTERS = ('parallel', 'merge', 'serial', 'conv_seg', 'dropout')
"""Parts of the decoder that on accelerators see planes."""


@pytest.fixture
def on_accelerator():
    with fast.as_on_accelerators():
        yield


@pytest.fixture(scope='module')
def model_of():
    built = {}

    def build(config):
        if config not in built:
            cfg = Config.fromfile(CONFIGS / config).model
            cfg.auxiliary_head = None
            cfg.backbone.backbone.init_cfg = None
            cfg.backbone.setdefault('frequency_head', {}).update(init_cfg=None)
            with DefaultScope.overwrite_default_scope('mmseg'):
                built[config] = MODELS.build(cfg).double()
        return built[config].eval()

    return build


@pytest.fixture
def planes(make_planes):
    return torch.stack([make_planes(64, 96) for _ in range(2)]).double()


def layouts_of(x):
    """Those that it has: both, if it is of one pixel or one channel."""
    return {layout for layout in (PLANES, LAST) if x.is_contiguous(memory_format=layout)}


class Conversions(TorchDispatchMode):
    """Counts copies of a map of one layout in the other one, by the module that asks for them."""

    def __init__(self, running):
        super().__init__()
        self.running, self.counts = running, Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if function._schema.name in ('aten::clone', 'aten::_to_copy') and out.dim() == 4:
            before, after = layouts_of(args[0]), layouts_of(out)
            if before and before.isdisjoint(after):
                self.counts[self.running[-1]] += 1
        return out


def follow(model, planes, layout):
    """The logits, the layouts of what each convolution and norm returns, and conversions."""
    running, seen, handles = [''], {}, []
    for name, module in model.named_modules():

        def leave(module, args, out, name=name):
            running.pop()
            if isinstance(module, (nn.Conv2d, _BatchNorm)):
                seen[name] = layouts_of(out)

        enter = module.register_forward_pre_hook(lambda *_, name=name: running.append(name))
        handles += [enter, module.register_forward_hook(leave)]
    with torch.no_grad(), fast.layout(layout), Conversions(running) as conversions:
        logits = model.decode_head(model.extract_feat(planes))
    for handle in handles:
        handle.remove()
    return logits, seen, dict(conversions.counts)


def expected_layout(name, layout, accelerator):
    parts = name.split('.')
    of_filters = parts[0] == 'decode_head' and parts[1] in FILTERS
    of_many_channels = name.startswith('decode_head.ppm_conv')
    return PLANES if (of_filters if accelerator else of_many_channels) else layout


@LAYOUTS
@MODELS_OF_OURS
@pytest.mark.parametrize('accelerator', [True, False], ids=['accelerator', 'cpu'])
def test_every_convolution_keeps_the_layout(
    model_of, planes, config, layout, accelerator, request
):
    if accelerator:
        request.getfixturevalue('on_accelerator')
    _, seen, _ = follow(model_of(config), planes, layout)
    assert len(seen) > 50
    wrong = [n for n, found in seen.items() if expected_layout(n, layout, accelerator) not in found]
    assert wrong == []


ROWS = {'backbone.fph': 1, 'neck.attentions.0': 1, 'neck.attentions.1': 1}
"""What computes with a row for each pixel: as planes each of them is a copy."""
NORMS = [
    *(f'backbone.backbone.body.norm{k}' for k in range(4)),
    'backbone.backbone.body.downsample_layers.0.1',
    *(f'backbone.backbone.body.downsample_layers.{k}.0' for k in (1, 2, 3)),
]
IN = {'backbone': 1, 'backbone.gate': 2}  # the image; two coarse predictions of two channels


@pytest.mark.parametrize(
    ('config', 'layout', 'expected'),
    [
        (CONVNEXT, PLANES, ROWS | dict.fromkeys(NORMS, 1)),
        (LITE, PLANES, ROWS | {'backbone': 1}),  # the norm of F_rgb
        (CONVNEXT, LAST, IN | {'decode_head': 2}),  # a pooled map of stride 32, and F_cat
        (LITE, LAST, IN | {'decode_head': 2}),
    ],
    ids=['convnext, planes', 'lite, planes', 'convnext, last', 'lite, last'],
)
def test_each_conversion_is_known(model_of, planes, on_accelerator, config, layout, expected):
    assert follow(model_of(config), planes, layout)[2] == expected


@MODELS_OF_OURS
def test_each_conversion_on_a_cpu_is_known(model_of, planes, config):
    assert follow(model_of(config), planes, None)[2] == IN | {'decode_head': 1}


@MODELS_OF_OURS
def test_values_and_gradients_are_equal(model_of, planes, on_accelerator, config):
    model, found = model_of(config).train(), []
    state = {name: x.clone() for name, x in model.state_dict().items()}
    for layout in (PLANES, LAST):
        model.load_state_dict(state)
        torch.manual_seed(0)  # of dropout
        with fast.layout(layout):
            logits = model.decode_head(model.extract_feat(planes))
            logits.square().sum().backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        model.zero_grad()
        found.append((logits.detach(), gradients, [x.clone() for x in model.buffers()]))
    torch.testing.assert_close(*found, rtol=1e-7, atol=1e-7)


def test_each_device_has_its_own(monkeypatch):
    monkeypatch.setattr(memory, 'ACCELERATOR_LAYOUT', PLANES)
    on_cpu = torch.zeros(2, 3, 4, 5)
    elsewhere = on_cpu.to('meta').contiguous(memory_format=LAST)
    assert layouts_of(fast.laid_out(elsewhere)) == {PLANES}
    assert layouts_of(fast.laid_out(on_cpu)) == {LAST}
    with fast.as_on_accelerators():
        assert layouts_of(fast.laid_out(on_cpu.contiguous(memory_format=LAST))) == {PLANES}
    for layout in (PLANES, LAST):
        with fast.layout(layout):
            assert layouts_of(fast.laid_out(on_cpu)) == {layout}
            assert layouts_of(fast.laid_out(elsewhere)) == {layout}


@pytest.mark.parametrize('constant', [PLANES, LAST], ids=['planes', 'last'])
@pytest.mark.parametrize('given', [PLANES, LAST], ids=['planes', 'last'])
def test_the_norm_of_a_map_takes_the_layout_of_its_device(monkeypatch, constant, given):
    """And so whatever begins with it."""
    monkeypatch.setattr(memory, 'ACCELERATOR_LAYOUT', constant)
    x = torch.zeros(2, 8, 4, 6, device='meta').contiguous(memory_format=given)
    assert layouts_of(LayerNorm2d(8).to('meta')(x)) == {constant}
    maps = ConvNeXt('atto').to('meta')(torch.zeros(2, 3, 64, 96, device='meta'))
    assert [layouts_of(x) for x in maps] == [{constant}] * 4


def test_filters_of_each_sample_see_planes_but_on_a_cpu():
    x = torch.zeros(2, 3, 4, 5).contiguous(memory_format=LAST)
    assert fast.laid_out_for_filters(x) is x
    assert layouts_of(fast.laid_out_for_filters(x.to('meta'))) == {PLANES}
    with fast.disabled():
        assert layouts_of(fast.laid_out_for_filters(x.to('meta'))) == {LAST}
