"""Where a run makes the host wait for the device, and in whose code."""

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

OURS = 'mmomni'
HOSTS = ('mmdet', 'mmseg', 'mmcv', 'mmengine')
OPERATORS = {
    'aten::_local_scalar_dense', 'aten::nonzero', 'aten::masked_select', 'aten::_unique2',
    'aten::equal', 'aten::repeat_interleave.Tensor', 'aten::bincount', 'aten::unique_dim',
}  # fmt: skip
"""Their results or the shapes of their results are values on the device."""
METHODS: dict[Callable, str] = {
    Tensor.cpu: 'cpu', Tensor.tolist: 'tolist', Tensor.numpy: 'numpy',
    Tensor.new_tensor: 'new_tensor',
}  # fmt: skip
"""Copies to the host, or from it, which on the CPU no operator shows."""
WITH_DEVICE: dict[Callable, str] = {torch.tensor: 'tensor', torch.as_tensor: 'as_tensor'}
"""The same where they name a device."""


OF_CPUS = ('mmomni.models.fast.roi_align',)
"""Modules that never see a tensor on a GPU."""


class Place(NamedTuple):
    """A line that synchronises.

    Attributes:
        package: ``mmomni``, a package of OpenMMLab, ``torch.optim`` or ``other``.
        line: Path from the package on, and line number.
        what: The operator or method.
    """

    package: str
    line: str
    what: str


def synchronisations(run: Callable[[], object], device: torch.device) -> Counter[Place]:
    """Run once and count the synchronisations of every line.

    On CUDA they are those that torch warns of in its sync debug mode. On the CPU nothing waits;
    counted are the calls that would wait if their tensors were on a GPU: also those of
    tensors that a host keeps on the CPU in any case, but not `to` another device.
    """
    return _warned(run, device) if device.type == 'cuda' else _called(run)


def _warned(run: Callable[[], object], device: torch.device) -> Counter[Place]:
    places: Counter[Place] = Counter()

    def note(message: Warning | str, *_: Any, **__: Any) -> None:
        if 'synchronizing CUDA operation' in str(message):
            places[_place('CUDA')] += 1

    torch.cuda.synchronize(device)
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        warnings.showwarning = note  # given back with the filters
        torch.cuda.set_sync_debug_mode('warn')
        try:
            run()
        finally:
            torch.cuda.set_sync_debug_mode(before)
    return places


def _called(run: Callable[[], object]) -> Counter[Place]:
    places: Counter[Place] = Counter()
    with _Methods(places), _Operators(places):
        run()
    return places


class _Operators(TorchDispatchMode):
    def __init__(self, places: Counter[Place]) -> None:
        super().__init__()
        self.places = places

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        name = func._schema.name
        full = f'{name}.{func._schema.overload_name}'.rstrip('.')
        if name in OPERATORS or full in OPERATORS or _by_mask(name, args):
            self.places[_place(name.removeprefix('aten::'))] += 1
        return func(*args, **(kwargs or {}))


def _by_mask(name: str, args: tuple) -> bool:
    """Indexing by a mask first looks for the places that it sets."""
    if name not in ('aten::index', 'aten::index_put', 'aten::index_put_'):
        return False
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])


class _Methods(TorchFunctionMode):
    def __init__(self, places: Counter[Place]) -> None:
        super().__init__()
        self.places = places

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func in METHODS or (func in WITH_DEVICE and (kwargs or {}).get('device') is not None):
            self.places[_place({**METHODS, **WITH_DEVICE}[func])] += 1
        return func(*args, **(kwargs or {}))


def _place(what: str) -> Place:
    """The innermost line of the stack in our package or a host's, or the optimiser."""
    for frame, line in traceback.walk_stack(sys._getframe()):
        module = frame.f_globals.get('__name__', '')
        if module.startswith('torch.optim.'):
            return Place('torch.optim', 'torch/optim (its own counters, on the CPU)', what)
        if module.startswith(__package__ + '.'):
            continue
        if module in OF_CPUS:
            break
        package = module.partition('.')[0]
        if package in (OURS, *HOSTS):
            return Place(package, f'{module.replace(".", "/")}.py:{line}', what)
    return Place('other', 'no Python code of these packages', what)


def summary(places: Counter[Place]) -> dict[str, int]:
    """Synchronisations by package, ours always among them."""
    totals = {OURS: 0}
    for place, count in places.items():
        totals[place.package] = totals.get(place.package, 0) + count
    return totals


def listing(places: Counter[Place], packages: Iterable[str]) -> list[str]:
    """A line for each place in one of the packages, most frequent first."""
    return [
        f'{count} x {place.what} at {place.line}'
        for place, count in places.most_common()
        if place.package in packages
    ]
