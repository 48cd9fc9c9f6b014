"""Every config trains and predicts on a CUDA device as a card wants it, seen without one.

All operands on the device, nothing waits for it, nothing in double precision: but for what
``device_contract.ALLOWED`` lists. mmdet's choice of anchors and regions depends on values, which
fake tensors have not: there every mask has the same few entries, so that its code runs; which are
chosen, and batches for which none are, is not shown. mmcv's ``nms`` and ``roi_align`` have
stand-ins that look at their operands.
"""

from contextlib import suppress
from functools import cache
from pathlib import Path

import fake_cuda
import numpy as np
import pytest
import torch
from device_contract import SIZE, breaches, left_behind, predict, shrunk, train, without_boxes
from fake_cuda import DEVICE
from mmengine.config import Config

from mmomni.apis.tiling import predict_maps
from mmomni.apis.torch_network import TorchNetwork, fuse_norms
from mmomni.evaluation.functional import score_image
from mmomni.evaluation.functional.protocols import PROTOCOLS
from mmomni.models.layers import QueryAttention

ROOT = Path(__file__).resolve().parents[2] / 'configs'
CONFIGS = [p for p in sorted(ROOT.rglob('*.py')) if '_base_' not in p.parts]
SAME = (
    'omni-iml_convnext-atto_mini', 'plain-mixture', 'resized-test', 'lite2_1xb12-12k_192x192',
    'lite2_1xb12-2k_192x192', 'lite2_finetune', 'lite2_demo',
)  # fmt: skip
"""Those have a model of others, and other data or another recipe."""
OTHERS = [p for p in CONFIGS if p.stem.endswith(SAME)]
OTHER_SIZES = (
    'ablations', 'comparators/', 'cooldown', 'swin-base', 'large', 'small', 'lite2', 'mit-b5',
    'omni-iml_efficientnet-lite0_1xb12-3k',
)  # fmt: skip
SIMILAR = [
    p for p in CONFIGS
    if p not in OTHERS and any(name in f'{p.parent.name}/{p.stem}' for name in OTHER_SIZES)
]  # fmt: skip
"""Others have the same layers with fewer channels, or with other losses."""
CONFIGS = [p for p in CONFIGS if p not in SIMILAR + OTHERS]
MINI = ROOT / 'mini/omni-iml_convnext-atto_mini.py'


@cache
def models():
    """Models by the first config that has them. Box supervision, the slowest part, stays in one."""
    found, heads = {}, []
    for path in CONFIGS + SIMILAR + OTHERS:
        model = shrunk(Config.fromfile(path).model)
        heads_of_model = model.get('auxiliary_head') or ()
        boxes = [(h['rpn_head'], h['roi_head']) for h in heads_of_model if 'fpns' in h]
        if without_boxes(model) not in map(without_boxes, found.values()) or boxes not in heads:
            found[path] = without_boxes(model) if boxes in heads else model
        heads.append(boxes)
    return found


@pytest.fixture(
    scope='module',
    params=CONFIGS + [pytest.param(path, marks=pytest.mark.slow) for path in SIMILAR],
    ids=lambda path: path.stem,
)
def config(request):
    return models()[request.param]


@pytest.fixture(scope='module')
def model(config, cuda, shallow):
    return cuda.build(config)


@pytest.fixture(scope='module')
def mini(cuda, shallow):
    config = without_boxes(shrunk(Config.fromfile(MINI).model))
    config['backbone'].gate = 'vision'
    return cuda.build(config)


def test_models_of_all_sizes_are_among_them():
    """Several configs differ in data or recipe only: ``SAME`` names them."""
    assert sorted(models()) == sorted(CONFIGS + SIMILAR)
    assert len(models()) > 20
    assert sum('fpns' in str(model) for model in models().values()) > 1


def test_all_tensors_move(model):
    assert left_behind(model) == []


def test_training(model, data, cuda):
    assert breaches(train(model, data, cuda)) == {}
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert {(x.device, x.dtype) for x in gradients} == {(DEVICE, torch.float32)}


