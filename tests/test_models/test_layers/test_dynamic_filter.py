import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.models.layers import DynamicFilter, dynamic_filter
from mmomni.models.layers.dynamic_filter import filter_each
from test_models.references import array, conv_bn_relu, linear, randomise, sigmoid

C, CG = 4, 3
NORM = dict(type='BN')


def make(dilation=2, **kwargs):
    return randomise(DynamicFilter(C, CG, dilation, NORM, **kwargs))


@pytest.fixture
def x():
    return torch.randn(3, C, 7, 9, dtype=torch.float64)


@pytest.fixture
def v_g():
    return torch.randn(3, CG, dtype=torch.float64)


def depthwise(sample, filters, dilation):
    """(C, H, W) and (C, 3, 3): one filter a channel, zeros outside."""
    _, H, W = sample.shape
    out = np.zeros_like(sample)
    for c, y, x in np.ndindex(sample.shape):
        for u in range(3):
            for v in range(3):
                row, column = y + dilation * (u - 1), x + dilation * (v - 1)
                if 0 <= row < H and 0 <= column < W:
                    out[c, y, x] += filters[c, u, v] * sample[c, row, column]
    return out


def reference(dwf, x, v_g, dilation, dynamic=True):
    filtered = []
    for sample, global_vector in zip(array(x), array(v_g), strict=True):
        d_opt = array(dwf.filters)[0]
        if dynamic:
            v_c = sample.mean((1, 2))
            a = sigmoid(linear(np.concatenate([v_c, global_vector]), dwf.attention))
            d_opt = sum(a[i] * array(dwf.filters)[i] for i in range(4))
        filtered.append(depthwise(sample, d_opt, dilation))
    return conv_bn_relu(np.stack(filtered), dwf.pointwise)


@pytest.mark.parametrize('dilation', [2, 3, 6])
@pytest.mark.parametrize('dynamic', [True, False])
def test_equals_reference(x, v_g, dilation, dynamic):
    dwf = make(dilation, dynamic=dynamic)
    expected = reference(dwf, x, v_g, dilation, dynamic)
    np.testing.assert_allclose(array(dwf(x, v_g)), expected, rtol=1e-10, atol=1e-12)


def test_four_filters():
    dwf = make()
    assert dwf.filters.shape == (4, C, 3, 3)
    assert (dwf.attention.in_features, dwf.attention.out_features) == (C + CG, 4)


def test_filter_depends_on_v_g(x, v_g):
    dwf = make()
    assert not torch.allclose(dwf(x, v_g), dwf(x, v_g + 1))


def test_samples_are_independent(x, v_g):
    dwf = make()
    alone = torch.cat([dwf(x[b : b + 1], v_g[b : b + 1]) for b in range(3)])
    torch.testing.assert_close(dwf(x, v_g), alone)


def test_static_filter_ignores_v_g(x, v_g):
    dwf = make(dynamic=False)
    assert torch.equal(dwf(x, v_g), dwf(x, 100 * v_g))


def test_static_filter_is_linear_in_the_input(x, v_g):
    """The same filter for all inputs: twice the input is twice the output of the filter."""
    dwf = make(dynamic=False)
    dwf.pointwise = torch.nn.Identity()
    torch.testing.assert_close(dwf(2 * x, v_g), 2 * dwf(x, v_g))


def test_static_filter_has_no_spare_parameters():
    assert make(dynamic=False).filters.shape == (1, C, 3, 3)
    assert make(dynamic=False).attention is None


@pytest.mark.parametrize('dynamic', [True, False])
def test_every_parameter_receives_a_gradient(x, v_g, dynamic):
    dwf = make(dynamic=dynamic).train()
    dwf(x, v_g).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in dwf.parameters())


def test_non_contiguous_input(x, v_g):
    dwf = make()
    channels_last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(dwf(channels_last, v_g), dwf(x, v_g))


def test_under_autocast(x, v_g):
    dwf = make().float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = dwf(x.bfloat16(), v_g.bfloat16())
    out.float().square().sum().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in dwf.parameters())


@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize('form', [filter_each, dynamic_filter._all_at_once])
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
    expected = filter_gradients(dynamic_filter._all_at_once, x, filters, dilation)
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
    plain = dynamic_filter._all_at_once
    expected = filter_gradients(plain, x.double(), filters.double(), dilation)
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


def test_trace_with_gradients_can_be_saved(x, v_g, tmp_path):
    dwf = make()
    torch.jit.save(torch.jit.trace(dwf, (x, v_g)), tmp_path / 'trace.pt')
    wider = torch.randn(3, C, 9, 11, dtype=torch.float64)
    torch.testing.assert_close(torch.jit.load(tmp_path / 'trace.pt')(wider, v_g), dwf(wider, v_g))


@pytest.mark.parametrize('dilation', [2, 6])
def test_is_compiled_in_one_piece(x, v_g, dilation):
    dwf = make(dilation)
    for grad in (True, False):
        torch._dynamo.reset()
        with torch.set_grad_enabled(grad):
            assert torch._dynamo.explain(dwf)(x, v_g).graph_break_count == 0
