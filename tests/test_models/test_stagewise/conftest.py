import sys
from types import ModuleType

import pytest
from mmengine.registry import MODELS, Registry

from test_models.test_stagewise import standins


@pytest.fixture(autouse=True)
def timm(monkeypatch):
    """A stand-in for timm."""
    module = ModuleType('timm')
    module.create_model = standins.create_model
    monkeypatch.setitem(sys.modules, 'timm', module)


@pytest.fixture(autouse=True)
def mmpretrain(monkeypatch):
    """A stand-in for mmpretrain's registry, with a ConvNeXt."""
    monkeypatch.setattr(MODELS, '_children', dict(MODELS.children))
    MODELS._children.pop('mmpretrain', None)
    registry = Registry('model', scope='mmpretrain', parent=MODELS)
    registry.register_module(module=standins.ConvNeXt)
