"""Forms for an accelerator, forced on a CPU, give what the CPU's give."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from test_models.references import randomise
from torch import nn

import mmomni
from mmomni.models import fast
from mmomni.models.fast import depthwise, frequency_look_up, normalised_product, roi_align
from mmomni.models.fast.convolution import PointwiseLinear
from mmomni.models.fast.switch import as_on_accelerators
from mmomni.models.layers import DynamicFilter, FrequencyPerceptionHead

PACKAGE = Path(mmomni.__file__).parent
MINI = PACKAGE.parent / 'configs/mini/omni-iml_convnext-atto_mini.py'
OF_THE_CPU = [
    (frequency_look_up, '_count_by_bins'),
    (frequency_look_up, '_add_rows'),
    (depthwise, '_one_by_one'),
    (roi_align, 'roi_align'),
]
OF_ACCELERATORS = [(frequency_look_up, '_count_by_products'),
                   (frequency_look_up, '_multiply_one_hot')]  # fmt: skip


@pytest.fixture
def small_parts(monkeypatch):
    """What passes at a time on an accelerator, so that it is not all of an image for tests."""
    monkeypatch.setattr(frequency_look_up, '_ACCELERATOR_PIXELS', 2**11)
    monkeypatch.setattr(normalised_product, '_ACCELERATOR_VALUES', 2**13)


@pytest.fixture
def calls(monkeypatch):
    """How often each of the forms was taken."""
    counts = {}

    def counted(function):
        def wrapper(*args):
            counts[function.__name__] = counts.get(function.__name__, 0) + 1
            return function(*args)

        return wrapper

    for module, name in OF_THE_CPU + OF_ACCELERATORS:
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return counts


def names(forms):
    return {name for _, name in forms}


def outcome(module, run):
    """Output, gradients of all weights, and what norms remember, from the same state."""
    module = copy.deepcopy(module)
    torch.manual_seed(1)
    output = run(module)
    output.sin().sum().backward()
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    return output.detach(), gradients, dict(module.named_buffers())


def assert_same(module, run):
    """By the forms of a CPU, of an accelerator, and plainly."""
    on_cpu = outcome(module, run)
    with as_on_accelerators():
        torch.testing.assert_close(outcome(module, run), on_cpu)
    with fast.disabled():
        torch.testing.assert_close(outcome(module, run), on_cpu)


@pytest.mark.parametrize('training', [True, False])
def test_frequency_head(small_parts, calls, training):
    head = randomise(FrequencyPerceptionHead(8, 4, 8, num_blocks=1)).train(training)
    coefficients, table = torch.randint(0, 21, (2, 32, 64)), torch.randint(1, 90, (2, 8, 8))
    assert_same(head, lambda module: module(coefficients, table))
    assert calls['_add_rows'] == calls['_multiply_one_hot'] == 1
    assert ('_count_by_bins' in calls) is ('_count_by_products' in calls) is training


def test_linear_layers():
    layer = PointwiseLinear(6, 4).double()
    x = torch.randn(2, 5, 7, 6, dtype=torch.float64)
    assert_same(layer, lambda module: module(x))


@pytest.mark.parametrize('dilation', [2, 6])
def test_dynamic_filters(dilation):
    layer = randomise(DynamicFilter(6, 4, dilation, dict(type='BN')))
    x, v_g = torch.randn(2, 6, 16, 24, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    assert_same(layer, lambda module: module(x, v_g))


def config_of(**heads):
    config = Config.fromfile(MINI).model
    config.update(heads)
    config.data_preprocessor.size = (64, 64)
    return config


def build(config):
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config)
        model.init_weights()
    return model


@pytest.fixture
def batch(make_planes, make_sample):
    mask = torch.zeros(64, 64)
    mask[8:40, 16:48] = 1
    samples = [make_sample(mask, [[16, 8, 48, 40]]), make_sample(torch.zeros(64, 64))]
    return torch.stack([make_planes(64, 64), make_planes(64, 64)]), samples


def test_whole_model(small_parts, calls, batch, shallow):
    """Losses and all gradients, in double precision; box supervision, which has none, below."""
    heads = [h for h in config_of().auxiliary_head if h.type != 'mmomni.BoxSupervisionHead']
    model = randomise(build(config_of(auxiliary_head=heads)), scale=0.1).train()
    inputs, samples = batch

    def losses(model):
        found = model(inputs.double(), samples, mode='loss')
        return torch.stack([x for name, x in sorted(found.items()) if 'loss' in name])

    assert_same(model, losses)
    assert set(calls) == names(OF_THE_CPU + OF_ACCELERATORS) - {'roi_align'}


def test_accelerators_take_no_form_of_the_cpu(calls, batch, shallow):
    """Also not in box supervision, of which the same losses come."""
    inputs, samples = batch
    model = build(config_of()).train()
    found = []
    for context in (as_on_accelerators, torch.enable_grad):
        torch.manual_seed(0)
        with context():
            features = model.extract_feat(inputs.float())
            boxes = model.auxiliary_head[1].loss(features, samples, {})
            total = sum(sum(x) if isinstance(x, list) else x for x in boxes.values())
            (total + model.decode_head(features).sum()).backward()
        found.append(total.detach())
        if len(found) == 1:
            assert not names(OF_THE_CPU) & set(calls)
    assert names(OF_THE_CPU) <= set(calls)
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def test_optimiser():
    """torch's loops over groups instead of its fused one, with the same steps."""
    x = torch.randn(8, 3, dtype=torch.float64)
    cfg = dict(type='OptimWrapper', constructor='mmomni.JoinedGroups', paramwise_cfg={},
               optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.1))  # fmt: skip
    layers = [nn.Linear(3, 2).double()]
    layers.append(copy.deepcopy(layers[0]))
    wrappers = [build_optim_wrapper(layers[0], cfg)]
    with as_on_accelerators():
        wrappers.append(build_optim_wrapper(layers[1], cfg))
    assert not wrappers[1].optimizer.defaults.get('fused')
    for _ in range(3):
        for layer, wrapper in zip(layers, wrappers, strict=True):
            wrapper.update_params(layer(x).square().sum())
    torch.testing.assert_close(*(dict(layer.named_parameters()) for layer in layers))


def test_one_place_decides():
    """Else forcing it would force only some of the forms."""
    asking = [
        str(path.relative_to(PACKAGE))
        for folder in ('models', 'engine')
        for path in (PACKAGE / folder).rglob('*.py')
        if 'device.type ==' in (text := path.read_text()) or 'device.type !=' in text
    ]
    assert asking == ['models/fast/switch.py']
