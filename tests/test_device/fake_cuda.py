"""A CUDA device that holds no values: what runs on it shows what would run, and wait, on a card.

Tensors are torch's fake ones: they know shape, type and device, and nothing else. Operations on
them are checked and not computed, in any build of torch. What needs a value gets the same answer
always (see :class:`Watch`) and is written down with its place.
"""

import ctypes
import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.utils import digit_version
from mmseg.registry import MODELS
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

DEVICE = torch.device('cuda:0')
RUNS = digit_version(torch.__version__) >= digit_version('2.13')
REASON = 'the device that is not there is made of parts of torch 2.13'
FOUND = 4
"""How many entries a mask is said to have that are not zero, if it has so many at all."""
PACKAGES = ('mmomni', 'mmseg', 'mmdet', 'mmcv', 'mmengine')
_HOME = {
    name: str(Path(importlib.import_module(name).__file__).parent) + '/' for name in PACKAGES
}
_ENGINE = '_engine_run_backward'
_META = torch.device('meta')
_WRAPPERS = tuple(str(Path(torch.__file__).parent / name) for name in ('_dynamo', '_compile'))
_COPIES = {'aten::_to_copy', 'aten::copy_', 'aten::lift_fresh', 'prims::device_put'}


def place() -> str:
    """The innermost function that belongs to one of the packages, ``'mmomni/a/b.py::name'``.

    That of a formula of autograd is ``'backward'``.
    """
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if frame.f_code.co_name == _ENGINE:
            return 'backward'
        for package, home in _HOME.items():
            if path.startswith(home):
                return f'{package}/{path.removeprefix(home)}::{frame.f_code.co_name}'
        frame = frame.f_back
    return 'backward'


class Watch(TorchDispatchMode):
    """Sees every operation; writes down, by their places, those that a device does not like.

    Attributes:
        reads: The host waits for the device: a Python number, a ``nonzero``, a copy to the CPU.
            Answers are 1 or True; of a mask ``FOUND`` entries are chosen.
        mixed: Operands lie on both. torch lets pass those of one value on the CPU; here they are
            faults, too: they are constants that somebody forgot.
        doubles: A tensor in double precision arises on the device.
        hosts: A tensor arises on the CPU, out of nothing.
        sends: A tensor goes to the device.
    """

    def __init__(self, mode: FakeTensorMode) -> None:
        super().__init__()
        self.mode = mode
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.reads, self.mixed, self.doubles, self.hosts, self.sends = (Counter() for _ in 'abcde')

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.prim.device.default and _is_engine(sys._getframe(1)):
            return _META
        args, kwargs, inputs = self._fake(args, kwargs or {})
        if kwargs.get('device') == _META:  # of a formula in C++ that was told so
            kwargs = {**kwargs, 'device': DEVICE}
        name = func._schema.name
        on_device = any(x.device == DEVICE for x in inputs)
        if name in _READS and inputs:
            return self._answer(func, name, args, kwargs, on_device)
        if len({x.device for x in inputs}) > 1 and not _may_mix(name, inputs):
            self.mixed[f'{place()} {name}'] += 1
            return func(*args, **kwargs)
        if name in _INDEXED:
            args = self._with_places(name, args, on_device)
        out = func(*args, **kwargs)
        self._note(name, inputs, out, on_device)
        return out

    def _fake(self, args, kwargs):
        """Operands, with those made fake that came of NumPy's arrays or before; all tensors."""
        flat, form = tree_flatten((args, kwargs))
        inputs = [x for x in flat if isinstance(x, Tensor)]
        if all(isinstance(x, FakeTensor) for x in inputs):
            return args, kwargs, inputs
        flat = [
            self.mode.from_tensor(x)
            if isinstance(x, Tensor) and not isinstance(x, FakeTensor)
            else x
            for x in flat
        ]
        args, kwargs = tree_unflatten(flat, form)
        return args, kwargs, [x for x in flat if isinstance(x, Tensor)]

    def _with_places(self, name, args, on_device):
        x, indices, *rest = args
        is_mask = any(i is not None and i.dtype == torch.bool for i in indices)
        if is_mask and on_device and not (rest and rest[0].device.type == 'cpu'):
            self.reads[place()] += 1  # torch looks up how many there are
        return x, _explicit(indices), *rest

    def _answer(self, func, name, args, kwargs, on_device):
        if on_device:
            self.reads[place()] += 1
        else:
            with suppress(DataDependentOutputException, DynamicOutputShapeException):
                return func(*args, **kwargs)  # constants keep their values
        return _READS[name](*args)

    def _note(self, name, inputs, out, on_device):
        outputs = [x for x in tree_flatten(out)[0] if isinstance(x, Tensor)]
        if name in _COPIES and on_device and any(x.device.type == 'cpu' for x in outputs):
            self.reads[place()] += 1
        for x in outputs:
            if x.device == DEVICE and x.dtype == torch.float64 and name not in _VIEWS:
                self.doubles[place()] += 1
            if x.device.type == 'cpu' and not inputs:
                self.hosts[place()] += 1
            if x.device == DEVICE and inputs and not on_device:
                self.sends[place()] += 1


def _is_engine(frame):
    """Whether C++ asks, of torch's autograd: it would then ask a driver for the current stream."""
    while frame.f_code.co_filename.startswith(_WRAPPERS):
        frame = frame.f_back
    return frame.f_code.co_name == _ENGINE


def _may_mix(name, inputs):
    if name in _INDEXED:  # x[mask] = number, which becomes a `masked_fill`
        return name != 'aten::index' and inputs[-1].dim() == 0
    return name in _COPIES or (name == 'aten::fill_' and inputs[-1].dim() == 0)  # x[...] = number


