"""With a stand-in: timm needs a torchvision, which there is not for every torch."""

import sys
from types import ModuleType

import pytest
import torch
from mmengine.runner import CheckpointLoader

from mmomni.models.backbones import TimmBackbone
from mmomni.models.stagewise import build_stagewise
from test_models.references import randomise
from test_models.test_stagewise import standins


@pytest.fixture(autouse=True)
def timm(monkeypatch):
    module = ModuleType('timm')
    module.create_model = standins.create_model
    monkeypatch.setitem(sys.modules, 'timm', module)


@pytest.mark.parametrize('name', ['plain', 'last', 'efficient'])
def test_levels_are_those_of_the_four_strides(name):
    model = randomise(TimmBackbone(name, in_channels=5, drop_path_rate=0.5))
    x = torch.randn(2, 5, 64, 96, dtype=torch.float64)
    levels = model(x)
    assert [level.shape for level in levels] == [
        (2, 8, 16, 24), (2, 12, 8, 12), (2, 16, 4, 6), (2, 20, 2, 3)
    ]  # fmt: skip
    assert model.channels == (8, 12, 16, 20)
    expected = model.network(x)[1:]
    if name == 'last':
        expected = [level.permute(0, 3, 1, 2) for level in expected]
    assert all(torch.equal(a, b) for a, b in zip(levels, expected, strict=True))


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('transformer', r'transformer cannot be run stage by stage: .*got a FeatureGetterNet'),
        ('shallow', r"strides \(4, 8, 16, 32\), shallow's have \(2, 4, 8\)"),
        ('hf-hub:someone/theirs', r"without a tag, got 'hf-hub:someone/theirs'"),
        ('resnet18.a1_in1k', r"checkpoint='timm://NAME\.TAG'"),
    ],
)
def test_network_that_cannot_be_run_stage_by_stage(name, message):
    with pytest.raises(ValueError, match=message):
        TimmBackbone(name)


def test_timm_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match='pip install timm torchvision'):
        TimmBackbone('plain')


def test_torchvision_of_another_torch(monkeypatch):
    """It raises no ``ImportError``."""

    class Broken:
        def find_spec(self, name, *_):
            if name == 'timm':
                raise RuntimeError('operator torchvision::nms does not exist')

    monkeypatch.delitem(sys.modules, 'timm')
    monkeypatch.setattr(sys, 'meta_path', [Broken(), *sys.meta_path])
    with pytest.raises(ImportError, match=rf'made for torch {torch.__version__[:3]}.*nms does not'):
        TimmBackbone('plain')


def classifier():
    torch.manual_seed(1)
    weights = standins.Classifier().state_dict()
    return {name: torch.randn_like(tensor.float()) for name, tensor in weights.items()}


@pytest.mark.parametrize('in_channels', [3, 6])
def test_weights_of_a_classifier(tmp_path, in_channels):
    path = tmp_path / 'timm.pth'
    torch.save(classifier(), path)
    model = TimmBackbone(
        'plain', in_channels, init_cfg=dict(type='Pretrained', checkpoint=str(path))
    )
    model.init_weights()
    weights = classifier()
    assert torch.equal(model.stem.weight[:, :3], weights['conv1.weight'])
    assert not model.stem.weight[:, 3:].any()
    found, expected = model.network['layers_2'].conv.weight, weights['layers.2.conv.weight']
    assert torch.equal(found, expected)


def test_weights_that_the_classifier_does_not_have(tmp_path):
    path = tmp_path / 'timm.pth'
    torch.save(classifier() | {'layers.4.conv.weight': torch.zeros(1)}, path)
    model = TimmBackbone('plain', init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with pytest.raises(ValueError, match=r'unexpected: network\.layers\.4\.conv\.weight'):
        model.init_weights()


def test_weights_of_timm_by_name():
    assert (CheckpointLoader.load_checkpoint('timm://plain.tag')['conv1.weight'] == 0.25).all()
    init_cfg = dict(type='Pretrained', checkpoint='timm://plain.tag')
    stagewise = build_stagewise(
        dict(type='mmomni.TimmBackbone', model_name='plain', init_cfg=init_cfg), 6
    )
    stagewise.init_weights()
    assert (stagewise.stem.weight[:, :3] == 0.25).all()
    assert not stagewise.stem.weight[:, 3:].any()
