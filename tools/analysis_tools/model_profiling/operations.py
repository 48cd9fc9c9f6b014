"""Multiply-adds and bytes of every operation of a run, by the module that asked for it.

A multiply-add counts as one (``torch.utils.flop_counter`` counts two). Counted are those of
convolutions, matrix products and attention; norms, activations, interpolation, sums and look-ups
have none here, but their bytes are counted. Operators of other libraries (deformable convolution,
RoIAlign) have none either. Not torch's counter, because it fails on views of
parameters and does not know the CPU's fused attention.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class Operation(NamedTuple):
    """One call of an operator.

    Attributes:
        module: Dotted name of the innermost module that was running; empty in a backward pass.
        name: The operator.
        macs: Multiply-adds.
        bytes: Read and written, if every input is read once and every output written once.
    """

    module: str
    name: str
    macs: int
    bytes: int


def _matrix_product(args: Sequence[Any], output: Any) -> int:
    """``(..., L, K) @ (..., K, M)``, the last two arguments of the operator."""
    return output.numel() * args[-1].shape[-2]


def _vector_product(args: Sequence[Any], _: Any) -> int:
    """A matrix or a vector and a vector, the first two arguments."""
    return args[0].numel()


def _convolution(args: Sequence[Any], output: Any) -> int:
    x, weight, transposed = args[0], args[1], args[6]
    return (x if transposed else output).numel() * weight[0].numel()


def _convolution_backward(args: Sequence[Any], output: Any) -> int:
    """As many as forward for the gradient of the input, and again for that of the weight."""
    gradient, x, weight, transposed = args[0], args[1], args[2], args[7]
    wanted = sum(tensor is not None for tensor in output[:2])
    return wanted * (x if transposed else gradient).numel() * weight[0].numel()


def _attention(args: Sequence[Any], _: Any) -> int:
    """``softmax(Q K^T) V``; Q is (B, heads, L, D), K (B, heads, S, D), V (B, heads, S, E)."""
    query, key, value = args[:3]
    return query[..., 0].numel() * key.shape[2] * (query.shape[3] + value.shape[3])


def _attention_backward(args: Sequence[Any], _: Any) -> int:
    """``Q K^T`` again, then the gradients of Q, K, V and of the attention."""
    query, key, value = args[1:4]
    return query[..., 0].numel() * key.shape[2] * (3 * query.shape[3] + 2 * value.shape[3])


_ATTENTION = [
    f'aten::_scaled_dot_product_{kind}'
    for kind in (
        'flash_attention', 'flash_attention_for_cpu', 'efficient_attention', 'cudnn_attention'
    )
]  # fmt: skip
MULTIPLY_ADDS: Mapping[str, Callable[[Sequence[Any], Any], int]] = {
    **dict.fromkeys(('aten::mm', 'aten::bmm', 'aten::addmm', 'aten::baddbmm'), _matrix_product),
    **dict.fromkeys(('aten::mv', 'aten::dot'), _vector_product),
    'aten::convolution': _convolution,
    'aten::convolution_backward': _convolution_backward,
    **dict.fromkeys(_ATTENTION, _attention),
    **dict.fromkeys((f'{name}_backward' for name in _ATTENTION), _attention_backward),
}


class _Recorder(TorchDispatchMode):
    def __init__(self, running: list[str]) -> None:
        super().__init__()
        self.running = running
        self.operations: list[Operation] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func._schema.name
        macs = MULTIPLY_ADDS[name](args, output) if name in MULTIPLY_ADDS else 0
        moved = _bytes_moved(func, (args, kwargs), output)
        self.operations.append(Operation(self.running[-1], name, macs, moved))
        return output


def _bytes_moved(func: Any, inputs: Any, output: Any) -> int:
    read, written = tensors_in(inputs), tensors_in(output)
    if not func._schema.is_mutable:
        known = {tensor.untyped_storage().data_ptr() for tensor in read}
        # A view moves nothing.
        if all(tensor.untyped_storage().data_ptr() in known for tensor in written):
            return 0
    return sum(map(_size, read)) + sum(map(_size, written))


def tensors_in(tree: Any) -> list[Tensor]:
    """All tensors of nested lists, tuples and dicts."""
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


def _size(tensor: Tensor) -> int:
    """Bytes behind a tensor: of an expanded one, those that exist."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


@contextmanager
def _following(model: nn.Module) -> Iterator[list[str]]:
    """The names of the modules that are running, outermost first."""
    running = ['']

    def leave(*_: object) -> None:
        running.pop()

    with ExitStack() as stack:
        for name, module in model.named_modules():

            def enter(*_: object, name: str = name) -> None:
                running.append(name)

            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        yield running


def operations_of(model: nn.Module, run: Callable[[], object]) -> list[Operation]:
    """Run once and list every operation.

    Raises:
        ValueError: Within ``torch.inference_mode``, which hides convolutions and products.
    """
    if torch.is_inference_mode_enabled():
        raise ValueError('expected torch.no_grad, got torch.inference_mode: it hides operations')
    with _following(model) as running, _Recorder(running) as recorder:
        run()
    return recorder.operations


def macs_by_module(operations: Iterable[Operation], depth: int) -> dict[str, int]:
    """Multiply-adds by the first ``depth`` parts of the modules' names, those with any."""
    totals: dict[str, int] = defaultdict(int)
    for operation in operations:
        if operation.macs:
            totals['.'.join(operation.module.split('.')[:depth])] += operation.macs
    return dict(totals)


def limits(operations: Iterable[Operation], flops: float, bandwidth: float) -> Mapping[str, float]:
    """Seconds that a machine needs at least.

    Args:
        operations: Of one run.
        flops: Floating-point operations a second, at most.
        bandwidth: Bytes a second, at most.

    Returns:
        ``operations``: all multiply-adds at full speed. ``bytes``: all inputs and outputs at full
        bandwidth. ``both``: the larger of the two for each operation, summed: what these
        operations, one after another, cannot beat. (Caches can: a small tensor never
        leaves them.)
    """
    pairs = [(2 * each.macs / flops, each.bytes / bandwidth) for each in operations]
    return {
        'operations': sum(pair[0] for pair in pairs),
        'bytes': sum(pair[1] for pair in pairs),
        'both': sum(map(max, pairs)),
    }
