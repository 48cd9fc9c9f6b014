"""The five planes taken apart, and encoders that see one kind of them alone."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmomni.models.layers import FrequencyPerceptionHead
from mmomni.registry import MODELS


class FivePlanes(BaseModule):
    """What a backbone reads of the five planes; one of somebody else's begins with it.

    Args:
        mean: Of R, G and B; they are normalised here because mmseg's data preprocessor may
            refuse five planes, of which two are not to be normalised.
        std: Likewise.
    """

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, values in (('mean', mean), ('std', std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def rgb(self, inputs: Tensor) -> Tensor:
        """(B, 5, H, W), of which planes 0-2 are RGB (0..255) -> (B, 3, H, W), normalised."""
        return (inputs[:, :3] - self.mean) / self.std

    @staticmethod
    def frequency(inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 5, H, W) -> ``|q|`` (B, H, W), 0..20, and the quantisation steps (B, 8, 8)."""
        if inputs.shape[1] != 5:
            raise ValueError(
                f'expected 5 planes (RGB, |q|, quantisation steps), got {inputs.shape[1]}; end the '
                'pipeline with mmomni.ExtractDCT and mmomni.PackManipulationInputs'
            )
        return inputs[:, 3], inputs[:, 4, :8, :8]


@MODELS.register_module()
class FrequencyPlanes(BaseModule):
    """The Frequency Perception Head alone, to train it first: ``F_freq`` under any decode head.

    Its weights are then a start for that of :class:`ModalGateEncoder`, by ``init_cfg=
    dict(type='Pretrained', checkpoint=..., prefix='backbone.fph')`` of its ``frequency_head``.

    Args:
        frequency_head: Arguments of :class:`FrequencyPerceptionHead`.
    """

    def __init__(self, frequency_head: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.fph = FrequencyPerceptionHead(**(frequency_head or {}))

    def forward(self, inputs: Tensor) -> tuple[Tensor]:
        """(B, 5, H, W), planes 3 and 4 ``|q|`` and steps -> ``F_freq`` (B, C, H / 8, W / 8)."""
        return (self.fph(*FivePlanes.frequency(inputs)),)


@MODELS.register_module()
class RGBPlanes(FivePlanes):
    """Any backbone on the RGB planes alone: baselines that share data and recipe with Omni-IML.

    Args:
        backbone: Config of a backbone of three input planes.
        mean: Of R, G and B.
        std: Likewise.
    """

    def __init__(
        self,
        backbone: dict,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(mean, std, init_cfg)
        self.backbone = MODELS.build(backbone)

    def forward(self, inputs: Tensor) -> Sequence[Tensor]:
        """(B, 5, H, W), of which planes 0-2 are RGB (0..255) -> the backbone's feature maps."""
        return self.backbone(self.rgb(inputs))
