"""Omni-IML as its demo config describes it, in mmseg's own ``EncoderDecoder``."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    return model


@pytest.fixture(scope='module')
def _model():
    torch.manual_seed(0)
    cfg = Config.fromfile(DEMO)
    cfg.model.data_preprocessor.size = (64, 64)
    return build(cfg)


@pytest.fixture
def model(_model):
    return copy.deepcopy(_model)


@pytest.fixture
def tampered(make_planes, make_sample):
    def make():
        mask = torch.zeros(64, 64)
        mask[8:40, 16:48] = 1
        return make_planes(64, 64), make_sample(mask, [[16, 8, 48, 40]])

    return make


@pytest.fixture
def authentic(make_planes, make_sample):
    return lambda: (make_planes(64, 64), make_sample(torch.zeros(64, 64)))


def batch(*pairs):
    inputs, samples = zip(*pairs, strict=True)
    return dict(inputs=list(inputs), data_samples=list(samples))


def backward(model, data):
    data = model.data_preprocessor(data, training=True)
    loss, log_vars = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    return log_vars


def train_step(model, data):
    """One step; the losses, and the names of the weights that moved."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    log_vars = model.train().train_step(data, OptimWrapper(optimizer))
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    return {name: torch.as_tensor(value).item() for name, value in log_vars.items()}, moved


def test_type_is_the_stock_segmentor(model):
    assert type(model) is EncoderDecoder


def test_training_has_the_terms_of_the_paper(model, tampered, authentic):
    log_vars, _ = train_step(model, batch(tampered(), authentic()))
    terms = {
        'decode.loss_ce', 'decode.coarse_loss_ce',
        'aux_0.loss_rgb', 'aux_0.loss_fused', 'aux_0.loss_gate',
        'aux_1.loss_rpn_cls', 'aux_1.loss_rpn_bbox', 'aux_1.loss_roi_cls', 'aux_1.loss_roi_bbox',
    }  # fmt: skip
    assert {name for name in log_vars if 'loss_' in name} == terms
    assert log_vars['loss'] == pytest.approx(sum(log_vars[name] for name in terms), rel=1e-5)


def test_every_parameter_receives_a_gradient(model, tampered, authentic):
    """A batch of both kinds, once with each choice of the gate."""
    model.train()
    for choice in (2.0, -2.0):
        nn.init.constant_(model.backbone.gate.linear.bias, choice)
        nn.init.normal_(model.backbone.gate.linear.weight, std=1e-3)
        model.zero_grad()
        backward(model, batch(tampered(), authentic(), tampered()))
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert without == []
        assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('kind', ['tampered', 'authentic'])
def test_batch_of_one_kind_trains(model, kind, request):
    make = request.getfixturevalue(kind)
    log_vars, moved = train_step(model, batch(make(), make()))
    assert np.isfinite(list(log_vars.values())).all()
    assert any(name.startswith('auxiliary_head.1.rpn_head.rpn_cls') for name in moved)
    assert any(name.startswith('decode_head.conv_seg') for name in moved)


def test_all_ignored_sample_trains(model, tampered, make_planes, make_sample):
    padding = make_planes(64, 64), make_sample(torch.full((64, 64), 255))
    log_vars, _ = train_step(model, batch(tampered(), padding))
    assert np.isfinite(list(log_vars.values())).all()


def test_prediction_without_auxiliary_heads_is_the_same_bit_for_bit(model, tampered, authentic):
    model.eval()
    data = batch(tampered(), authentic())
    expected = model.test_step(copy.deepcopy(data))
    del model.auxiliary_head
    for result, wanted in zip(model.test_step(data), expected, strict=True):
        assert torch.equal(result.seg_logits.data, wanted.seg_logits.data)
        assert torch.equal(result.pred_sem_seg.data, wanted.pred_sem_seg.data)


