"""Write a network as ONNX, with any batch size, height and width.

What ONNX cannot say with sizes that are known only at run time is replaced beforehand by layers
that give the same result; the network itself stays as it is trained.
"""

import copy
import inspect
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmomni.checkpoints import (
    DESCRIPTION,
    Checkpoint,
    Description,
    build_fitting,
    description_text,
)
from mmomni.models.layers import Coordinates, DynamicFilter
from mmomni.utils.arrays import sigmoid
from mmomni.utils.files import replacing

from .network import Network
from .onnx_network import OnnxNetwork
from .torch_network import Segmentor, TorchNetwork

OPSET = 17
"""The first with layer norm; the highest that torch 2.1 can write."""
TRACED_SHAPE = (1, 64, 96)
"""Batch, height and width; a batch of one, which the queries of attention keep and broadcast."""
CHECKED_SHAPES = ((1, 64, 96), (3, 160, 224))
"""On these the exported network is compared with torch."""
TOLERANCE = 1e-4
"""Largest difference of a probability between torch and onnxruntime, both ``float32``."""
_CANNOT = (
    'this network cannot be exported: a layer keeps the size that it was traced with (attention '
    'in Swin and MiT does); the ONNX file fails for'
)


class Parity(NamedTuple):
    """Difference of the probability of "tampered" between torch and onnxruntime, over pixels."""

    maximum: float
    mean: float


