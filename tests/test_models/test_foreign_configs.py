"""Each of the three modules alone in a config of somebody else's."""

from typing import ClassVar

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS

NORM = dict(type='BN')
RESNET_CHANNELS = [8, 16, 32, 64]
RESNET = dict(
    type='ResNet', depth=18, base_channels=8, out_indices=(0, 1, 2, 3), norm_cfg=NORM,
    zero_init_residual=False,  # else the blocks get no gradient in the first step
)  # fmt: skip
RESNET_V1C = {**RESNET, 'type': 'ResNetV1c', 'stem_channels': 8}
SWIN = dict(
    type='SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 2, 4, 8),
    window_size=4,
)  # fmt: skip
FCN = dict(
    type='FCNHead', in_channels=32, in_index=2, channels=8, num_convs=1, num_classes=2,
    norm_cfg=NORM, loss_decode=dict(type='CrossEntropyLoss'),
)  # fmt: skip
UPER = dict(
    type='UPerHead', in_channels=RESNET_CHANNELS, in_index=[0, 1, 2, 3], pool_scales=(1, 2),
    channels=8, num_classes=2, norm_cfg=NORM, loss_decode=dict(type='CrossEntropyLoss'),
)  # fmt: skip
DECODER = dict(
    type='mmomni.DynamicWeightDecoder', in_channels=RESNET_CHANNELS, channels=8,
    coarse_channels=4, pool_scales=(1, 2),
)  # fmt: skip
NECK = dict(type='mmomni.AnomalyEnhancement', in_channels=[16, 32], num_queries=4, num_heads=2)


def encoder(inner, **kwargs):
    frequency_head = dict(hidden_channels=4, embed_channels=2, out_channels=32, num_blocks=1)
    return dict(
        type='mmomni.ModalGateEncoder', backbone=inner, frequency_head=frequency_head,
        aux_channels=8, **kwargs,
    )  # fmt: skip


CONVNEXT = encoder(dict(type='mmomni.ConvNeXt', arch='atto', layer_scale_init_value=1.0))
MGE_SWIN = encoder({**SWIN, 'type': 'mmseg.SwinTransformer'})
GATE_HEAD = dict(type='mmomni.ModalGateHead')


class ForeignConfigTester:
    """mmseg's ``EncoderDecoder`` of the given parts trains one step and predicts."""

    parts: ClassVar[dict]
    planes = 3
    losses = 1
    unused: tuple = ()

    @pytest.fixture
    def model(self):
        preprocessor = dict(
            type='SegDataPreProcessor', size=(64, 64), test_cfg=dict(size_divisor=32)
        )
        parts = dict(data_preprocessor=preprocessor, train_cfg={}, test_cfg=dict(mode='whole'))
        with DefaultScope.overwrite_default_scope('mmseg'):
            model = MODELS.build(ConfigDict(type='EncoderDecoder', **parts, **self.parts))
            model.init_weights()
        return model

    @pytest.fixture
    def data(self, make_planes, make_sample):
        mask = torch.zeros(64, 64)
        mask[:32] = 1
        samples = [make_sample(mask, [[0, 0, 64, 32]]), make_sample(torch.zeros(64, 64))]
        inputs = [make_planes(64, 64)[: self.planes] for _ in samples]
        return dict(inputs=inputs, data_samples=samples)

    def test_is_the_stock_segmentor(self, model):
        assert type(model) is EncoderDecoder

    def test_trains_one_step(self, model, data):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.train()
        log_vars = model.train_step(data, OptimWrapper(optimizer))
        assert sum('loss_' in name for name in log_vars) == self.losses
        assert all(torch.as_tensor(value).isfinite() for value in log_vars.values())
        moved = {n.split('.')[0] for n, p in model.named_parameters() if not p.equal(before[n])}
        trainable = {name.split('.')[0] for name in before}
        assert moved == trainable

    def test_every_parameter_receives_a_gradient(self, model, data):
        model.train()
        data = model.data_preprocessor(data, training=True)
        model.parse_losses(model(**data, mode='loss'))[0].backward()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert [name for name in without if not name.startswith(self.unused)] == []

    def test_predicts(self, model, make_planes, make_sample):
        model.eval()
        data = [(make_planes(50, 70)[: self.planes], make_sample(torch.zeros(50, 70)))]
        inputs, samples = (list(part) for part in zip(*data, strict=True))
        (result,) = model.test_step(dict(inputs=inputs, data_samples=samples))
        assert result.pred_sem_seg.data.shape == (1, 50, 70)


class TestNeckBehindResNet(ForeignConfigTester):
    parts: ClassVar = dict(backbone=RESNET, neck=NECK, decode_head=UPER)


class TestNeckBehindResNetV1c(ForeignConfigTester):
    parts: ClassVar = dict(backbone=RESNET_V1C, neck=NECK, decode_head=FCN)
    # This head looks at level 2 only: what makes level 3 or enhances level 1 is not trained.
    unused = ('backbone.layer4', 'neck.attentions.0', 'neck.fusions.0')


class TestDecoderOnResNet(ForeignConfigTester):
    parts: ClassVar = dict(backbone=RESNET, decode_head=DECODER)
    losses = 2


class TestDecoderOnSwin(ForeignConfigTester):
    parts: ClassVar = dict(backbone=SWIN, decode_head=DECODER)
    losses = 2


class TestDecoderWithTheirAuxiliaryHead(ForeignConfigTester):
    parts: ClassVar = dict(backbone=RESNET, decode_head=DECODER, auxiliary_head=FCN)
    losses = 3


class TestEncoderUnderUPerHead(ForeignConfigTester):
    parts: ClassVar = dict(
        backbone=CONVNEXT,
        decode_head={**UPER, 'in_channels': [40, 80, 160, 320]},
        auxiliary_head=GATE_HEAD,
    )
    planes = 5
    losses = 4


class TestEncoderWithSwinInside(ForeignConfigTester):
    parts: ClassVar = dict(backbone=MGE_SWIN, decode_head=UPER, auxiliary_head=GATE_HEAD)
    planes = 5
    losses = 4


class TestVisionEncoderWithSwinInside(ForeignConfigTester):
    parts: ClassVar = dict(
        backbone={**MGE_SWIN, 'gate': 'vision'}, decode_head=UPER, auxiliary_head=GATE_HEAD
    )
    planes = 5
    losses = 2
