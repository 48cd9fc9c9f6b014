"""A training step, and how its time is shared between the parts of the model."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from .operations import tensors_in
from .subjects import (
    Case,
    Subject,
    in_manner_of,
    in_precision,
    lay_out,
    take_frequency_form,
    training_batch,
)

OTHER = 'other'
OPTIMISER = 'optimiser'
Shares = dict[str, dict[str, float]]


def training_step(
    subject: Subject, optim_wrapper: OptimWrapper, case: Case, device: torch.device
) -> Callable[[], None]:
    """A function that does one step: preprocessing, losses, backward, optimiser."""
    model = subject.model.train()
    lay_out(model, case.form)
    take_frequency_form(model, case)
    batch = training_batch(case.batch, case.size)
    batch['inputs'] = [planes.to(device) for planes in batch['inputs']]
    batch['data_samples'] = [sample.to(device) for sample in batch['data_samples']]
    model.data_preprocessor.size = (case.size, case.size)

    def run() -> None:
        data = model.data_preprocessor(dict(batch), training=True)
        with in_manner_of(case, device):
            losses = model(**data, mode='loss')
        loss, _ = model.parse_losses(losses)
        with in_precision('tf32' if case.precision == 'tf32' else 'fp32', device):
            optim_wrapper.update_params(loss)  # backward is not for autocast

    return run


def build_optimiser(subject: Subject) -> OptimWrapper:
    """The config's own; without the loss scaling of a mixed-precision wrapper."""
    cfg = {**subject.cfg.optim_wrapper, 'type': 'OptimWrapper'}
    for key in ('dtype', 'loss_scale', 'use_fsdp'):
        cfg.pop(key, None)
    with _quiet(), DefaultScope.overwrite_default_scope('mmseg'):
        return build_optim_wrapper(subject.model, cfg)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the several lines that mmengine prints for every parameter."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Marks:
    """Points in time, each with what begins there; on CUDA events, so that nothing waits."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == 'cuda'
        self.points: list[tuple[str, str, Any]] = []

    def add(self, phase: str, part: str) -> None:
        """From here on it is this part's phase."""
        moment: Any = time.perf_counter()
        if self.cuda:
            moment = torch.cuda.Event(enable_timing=True)
            moment.record()
        self.points.append((phase, part, moment))

    def between(self, start: Any, end: Any) -> float:
        """Seconds from one point to another."""
        return start.elapsed_time(end) / 1000 if self.cuda else end - start


def shares_of(
    subject: Subject, optim_wrapper: OptimWrapper, run: Callable[[], None], device: torch.device
) -> Shares:
    """Seconds of one step by part and by phase: ``forward``, ``backward``, ``step``.

    The backward pass visits the parts in the opposite order of the forward pass, one after
    another (autograd takes the latest of the operations that are ready), so the time at which the
    first gradient reaches a part's outputs is when its backward pass begins.
    """
    marks = _Marks(device)
    with _marked(subject.model, optim_wrapper, marks):
        marks.add('forward', OTHER)
        run()
        marks.add('end', OTHER)
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    shares: Shares = {}
    for (phase, part, start), (_, _, end) in zip(marks.points, marks.points[1:], strict=False):
        phases = shares.setdefault(part, {})
        phases[phase] = phases.get(phase, 0.0) + marks.between(start, end)
    return shares


def _parts(model: Any) -> Mapping[str, tuple[nn.Module, str]]:
    """What is called in a step: the module and its method."""
    parts = {'backbone': (model.backbone, 'forward')}
    if model.with_neck:
        parts['neck'] = (model.neck, 'forward')
    parts['decode_head'] = (model.decode_head, 'loss')
    if model.with_auxiliary_head:
        heads = model.auxiliary_head
        heads = heads if isinstance(heads, nn.ModuleList) else [heads]
        for number, head in enumerate(heads):
            parts[f'auxiliary_head.{number} ({type(head).__name__})'] = (head, 'loss')
    return parts


@contextmanager
def _marked(model: Any, optim_wrapper: OptimWrapper, marks: _Marks) -> Iterator[None]:
    """Let the methods of the parts and of the optimiser tell when they begin and end."""
    changed: list[tuple[object, str]] = []

    def replace(owner: object, method: str, wrap: Callable) -> None:
        owner.__dict__[method] = partial(wrap, getattr(owner, method))
        changed.append((owner, method))

    for part, (module, method) in _parts(model).items():
        replace(module, method, partial(_forward, marks, part))
    replace(optim_wrapper, 'backward', partial(_phase, marks, 'backward', OTHER))
    replace(optim_wrapper, 'step', partial(_phase, marks, 'step', OPTIMISER))
    replace(optim_wrapper, 'zero_grad', partial(_phase, marks, 'step', OPTIMISER))
    try:
        yield
    finally:
        for owner, method in changed:
            del owner.__dict__[method]


def _forward(marks: _Marks, part: str, method: Callable, *args: Any, **kwargs: Any) -> Any:
    marks.add('forward', part)
    outputs = method(*args, **kwargs)
    marks.add('forward', OTHER)
    reached: list[bool] = []

    def begin(_: Tensor) -> None:
        if not reached:
            reached.append(True)
            marks.add('backward', part)

    for output in tensors_in(outputs):
        if output.requires_grad:
            output.register_hook(begin)
    return outputs


def _phase(
    marks: _Marks, phase: str, part: str, method: Callable, *args: Any, **kwargs: Any
) -> Any:
    marks.add(phase, part)
    result = method(*args, **kwargs)
    marks.add('forward', OTHER)
    return result
