import numpy as np
import pytest
import torch

from mmomni.models import fast
from mmomni.models.layers import DynamicFilter
from test_models.references import array, conv_bn_relu, depthwise, linear, randomise, sigmoid

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
    with fast.disabled():
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