def _number(x):
    if x.dtype == torch.bool:
        return True
    return 1.0 if x.is_floating_point() else 1


def _list(x):
    """Of a tensor, by one copy; that of torch's fake ones asks for one number after the other."""
    x = x.cpu()
    numbers = _number(x)
    for length in reversed(x.shape):
        numbers = [numbers] * length
    return numbers


def _array(x):
    assert x.device.type == 'cpu'
    return np.zeros(x.shape, np.float32)


def _places(x):
    return x.new_zeros((min(FOUND, x.numel()), x.dim()), dtype=torch.long)


def _chosen(x, mask):
    return x.new_zeros(min(FOUND, mask.numel()))


def _distinct(x, *_):
    n = min(FOUND, x.numel())
    whole = x.new_zeros(x.shape, dtype=torch.long)
    return x.new_zeros(n), whole, whole.new_zeros(n)


_READS = {
    'aten::_local_scalar_dense': _number,
    'aten::equal': lambda *_: True,
    'aten::nonzero': _places,
    'aten::masked_select': _chosen,
    'aten::_unique2': _distinct,
    'aten::bincount': lambda x, *_: x.new_zeros(FOUND),
}
_INDEXED = {'aten::index', 'aten::index_put', 'aten::index_put_', 'aten::_index_put_impl_'}
_VIEWS = {'aten::detach', 'aten::view', 'aten::alias', 'aten::t', 'aten::expand'}


def _explicit(indices):
    """Masks among indices as places, as a device makes them, too."""
    listed = []
    for key in indices:
        if key is not None and key.dtype == torch.bool:
            listed += _places(key).unbind(1)
        else:
            listed.append(key)
    return listed


def guards() -> ctypes.Array:
    """By device type, the CPU and CUDA first, what torch's C++ asks of devices; shared memory."""
    library = ctypes.CDLL(str(Path(torch.__file__).parent / 'lib/libc10.so'))
    return (ctypes.c_void_p * 2).in_dll(library, '_ZN3c104impl26device_guard_impl_registryE')


@contextmanager
def _device_guard() -> Iterator[None]:
    """Let autograd ask for the device's current stream, as it does of every tensor.

    The answer of the CPU, which does nothing, stands in: a build without CUDA has none, and that of
    a build with it looks for a card, of which the tests are shown none.
    """
    registry = guards()
    before, registry[1] = registry[1], registry[0]
    try:
        yield
    finally:
        registry[1] = before


def _roi_align(x, rois, output, *rest, **options):
    """Of mmcv, whose compiled code knows no fake tensors: looks at operands, computes nothing."""
    for each in (x, rois, output):
        assert each.device == DEVICE, each.device
        assert each.dtype == torch.float32
        assert each.is_contiguous()


def _nms(boxes, scores, iou_threshold, offset):
    for each in (boxes, scores):
        assert each.device == DEVICE, each.device
        assert each.dtype == torch.float32
    return torch.arange(min(FOUND, len(boxes)), device=boxes.device)


class FakeCuda:
    """The device, for all models of a test module.

    ::

        cuda = FakeCuda()
        model = cuda.build(cfg.model)
        with cuda() as watch:
            model.test_step(data)
        assert not watch.mixed
    """

    def __init__(self) -> None:
        self.mode = FakeTensorMode(allow_non_fake_inputs=False)
        self.watch = Watch(self.mode)

    @contextmanager
    def __call__(self) -> Iterator[Watch]:
        """Within, tensors are fake, and CUDA seems to be there where it is asked for autocast."""
        from torch.nn.attention import SDPBackend, sdpa_kernel  # which an old torch has not

        self.watch.clear()
        with ExitStack() as stack:
            stack.enter_context(_device_guard())
            stack.enter_context(torch.autograd.set_multithreading_enabled(False))
            # To choose another kernel a build with CUDA looks up what the card can do.
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            for target, value in _STANDINS.items():
                stack.enter_context(patch(target, value))
            for mode in (self.mode, self.watch):
                stack.enter_context(mode)
            yield self.watch

    def build(self, config):
        """A model on the device, as ``model.to('cuda')`` would leave it."""
        with DefaultScope.overwrite_default_scope('mmseg'), _NoDraws():
            model = MODELS.build(config)
        return self.move(model)

    def move(self, model):
        """What ``model.to('cuda')`` does; torch's own cannot make real tensors fake."""
        model._apply(self._moved)
        if hasattr(model, '_set_device'):
            model._set_device(DEVICE)
        return model

    def _moved(self, x):
        fake = self.mode.from_tensor(x)
        with self.mode:
            return fake.to(DEVICE)


class _NoDraws(TorchDispatchMode):
    """Leaves out what takes time and has no use: the drawing of weights."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name in ('aten::uniform_', 'aten::normal_'):
            return args[0]
        return func(*args, **(kwargs or {}))


_STANDINS = {
    'mmcv.ops.nms.ext_module': SimpleNamespace(nms=_nms),
    'mmcv.ops.roi_align.ext_module': SimpleNamespace(
        roi_align_forward=_roi_align, roi_align_backward=_roi_align
    ),
    # In inference mode fake tensors take twice as long, and operations come as they are written.
    'torch.inference_mode': lambda mode=True: torch.no_grad() if mode else nullcontext(),
    'torch._subclasses.fake_tensor.FakeTensor.tolist': _list,
    'torch._subclasses.fake_tensor.FakeTensor.numpy': _array,
    'torch.cuda.amp.common.amp_definitely_not_available': lambda: False,
    'torch.cuda.is_bf16_supported': lambda *_: True,
    'mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available': lambda: True,
    'mmengine.runner.amp.get_device': lambda: 'cuda',
}
