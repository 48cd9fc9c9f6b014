from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmomni.models.layers import QueryAttention
from mmomni.registry import MODELS


@MODELS.register_module()
class AnomalyEnhancement(BaseModule):
    """Enhance tampered regions in F2 and F3 (paper, section 3.2).

    ``Fa = attention(F2)``, ``F2' = conv(F2 + Fa)``; the same with ``Fb`` for ``F3``. ``Fa`` and
    ``Fb`` are what :class:`BoxSupervisionHead` looks at in training.

    Args:
        in_channels: Channels of the enhanced levels.
        in_index: Their places among the inputs.
        num_queries: Learnable queries of each level.
        num_heads: Of the attentions.
        norm_cfg: Of the fusing convolutions.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        in_index: Sequence[int] = (1, 2),
        num_queries: int = 64,
        num_heads: int = 8,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(in_channels) != len(in_index):
            raise ValueError(
                f'in_channels and in_index must be equally long, got {in_channels}, {in_index}'
            )
        self.in_index = tuple(in_index)
        self.attentions = nn.ModuleList(
            QueryAttention(channels, num_queries, num_heads) for channels in in_channels
        )
        self.fusions = nn.ModuleList(
            ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg or dict(type='BN'))
            for channels in in_channels
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of any number -> the same with the chosen levels enhanced, then ``Fa, Fb``."""
        outputs = list(inputs)
        for level, attend, fuse in zip(self.in_index, self.attentions, self.fusions, strict=True):
            anomaly = attend(inputs[level])
            outputs[level] = fuse(inputs[level] + anomaly)
            outputs.append(anomaly)
        return tuple(outputs)
