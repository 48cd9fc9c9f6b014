from mmengine.model import BaseModule
from torch import Tensor

from mmomni.models.layers import FrequencyPerceptionHead
from mmomni.registry import MODELS


@MODELS.register_module()
class FrequencyPlanes(BaseModule):
    """The Frequency Perception Head alone, to train it first: ``F_freq`` under any decode head.

    Its weights are then a start for that of :class:`ModalGateEncoder`, by ``init_cfg=
    dict(type='Pretrained', checkpoint=..., prefix='backbone.fph')`` of its ``frequency_head``.

    Args:
        frequency_head: Arguments of :class:`FrequencyPerceptionHead`.
        init_cfg: mmengine's.
    """

    def __init__(self, frequency_head: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.fph = FrequencyPerceptionHead(**(frequency_head or {}))

    def forward(self, inputs: Tensor) -> tuple[Tensor]:
        """(B, 5, H, W), planes 3 and 4 ``|q|`` and steps -> ``F_freq`` (B, C, H / 8, W / 8)."""
        return (self.fph(inputs[:, 3], inputs[:, 4, :8, :8]),)
