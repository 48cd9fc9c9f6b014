"""What a run on a device may do: nothing but what is listed here, each with its reason."""

import copy
from types import SimpleNamespace

import torch
from fake_cuda import DEVICE
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope

from mmomni.engine.hooks import ModalGateHook

SIZE = 64
_STATISTICS = 'sums over all pixels, of which differences are taken: of one value for each channel'
ALLOWED = {
    'reads': {
        'mmomni/apis/torch_network.py::_to_host': 'map and gate, which are the answer',
        'mmomni/engine/hooks/modal_gate_hook.py::_write': "the gate's choice, for each batch",
        'mmengine/optim/': 'logs the norm of the gradient; looks whether gradients overflowed',
        'mmdet/': 'chooses anchors and regions by their values: box supervision alone',
        'mmseg/models/losses/cross_entropy_loss.py::cross_entropy': 'counts ignored pixels',
        'mmseg/models/losses/accuracy.py::accuracy': 'of heads of mmseg',
        'mmseg/models/segmentors/encoder_decoder.py::slide_inference': 'asserts full coverage',
        'backward': "of mmdet's masks",
    },
    'doubles': {
        'mmomni/models/fast/frequency_look_up.py::_count_by_products': 'counts, to be exact',
        'mmomni/models/fast/frequency_look_up.py::moments_of_look_ups': _STATISTICS,
        'mmomni/models/fast/batch_norms.py::batch_normalisation': _STATISTICS,
        'mmengine/optim/': "the inverse of the loss's scale, of torch",
        'backward': _STATISTICS,
    },
    'hosts': {
        'mmomni/apis/shared_context.py::_interpolation': 'a few rows for each window',
        'mmengine/optim/': "numbers of the loss's scale",
        'mmdet/': 'numbers',
        'mmcv/ops/nms.py::batched_nms': 'a number',
    },
    'sends': {
        'mmomni/apis/torch_network.py::forward': 'planes, as bytes',
        'mmomni/apis/shared_context.py::': 'where a window lies',
        'mmengine/': 'a batch',
        'mmdet/': 'anchors and deviations',
        'mmcv/ops/nms.py::batched_nms': 'a number',
    },
    'mixed': {},
}
"""By what :class:`fake_cuda.Watch` notes, beginnings of places. ``backward`` is what torch's own
formulas do; functions of ours that have a ``backward`` are places themselves."""


def breaches(watch):
    """What a run did that nobody allows, by what it is."""
    found = {}
    for kind, allowed in ALLOWED.items():
        places = [p for p in getattr(watch, kind) if not p.startswith(tuple(allowed))]
        if places:
            found[kind] = places
    return found


def left_behind(model):
    """Tensors of our modules, under whatever name, that did not move to the device."""
    return [
        f'{name}.{key}'
        for name, module in model.named_modules()
        if type(module).__module__.startswith('mmomni.')
        for key, value in _tensors(module.__dict__)
        if value.device != DEVICE
    ]


def _tensors(node, key=''):
    if isinstance(node, torch.Tensor):
        yield key, node
    elif isinstance(node, dict):
        for name, child in node.items():
            if name != '_modules':
                yield from _tensors(child, str(name))
    elif isinstance(node, (list, tuple, set)):
        for child in node:
            yield from _tensors(child, key)


def shrunk(config):
    """A model's config for images of ``SIZE``, with one block where there are many of a kind."""
    model = copy.deepcopy(config)
    model.data_preprocessor.size = (SIZE, SIZE)
    inner = model.backbone.get('backbone', {})
    if 'num_layers' in inner:
        inner.num_layers = [1, 1, 1, 1]
    if inner.get('type') == 'mmomni.ConvNeXtSwin':
        inner.tail_depths = (2, 1)
    if model.test_cfg.mode == 'slide':
        model.test_cfg.update(crop_size=(SIZE, SIZE), stride=(32, 32))
    return model


def without_boxes(model):
    """A model's config without box supervision."""
    heads = model.get('auxiliary_head') or []
    kept = [head for head in heads if head['type'] != 'mmomni.BoxSupervisionHead']
    return {**model, 'auxiliary_head': kept or None}


def train(model, data, cuda, wrap=OptimWrapper, **options):
    """One step as mmengine's loops take it; what was seen."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.zero_grad = lambda *_, **__: None  # gradients stay, to be looked at
    with DefaultScope.overwrite_default_scope('mmseg'), cuda() as watch:
        wrapper = wrap(optimizer=optimizer, clip_grad=dict(max_norm=5), **options)
        batch = data()
        watch.clear()
        model.train().train_step(batch, wrapper)
    return watch


def predict(model, data, cuda):
    """With the hook that writes down the gate's choice; what was seen."""
    hook = ModalGateHook()
    with cuda() as watch:
        batch = data(1)
        watch.clear()
        hook.before_test(SimpleNamespace(model=model))
        try:
            (result,) = model.eval().test_step(batch)
        finally:
            hook.after_test(None)
    assert result.seg_logits.data.device == DEVICE
    return watch
