from collections.abc import Sequence

from mmseg.models.backbones.swin import SwinBlockSequence
from torch import Tensor, nn

from mmomni.registry import MODELS

from .convnext import ConvNeXt

CHANNELS_PER_HEAD = 32


class SwinStage(nn.Module):
    """Swin blocks on a feature map instead of on tokens."""

    def __init__(self, channels: int, depth: int, window_size: int, drop_path_rate: float) -> None:
        super().__init__()
        self.blocks = SwinBlockSequence(
            channels, channels // CHANNELS_PER_HEAD, 4 * channels, depth, window_size,
            drop_path_rate=drop_path_rate,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        size = x.shape[2:]
        tokens = self.blocks(x.flatten(2).transpose(1, 2), size)[0]
        return tokens.transpose(1, 2).unflatten(2, size).contiguous()


@MODELS.register_module()
class ConvNeXtSwin(ConvNeXt):
    """Two stages of ConvNeXt, then two of Swin: the trunk of Document Tampering Detector.

    With :class:`ModalGateEncoder` (``gate='fused'``) around it, which adds the Frequency
    Perception Head, it is the encoder of Qu et al., "Towards Robust Tampered Text Detection in
    Document Image", CVPR 2023.

    Args:
        arch: Of the ConvNeXt; its channels are those of all four levels.
        in_channels: Input planes.
        tail_depths: Blocks of the two Swin stages.
        window_size: Of the Swin blocks.
        drop_path_rate: Stochastic depth, growing linearly in ConvNeXt, constant in Swin.
        layer_scale_init_value: Initial value of every ConvNeXt block's scale.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        arch: str,
        in_channels: int = 3,
        tail_depths: Sequence[int] = (18, 2),
        window_size: int = 7,
        drop_path_rate: float = 0.0,
        layer_scale_init_value: float = 1e-6,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            arch, in_channels, drop_path_rate, layer_scale_init_value, init_cfg=init_cfg
        )
        for index, depth in zip((2, 3), tail_depths, strict=True):
            self.stages[index] = SwinStage(self.channels[index], depth, window_size, drop_path_rate)
