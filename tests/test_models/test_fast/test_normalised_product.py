import pytest
import torch
from torch import nn

from mmomni.models.fast import normalised_product
from mmomni.models.fast.normalised_product import moments

SHAPE = 2, 7, 6
"""Seven rows of two samples; three channels, two columns each."""


@pytest.fixture(params=[1, 2**19])
def in_parts(request, monkeypatch):
    """Row by row, and all rows at once."""
    monkeypatch.setattr(normalised_product, '_CPU_VALUES', request.param)


@pytest.fixture
def x():
    return torch.randn(SHAPE, dtype=torch.float64, requires_grad=True)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_moments_with_gradients(x, in_parts):
    pixels = x.reshape(-1, 3)
    expected = pixels.mean(dim=0), pixels.var(dim=0, unbiased=False)
    found = moments(x, 3)
    torch.testing.assert_close(found, expected)
    seeds = tuple(torch.randn(2, 3, dtype=torch.float64))
    torch.testing.assert_close(
        torch.autograd.grad(found, x, seeds), torch.autograd.grad(expected, x, seeds)
    )


def test_product_with_gradients(x, in_parts):
    wanted = x, random(6), random(6), random(2, 6, 5)
    found = normalised_product.normalised_product(*wanted)
    x, scale, shift, weight = wanted
    expected = (x * scale + shift).relu() @ weight
    seed = torch.randn_like(found)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, wanted, seed), torch.autograd.grad(expected, wanted, seed)
    )


def test_gradients_are_those_of_differences(x, in_parts):
    inputs = x, random(6), random(6), random(2, 6, 5)
    assert torch.autograd.gradcheck(normalised_product.normalised_product, inputs)
    assert torch.autograd.gradcheck(moments, (x, 3))


@pytest.mark.parametrize('rows', [7, 448])
def test_under_autocast(rows, in_parts):
    x = torch.randn(2, rows, 6)
    wanted = [y.detach().float().requires_grad_() for y in (x, random(6), random(6))]
    weight = random(2, 6, 5).detach().float().requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = normalised_product.normalised_product(*wanted, weight)
    with torch.autocast('cpu', dtype=torch.bfloat16):  # of its own: torch keeps cast leaves
        expected = nn.functional.relu(wanted[0] * wanted[1] + wanted[2]) @ weight
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected)
    seed = torch.randn_like(found)
    gradients = torch.autograd.grad(found, [*wanted, weight], seed)
    references = torch.autograd.grad(expected, [*wanted, weight], seed)
    assert [g.dtype for g in gradients] == [torch.float32] * 4
    for found, expected in zip(gradients, references, strict=True):
        assert (found - expected).norm() / expected.norm() < 0.01


def test_gradient_of_a_relu():
    x = torch.randn(4, 5, requires_grad=True)
    y, gradient = x.relu(), torch.randn(4, 5)
    (expected,) = torch.autograd.grad(y, x, gradient)
    assert torch.equal(normalised_product.relu_gradient(gradient, y.detach()), expected)
    assert torch.equal(gradient, expected)  # in place
