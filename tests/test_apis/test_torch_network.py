from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch import nn

from mmomni.apis.torch_network import Segmentor, fuse_norms

DEMO = next((Path(__file__).resolve().parents[2] / 'configs/demo').glob('*.py'))


def build(**changes):
    torch.manual_seed(0)
    model = {**Config.fromfile(DEMO).model, 'auxiliary_head': None, **changes}
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(model).eval()


def uper_head(**changes):
    return dict(
        type='UPerHead', in_channels=[40, 80, 160, 320], in_index=[0, 1, 2, 3], channels=16,
        pool_scales=(1, 2), num_classes=2, norm_cfg=dict(type='BN'), align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True), **changes,
    )  # fmt: skip


@pytest.fixture
def planes(make_planes):
    return torch.stack([make_planes(64, 96), make_planes(64, 96)])


@torch.no_grad()
def test_equals_the_segmentor(planes, make_sample):
    """Its own prediction at full size, and the gate's logit as the backbone has it."""
    model = build()
    output = Segmentor(model)(planes.float())
    samples = [make_sample(torch.zeros(64, 96)) for _ in planes]
    expected = model.test_step(dict(inputs=list(planes), data_samples=samples))
    expected_logits = torch.stack([result.seg_logits.data for result in expected])
    torch.testing.assert_close(output.logits, expected_logits)
    torch.testing.assert_close(output.gate, model.backbone(planes.float())[6])
    assert output.logits.dtype == torch.float32
    assert output.gate.shape == (2,)


@torch.no_grad()
def test_norms_are_fused_into_our_modules(planes):
    model = build().double()  # what rounding does in single precision depends on the processor
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that they do something
            module.running_var.uniform_(0.5, 1.5)
            module.running_mean.normal_(std=0.1)
    expected = Segmentor(model)(planes)
    fuse_norms(model)
    assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    output = Segmentor(model)(planes)
    torch.testing.assert_close(output.logits, expected.logits)
    torch.testing.assert_close(output.gate, expected.gate)


def test_norms_of_other_modules_stay():
    """What they register behind a convolution need not follow it."""
    model = build(decode_head=uper_head())
    fuse_norms(model)
    assert [m for m in model.decode_head.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not [m for m in model.backbone.modules() if isinstance(m, nn.BatchNorm2d)]


@torch.no_grad()
def test_a_neck_may_drop_the_gate(planes):
    """It is taken from the backbone, before mmseg's FPN keeps four levels only."""

    class FourLevels(nn.Module):
        def forward(self, inputs):
            return inputs[:4]

    model = build()
    expected = Segmentor(model)(planes).gate
    model.neck = FourLevels()
    torch.testing.assert_close(Segmentor(model)(planes).gate, expected)


@pytest.mark.parametrize('gate', ['fused', 'vision'])
@torch.no_grad()
def test_no_learned_gate(planes, gate):
    model = build(backbone={**Config.fromfile(DEMO).model.backbone, 'gate': gate})
    assert Segmentor(model)(planes).gate is None


@torch.no_grad()
def test_foreign_backbone_has_no_gate(planes):
    backbone = dict(type='mmomni.RGBPlanes', backbone=dict(type='mmomni.ConvNeXt', arch='atto'))
    network = Segmentor(build(backbone=backbone, neck=None, decode_head=uper_head()))
    logits, gate = network(planes)
    assert logits.shape == (2, 2, 64, 96)
    assert gate is None


@torch.no_grad()
def test_integers_are_taken_too(planes):
    network = Segmentor(build())
    assert torch.equal(network(planes).logits, network(planes.float()).logits)


def test_no_segmentor():
    with pytest.raises(TypeError, match=r'one decode head.*got Conv2d'):
        Segmentor(nn.Conv2d(5, 2, 1))


def test_one_output_channel():
    with pytest.raises(ValueError, match=r'two output channels.*got 1'):
        Segmentor(build(decode_head=uper_head(out_channels=1, threshold=0.3)))


def test_preprocessor_that_normalises():
    """mmengine takes one number for all planes, or three for images that are not ours."""
    preprocessor = dict(type='SegDataPreProcessor', mean=[1.0], std=[1.0])
    with pytest.raises(ValueError, match='without mean and std'):
        Segmentor(build(data_preprocessor=preprocessor))