def test_prediction(model, data, cuda):
    assert breaches(predict(model, data, cuda)) == {}


def test_maps(config, shallow, cuda):
    """As the inferencer makes them, in windows that share their context."""
    network = cuda.build({**config, 'auxiliary_head': None}).eval()
    with cuda() as watch:
        fuse_norms(network)
        network = TorchNetwork(network)
        watch.clear()
        planes = np.zeros((5, SIZE, SIZE + 32), np.uint8)
        (found,) = predict_maps(network, [planes], SIZE, 32, max_passes=2)
    assert breaches(watch) == {}
    assert (found.windows, type(found.log_odds)) == (2, np.ndarray)


def test_maps_of_whole_images(mini, cuda):
    """Of which several pass together."""
    network = TorchNetwork(mini.eval())
    with cuda() as watch:
        maps = predict_maps(network, [np.zeros((5, SIZE - 3, SIZE), np.uint8)] * 2, SIZE, 32)
    assert breaches(watch) == {}
    assert [found.log_odds.shape for found in maps] == [(SIZE - 3, SIZE)] * 2


def test_scoring_waits_twice(cuda):
    """For what the mask holds, and for what the prediction has of it."""
    with cuda() as watch:
        probability = torch.rand(SIZE, SIZE, device=DEVICE)
        score_image(probability, (probability > 0.5).long(), PROTOCOLS['per_image'])
    assert dict(watch.reads) == {'mmomni/evaluation/functional/pixel.py::count_true': 2}
    assert not watch.doubles


def test_no_driver_is_asked_in_a_build_with_cuda(cuda):
    """Which brings an answer of its own, that fails where no card is shown."""
    registry = fake_cuda.guards()
    before, registry[1] = registry[1], 4096
    try:
        with cuda():
            assert registry[1] == registry[0]
        assert registry[1] == 4096
    finally:
        registry[1] = before


def plant(fault, layer, patch):
    """Let a layer's forward do what it does, and the fault."""
    forward = layer.forward
    patch.setattr(layer, 'forward', lambda self, *args: fault(self, forward(self, *args)))


FAULTS = {
    'tensor on the CPU': (lambda _, y: y + torch.zeros(1), 'mixed'),
    'attribute left on the CPU': (lambda self, y: y * self.planted, 'mixed'),
    'number of NumPy on the CPU': (lambda _, y: y + torch.zeros(()), 'mixed'),
    'made on the CPU, then sent': (lambda _, y: y + torch.arange(2)[1].to(y), 'sends'),
    'item': (lambda _, y: y * float(y.mean().item()), 'reads'),
    'branch': (lambda _, y: y + 1 if y.sum() > 0 else y, 'reads'),
    'mask': (lambda _, y: y + y[y > 0].sum(), 'reads'),
    'copy to the CPU': (lambda _, y: y + 0 * len(y.detach().cpu()), 'reads'),
    'constant in double precision': (
        lambda _, y: (y + y.new_ones(1, dtype=torch.float64)).to(y), 'doubles',
    ),
    'computed in double precision': (lambda _, y: y.double().mul(2).to(y), 'doubles'),
}  # fmt: skip


@pytest.mark.parametrize('run', [train, predict])
@pytest.mark.parametrize('fault', FAULTS)
def test_planted_fault_is_found(fault, run, mini, data, cuda, monkeypatch):
    """In a layer that both runs pass."""
    spoil, kind = FAULTS[fault]
    monkeypatch.setattr(QueryAttention, 'planted', torch.ones(1), raising=False)
    plant(spoil, QueryAttention, monkeypatch)
    with suppress(RuntimeError):  # torch refuses some operands on two devices
        run(mini, data, cuda)
    assert kind in breaches(cuda.watch)


def test_planted_attribute_is_found(mini):
    layer = next(m for m in mini.modules() if isinstance(m, QueryAttention))
    layer.forgotten = [torch.ones(3)]
    try:
        assert [name.split('.')[-1] for name in left_behind(mini)] == ['forgotten']
    finally:
        del layer.forgotten
