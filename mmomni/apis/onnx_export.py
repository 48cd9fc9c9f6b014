"""Write a network as ONNX, one graph for whole images of any size and for windows of them.

Layers that look at the whole image become those of :mod:`.onnx_layers`; the network itself stays
as it is trained.
"""

import copy
import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mmomni.checkpoints import (
    DESCRIPTION,
    Checkpoint,
    Description,
    build_fitting,
    description_text,
    read_checkpoint,
)
from mmomni.utils.arrays import sigmoid
from mmomni.utils.digests import named_by_digest, without_digest
from mmomni.utils.files import file_sha256, replacing

from .network import Network
from .onnx_form import (
    CONTEXT,
    GATE,
    KEY,
    LOG_ODDS,
    LOG_WEIGHTS,
    MEANS,
    PLANES,
    TOLD,
    Graph,
)
from .onnx_layers import Wiring, wire
from .onnx_network import OnnxNetwork
from .shared_context import SharedContext
from .torch_network import Segmentor, TorchNetwork
from .windows import Side, Window

OPSET = 17
"""The first with layer norm; the highest that torch 2.1 can write."""
TRACED_SIZE = (64, 96)
CHECKED_SIZES = ((64, 96), (160, 224))
"""On images of these the exported network is compared with torch."""
TOLERANCE = 1e-4
"""Largest difference of a probability between torch and onnxruntime, both ``float32``."""
SMALL = 16
"""Numbers of a tensor that is not worth a conversion."""
AXES = dict(coordinates=0, interpolation=0, shares=1, own_shares=1)
"""Of the inputs that tell where a window lies: the dimension that is as long as the window."""
_CANNOT = (
    'this network cannot be exported: a layer keeps the size that it was traced with (attention '
    'in Swin and MiT does); the ONNX file fails for'
)


class Parity(NamedTuple):
    """Difference of the probability of "tampered" between torch and onnxruntime, over pixels."""

    maximum: float
    mean: float


def export_beside(published: Path) -> tuple[Path, Parity]:
    """Export a published checkpoint, ``NAME-xxxxxxxx.safetensors``, to ``NAME-yyyyyyyy.onnx``.

    Each name ends with the first digits of the file's own SHA-256; the new file says of which one
    it was made.

    Returns:
        Its path, and how far it agrees with torch.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
        ValueError: Its network cannot be exported.
    """
    out = without_digest(published).with_suffix('.onnx')
    with _unfinished(out) as path:
        parity = export_onnx(read_checkpoint(published), path, made_of=published)
        return path.replace(named_by_digest(out, path)), parity


