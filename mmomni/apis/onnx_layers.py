"""Layers that look at the whole image, as a graph of ONNX can have them.

Each is told by inputs of the graph where in the image a window lies, and what the whole image says;
and it gives what the window says of the whole, as an output. An image in one piece is one window.
Letters as in :mod:`.shared_context`.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.psp_head import PPM
from torch import Tensor, nn

from mmomni.models.layers import Coordinates, DynamicFilter
from mmomni.models.layers.query_attention import Gathering, join_heads, split_heads

from .geometry import Kind, Operand
from .windows import GRID, Side, Window

Size = tuple[int, int]


class Wiring:
    """What the layers of a network ask of the graph's inputs, and give to its outputs.

    Of a first run, which records it, all operands are those of a window that is the whole image.

    Attributes:
        operands: Inputs that were asked for, in order.
        is_complete: Whether every layer that asked could be told of the whole.
        length: Numbers that the layers share, all together.
    """

    def __init__(self) -> None:
        self.operands: dict[Operand, None] = {}
        self.is_complete = True
        self.length = 0

    def begin(
        self,
        size: Size,
        told: Tensor | None = None,
        context: Tensor | None = None,
        values: Mapping[Operand, Tensor] | None = None,
    ) -> None:
        """From now on a window passes.

        Args:
            size: Of the window in pixels.
            told: Whether layers answer with the whole image's values; bool, of no dimension.
            context: These values, one layer's behind the other's, (length,).
            values: Of :attr:`operands`.
        """
        self._size, self._told, self._context, self._values = size, told, context, values
        self._means: list[Tensor] = []
        self._log_weights: list[Tensor] = []
        self.length = 0

    def stride(self, size: Size) -> int | None:
        """Of a map of this size; ``None`` where windows do not start at its cells."""
        strides = [divmod(side, cells) for side, cells in zip(self._size, size, strict=True)]
        stride = strides[0][0]
        if any(each != (stride, 0) for each in strides) or GRID % stride:
            self.is_complete = False
            return None
        return stride

    def stride_of_pixels(self, number: int) -> int | None:
        """Likewise, of a map of which only the number of its pixels is known."""
        stride = math.isqrt(math.prod(self._size) // number)
        height, width = (side // stride for side in self._size)
        if height * width != number:
            self.is_complete = False
            return None
        return self.stride((height, width))

    def pair(
        self, kind: Kind, stride: int, cells: Size = (1, 1), align_corners: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The operands of both sides."""
        rows, columns = (
            self._value(Operand(kind, axis, stride, number, align_corners))
            for axis, number in enumerate(cells)
        )
        return rows, columns

    def _value(self, operand: Operand) -> Tensor:
        if self._values is not None:
            return self._values[operand]
        self.operands[operand] = None
        whole = Window(*(Side(0, side, np.ones(side)) for side in self._size))
        return torch.from_numpy(operand.of(whole, told=False))

    def share(self, mean: Tensor, log_weight: Tensor, own: Tensor) -> Tensor:
        """What a layer answers: the whole image's mean if it is told, else the window's own.

        The same as in :mod:`.shared_context`, so that both come to the same map.

        Args:
            mean: Over the window as a part of the image, (1, ...).
            log_weight: Of it, that can be expanded to the mean's shape.
            own: What the layer says of the window alone.
        """
        first, self.length = self.length, self.length + int(mean.numel())
        self._means.append(mean.flatten(1))
        self._log_weights.append(log_weight.expand(mean.shape).flatten(1))
        if self._told is None or self._context is None:
            return own
        whole = self._context[first : self.length].view(mean.shape)
        return torch.where(self._told, whole, own)

    def parts(self) -> tuple[Tensor, Tensor]:
        """Means and logarithms of their weights, of all layers, (1, length) each."""
        return torch.cat(self._means, dim=1), torch.cat(self._log_weights, dim=1)


def wire(module: nn.Module, wiring: Wiring) -> None:
    """Replace the layers below a module that look at the whole image, in place."""
    for name, child in module.named_children():
        if isinstance(child, DynamicFilter):
            wire(child, wiring)
            setattr(module, name, FilterOfOne(child))
        elif isinstance(child, PPM):
            setattr(module, name, WiredPyramid(child, wiring))
        elif isinstance(child, Gathering):
            setattr(module, name, WiredGathering(child, wiring))
        elif isinstance(child, Coordinates):
            setattr(module, name, WiredCoordinates(wiring))
        elif isinstance(child, nn.AdaptiveAvgPool2d):
            setattr(module, name, WiredPool(child, wiring))
        else:
            wire(child, wiring)


class WiredCoordinates(nn.Module):
    """:func:`~mmomni.models.layers.add_coordinates`."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__()
        self.wiring = wiring

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C + 3, h, w)."""
        batch, channels, height, width = x.shape
        stride = self.wiring.stride((int(height), int(width)))
        if stride is None:
            ys, xs = (_spread(size, x.dtype) for size in (height, width))
        else:
            ys, xs = self.wiring.pair('coordinates', stride)
        ys, xs = ys.view(1, 1, -1, 1), xs.view(1, 1, 1, -1)
        radius = ((xs - 0.5) ** 2 + (ys - 0.5) ** 2).sqrt()
        planes = [plane.expand(batch, 1, height, width) for plane in (xs, ys, radius)]
        return torch.cat([x, *planes] if channels else planes, dim=1)


