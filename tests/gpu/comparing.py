"""Forward and gradients of the same module on two devices."""

import copy
from typing import NamedTuple

import torch
from torch.utils._pytree import tree_map

from mmomni.models import fast
from model_profiling.operations import tensors_in

CPU = torch.device('cpu')
DOUBLE = dict(rtol=1e-7, atol=1e-9)
"""Of float64: sums in another order, over some thousand terms."""
SINGLE = dict(rtol=1e-3, atol=1e-5)
"""Of what computes in float32 whatever it is given (losses, detection)."""


class Outcome(NamedTuple):
    """On the CPU, all of them."""

    outputs: list
    gradients: list
    buffers: dict


def moved(value, device):
    """Tensors of any nesting on a device; those of floating point want gradients."""

    def move(x):
        if not isinstance(x, torch.Tensor):
            return x
        return x.detach().to(device).requires_grad_(x.is_floating_point())

    return tree_map(move, value)


def outcome(module, inputs, device, run=None, plain=False):
    """Of ``run(module, *inputs)``, by default a call; ``plain``: without our speed-ups."""
    module = copy.deepcopy(module).to(device)
    inputs = moved(inputs, device)
    manner = fast.disabled if plain else torch.enable_grad
    with manner():
        outputs = module(*inputs) if run is None else run(module, *inputs)
        outputs = [x for x in tensors_in(outputs) if x is not None]
        wanted = [x for x in tensors_in(inputs) if x.requires_grad]
        wanted += [p for p in module.parameters() if p.requires_grad]
        ends = [x for x in outputs if x.requires_grad]
        generator = torch.Generator().manual_seed(0)
        seeds = [torch.randn(x.shape, generator=generator, dtype=x.dtype).to(device) for x in ends]
        gradients = torch.autograd.grad(ends, wanted, seeds, allow_unused=True) if ends else ()
    at_home = [x if x is None else x.detach().cpu() for x in gradients]
    buffers = {name: x.cpu() for name, x in module.named_buffers()}
    return Outcome([x.detach().cpu() for x in outputs], at_home, buffers)


def assert_alike(found, expected, rtol, atol):
    """Two outcomes; a tolerance of each tensor is at least relative to its largest value."""
    assert len(found.outputs) == len(expected.outputs) > 0
    pairs = [*zip(found.outputs, expected.outputs, strict=True)]
    pairs += zip(found.gradients, expected.gradients, strict=True)
    pairs += [(found.buffers[name], x) for name, x in expected.buffers.items()]
    for mine, theirs in pairs:
        assert (mine is None) is (theirs is None)
        if mine is not None:
            scale = float(theirs.abs().max()) if theirs.numel() else 0.0
            torch.testing.assert_close(mine, theirs, rtol=rtol, atol=atol + rtol * scale)
