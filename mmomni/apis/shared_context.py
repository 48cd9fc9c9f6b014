"""Let the windows of an image share what the network computes over the whole image.

Letters: ``B`` batch, ``C`` channels, ``h w`` size of a window's feature map, ``S`` cells of a
pooled side, ``N`` queries.
"""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.cnn import ContextBlock, NonLocal2d
from mmseg.models.decode_heads.psp_head import PPM
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmomni.models.backbones import TimmBackbone
from mmomni.models.fast import at_least_single
from mmomni.models.layers import Coordinates, add_coordinates
from mmomni.models.layers.query_attention import Gathering, join_heads, split_heads

from .windows import GRID, Side, Window

UNSHARED = (
    nn.GroupNorm, nn.InstanceNorm2d, nn.MultiheadAttention, nn.AdaptiveMaxPool2d, ContextBlock,
    NonLocal2d, TimmBackbone,
)  # fmt: skip
"""Look at the whole image, too, or may do so, and are not hooked. Many networks of timm do
(squeeze-and-excitation, global response norms, attention), in modules of no common type."""
UNSHARED_NAMES = frozenset({'GRN'})
"""Likewise, of mmpretrain, which need not be installed. A module of ours that does so has an
attribute ``sees_whole_image``."""


class _Average(NamedTuple):
    """A weighted mean over a part of the image.

    The weight is kept as a logarithm: that of an attention is a sum of exponentials.
    """

    value: Tensor
    log_weight: Tensor

    def merge(self, other: '_Average') -> '_Average':
        """The mean over both parts."""
        log_weight = torch.logaddexp(self.log_weight, other.log_weight)
        # 0, not NaN, where neither part has any weight
        mine, others = (
            (part.log_weight - log_weight).exp().nan_to_num(0.0) for part in (self, other)
        )
        return _Average(mine * self.value + others * other.value, log_weight)