def export_onnx(checkpoint: Checkpoint, out: Path, made_of: Path | None = None) -> Parity:
    """Export a published checkpoint, and compare the result with torch.

    Inputs and outputs of the file are those of :mod:`.onnx_form`. The config, the thresholds and
    the card of the checkpoint go into it. Weights that half precision holds without any change are
    stored in it.

    Args:
        checkpoint: It stays as it is.
        out: The file.
        made_of: The checkpoint's file, which the new one then names.

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
    config = checkpoint.config
    description = Description(config.to_dict(), checkpoint.calibrations, checkpoint.card)
    text = description_text(description)
    network = TorchNetwork(build_fitting(config, checkpoint).eval())
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as path:
        graph = _trace(network.segmentor, path)
        if made_of is not None:
            graph = graph._replace(source=made_of.name, source_sha256=file_sha256(made_of))
        file = onnx.load(path)
        _store_in_half_precision(file)
        onnx.helper.set_model_props(file, {DESCRIPTION: text, KEY: graph.text()})
        onnx.save(file, path)
        onnx.checker.check_model(path, full_check=True)
        return _compare(network, path)


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    path = out.with_name(f'{out.name}.unnamed')
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


# ---- the graph -------------------------------------------------------------------------------


class _Wired(nn.Module):
    """A segmentor with the inputs and outputs of :mod:`.onnx_form`."""

    def __init__(self, segmentor: Segmentor) -> None:
        super().__init__()
        self.segmentor = copy.deepcopy(segmentor)
        self.wiring = Wiring()
        wire(self.segmentor, self.wiring)
        self.wiring.begin(TRACED_SIZE)
        self.has_gate = self.segmentor(_random(TRACED_SIZE)).gate is not None
        self.operands = tuple(self.wiring.operands)

    def forward(
        self, planes: Tensor, told: Tensor, context: Tensor, *values: Tensor
    ) -> tuple[Tensor, ...]:
        given = dict(zip(self.operands, values, strict=True))
        self.wiring.begin(TRACED_SIZE, told, context, given)
        logits, gate = self.segmentor(planes)
        outputs = [logits[:, 1] - logits[:, 0], *([] if gate is None else [gate])]
        return (*outputs, *(self.wiring.parts() if self.wiring.length else ()))


@torch.no_grad()
def _trace(segmentor: Segmentor, path: Path) -> Graph:
    try:
        wired = _Wired(segmentor)
        _write(wired, path)
    except Exception as error:  # of torch, which have no common class
        reason = str(error).strip().partition('\n')[0]
        raise ValueError(f'this network cannot be exported: {reason}') from error
    wiring = wired.wiring
    complete = wiring.is_complete and SharedContext(segmentor).complete
    return Graph(wired.operands, wiring.length, complete)


def _write(wired: _Wired, path: Path) -> None:
    whole = Window(*(Side(0, side, np.ones(side)) for side in TRACED_SIZE))
    context = torch.zeros(wired.wiring.length)
    values = [torch.from_numpy(each.of(whole, told=False)) for each in wired.operands]
    outputs = [LOG_ODDS, *([GATE] if wired.has_gate else [])]
    outputs += [MEANS, LOG_WEIGHTS] if wired.wiring.length else []
    axes = {PLANES: {2: 'height', 3: 'width'}, LOG_ODDS: {1: 'height', 2: 'width'}}
    for operand in wired.operands:
        size = f'{("height", "width")[operand.axis]}_by_{operand.stride}'
        axes[operand.name] = {AXES[operand.kind]: size}
    # The exporter that torch 2.1 has too; later ones have another as default.
    has_choice = 'dynamo' in inspect.signature(torch.onnx.export).parameters
    choice: dict[str, Any] = dict(dynamo=False) if has_choice else {}
    with warnings.catch_warnings():
        # Sizes that Python code sees are constants of the trace: _compare finds those that matter.
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        warnings.simplefilter('ignore', DeprecationWarning)
        torch.onnx.export(
            wired, (_random(TRACED_SIZE), torch.tensor(False), context, *values), str(path),
            input_names=[PLANES, TOLD, CONTEXT, *(each.name for each in wired.operands)],
            output_names=outputs, dynamic_axes=axes, opset_version=OPSET,
            # Weights as they are; ONNX Runtime fuses norms and folds constants when it starts.
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, **choice,
        )  # fmt: skip


def _store_in_half_precision(file: Any) -> None:
    """Weights that lose nothing by it, as those of a checkpoint in half precision."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in file.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= SMALL:
            continue
        with np.errstate(over='ignore'):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(half, f'{name}.half'))
            casts.append(helper.make_node('Cast', [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *file.graph.node]
    del file.graph.node[:]
    file.graph.node.extend(nodes)


# ---- comparison ------------------------------------------------------------------------------


def _compare(network: Network, path: Path) -> Parity:
    exported = OnnxNetwork(path)
    differences = []
    for size in CHECKED_SIZES:
        planes = _random(size).numpy()
        try:
            expected = sigmoid(network(planes).log_odds)
            outputs = (exported(planes), _told(exported, planes))
            differences += [np.abs(sigmoid(each.log_odds) - expected).ravel() for each in outputs]
        except Exception as error:  # of onnxruntime, which have no common class, or wrong sizes
            raise ValueError(f'{_CANNOT} {size} (height, width): {error}') from error
    all_pixels = np.concatenate(differences)
    parity = Parity(float(all_pixels.max()), float(all_pixels.mean()))
    if not parity.maximum <= TOLERANCE:
        raise ValueError(
            f'{_CANNOT} {CHECKED_SIZES} (height, width): probabilities differ by up to '
            f'{parity.maximum:.2g}'
        )
    return parity


def _told(network: Network, planes: np.ndarray) -> Any:
    """An image in one window that is told, in a second pass, what it said of itself."""
    with network.sharing() as sharing:
        for _ in range(2):
            sharing.begin(Window(*(Side(0, side, np.ones(side)) for side in planes.shape[2:])))
            output = network(planes)
            sharing.end_pass()
    return output


def _random(size: tuple[int, int]) -> Tensor:
    """Five planes ``uint8`` (1, 5, H, W) with values in the range of real ones, always the same."""
    height, width = size
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, 256, (3, height, width))
    coefficients = generator.integers(0, 21, (1, height, width))
    table = np.tile(generator.integers(1, 100, (1, 8, 8)), (1, height // 8, width // 8))
    return torch.from_numpy(np.concatenate([rgb, coefficients, table])[None].astype(np.uint8))
