"""What runs five planes: a segmentor of mmseg, or anything else that can be called like it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, NamedTuple, get_args

import torch
from mmcv.cnn import fuse_conv_bn
from mmseg.models import EncoderDecoder
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmomni.models.backbones import ModalGateEncoder
from mmomni.models.decode_heads import DynamicWeightDecoder
from mmomni.models.encoded import Encoded
from mmomni.models.necks import AnomalyEnhancement
from mmomni.utils.cuda_math import EXACT, allowed

Precision = Literal['fp32', 'bf16']
AUTO: Literal['auto'] = 'auto'
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
NATIVE_BF16 = (8, 0)
"""CUDA's compute capability (A100, RTX 30) from which on tensor cores multiply bfloat16."""


class Output(NamedTuple):
    """What a network says about a batch.

    Attributes:
        logits: Of authentic and tampered, at the size of the planes; ``float32`` (B, 2, H, W).
        gate: ``P_cls``, (B,): above 0 the network chose pure vision. ``None`` without a learned
            gate.
    """

    logits: Tensor
    gate: Tensor | None


Network = Callable[[Tensor], Output]
"""Planes (B, 5, H, W), ``float32``, H and W multiples of 32 -> :class:`Output`.

If it has a ``device``, planes are handed to it there."""


def precision_on(device: torch.device, asked: str = AUTO) -> Precision:
    """What ``'auto'`` stands for on a device: bfloat16 where CUDA multiplies it, else ``'fp32'``.

    Raises:
        ValueError: There is no such precision.
    """
    for precision in PRECISIONS:
        if asked == precision:
            return precision
    if asked != AUTO:
        raise ValueError(f'expected precision to be one of {(AUTO, *PRECISIONS)}, got {asked!r}')
    is_native = device.type == 'cuda' and torch.cuda.get_device_capability(device) >= NATIVE_BF16
    return 'bf16' if is_native else 'fp32'


class TorchNetwork(nn.Module):
    """A segmentor of mmseg as a :data:`Network`, on whatever device its weights are.

    It is in evaluation mode already; training-only heads are not looked at.

    Args:
        model: The segmentor.
        precision: ``'fp32'``, or ``'bf16'`` for autocast to it; weights, logits and gate are
            ``float32`` either way. On CUDA neither has TF32 or autotuning.

    Raises:
        ValueError: The model has not two output channels, or its data preprocessor normalises.
        TypeError: It is not built like mmseg's ``EncoderDecoder``.
    """

    def __init__(self, model: EncoderDecoder, precision: Precision = 'fp32') -> None:
        super().__init__()
        _check(model)
        self.model = model
        self.precision = precision

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def forward(self, planes: Tensor) -> Output:
        """Planes (B, 5, H, W) on any device -> logits and gate on the model's device."""
        # First to the device: in one call torch converts before it copies, four times the bytes.
        planes = planes.to(self.device).to(torch.float32)
        with _computing(planes.device, self.precision):
            features = self.model.backbone(planes)
            gate = features.p_cls if isinstance(features, Encoded) else None
            if self.model.with_neck:
                features = self.model.neck(features)
            size = planes.shape[2:]
            metas = [dict(img_shape=size, pad_shape=size)] * len(planes)
            logits = self.model.decode_head.predict(features, metas, self.model.test_cfg)
        return Output(logits.float(), None if gate is None else gate.float())


@contextmanager
def _computing(device: torch.device, precision: Precision) -> Iterator[None]:
    """In a precision; on CUDA exactly so, for images of all sizes."""
    with ExitStack() as stack:
        if precision == 'bf16':
            stack.enter_context(torch.autocast(device.type, torch.bfloat16))
        if device.type == 'cuda':
            stack.enter_context(allowed(EXACT))
        yield


def fuse_norms(model: EncoderDecoder) -> None:
    """Put batch norms into the convolutions before them: for prediction only.

    In our own modules and in backbones whose adapter says so: there we know that what is registered
    behind a convolution follows it.
    """
    ours = (ModalGateEncoder, AnomalyEnhancement, DynamicWeightDecoder)
    for part in model.children():
        if isinstance(part, ModalGateEncoder) and not part.backbone.fuses:
            for child in part.children():
                if child is not part.backbone:
                    fuse_conv_bn(child)
        elif isinstance(part, ours):
            fuse_conv_bn(part)


def _check(model: EncoderDecoder) -> None:
    if not isinstance(getattr(model, 'decode_head', None), BaseDecodeHead):
        raise TypeError(
            "expected a segmentor with one decode head (mmseg's EncoderDecoder), got "
            f'{type(model).__name__}'
        )
    if model.out_channels != 2:
        raise ValueError(
            f'expected two output channels (authentic, tampered), got {model.out_channels}; set '
            'num_classes=2 and out_channels=2 in the decode head'
        )
    if getattr(model.data_preprocessor, '_enable_normalize', False):
        raise ValueError(
            'expected a data preprocessor without mean and std, because two of the five planes '
            'are integers; normalise in the backbone (mmomni.RGBPlanes does)'
        )
