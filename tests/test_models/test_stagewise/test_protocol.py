"""A backbone of one's own needs one registered adapter, and nothing else."""

from typing import ClassVar

import pytest
import torch
from mmengine.model import BaseModule
from torch import nn

from mmomni.checkpoints.description import BACKBONES, allowed_types, refuse_unsafe
from mmomni.models.backbones import ModalGateEncoder
from mmomni.models.stagewise import Stagewise, adapts, build_stagewise, protocol
from mmomni.registry import MODELS


class Pyramid(BaseModule):
    def __init__(self, in_channels=3):
        super().__init__()
        self.first = nn.Conv2d(in_channels, 4, 4, 4)
        self.others = nn.ModuleList(nn.Conv2d(4 + i, 5 + i, 2, 2) for i in range(3))


class Refined(Pyramid):
    pass


class Steps(Stagewise):
    channels = (4, 5, 6, 7)

    @property
    def stem(self):
        return self.body.first

    def stage(self, index, x):
        x = self.body.others[index - 1](x) if index else self.body.first(x)
        return x, x


CONFIG = dict(
    model=dict(
        type='EncoderDecoder',
        backbone=dict(type='mmomni.ModalGateEncoder', backbone=dict(type='mmomni.Pyramid')),
    )
)


@pytest.fixture
def pyramid(monkeypatch):
    for cls in (Pyramid, Refined):
        monkeypatch.setattr(cls, '__module__', 'mmomni.test')
        monkeypatch.setitem(MODELS.module_dict, cls.__name__, cls)
    monkeypatch.setattr(protocol, '_ADAPTERS', dict(protocol._ADAPTERS))


def test_without_an_adapter(pyramid):
    expected = (
        r'can run stage by stage \(.*mmomni\.ConvNeXt.*mmseg\.ResNet.*\), got Pyramid; .* '
        r"channels, stem and stage\(index, x\), .*@adapts\('package\.Type'\)"
    )
    with pytest.raises(TypeError, match=expected):
        ModalGateEncoder(dict(type='mmomni.Pyramid'))
    with pytest.raises(ValueError, match=r"names the type 'mmomni\.Pyramid'"):
        refuse_unsafe(CONFIG)


@pytest.mark.parametrize('name', ['Pyramid', 'Refined'])
def test_with_an_adapter(pyramid, make_planes, name):
    assert adapts('mmomni.Pyramid')(Steps) is Steps
    encoder = ModalGateEncoder(dict(type=f'mmomni.{name}'))
    outputs = encoder(torch.stack([make_planes(64, 64)] * 2).float())
    assert [x.shape[1] for x in outputs[:4]] == [4, 5, 6, 7]


def test_what_has_an_adapter_can_be_published(pyramid):
    adapts('mmomni.Pyramid')(Steps)
    refuse_unsafe(CONFIG)
    assert {'mmomni.Pyramid', 'ResNet', 'mmomni.ConvNeXtSwin'} <= allowed_types()


def test_backbones_that_need_no_torch_to_be_known_are_those_with_adapters():
    names = {name.removeprefix('mmseg.') for name in protocol.adapted_types()}
    assert names == BACKBONES


def test_what_inherits_must_be_named_to_be_published(pyramid):
    adapts('mmomni.Pyramid')(Steps)
    config: ClassVar = dict(model=dict(type='EncoderDecoder', backbone=dict(type='mmomni.Refined')))
    with pytest.raises(ValueError, match=r"names the type 'mmomni\.Refined'"):
        refuse_unsafe(config)


def test_adapter_that_does_not_say_everything(pyramid):
    class Half(Stagewise):
        channels = (4, 5, 6, 7)

    adapts('mmomni.Pyramid')(Half)
    with pytest.raises(TypeError, match=r'abstract.*(stage|stem)'):
        build_stagewise(dict(type='mmomni.Pyramid'), 6)


def test_channels_that_neither_adapter_nor_backbone_says(pyramid):
    class Silent(Stagewise):
        stem, stage = Steps.stem, Steps.stage

    adapts('mmomni.Pyramid')(Silent)
    with pytest.raises(TypeError, match=r'Pyramid has no attribute `channels`.*to Silent'):
        ModalGateEncoder(dict(type='mmomni.Pyramid'))