def export_onnx(checkpoint: Checkpoint, out: Path) -> Parity:
    """Export a published checkpoint, and compare the result with torch.

    Inputs and outputs of the file are those of a :class:`~.torch_network.Segmentor`: ``planes``
    (B, 5, H, W), ``logits`` (B, 2, H, W) and, with a learned gate, ``gate`` (B,). The config, the
    thresholds and the card of the checkpoint go into it.

    Returns:
        How far both agree.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
        ValueError: The checkpoint lacks a config, or its network cannot be exported.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('onnx is not installed: pip install onnx onnxruntime') from error
    if checkpoint.config is None:
        raise ValueError('expected a checkpoint with its config, got none; publish it first')
    text = description_text(Description(*checkpoint[1:]))
    network = TorchNetwork(build_fitting(checkpoint.config, checkpoint).eval())
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as path:
        _trace(network.segmentor, path)
        file = onnx.load(path)
        onnx.helper.set_model_props(file, {DESCRIPTION: text})
        onnx.save(file, path)
        return _compare(network, path)


@torch.no_grad()
def _trace(network: Segmentor, path: Path) -> None:
    network = copy.deepcopy(network)
    _make_exportable(network)
    batch, size = {0: 'batch'}, {2: 'height', 3: 'width'}
    axes = dict(planes=batch | size, logits=batch | size)
    planes = random_planes(*TRACED_SHAPE)
    if network(planes).gate is not None:
        axes['gate'] = batch
    # The exporter that torch 2.1 has too; later ones have another as default.
    has_choice = 'dynamo' in inspect.signature(torch.onnx.export).parameters
    choice: dict[str, Any] = dict(dynamo=False) if has_choice else {}
    with warnings.catch_warnings():
        # Sizes that Python code sees are constants of the trace: _compare finds those that matter.
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        warnings.simplefilter('ignore', DeprecationWarning)
        torch.onnx.export(
            network, (planes,), str(path), opset_version=OPSET, dynamic_axes=axes,
            input_names=['planes'], output_names=[name for name in axes if name != 'planes'],
            **choice,
        )  # fmt: skip


def _compare(network: Network, path: Path) -> Parity:
    exported = OnnxNetwork(path)
    differences = []
    for shape in CHECKED_SHAPES:
        planes = random_planes(*shape).byte().numpy()
        try:
            found, expected = (sigmoid(each(planes).log_odds) for each in (exported, network))
            differences.append(np.abs(found - expected).ravel())
        except Exception as error:  # of onnxruntime, which have no common class, or wrong sizes
            raise ValueError(f'{_CANNOT} {shape} (batch, height, width): {error}') from error
    all_pixels = np.concatenate(differences)
    parity = Parity(float(all_pixels.max()), float(all_pixels.mean()))
    if not parity.maximum <= TOLERANCE:
        raise ValueError(
            f'{_CANNOT} {CHECKED_SHAPES} (batch, height, width): probabilities differ by up to '
            f'{parity.maximum:.2g}'
        )
    return parity


def random_planes(batch: int, height: int, width: int) -> Tensor:
    """Five planes (B, 5, H, W) with values in the range of real ones, always the same."""
    generator = torch.Generator().manual_seed(0)

    def draw(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, (batch, *shape), generator=generator).float()

    table = draw(1, 100, 1, 8, 8).repeat(1, 1, height // 8, width // 8)
    return torch.cat([draw(0, 256, 3, height, width), draw(0, 21, 1, height, width), table], dim=1)


# ---- layers that ONNX can express ------------------------------------------------------------


def _make_exportable(module: nn.Module) -> None:
    """Replace layers below a module, in place."""
    for name, child in module.named_children():
        if isinstance(child, DynamicFilter):
            setattr(module, name, ExportableFilter(child))
        elif isinstance(child, Coordinates):
            setattr(module, name, ExportableCoordinates())
        elif isinstance(child, nn.AdaptiveAvgPool2d) and child.output_size not in (1, (1, 1)):
            setattr(module, name, ExportablePool(child))
        else:
            _make_exportable(child)


class ExportableFilter(nn.Module):
    """:class:`DynamicFilter` without a number of groups that depends on the batch.

    A convolution is linear in its filter, so ``conv(x, sum_i A_i W_i) = sum_i A_i conv(x, W_i)``.
    """

    def __init__(self, original: DynamicFilter) -> None:
        super().__init__()
        self.original = original

    def forward(self, x: Tensor, v_g: Tensor, v_c: Tensor | None = None) -> Tensor:
        """``x`` (B, C, H, W), ``V_g`` (B, Cg), ``V_c = Avg(x)`` where it is known -> as ``x``."""
        dwf = self.original
        number, channels = dwf.filters.shape[:2]
        filtered = [
            F.conv2d(
                x, dwf.filters[i].unsqueeze(1), padding=dwf.dilation, dilation=dwf.dilation,
                groups=channels,
            )
            for i in range(number)
        ]  # fmt: skip
        if dwf.attention is None:
            return dwf.pointwise(filtered[0])
        v_c = dwf.pool(x) if v_c is None else v_c
        a = dwf.attention(torch.cat([v_c.flatten(1), v_g], dim=1)).sigmoid()
        return dwf.pointwise(sum(a[:, i].view(-1, 1, 1, 1) * y for i, y in enumerate(filtered)))


class ExportableCoordinates(nn.Module):
    """:func:`~mmomni.models.layers.add_coordinates` by arithmetic instead of ``linspace``."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C + 3, H, W)."""
        batch, _, height, width = x.shape
        ys = (torch.arange(height, dtype=x.dtype) * (2 / (height - 1)) - 1).view(1, 1, -1, 1)
        xs = (torch.arange(width, dtype=x.dtype) * (2 / (width - 1)) - 1).view(1, 1, 1, -1)
        radius = ((xs - 0.5) ** 2 + (ys - 0.5) ** 2).sqrt()
        planes = (plane.expand(batch, 1, height, width) for plane in (xs, ys, radius))
        return torch.cat([x, *planes], dim=1)


class ExportablePool(nn.Module):
    """Adaptive average pooling as two products with matrices that average over bins."""

    def __init__(self, original: nn.AdaptiveAvgPool2d) -> None:
        super().__init__()
        size: Any = original.output_size
        self.sizes: tuple[int, int] = (size, size) if isinstance(size, int) else size

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, rows, columns)."""
        rows, columns = (
            self._bins(number, size).to(x.dtype)
            for number, size in zip(self.sizes, x.shape[2:], strict=True)
        )
        rows, columns = (bins / bins.sum(dim=1, keepdim=True) for bins in (rows, columns))
        return rows @ x @ columns.T

    @staticmethod
    def _bins(number: int, size: int) -> Tensor:
        """1 where bin i has a position: ``floor(i size / n)`` to ``ceil((i + 1) size / n) - 1``."""
        i = torch.arange(number).view(-1, 1)
        first = i * size // number
        end = ((i + 1) * size + number - 1) // number
        position = torch.arange(size)
        return (position >= first) & (position < end)