class WiredPool(nn.Module):
    """Adaptive average pooling as two products with matrices that average over cells."""

    def __init__(self, original: nn.AdaptiveAvgPool2d, wiring: Wiring) -> None:
        super().__init__()
        size: Any = original.output_size
        self.cells: Size = (size, size) if isinstance(size, int) else size
        self.wiring = wiring

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, *S)."""
        stride = self.wiring.stride((int(x.shape[2]), int(x.shape[3])))
        if stride is None:
            sides = zip(self.cells, x.shape[2:], strict=True)
            return _product(x, *(_cells(number, size).to(x.dtype) for number, size in sides))
        rows, columns = self.wiring.pair('shares', stride, self.cells)
        own_rows, own_columns = self.wiring.pair('own_shares', stride, self.cells)
        # Both at once: one pass over the map.
        both = _product(x, torch.cat([rows, own_rows]), torch.cat([columns, own_columns]))
        height, width = self.cells
        weight = rows.sum(1)[:, None] * columns.sum(1)
        total = both[:, :, :height, :width]
        mean = total / weight.clamp(min=torch.finfo(torch.float32).tiny)
        return self.wiring.share(mean, weight.log(), both[:, :, height:, width:])


class WiredPyramid(nn.Module):
    """mmseg's ``PPM``, of whose cells a window sees those of the whole image."""

    def __init__(self, original: PPM, wiring: Wiring) -> None:
        super().__init__()
        wire(original, wiring)
        self.original = original
        self.wiring = wiring

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, h, w) -> maps (B, C', h, w)."""
        stride = self.wiring.stride((int(x.shape[2]), int(x.shape[3])))
        if stride is None:
            return self.original(x)
        return [self._enlarge(branch(x), stride) for branch in self.original]

    def _enlarge(self, pooled: Tensor, stride: int) -> Tensor:
        cells = int(pooled.shape[2]), int(pooled.shape[3])
        corners = self.original.align_corners
        return _product(pooled, *self.wiring.pair('interpolation', stride, cells, corners))


class WiredGathering(nn.Module):
    """Queries that look at all pixels."""

    def __init__(self, original: Gathering, wiring: Wiring) -> None:
        super().__init__()
        self.num_heads = original.num_heads
        self.wiring = wiring

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries (B, N, C); keys and values of the pixels (B, h w, C) -> (B, N, C)."""
        query, key, value = (split_heads(x, self.num_heads) for x in (query, key, value))
        stride = self.wiring.stride_of_pixels(int(key.shape[2]))
        logits = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        own = logits.softmax(dim=3) @ value
        if stride is None:
            return join_heads(own)
        rows, columns = self.wiring.pair('shares', stride)
        logits = logits + (rows.T @ columns).flatten().log()
        highest = logits.amax(dim=3, keepdim=True)
        exponentials = (logits - highest).exp()
        total = exponentials.sum(dim=3, keepdim=True)
        mean = exponentials @ value / total
        return join_heads(self.wiring.share(mean, highest + total.log(), own))


class FilterOfOne(nn.Module):
    """:class:`DynamicFilter` on one sample, whose groups are then no more than channels."""

    def __init__(self, original: DynamicFilter) -> None:
        super().__init__()
        self.original = original
        self.channels = int(original.filters.shape[1])  # in a trace it would be no number

    def forward(self, x: Tensor, v_g: Tensor, v_c: Tensor | None = None) -> Tensor:
        """``x`` (1, C, h, w), ``V_g`` (1, Cg), ``V_c = Avg(x)`` where it is known -> as ``x``."""
        dwf = self.original
        d_opt = dwf.filters
        if dwf.attention is not None:
            v_c = dwf.pool(x) if v_c is None else v_c
            a = dwf.attention(torch.cat([v_c.flatten(1), v_g], dim=1)).sigmoid()
            d_opt = a @ dwf.filters.flatten(1)
        kernel = d_opt.view(self.channels, 1, 3, 3)
        return dwf.pointwise(_Depthwise.apply(x, kernel, self.channels, dwf.dilation))


class _Depthwise(torch.autograd.Function):
    """Depthwise 3x3 convolution with a kernel that was computed, of which torch loses the shape."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ARG004  (there is no backward)
        x: Tensor,
        kernel: Tensor,
        channels: int,
        dilation: int,
    ) -> Tensor:
        return F.conv2d(x, kernel, padding=dilation, dilation=dilation, groups=channels)

    @staticmethod
    def symbolic(graph: Any, x: Any, kernel: Any, channels: int, dilation: int) -> Any:
        return graph.op(
            'Conv', x, kernel, group_i=channels, kernel_shape_i=[3, 3],
            dilations_i=[dilation] * 2, pads_i=[dilation] * 4,
        )  # fmt: skip


def _product(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(B, C, h, w), (i, h), (j, w) -> (B, C, i, j)."""
    return rows @ (x @ columns.T)


def _cells(number: int, size: int) -> Tensor:
    """Shares of positions in cells, as in adaptive pooling, of a size known at run time only."""
    i = torch.arange(number).view(-1, 1)
    first = i * size // number
    end = ((i + 1) * size + number - 1) // number
    position = torch.arange(size)
    bins = ((position >= first) & (position < end)).float()
    return bins / bins.sum(dim=1, keepdim=True)


def _spread(size: int, dtype: torch.dtype) -> Tensor:
    return torch.arange(size, dtype=dtype) * (2 / (size - 1)) - 1
