"""Batch norm, ReLU and a matrix product, which keep nothing for the gradient but their input.

Letters: ``B`` batch, ``L`` rows, ``M`` columns of the input, ``N`` of the output. Parts of the rows
pass one after the other, so that what is between exists for a part at a time.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .switch import on_cpu

_CPU_VALUES = 2**19
"""Of a part: 2 MB stay in a core's cache. Accelerators want larger parts."""
_ACCELERATOR_VALUES = 2**24


def _parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows of all tensors (B, L, .) that pass together; the first has the most columns."""
    batch, _, columns = tensors[0].shape
    limit = _CPU_VALUES if on_cpu(tensors[0]) else _ACCELERATOR_VALUES
    rows = max(1, limit // (batch * columns))
    return zip(*(tensor.split(rows, dim=1) for tensor in tensors), strict=True)


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        repeats = x.shape[2] // channels
        count = x.shape[0] * x.shape[1] * repeats
        mean = x.sum(dim=(0, 1)).view(repeats, -1).sum(dim=0) / count
        means, variances = mean.repeat(repeats), torch.zeros_like(x[0, 0])
        for (part,) in _parts(x):
            variances += (part - means).square_().sum(dim=(0, 1)) / count
        ctx.save_for_backward(x, mean)
        return mean, variances.view(repeats, -1).sum(dim=0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_mean: Tensor, of_variance: Tensor) -> tuple[Tensor, None]:
        x, mean = ctx.saved_tensors
        count = x.numel() // len(mean)
        slope = of_variance * (2 / count)
        offset, slope = (
            y.repeat(x.shape[2] // len(mean)) for y in (of_mean / count - slope * mean, slope)
        )
        return torch.addcmul(offset, x, slope), None


def moments(x: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of each of ``C`` channels, two tensors (C,); differentiable.

    Of the columns of ``x``, (B, L, M), ``c, c + C, c + 2 C, ...`` are those of channel ``c``.
    """
    return _Moments.apply(x, channels)


def relu_gradient(gradient: Tensor, output: Tensor) -> Tensor:
    """Gradient of a ReLU's input: that of its output, overwritten with zero where the output is.

    One pass over memory; a product with the sign would be two.
    """
    return torch.ops.aten.threshold_backward.grad_input(gradient, output, 0, grad_input=gradient)


class _NormalisedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, scale, shift, weight)
        products = [
            torch.bmm(torch.addcmul(shift, part, scale).relu_().to(weight), weight)
            for (part,) in _parts(x)
        ]
        return torch.cat(products, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, scale, shift, weight = ctx.saved_tensors
        of_x, of_weight = torch.empty_like(x), torch.zeros_like(weight)
        of_scale, of_shift = torch.zeros_like(scale), torch.zeros_like(shift)
        transposed = weight.to(gradient).transpose(1, 2)  # autocast multiplied in that precision
        with torch.autocast(x.device.type, enabled=False):
            for part, of_part, of_product in _parts(x, of_x, gradient):
                y = torch.addcmul(shift, part, scale).relu_()
                of_weight += torch.bmm(y.to(gradient).transpose(1, 2), of_product)
                of_y = relu_gradient(torch.bmm(of_product, transposed).to(y), y)
                of_shift += of_y.sum(dim=(0, 1))
                of_scale += torch.mul(part, of_y, out=y).sum(dim=(0, 1))
                torch.mul(of_y, scale, out=of_part)
        return of_x, of_scale, of_shift, of_weight


def normalised_product(x: Tensor, scale: Tensor, shift: Tensor, weight: Tensor) -> Tensor:
    """``relu(scale x + shift) weight``; differentiable.

    ``x`` (B, L, M), ``scale`` and ``shift`` (M,), ``weight`` (B, M, N) -> (B, L, N).
    """
    return _NormalisedProduct.apply(x, scale, shift, weight)
