import pytest
import torch
from torch import nn

from mmomni.models.fast import GlobalAverage


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_equals_torch(layout):
    """Value and gradient, also where the map is used a second time."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64).contiguous(memory_format=layout)
    x.requires_grad_()
    results = []
    for pool in (GlobalAverage(), nn.AdaptiveAvgPool2d(1)):
        y = pool(x)
        results.append([y, *torch.autograd.grad((x * y).square().sum(), x)])
    torch.testing.assert_close(*results)


def test_gradient_is_no_map():
    x = torch.randn(2, 3, 5, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(GlobalAverage()(x).sum(), x)
    assert gradient.shape == x.shape
    assert gradient.untyped_storage().nbytes() < x.untyped_storage().nbytes()


def test_half_precision_does_not_overflow():
    x = torch.full((1, 1, 128, 128), 100, dtype=torch.float16)
    y = GlobalAverage()(x)
    assert y.dtype == torch.float16
    assert y.item() == 100