def test_published_checkpoint_needs_no_auxiliary_heads(model, tampered):
    """Their weights are all that is missing, and prediction is unchanged by their absence."""
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith('auxiliary_head')}
    cfg = Config.fromfile(DEMO)
    cfg.model.auxiliary_head = None
    published = build(cfg)
    published.load_state_dict(weights)
    inputs = tampered()[0][None].float()
    assert torch.equal(published.eval()(inputs), model.eval()(inputs))


def test_planes_pass_the_preprocessor_as_they_are(model, make_planes, make_sample):
    planes = make_planes(40, 56)
    data = batch((planes, make_sample(torch.ones(40, 56))))
    data = model.data_preprocessor(data, training=True)
    inputs, (sample,) = data['inputs'], data['data_samples']
    assert inputs.shape == (1, 5, 64, 64)
    assert inputs.dtype == torch.float32
    assert torch.equal(inputs[0, :, :40, :56], planes.float())
    mask = sample.gt_sem_seg.data[0]
    assert (mask[:40, :56] == 1).all()
    assert (mask[40:] == 255).all()
    assert (mask[:, 56:] == 255).all()


@pytest.mark.parametrize('size', [(1, 1), (1, 70), (7, 9), (33, 47), (64, 96)], ids=str)
def test_any_size_is_predicted_at_its_own_size(model, make_planes, make_sample, size):
    data = batch((make_planes(*size), make_sample(torch.zeros(size))))
    (result,) = model.eval().test_step(data)
    assert result.pred_sem_seg.data.shape == (1, *size)
    assert result.seg_logits.data.shape == (2, *size)
    assert result.seg_logits.data.isfinite().all()
    assert torch.equal(result.pred_sem_seg.data[0], result.seg_logits.data.argmax(0))


def test_padding_is_cut_off_not_scaled(model, make_planes, make_sample):
    planes = make_planes(40, 50)
    (result,) = model.eval().test_step(batch((planes, make_sample(torch.zeros(40, 50)))))
    padded = nn.functional.pad(planes.float(), (0, 14, 0, 24))[None]
    logits = nn.functional.interpolate(model(padded), (64, 64), mode='bilinear')
    torch.testing.assert_close(result.seg_logits.data, logits[0, :, :40, :50].detach())


def test_sliding_windows(model, make_planes, make_sample):
    """One window over the whole is the whole; several windows are predicted at the full size."""
    data = batch((make_planes(90, 130), make_sample(torch.zeros(90, 130))))
    model.eval()
    (whole,) = model.test_step(copy.deepcopy(data))
    for crop, same in (((256, 256), True), ((64, 64), False)):
        model.test_cfg.update(mode='slide', crop_size=crop, stride=(32, 32))
        (slid,) = model.test_step(copy.deepcopy(data))
        assert slid.pred_sem_seg.data.shape == (1, 90, 130)
        assert torch.allclose(slid.seg_logits.data, whole.seg_logits.data, atol=1e-5) is same


def test_frequency_matters_exactly_if_the_gate_says_so(model, make_planes):
    model.eval()
    nn.init.zeros_(model.backbone.gate.linear.weight)
    inputs = torch.stack([make_planes(64, 64).float()])
    other = inputs.clone()
    other[:, 3] = 20 - other[:, 3]
    for choice, same in ((1.0, True), (-1.0, False)):
        nn.init.constant_(model.backbone.gate.linear.bias, choice)
        assert torch.allclose(model(inputs), model(other)) is same


