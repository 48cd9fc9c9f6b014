"""Every layer, loss, head, neck and backbone of the package, small, with inputs for it.

A part of ``mmomni.models`` that is in none of these tables fails a test of the usual suite
(``test_gpu_set.py``).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from comparing import DOUBLE, SINGLE
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmseg.models.losses import CrossEntropyLoss
from mmseg.structures import SegDataSample
from networks import CONFIGS, subject_of
from torch import nn

from mmomni.models import backbones, fast, layers, losses
from mmomni.models.layers.mb_conv import MBConv
from mmomni.registry import MODELS

BN = dict(type='BN')
FPH = dict(hidden_channels=4, embed_channels=2, out_channels=32, num_blocks=1)
ATTO = dict(type='mmomni.ConvNeXt', arch='atto', layer_scale_init_value=1.0)
LITE = dict(type='mmomni.EfficientNetLite', arch='lite0')
LOSSES = [
    dict(type='CrossEntropyLoss', avg_non_ignore=True),
    dict(type='mmomni.RegionLoss', loss_name='loss_dice', pool='sample'),
]
SIDE = 64


class Part(NamedTuple):
    """``run(module, *inputs())``, with ``make()`` the module; without ``run`` a call."""

    make: Callable
    inputs: Callable
    run: Callable | None = None
    tolerance: dict = DOUBLE


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(cfg)


def maps(*channels, side=8, batch=2):
    """Features (B, C, side / 2^k, side / 2^k) in float64."""
    return [
        torch.randn(batch, c, side >> k, side >> k, dtype=torch.float64)
        for k, c in enumerate(channels)
    ]


def planes(side=SIDE):
    """Five planes (2, 5, side, side) in float64, as the data preprocessor hands them on."""
    rgb = torch.randint(0, 256, (2, 3, side, side))
    steps = torch.randint(1, 100, (2, 1, 8, 8)).repeat(1, 1, side // 8, side // 8)
    coefficients = torch.randint(0, 21, (2, 1, side, side))
    return torch.cat([rgb, coefficients, steps], dim=1).double()


def mask():
    """Labels (2, SIDE, SIDE): a tampered rectangle, ignored pixels at the border of one sample."""
    labels = torch.zeros(2, SIDE, SIDE, dtype=torch.long)
    labels[:, 8:40, 16:48] = 1
    labels[1, 56:] = 255
    return labels


def samples(labels, boxes=((16, 8, 48, 40), (4, 30, 40, 60))):
    """As the pipelines pack them, on the device of the labels."""
    packed = []
    for label in labels:
        shape = tuple(label.shape)
        sample = SegDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, pad_shape=shape))
        sample.gt_sem_seg = PixelData(data=label[None])
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32, device=label.device),
            labels=torch.zeros(len(boxes), dtype=torch.long, device=label.device),
        )
        packed.append(sample)
    return packed


def loss_of(head, inputs, labels):
    """Terms of a head in the order of their names."""
    found = head.loss(inputs, samples(labels), {})
    terms = (sum(x) if isinstance(x, list) else x for _, x in sorted(found.items()))
    return [term.reshape(1) for term in terms]


def dynamic_filter(dilation, dynamic=True):
    return Part(
        lambda: layers.DynamicFilter(8, 4, dilation, BN, dynamic=dynamic),
        lambda: [*maps(8), torch.randn(2, 4, dtype=torch.float64)],
    )


class Accuracy(nn.Module):
    def forward(self, logits, labels):
        return fast.accuracy(logits, labels, 255).reshape(1)  # mmseg's has a dimension


class GateLabel(nn.Module):
    def forward(self, first, second, labels):
        return losses.gate_label(first, second, labels).nan_to_num(-1)


class Scaled(nn.Module):
    def forward(self, x, factor):
        return fast.scale(fast.planes(fast.laid_out_like(x, x)), factor)


LAYERS = {
    'ConcatConv': Part(
        lambda: layers.ConcatConv([4, 6, 3], 5, norm_cfg=BN, act_cfg=dict(type='ReLU')),
        lambda: [[*maps(4, 6), torch.randn(2, 3, 1, 1, dtype=torch.float64)], (8, 8)],
    ),
    'Coordinates': Part(layers.Coordinates, lambda: maps(4)),
    'DynamicFilter': dynamic_filter(2),
    'DynamicFilter, far': dynamic_filter(6),
    'DynamicFilter, static': dynamic_filter(3, dynamic=False),
    'FrequencyPerceptionHead': Part(
        lambda: layers.FrequencyPerceptionHead(**FPH), lambda: list(planes()[:, 3:].unbind(1)),
        lambda module, coefficients, steps: module(coefficients, steps[:, :8, :8]),
    ),
    'FoldingConv': Part(
        lambda: fast.FoldingConv(4, 6, 3, padding=1, norm_cfg=BN), lambda: maps(4, side=16)
    ),
    'GlobalAverage': Part(fast.GlobalAverage, lambda: maps(4)),
    'HighPass': Part(layers.HighPass, lambda: [planes()[:, :3]]),
    'MBConv': Part(lambda: MBConv(8, BN), lambda: maps(8)),
    'ModalGate': Part(
        lambda: layers.ModalGate(8, 2, BN),
        lambda: [each for c in (8, 8, 2, 2) for each in maps(c)],
    ),
    'PointwiseLinear': Part(
        lambda: fast.PointwiseLinear(8, 12), lambda: [x.permute(0, 2, 3, 1) for x in maps(8)]
    ),
    'QueryAttention': Part(lambda: layers.QueryAttention(8, 3, 2), lambda: maps(8)),
    'ScSE': Part(lambda: layers.ScSE(32), lambda: maps(32)),
    'accuracy': Part(Accuracy, lambda: [*maps(2, side=SIDE), mask()], tolerance=SINGLE),
    'scale': Part(Scaled, lambda: [*maps(4), torch.rand(2, 4, 1, 1, dtype=torch.float64)]),
}  # fmt: skip

LOGITS_AND_LABELS = lambda: [*maps(2, side=SIDE), mask()]  # noqa: E731
CRITERIA = {
    'RegionLoss': Part(losses.RegionLoss, LOGITS_AND_LABELS, tolerance=SINGLE),
    'RegionLoss, Tversky of samples': Part(
        lambda: losses.RegionLoss(0.3, 0.7, 'sample', 0.02), LOGITS_AND_LABELS, tolerance=SINGLE
    ),
    'WeightedCrossEntropy': Part(
        lambda: losses.WeightedCrossEntropy([1.0, 4.0]), LOGITS_AND_LABELS,
        lambda module, logits, labels: module.float()(logits, labels), SINGLE,
    ),
    'CrossEntropyLoss of mmseg': Part(
        lambda: CrossEntropyLoss(avg_non_ignore=True), LOGITS_AND_LABELS,
        lambda module, logits, labels: module(logits, labels, ignore_index=255),
    ),
    'gate_label': Part(
        GateLabel, lambda: [*maps(2, side=SIDE), *maps(2, side=SIDE), mask()], tolerance=SINGLE
    ),
}  # fmt: skip

DECODER = dict(
    type='mmomni.DynamicWeightDecoder', in_channels=[4, 6, 8, 10], channels=8, coarse_channels=4,
    norm_cfg=BN, dropout_ratio=0.0,
)  # fmt: skip
HEADS = {
    'AnomalyEnhancement': Part(
        lambda: build(dict(
            type='mmomni.AnomalyEnhancement', in_channels=[8, 12], num_queries=3, num_heads=2
        )),
        lambda: [maps(4, 8, 12, 4, side=16)],
    ),
    'DynamicWeightDecoder': Part(
        lambda: build(DECODER), lambda: [maps(4, 6, 8, 10, side=32)],
        lambda head, levels: head.decode(levels),
    ),
    'DynamicWeightDecoder, losses': Part(
        lambda: build({**DECODER, 'loss_decode': LOSSES}),
        lambda: [maps(4, 6, 8, 10, side=32), mask()],
        loss_of, SINGLE,
    ),
    'ModalGateHead': Part(
        lambda: build(dict(
            type='mmomni.ModalGateHead', in_index=(0, 1, 2), loss_decode=LOSSES
        )),
        lambda: [[*maps(2), *maps(2), torch.randn(2, dtype=torch.float64)], mask()],
        loss_of, SINGLE,
    ),
}  # fmt: skip


def encoder(**options):
    return Part(
        lambda: build({'type': 'mmomni.ModalGateEncoder', 'backbone': ATTO, 'aux_channels': 4,
                       'frequency_head': FPH, **options}),
        lambda: [planes()],
    )  # fmt: skip


def pyramid(make):
    return Part(make, lambda: [planes()[:, :3] / 64 - 2])


ENCODERS = {
    'ConvNeXt': pyramid(lambda: backbones.ConvNeXt('atto', layer_scale_init_value=1.0)),
    'ConvNeXtSwin': pyramid(
        lambda: backbones.ConvNeXtSwin(
            'atto', tail_depths=(2, 2), window_size=2, layer_scale_init_value=1.0
        )
    ),
    'EfficientNetLite': pyramid(lambda: backbones.EfficientNetLite('lite0')),
    'FrequencyPlanes': Part(lambda: backbones.FrequencyPlanes(FPH), lambda: [planes()]),
    'RGBPlanes': Part(
        lambda: build(dict(type='mmomni.RGBPlanes', backbone=ATTO)), lambda: [planes()]
    ),
    'ModalGateEncoder': encoder(),
    'ModalGateEncoder, fused': encoder(gate='fused'),
    'ModalGateEncoder, vision': encoder(gate='vision'),
    'ModalGateEncoder, lite': encoder(backbone=LITE, high_pass=True, residual_fusion=True),
}



def comparator(path):
    """A comparator in miniature: its logits and, in the order of their names, its losses."""

    def run(model, inputs, labels):
        for module in model.modules():
            if isinstance(module, losses.WeightedCrossEntropy):
                module.float()  # it computes in single precision, with what it holds
        found = model.loss(inputs, samples(labels))
        terms = (torch.as_tensor(x).reshape(-1) for _, x in sorted(found.items()))
        return [model(inputs), *terms]

    return Part(lambda: subject_of(path).model, lambda: [planes(), mask()], run, SINGLE)


COMPARATORS = {
    path.stem: comparator(path) for path in sorted(CONFIGS.glob('comparators/lite/*.py'))
}

TABLES = {**LAYERS, **CRITERIA, **HEADS, **ENCODERS, **COMPARATORS}
