from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmomni.registry import MODELS


@MODELS.register_module()
class RGBPlanes(BaseModule):
    """Any backbone on the RGB planes alone: baselines that share data and recipe with Omni-IML.

    Args:
        backbone: Config of a backbone of three input planes.
        mean: Of R, G and B.
        std: Likewise.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        backbone: dict,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        for name, values in (('mean', mean), ('std', std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, inputs: Tensor) -> Sequence[Tensor]:
        """(B, 5, H, W), of which planes 0-2 are RGB (0..255) -> the backbone's feature maps."""
        return self.backbone((inputs[:, :3] - self.mean) / self.std)