class SharedContext:
    """Gives every window the whole image's value of every global operation, by fixed point.

    A network that looks at an image through windows sees too little in its global operations:
    means over the image, pyramid pooling, queries that gather from all pixels, coordinates. So the
    windows pass several times. In each pass every such operation adds up, window by window, its
    mean over the whole image; in the next it answers with that mean instead of the window's own.
    Operations depend only on earlier ones, so each pass sets right at least the first that was
    still wrong: after as many passes as operations nothing changes any more, and long before only
    little.

    ::

        with SharedContext(network) as context:
            for _ in range(passes):
                for window in windows:
                    context.begin(window)
                    network(crop)
                context.end_pass()

    It hooks modules by their type: ``nn.AdaptiveAvgPool2d``, mmseg's ``PPM``,
    :class:`~mmomni.models.layers.Coordinates`, :class:`~mmomni.models.layers.Gathering`. A network
    without them runs as it is, and so does an operation on maps whose stride does not divide
    ``GRID``. While it is installed no other thread may use the network.

    Args:
        network: Hooked between ``__enter__`` and ``__exit__``. It must call its modules in the same
            order for every window. If it is no PyTorch module, nothing is shared.
    """

    def __init__(self, network: object) -> None:
        self._modules = tuple(network.modules()) if isinstance(network, nn.Module) else ()
        self._averages: list[_Average] = []
        self._shared: list[Tensor] = []
        self._handles: list[RemovableHandle] = []
        self._refused = False

    def __enter__(self) -> 'SharedContext':
        for module in self._modules:
            if isinstance(module, nn.AdaptiveAvgPool2d):
                self._handles.append(module.register_forward_hook(_in_single(self._pool)))
            elif isinstance(module, Gathering):
                self._handles.append(module.register_forward_hook(_in_single(self._gather)))
            elif isinstance(module, Coordinates):
                self._handles.append(module.register_forward_hook(_in_single(self._coordinates)))
            elif isinstance(module, PPM):
                self._handles += [
                    branch.register_forward_hook(
                        _in_single(self._upsampling(module.align_corners))
                    )
                    for branch in module
                ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def shares(self) -> bool:
        """Whether the network has operations to share; known after the first pass."""
        return bool(self._shared)

    @property
    def complete(self) -> bool:
        """Whether nothing of the network looks at a window only; known after the first pass."""
        return not self._refused and not any(
            isinstance(module, UNSHARED)
            or type(module).__name__ in UNSHARED_NAMES
            or getattr(module, 'sees_whole_image', False)
            for module in self._modules
        )

    def begin(self, window: Window) -> None:
        """From now on the network sees this window."""
        self._window = window
        self._calls = 0

    def end_pass(self) -> None:
        """From now on operations answer with the means of the pass that ends here."""
        self._shared = [average.value for average in self._averages]
        self._averages = []

    def _share(self, part: _Average) -> Tensor | None:
        """Add a window's part to a mean; the mean over the image, or ``None`` in the first pass."""
        call, self._calls = self._calls, self._calls + 1
        if call == len(self._averages):
            self._averages.append(part)
        else:
            self._averages[call] = self._averages[call].merge(part)
        return self._shared[call] if self._shared else None

    def _sides(self, size: Sequence[int]) -> list[Side] | None:
        """The window's rows and columns in cells of a map of this size, if strides allow it."""
        sides = []
        for side, cells in zip(self._window, size, strict=True):
            stride, rest = divmod(side.size, cells)
            if rest or GRID % stride:
                self._refused = True
                return None
            sides.append(side.at_stride(stride))
        return sides

    def _pool(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        (x,) = args
        sides = self._sides(x.shape[2:])
        if sides is None:
            return None
        shares = (_cells(side, n) for side, n in zip(sides, output.shape[2:], strict=True))
        rows, columns = (torch.as_tensor(share).to(x) for share in shares)
        weight = rows.sum(1)[:, None] * columns.sum(1)
        total = torch.einsum('iy,bcyx,jx->bcij', rows, x, columns)
        mean = total / weight.clamp(min=torch.finfo(weight.dtype).tiny)
        return self._share(_Average(mean, weight.log()))

    def _gather(
        self, module: Gathering, args: tuple[Tensor, ...], output: Tensor
    ) -> Tensor | None:
        query, key, value = (split_heads(t.to(args[2]), module.num_heads) for t in args)
        stride = math.isqrt(self._window.rows.size * self._window.columns.size // key.shape[2])
        sides = self._sides([side.size // stride for side in self._window])
        if sides is None:
            return None
        weights = torch.as_tensor(np.outer(*(side.weights for side in sides)).ravel())
        logits = query @ key.transpose(2, 3) / math.sqrt(query.shape[3]) + weights.log().to(key)
        gathered = logits.softmax(dim=3) @ value
        shared = self._share(_Average(gathered, logits.logsumexp(dim=3, keepdim=True)))
        return None if shared is None else join_heads(shared)

    def _coordinates(self, module: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor | None:
        (x,) = args
        sides = self._sides(x.shape[2:])
        if sides is None:
            return None
        return add_coordinates(x, [s.whole for s in sides], [s.start for s in sides])

    def _upsampling(self, align_corners: bool) -> Callable:
        """A hook for a branch of the PPM, whose cells are those of the whole image.

        mmseg then resizes to the size that the map has already.
        """

        def upsample(_: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor | None:
            sides = self._sides(args[0].shape[2:])
            if sides is None or not self._shared:
                return None
            rows, columns = (
                _interpolation(side, n, align_corners).to(output)
                for side, n in zip(sides, output.shape[2:], strict=True)
            )
            return torch.einsum('yi,bcij,xj->bcyx', rows, output, columns)

        return upsample


def _in_single(hook: Callable) -> Callable:
    """A hook that computes in single precision at least, under autocast, too.

    Half precision would round the shares of windows, which then no longer add up to 1.
    """

    @wraps(hook)
    def exact(module: nn.Module, args: Sequence[Tensor], output: Tensor) -> Tensor | None:
        exact_args = tuple(at_least_single(x) for x in args)
        with torch.autocast(output.device.type, enabled=False):
            answer = hook(module, exact_args, at_least_single(output))
        return None if answer is None else answer.to(output.dtype)

    return exact


def _cells(side: Side, number: int) -> np.ndarray:
    """Share of each of the window's cells in the pooled cells of the whole side, (S, h).

    Over all windows, the shares of a pooled cell add up to 1. Cells as in adaptive pooling: the
    i-th begins at ``floor(i n / S)`` and ends before ``ceil((i + 1) n / S)``.
    """
    cell = np.arange(number)[:, None]
    first, end = cell * side.whole // number, -(-(cell + 1) * side.whole // number)
    position = np.arange(side.start, side.stop)
    return ((first <= position) & (position < end)) / (end - first) * side.weights


def _interpolation(side: Side, number: int, align_corners: bool) -> Tensor:
    """Linear interpolation from S cells to the whole side, of which this window's rows (h, S)."""
    cells = torch.eye(number, dtype=torch.float64)[None]
    whole = F.interpolate(cells, side.whole, mode='linear', align_corners=align_corners)
    return whole[0, :, side.start : side.stop].T
