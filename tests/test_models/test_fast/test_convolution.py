from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile

from mmomni.models.fast import PointwiseLinear, laid_out, planes
from mmomni.models.fast.convolution import convolve, pointwise
from model_profiling.operations import operations_of


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def gradients(y, *wanted):
    return torch.autograd.grad(y, wanted, torch.linspace(-1, 1, y.numel()).view(y.shape).to(y))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('shape', [(2, 6, 9, 8), (1, 6, 5, 5), (1, 6, 80, 80), (16, 6, 4, 4)])
def test_pointwise_equals_torch(shape, dtype, one_thread):
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    weight = torch.randn(4, 6, 1, 1, dtype=dtype, requires_grad=True)
    bias = torch.randn(4, dtype=dtype, requires_grad=True)
    found, expected = pointwise(x, weight, bias), F.conv2d(x, weight, bias)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        gradients(found, x, weight, bias), gradients(expected, x, weight, bias),
        rtol=1e-4, atol=1e-3,
    )  # fmt: skip


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason='torch has no oneDNN')
def test_one_thread_takes_onednn(one_thread):
    x = torch.randn(2, 16, 8, 8, requires_grad=True)
    with profile(activities=[ProfilerActivity.CPU]) as measured:
        pointwise(x, torch.randn(8, 16, 1, 1)).sum().backward()
    names = {event.key for event in measured.key_averages()}
    assert 'aten::mkldnn_convolution' in names
    assert not any('slow_conv' in name for name in names)


@contextmanager
def without_onednn():
    enabled = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(enabled)


@pytest.mark.parametrize('context', [without_onednn, lambda: torch.autocast('cpu', torch.bfloat16)])
def test_what_onednn_does_not_compute_in_single_precision_passes(context, one_thread, monkeypatch):
    taken = []
    monkeypatch.setattr(F, 'conv2d', lambda *_, dilation: taken.append(dilation))
    x, kernel = torch.randn(2, 16, 8, 8), torch.randn(8, 16, 1, 1)
    with context():
        pointwise(x, kernel)
    pointwise(x, kernel)
    assert taken == [1, 2 if torch.backends.mkldnn.is_available() else 1]


@pytest.mark.parametrize(
    'settings',
    [
        dict(kernel_size=1),
        dict(kernel_size=1, stride=2),
        dict(kernel_size=1, padding=1),
        dict(kernel_size=1, groups=2),
        dict(kernel_size=1, padding='same'),
        dict(kernel_size=3, padding=1, padding_mode='reflect'),
    ],
)
def test_convolve_is_what_the_module_does(settings, one_thread):
    conv, x = nn.Conv2d(4, 6, **settings), torch.randn(2, 4, 7, 9)
    torch.testing.assert_close(convolve(conv, x, conv.weight, conv.bias), conv(x))


def test_channels_last_on_a_cpu_but_not_in_a_trace():
    x = torch.randn(2, 4, 5, 3)
    assert laid_out(x).is_contiguous(memory_format=torch.channels_last)
    assert laid_out(x).equal(x)
    traced = torch.jit.trace(laid_out, x)
    assert traced(x).is_contiguous()


def test_planes():
    x = torch.randn(2, 4, 5, 3).contiguous(memory_format=torch.channels_last)
    assert planes(x).is_contiguous()
    assert planes(x).equal(x)


def test_pointwise_layers_are_linear():
    layer = PointwiseLinear(6, 10).double()
    plain = torch.nn.Linear(6, 10).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    seed = torch.randn(2, 3, 4, 10, dtype=torch.float64)
    found, expected = (
        (y, *torch.autograd.grad(y, [x, *module.parameters()], seed))
        for y, module in ((layer(x), layer), (plain(x), plain))
    )
    torch.testing.assert_close(found, expected)
    assert layer.to('meta')(x.to('meta')).shape == seed.shape


@pytest.mark.parametrize(('channels', 'convolves'), [(2048, True), (4096, False)])
def test_pointwise_layers_of_very_many_channels_do_not_convolve(channels, convolves):
    layer = PointwiseLinear(channels, 2)
    operations = operations_of(layer, lambda: layer(torch.zeros(1, 2, 2, channels)))
    assert ('aten::convolution' in {each.name for each in operations}) == convolves
