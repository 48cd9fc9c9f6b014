from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from mmseg.models import BaseSegmentor
from torch import Tensor, nn

from mmomni.models.layers import FrequencyPerceptionHead, ModalGate
from mmomni.registry import HOOKS


@HOOKS.register_module()
class ModalGateHook(Hook):
    """Write the gate's choice into every prediction while validating and testing.

    ``data_sample.p_modal`` is the paper's ``P_modal``: 1 for pure vision, 0 for vision +
    frequency; with sliding windows the mean over the windows of the image. Models without a
    learned gate are left alone; windows off the 8x8 grid of JPEG are refused.
    """

    def __init__(self) -> None:
        self._logits: list[Tensor] = []
        self._handles: list[Any] = []

    def before_test(self, runner: Runner) -> None:
        """Listen to the gate and to the segmentor's predictions."""
        # Inside of the wrappers of DDP and of test-time augmentation.
        model = next(m for m in runner.model.modules() if isinstance(m, BaseSegmentor))
        gates = [module for module in model.modules() if isinstance(module, ModalGate)]
        self._logits = []
        _check_windows(model)
        if gates:
            self._handles = [
                gates[0].register_forward_hook(self._remember),
                model.register_forward_hook(self._write),
            ]

    def after_test(self, runner: Runner) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    before_val = before_test
    after_val = after_test

    def _remember(self, gate: nn.Module, inputs: tuple, p_cls: Tensor) -> None:
        self._logits.append(p_cls.detach())

    def _write(self, model: nn.Module, inputs: tuple, outputs: Sequence[BaseDataElement]) -> None:
        p_modal = torch.stack(self._logits).sigmoid().round().float().mean(dim=0).tolist()
        self._logits = []
        for sample, value in zip(outputs, p_modal, strict=True):
            sample.set_field(value, 'p_modal', dtype=float)


def _check_windows(model: BaseSegmentor) -> None:
    """Raise ``ValueError`` if sliding windows would cut through JPEG blocks."""
    if not any(isinstance(module, FrequencyPerceptionHead) for module in model.modules()):
        return
    for key in ('crop_size', 'stride'):
        size = (model.test_cfg or {}).get(key, (0, 0))
        if any(side % 8 for side in size):
            nearest = tuple(side // 8 * 8 for side in size)
            raise ValueError(
                f'test_cfg.{key} must be multiples of 8, the JPEG block size, got {tuple(size)}; '
                f'use {nearest}'
            )
