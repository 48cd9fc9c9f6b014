"""A segmentor of mmseg as a :class:`~.network.Network`.

Letters: ``B`` batch, ``H W`` height and width in pixels.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmseg.models import EncoderDecoder
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmomni.checkpoints import build_fitting, inference_config, read_checkpoint
from mmomni.models.backbones import ModalGateEncoder
from mmomni.models.decode_heads import DynamicWeightDecoder
from mmomni.models.encoded import Encoded
from mmomni.models.necks import AnomalyEnhancement
from mmomni.utils.cuda_math import EXACT, allowed

from .network import AUTO, PRECISIONS, DeviceError, Output, Precision, demand_precision
from .shared_context import SharedContext

NATIVE_BF16 = (8, 0)
"""CUDA's compute capability (A100, RTX 30) from which on tensor cores multiply bfloat16."""
CPU_ALLOCATION = "can't allocate memory"
"""What torch's CPU allocator says, in a plain ``RuntimeError``, when memory is short."""


class Logits(NamedTuple):
    """What a segmentor says about a batch, on its device.

    Attributes:
        logits: Of authentic and tampered, at the size of the planes; ``float32`` (B, 2, H, W).
        gate: See :class:`~.network.Output`.
    """

    logits: Tensor
    gate: Tensor | None


class Opened(NamedTuple):
    """A network with what its checkpoint says of it."""

    network: 'TorchNetwork'
    calibrations: tuple[dict, ...]
    card: dict


def open_torch_network(
    weights: str | Path,
    config: str | dict | Config | None = None,
    device: str | None = None,
    precision: str = AUTO,
    trust_checkpoint: bool = False,
) -> Opened:
    """A checkpoint, ready to predict.

    Args:
        weights: See :func:`~mmomni.checkpoints.read_checkpoint`.
        config: A file or a whole config; ``None``, or an empty one: that of the checkpoint.
        device: ``None``: the accelerator if there is one.
        precision: See :func:`precision_on`.
        trust_checkpoint: Also load one that was not published, which can run code.

    Raises:
        DeviceError: There is no such device.
        FileNotFoundError: There is no checkpoint.
        ValueError: It cannot be used or trusted, or does not fit the config.
    """
    demand_precision(precision)
    place = _existing(device or get_device())
    checkpoint = read_checkpoint(weights, trust_checkpoint)
    names = str(weights)
    if config:
        whole = Config.fromfile(config) if isinstance(config, str) else Config(dict(config))
        filename = config if isinstance(config, str) else getattr(config, 'filename', None)
        names += f' with {filename}' if filename else ''
        checkpoint = checkpoint._replace(config=inference_config(whole))
    if checkpoint.config is None:
        raise ValueError(f'{weights} holds no config; give the one it was trained with')
    try:
        model = revert_sync_batchnorm(build_fitting(checkpoint.config, checkpoint))
    except ValueError as error:
        raise ValueError(f'{names}: {error}') from error
    fuse_norms(model)
    network = TorchNetwork(model.to(place).eval(), precision_on(place, precision))
    return Opened(network, checkpoint.calibrations, checkpoint.card)


def _existing(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition('\n')[0]
        raise DeviceError(
            f'expected a device of this machine (cpu, cuda, cuda:1), got {name!r}: {reason}'
        ) from error
    return device


def precision_on(device: torch.device, asked: str = AUTO) -> Precision:
    """What ``'auto'`` stands for on a device: bfloat16 where CUDA multiplies it, else ``'fp32'``.

    Raises:
        ValueError: There is no such precision.
    """
    demand_precision(asked)
    for precision in PRECISIONS:
        if asked == precision:
            return precision
    is_native = device.type == 'cuda' and torch.cuda.get_device_capability(device) >= NATIVE_BF16
    return 'bf16' if is_native else 'fp32'


class Segmentor(nn.Module):
    """Planes to logits and gate, by a segmentor of mmseg without its training-only heads.

    Args:
        model: In evaluation mode already.

    Raises:
        ValueError: The model has not two output channels, or its data preprocessor normalises.
        TypeError: It is not built like mmseg's ``EncoderDecoder``.
    """

    def __init__(self, model: EncoderDecoder) -> None:
        super().__init__()
        _check(model)
        self.model = model

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def forward(self, planes: Tensor) -> Logits:
        """Planes (B, 5, H, W) on any device, H and W multiples of 32."""
        # First to the device: in one call torch converts before it copies, four times the bytes.
        planes = planes.to(self.device).to(torch.float32)
        features = self.model.backbone(planes)
        gate = features.p_cls if isinstance(features, Encoded) else None
        if self.model.with_neck:
            features = self.model.neck(features)
        size = planes.shape[2:]
        metas = [dict(img_shape=size, pad_shape=size)] * len(planes)
        logits = self.model.decode_head.predict(features, metas, self.model.test_cfg)
        return Logits(logits.float(), None if gate is None else gate.float())


class TorchNetwork:
    """A segmentor of mmseg as a :class:`~.network.Network`, on whatever device its weights are.

    Args:
        model: See :class:`Segmentor`, which is what it becomes as ``segmentor``.
        precision: ``'fp32'``, or ``'bf16'`` for autocast to it; weights, logits and gate are
            ``float32`` either way. On CUDA neither has TF32 or autotuning.
    """

    def __init__(self, model: EncoderDecoder, precision: Precision = 'fp32') -> None:
        self.segmentor = Segmentor(model)
        self._precision = precision

    @property
    def device(self) -> torch.device:
        return self.segmentor.device

    @property
    def on_cpu(self) -> bool:
        return self.device.type == 'cpu'

    @property
    def precision(self) -> Precision:
        return self._precision

    @precision.setter
    def precision(self, value: Precision) -> None:
        self._precision = precision_on(self.device, value)

    def sharing(self) -> SharedContext:
        return SharedContext(self.segmentor)

    def __call__(self, planes: np.ndarray) -> Output:
        """See :class:`~.network.Network`."""
        try:
            with torch.inference_mode(), _computing(self.device, self.precision):
                logits, gate = self.segmentor(torch.from_numpy(planes))
                log_odds = logits[:, 1] - logits[:, 0]
            return Output(_to_host(log_odds), None if gate is None else _to_host(gate))
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryError(_first_line(error)) from error
        except RuntimeError as error:  # on the CPU, torch has no type of its own
            if CPU_ALLOCATION not in str(error):
                raise
            raise MemoryError(_first_line(error)) from error


def _to_host(tensor: Tensor) -> np.ndarray:
    array: np.ndarray[Any, Any] = tensor.cpu().numpy()
    return array


def _first_line(error: Exception) -> str:
    return str(error).partition('\n')[0]


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
