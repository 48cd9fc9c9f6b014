"""TIFDM (Dong et al., IEEE Transactions on Consumer Electronics 2024): forged text in documents.

Letters: ``B`` batch, ``C`` channels of the decoder, ``N`` pixels at stride 4.
"""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from mmomni.models import fast
from mmomni.registry import MODELS

ROWS = 1024
"""Pixels whose attention over all others is computed at a time."""


class HighLowFusion(nn.Module):
    """Details of a level and the semantics from above, each looked at, multiplied, then added.

    The public code also makes refined details, which only a second pass would read; it has none.
    """

    def __init__(self, channels: int, norm_cfg: dict, act_cfg: dict) -> None:
        super().__init__()

        def conv() -> ConvModule:
            return ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=act_cfg)

        self.details = nn.Sequential(conv(), conv())
        self.semantics = conv()
        self.weight = conv()
        self.merge = conv()
        self.refine = conv()

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """A level (B, C, h, w) and what comes from above, of any size -> (B, C, h, w)."""
        high = self.semantics(resize(high, low.shape[2:], mode='bilinear'))
        return self.refine(self.merge(self.details(low) * self.weight(high)) + high)


class JointAttention(nn.Module):
    """Attention of every pixel over every other, one softmax over all pairs.

    So pixels share one attention: those of interest get much of it, all others nothing. The public
    code lays the result out with channels and pixels interchanged; here they stay in place.

    Args:
        channels: C.
        hidden: Of queries and keys.
    """

    sees_whole_image = True

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.key = nn.Conv2d(channels, hidden, 1)
        self.query = nn.Conv2d(channels, hidden, 1)
        self.value = nn.Conv2d(channels, channels, 3, padding=1)
        self.out = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same."""
        query, key, value = (m(x).flatten(2) for m in (self.query, self.key, self.value))
        value = value.transpose(1, 2)
        # Each row less its largest value, which its share of all has back: so not all N x N pairs
        # are there at once.
        parts, largest, sums = [], [], []
        for rows in query.transpose(1, 2).split(ROWS, dim=1):
            pairs = fast.at_least_single(rows @ key)
            largest.append(pairs.detach().amax(dim=2, keepdim=True))
            weights = (pairs - largest[-1]).exp()
            sums.append(weights.sum(dim=2, keepdim=True))
            parts.append(weights.to(value.dtype) @ value)
        top, total = torch.cat(largest, dim=1), torch.cat(sums, dim=1)
        share = (top - (top + total.log()).logsumexp(dim=1, keepdim=True)).exp()
        attended = torch.cat(parts, dim=1) * share.to(value.dtype)
        return self.out(x + attended.transpose(1, 2).reshape(x.shape))


@MODELS.register_module()
class TIFDMHead(BaseDecodeHead):
    """Levels fused from the top down by products, then attention over the whole image.

    ::

        level 4 ─ 1x1 ───────────────┐
        level 3 ─ 1x1 ─────── fusion ┤
        level 2 ─ 1x1 ─────── fusion ┤
        level 1 ─ 1x1 ─────── fusion ┴ joint attention ─ 3x3 ─ logits

    Args:
        in_channels: Of the levels, from the finest on.
        channels: C, of all that follows.
        attention_channels: Of queries and keys.
        kwargs: Of mmseg's ``BaseDecodeHead``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 64,
        attention_channels: int = 16,
        **kwargs: object,
    ) -> None:
        super().__init__(
            in_channels=in_channels, channels=channels, input_transform='multiple_select', **kwargs
        )
        cfg = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.squeeze = nn.ModuleList(ConvModule(c, channels, 1, **cfg) for c in in_channels)
        self.fusions = nn.ModuleList(HighLowFusion(channels, **cfg) for _ in in_channels[1:])
        self.attention = JointAttention(channels, attention_channels)
        self.conv_seg = nn.Conv2d(channels, self.out_channels, 3, padding=1)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Levels at strides 4, 8, 16, 32 -> logits (B, 2, h, w) at stride 4."""
        levels = self._transform_inputs(inputs)
        *lower, x = (conv(level) for conv, level in zip(self.squeeze, levels, strict=True))
        for low, fusion in zip(reversed(lower), self.fusions, strict=True):
            x = fusion(low, x)
        return self.cls_seg(self.attention(x))
