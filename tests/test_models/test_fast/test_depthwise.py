"""Depthwise filters of each sample's own on a CPU, against one grouped convolution."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.models import fast
from mmomni.models.layers.dynamic_filter import filter_each
from test_models.references import array, depthwise

C = 4


class Groups(TorchDispatchMode):
    """Lists the groups of each convolution."""

    def __init__(self):
        super().__init__()
        self.groups = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._schema.name == 'aten::convolution':
            self.groups.append(args[8])
        return function(*args, **(kwargs or {}))


def all_at_once(x, filters, dilation):
    with fast.disabled(), Groups() as seen:
        filtered = filter_each(x, filters, dilation)
    assert seen.groups == [x.shape[0] * x.shape[1]]  # not compared with itself
    return filtered


@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize('form', [filter_each, all_at_once])
def test_layouts_are_filtered_alike(batch, form):
    """By both devices' forms; on the CPU channels last stays channels last."""
    x = torch.randn(batch, C, 7, 9, dtype=torch.float64)
    filters = torch.randn(batch, C, 3, 3, dtype=torch.float64)
    pairs = zip(array(x), array(filters), strict=True)
    expected = np.stack([depthwise(*pair, 3) for pair in pairs])
    for layout in (x, x.contiguous(memory_format=torch.channels_last)):
        np.testing.assert_allclose(array(form(layout, filters, 3)), expected, rtol=1e-10)
        with torch.no_grad():
            filtered = form(layout, filters, 3)
        np.testing.assert_allclose(array(filtered), expected, rtol=1e-10)
    if form is filter_each:
        assert filtered.is_contiguous(memory_format=torch.channels_last)


LAYOUTS = [torch.contiguous_format, torch.channels_last]


def filter_gradients(form, x, filters, dilation):
    """Of x and of the filters, with the seed in the layout of x."""
    x, filters = x.detach().requires_grad_(), filters.detach().requires_grad_()
    filtered = form(x, filters, dilation)
    seed = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view(x.shape)
    layout = torch.channels_last if channels_last(x) else torch.contiguous_format
    return torch.autograd.grad(filtered, (x, filters), seed.contiguous(memory_format=layout))


def channels_last(x):
    return x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('dilation', [2, 3, 6, 12])
def test_gradients_of_both_forms_are_equal(dilation, layout):
    """The written ones against those that torch derives of the grouped convolution."""
    torch.manual_seed(0)
    x = torch.randn(3, C, 7, 9, dtype=torch.float64).contiguous(memory_format=layout)
    filters = torch.randn(3, C, 3, 3, dtype=torch.float64)
    ours = filter_gradients(filter_each, x, filters, dilation)
    expected = filter_gradients(all_at_once, x, filters, dilation)
    torch.testing.assert_close(ours, expected)


class Convolutions(TorchDispatchMode):
    """Lists maps and padding of each, and dilations of those that are gradients of filters."""

    def __init__(self):
        super().__init__()
        self.maps, self.paddings, self.dilations = [], [], []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name
        if name == 'aten::convolution':
            self.maps.append(args[0])
            self.paddings.append(args[4])
        elif name == 'aten::convolution_backward':
            self.maps += args[:2]
            self.dilations.append(args[6])
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize('dilation', [2, 3, 6, 12])
def test_convolutions_are_those_with_fast_kernels(dilation):
    """Of oneDNN: channels-last, rows padded by few pixels, undilated gradients of filters."""
    x = torch.randn(2, C, 17, 19).contiguous(memory_format=torch.channels_last)
    with Convolutions() as seen:
        filter_gradients(filter_each, x, torch.randn(2, C, 3, 3), dilation)
    assert len(seen.paddings) == 2 * 2  # forward, and the gradient of x
    assert all(padding[1] <= 4 for padding in seen.paddings)
    assert seen.dilations == 2 * [[1, 1]]
    assert all(channels_last(each) for each in seen.maps)


@pytest.mark.parametrize('dilation', [2, 6])
def test_training_stays_channels_last(dilation):
    x = torch.randn(2, 16, 32, 32).contiguous(memory_format=torch.channels_last)
    filters = torch.randn(2, 16, 3, 3)
    assert channels_last(filter_each(x, filters.requires_grad_(), dilation))
    assert channels_last(filter_gradients(filter_each, x, filters, dilation)[0])


@pytest.mark.parametrize('dilation', [2, 3, 6])
def test_gradients_in_single_precision(dilation):
    """oneDNN's, against those that torch derives in double precision."""
    torch.manual_seed(0)
    x = torch.randn(2, 64, 32, 32).contiguous(memory_format=torch.channels_last)
    filters = torch.randn(2, 64, 3, 3)
    found = filter_gradients(filter_each, x, filters, dilation)
    expected = filter_gradients(all_at_once, x.double(), filters.double(), dilation)
    for single, double in zip(found, expected, strict=True):
        assert (single - double).norm() < 1e-5 * double.norm()


@pytest.mark.parametrize('layout', LAYOUTS)
def test_gradients_in_bfloat16(layout):
    """oneDNN's for dilated filters on channels-last input are finite and wrong by 100 %."""
    torch.manual_seed(0)
    x = torch.randn(2, 64, 32, 32).contiguous(memory_format=layout)
    filters = torch.randn(2, 64, 3, 3)
    expected = filter_gradients(filter_each, x, filters, 2)
    halved = filter_gradients(filter_each, x.bfloat16(), filters.bfloat16(), 2)
    for half, single in zip(halved, expected, strict=True):
        assert (half - single).norm() < 0.02 * single.norm()


@pytest.mark.parametrize('dilation', [2, 6])
def test_second_derivatives(dilation):
    torch.manual_seed(0)
    x = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    filters = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(
        lambda *inputs: filter_each(*inputs, dilation), (x, filters)
    )