def test_losses_under_autocast(model, tampered, authentic):
    data = model.data_preprocessor(batch(tampered(), authentic()), training=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss, _ = model.parse_losses(model.train()(**data, mode='loss'))
    assert loss.isfinite()
    assert loss.dtype == torch.float32


def test_training_under_autocast(tampered, authentic):
    """Without the frequency head, which has this test in a process of its own."""
    cfg = Config.fromfile(DEMO)
    cfg.model.update(data_preprocessor={**cfg.model.data_preprocessor, 'size': (64, 64)})
    cfg.model.backbone.gate = 'vision'
    model = build(cfg).train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        backward(model, batch(tampered(), authentic()))
    assert [n for n, p in model.named_parameters() if not p.grad.isfinite().all()] == []


class NoSynchronisation(TorchDispatchMode):
    """Refuses to make a Python number of a tensor, for which a device would have to be waited."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            raise AssertionError('a tensor became a Python number')
        return func(*args, **(kwargs or {}))


def test_network_waits_for_no_device(model, make_planes):
    """Neither in prediction nor in training, up to the detection head, which is mmdet's."""
    inputs = make_planes(64, 64)[None].float()
    with NoSynchronisation():
        with pytest.raises(AssertionError, match='Python number'):
            bool(inputs[0, 0, 0, 0] > 0)
        with torch.no_grad():
            model.eval()(inputs)
        features = model.train().extract_feat(inputs.repeat(2, 1, 1, 1))
        sum(p.mean() for p in model.decode_head.decode(features)).backward()


@torch.no_grad()
def test_fusion_of_the_norms_changes_no_prediction(model, make_planes):
    """mmcv's ``fuse_conv_bn``, for published checkpoints; weights at which norms do something."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_var, module.weight):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.running_mean, module.bias):
                tensor.normal_(std=0.1)
    inputs = make_planes(64, 64)[None].float()
    expected = model.eval()(inputs).softmax(dim=1)
    fused = fuse_conv_bn(model.backbone), fuse_conv_bn(model.decode_head)
    assert not [m for part in fused for m in part.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(model(inputs).softmax(dim=1), expected, rtol=0, atol=1e-4)


UPER = """dict(
    _delete_=True, type='UPerHead', in_channels=[40, 80, 160, 320], in_index=[0, 1, 2, 3],
    pool_scales=(1, 2), channels=16, num_classes=2, norm_cfg=dict(type='BN'),
    align_corners=False, loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))"""


@pytest.mark.parametrize(
    ('line', 'gone', 'terms'),
    [
        pytest.param('backbone=dict(gate="fused")', 'backbone.gate', 8, id='w.o. MG'),
        pytest.param('backbone=dict(gate="vision")', 'backbone.fph', 7, id='w.o. MG*'),
        pytest.param('decode_head=dict(dynamic=False)', 'attention', 9, id='w.o. DW'),
        pytest.param(f'decode_head={UPER}', 'decode_head.serial', 8, id='w.o. DWD'),
        pytest.param(
            'neck=None, auxiliary_head=[_base_.modal_gate_head]', 'neck', 5, id='w.o. AE'
        ),
        pytest.param(
            f'backbone=dict(gate="vision"), neck=None, auxiliary_head=None, decode_head={UPER}',
            'backbone.fph', 1, id='baseline',
        ),
    ],
)  # fmt: skip
def test_ablation_is_one_line_and_trains(line, gone, terms, tampered, authentic, tmp_path):
    """The paper's ablations; ``gone`` is built no longer, ``terms`` losses remain."""
    path = tmp_path / 'ablation.py'
    path.write_text(f"_base_ = ['{DEMO}']\nmodel = dict({line})\n")
    cfg = Config.fromfile(path)
    cfg.model.data_preprocessor.size = (64, 64)
    model = build(cfg)
    log_vars, moved = train_step(model, batch(tampered(), authentic()))
    assert type(model) is EncoderDecoder
    names = [name for name, _ in model.named_parameters()]
    prefix = 'decode_head' if gone == 'attention' else ''
    assert not [n for n in names if n.startswith(prefix) and f'{gone}.' in n]
    assert sum('loss_' in name for name in log_vars) == terms
    assert np.isfinite(list(log_vars.values())).all()
    assert {name.split('.')[0] for name in moved} == {name.split('.')[0] for name in names}
