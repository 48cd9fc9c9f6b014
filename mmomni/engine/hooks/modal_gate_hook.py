import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement, PixelData
from mmseg.models import BaseSegmentor
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmomni.models.backbones import ModalGateEncoder
from mmomni.models.encoded import Encoded
from mmomni.models.layers import FrequencyPerceptionHead
from mmomni.registry import HOOKS


class Window(NamedTuple):
    """What the encoder said of one forward pass over a batch; ``None`` where it has no such part.

    Attributes:
        rgb: Logits of ``P_rgb``, (B, 2, h / 8, w / 8).
        fused: Logits of ``P_fused``.
        gate: The logit ``P_cls``, (B,).
    """

    rgb: Tensor
    fused: Tensor | None
    gate: Tensor | None

    @property
    def chosen(self) -> Tensor | None:
        """The coarse prediction that belongs to each sample's choice."""
        if self.gate is None or self.fused is None:
            return None
        return torch.where(_p_modal(self.gate).view(-1, 1, 1, 1) == 1, self.rgb, self.fused)


def _p_modal(logits: Tensor) -> Tensor:
    """The hard choice as the encoder makes it: 1 vision, 0 vision + frequency."""
    return logits.sigmoid().round().float()


@HOOKS.register_module()
class ModalGateHook(Hook):
    """Write what the Modal Gate Encoder decided into every prediction of validation and test.

    ``data_sample.p_modal`` is the paper's ``P_modal``: 1 for pure vision, 0 for vision +
    frequency; with sliding windows the mean over the windows of the image.
    ``data_sample.coarse_rgb``, ``coarse_fused`` and ``coarse_chosen`` (``PixelData``, (1, H, W) at
    the original size, 1 = tampered) are its coarse predictions and the one that belongs to the
    gate's choice: upsampled as for the loss, then stitched, unpadded and resized by the segmentor's
    own code. Windows choose each for itself, so ``coarse_chosen`` of an image in windows can be a
    mixture. :class:`mmomni.GateReport` scores all of this.

    Without a learned gate there are no choices, in ``gate='vision'`` also no ``coarse_fused``;
    models without the encoder are left alone. Windows off the 8x8 grid of JPEG are refused. With
    test-time augmentation, the first view counts.
    """

    def __init__(self) -> None:
        self._windows: list[Window] = []
        self._handles: list[Any] = []

    def before_test(self, runner: Runner) -> None:
        """Listen to the encoder and to the segmentor's predictions."""
        # Inside of the wrappers of DDP and of test-time augmentation.
        model = next(m for m in runner.model.modules() if isinstance(m, BaseSegmentor))
        encoders = [module for module in model.modules() if isinstance(module, ModalGateEncoder)]
        self._windows = []
        _check_windows(model)
        if encoders:
            self._handles = [
                encoders[0].register_forward_hook(self._remember),
                model.register_forward_hook(self._write, with_kwargs=True),
            ]

    def after_test(self, runner: Runner) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    before_val = before_test
    after_val = after_test

    def _remember(self, encoder: nn.Module, inputs: tuple, outputs: Encoded) -> None:
        self._windows.append(Window(outputs.p_rgb, outputs.p_fused, outputs.p_cls))

    def _write(
        self, model: nn.Module, args: tuple, kwargs: dict, outputs: Sequence[BaseDataElement]
    ) -> None:
        windows, self._windows = self._windows, []
        for part in ('rgb', 'fused', 'chosen'):
            maps = [getattr(window, part) for window in windows]
            if maps[0] is not None:
                coarse = _stitch(model, maps, kwargs['inputs'], outputs)
                for sample, prediction in zip(outputs, coarse, strict=True):
                    sample.set_field(prediction, f'coarse_{part}', dtype=PixelData)
        logits = [window.gate for window in windows if window.gate is not None]
        if logits:
            p_modal = _p_modal(torch.stack(logits)).mean(dim=0).tolist()
            for sample, value in zip(outputs, p_modal, strict=True):
                sample.set_field(value, 'p_modal', dtype=float)


def _stitch(
    model: BaseSegmentor, maps: Sequence[Tensor], inputs: Tensor, samples: Sequence[BaseDataElement]
) -> Iterator[PixelData]:
    """Coarse logits of all windows -> predictions at the original sizes.

    A shallow copy of the segmentor goes through the same windows again, and answers each with what
    was remembered of it: so stitching, padding and sizes are the segmentor's own.
    """
    remembered = iter(maps)

    def encode_decode(crop: Tensor, _: list[dict]) -> Tensor:
        logits = next(remembered).float()
        return resize(logits, crop.shape[2:], mode='bilinear', align_corners=False)

    replay = copy.copy(model)
    replay.encode_decode = encode_decode
    replay.out_channels = maps[0].shape[1]
    blank = [SegDataSample(metainfo=sample.metainfo) for sample in samples]
    return (sample.pred_sem_seg for sample in replay.predict(inputs, blank))


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
    padding = (getattr(model.data_preprocessor, 'test_cfg', None) or {}).get('size_divisor', 1)
    if (model.test_cfg or {}).get('mode') == 'slide' and padding % 8:
        raise ValueError(
            'the last of sliding windows is moved to the edge of the image, which must lie on the '
            f'8x8 grid of JPEG; got size_divisor={padding}, use '
            'data_preprocessor=dict(test_cfg=dict(size_divisor=32))'
        )
