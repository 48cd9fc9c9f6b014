"""Within ``fast.disabled()`` each speed-up lets what it stands for pass."""

import pytest
import torch
from mmcv.ops import RoIAlign
from mmseg.models.losses import accuracy
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.models import fast
from mmomni.models.backbones import ConvNeXt
from mmomni.models.fast.convolution import pointwise
from mmomni.models.fast.roi_align import SeparableRoIAlign

CHANNELS_LAST = torch.channels_last


class Dilations(TorchDispatchMode):
    """Lists the dilation of each convolution."""

    def __init__(self):
        super().__init__()
        self.dilations = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._schema.name == 'aten::convolution':
            self.dilations.append(args[5][0])
        return function(*args, **(kwargs or {}))


def test_layouts_stay():
    x = torch.randn(2, 3, 4, 5)
    last = x.contiguous(memory_format=CHANNELS_LAST)
    with fast.disabled():
        assert fast.laid_out(x) is x
        assert fast.laid_out_like(x, last) is x
        assert fast.planes(last) is last
    assert fast.laid_out(x).is_contiguous(memory_format=CHANNELS_LAST)
    assert fast.laid_out_like(x, last).is_contiguous(memory_format=CHANNELS_LAST)
    assert fast.planes(last).is_contiguous()


def test_pointwise_convolutions_are_torchs():
    x, weight = torch.randn(2, 8, 5, 5), torch.randn(4, 8, 1, 1)
    with Dilations() as seen:
        pointwise(x, weight)
        with fast.disabled():
            pointwise(x, weight)
    assert seen.dilations[-1] == 1


def test_regions_are_mmcvs(monkeypatch):
    layer = SeparableRoIAlign((2, 2), 0.25, 0, 'avg', True, False)
    monkeypatch.setattr(RoIAlign, 'forward', lambda *_: 'of mmcv')
    x, regions = torch.randn(1, 3, 8, 8), torch.tensor([[0.0, 2, 2, 20, 20]])
    assert layer(x, regions) != 'of mmcv'
    with fast.disabled():
        assert layer(x, regions) == 'of mmcv'


def test_accuracy_is_mmsegs():
    logits, labels = torch.randn(2, 2, 4, 4), torch.randint(0, 2, (2, 4, 4))
    labels[0, 0] = 255
    with fast.disabled():
        found = fast.accuracy(logits, labels, 255)
    assert torch.equal(found, accuracy(logits, labels, ignore_index=255))


def test_products_are_not_in_place():
    x = torch.ones(1, 2, 3, 3)
    with torch.no_grad():
        with fast.disabled():
            assert fast.scale(x, torch.tensor(2.0)) is not x
        assert fast.scale(x, torch.tensor(2.0)) is x


@pytest.mark.parametrize('plainly', [True, False])
def test_what_is_computed_anew_takes_the_form_that_forward_took(plainly):
    """Backward runs outside, where the switch stands otherwise."""
    model = ConvNeXt('atto', with_cp=True)
    with fast.disabled() if plainly else torch.enable_grad():
        outputs = model(torch.randn(1, 3, 64, 64))
    loss = sum(x.sum() for x in outputs)
    with torch.enable_grad() if plainly else fast.disabled():
        loss.backward()
    blocks = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert all(block.weight.grad is not None for block in blocks)
