"""Dynamic Weight Decoder (paper, section 3.3, figure 5).

Letters: ``B`` batch, ``h w`` height and width at stride 4, ``C`` decoder channels.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.psp_head import PPM
from mmseg.models.utils import resize
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmomni.models import fast
from mmomni.models.layers import ConcatConv, DynamicFilter
from mmomni.models.losses import losses_by_name
from mmomni.registry import MODELS


@MODELS.register_module()
class DynamicWeightDecoder(BaseDecodeHead):
    """UPerNet's pyramid, then filters chosen for each sample.

    ::

        PPM + FPN ─ F1..F4 ─┬─ F1 ─ conv = P_co ─ CNN = F_co ─┐
                            └─────────────────────────────────┴─ concat, 1x1 = F_cat
        F_cat ─ concat(Avg(F_cat), DWF_2, DWF_3, DWF_6, F_cat) = F_dec1 ─ 1x1
              ─ DWF_2 ─ DWF_2 ─ conv = P_DWD                       all DWF are given V_g = Avg(F4)

    Args:
        in_channels: Channels of the four levels.
        channels: ``C``.
        dilations: Dilation of each filter of ``F_dw``.
        coarse_channels: Channels of ``F_co``.
        pool_scales: Of the pyramid pooling module.
        dynamic: ``False``: static filters (ablation *w.o. DW*).
        **kwargs: Those of mmseg's ``BaseDecodeHead``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 512,
        dilations: Sequence[int] = (2, 3, 6),
        coarse_channels: int = 64,
        pool_scales: Sequence[int] = (1, 2, 3, 6),
        dynamic: bool = True,
        num_classes: int = 2,
        in_index: Sequence[int] = (0, 1, 2, 3),
        norm_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault('loss_decode', dict(type='CrossEntropyLoss', avg_non_ignore=True))
        # torch's own initialisation. With mmseg's (std 0.01 for the last convolution) the rare
        # tampered pixels first switch all features off and then, behind the ReLU, learn no more.
        kwargs.setdefault('init_cfg', None)
        if kwargs.setdefault('out_channels', num_classes) != num_classes:
            raise ValueError(
                f'out_channels must equal num_classes={num_classes}, as those of the coarse '
                f'prediction do, got {kwargs["out_channels"]}'
            )
        super().__init__(
            in_channels, channels, num_classes=num_classes, in_index=in_index,
            input_transform='multiple_select', norm_cfg=norm_cfg or dict(type='BN'), **kwargs,
        )  # fmt: skip
        if self.conv_cfg not in (None, dict(type='Conv2d')):
            raise ValueError(
                f'conv_cfg must be None: two 1x1 convolutions run in parts, got {self.conv_cfg}'
            )
        self._build_pyramid(pool_scales)
        self.top_pool = fast.GlobalAverage()
        self.coarse_seg = nn.Conv2d(channels, num_classes, 1)
        self.coarse_cnn = nn.Sequential(
            self._conv(num_classes, coarse_channels, 3),
            self._conv(coarse_channels, coarse_channels, 3),
        )
        self.reduce = self._concat_conv([*[channels] * 4, coarse_channels])
        self.parallel = nn.ModuleList(self._dwf(dilation, dynamic) for dilation in dilations)
        self.pool = fast.GlobalAverage()
        self.merge = self._concat_conv([channels] * (2 + len(dilations)))
        self.serial = nn.ModuleList(self._dwf(2, dynamic) for _ in range(2))

    def _build_pyramid(self, pool_scales: Sequence[int]) -> None:
        *lower, top = self.in_channels
        self.ppm = PPM(
            pool_scales, top, self.channels, self.conv_cfg, self.norm_cfg, self.act_cfg,
            self.align_corners,
        )  # fmt: skip
        self.ppm_conv = self._conv(top + len(pool_scales) * self.channels, self.channels, 3)
        self.laterals = nn.ModuleList(self._conv(c, self.channels, 1) for c in lower)
        self.fpn_convs = nn.ModuleList(self._conv(self.channels, self.channels, 3) for _ in lower)

    def _conv(self, in_channels: int, out_channels: int, kernel: int) -> fast.FoldingConv:
        return fast.FoldingConv(
            in_channels, out_channels, kernel, padding=kernel // 2,
            conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg,
        )  # fmt: skip

    def _concat_conv(self, part_channels: Sequence[int]) -> ConcatConv:
        return ConcatConv(
            part_channels, self.channels, self.align_corners, self.norm_cfg, self.act_cfg
        )

    def _dwf(self, dilation: int, dynamic: bool) -> DynamicFilter:
        return DynamicFilter(self.channels, self.channels, dilation, self.norm_cfg, dynamic=dynamic)

    def _pyramid(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Backbone levels -> ``F1..F4``, each (B, C, h / 2^k, w / 2^k)."""
        *lower, top = inputs
        levels = [conv(x) for conv, x in zip(self.laterals, lower, strict=True)]
        pooled = fast.laid_out_for_many_channels(self.ppm(top), top)
        x = self.ppm_conv(torch.cat([top, *pooled], dim=1))
        levels.append(fast.laid_out_like(x, top))
        for k in range(len(lower) - 1, -1, -1):
            # in place: nothing keeps what interpolation gives
            levels[k] = self._resize(levels[k + 1], levels[k]).add_(levels[k])
        return [conv(x) for conv, x in zip(self.fpn_convs, levels, strict=False)] + levels[-1:]

    def parts_of_f_dec1(self, f_cat: Tensor, v_g: Tensor) -> Iterator[Tensor]:
        """``Avg(F_cat), DWF_2(F_cat), DWF_3(F_cat), DWF_6(F_cat), F_cat``, one at a time."""
        v_c = self.pool(f_cat)
        yield v_c
        for dwf in self.parallel:
            yield dwf(f_cat, v_g, v_c)
        yield f_cat

    def decode(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Four levels (strides 4, 8, 16, 32) -> logits ``P_DWD`` and ``P_co``, (B, 2, h, w)."""
        f = self._pyramid(self._transform_inputs(inputs))
        v_g = self.top_pool(f[-1]).flatten(1)
        p_co = self.coarse_seg(f[0])
        f_co = self.coarse_cnn(p_co)
        f_cat = fast.laid_out_for_filters(self.reduce([*f, f_co], f_co.shape[2:]))
        x = self.merge(self.parts_of_f_dec1(f_cat, v_g), f_cat.shape[2:])
        for dwf in self.serial:
            x = dwf(x, v_g)
        return self.cls_seg(x), p_co

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Four levels -> logits ``P_DWD``, (B, 2, h, w), at least in single precision.

        What enlarges them for a prediction would make steps of half ones.
        """
        return fast.at_least_single(self.decode(inputs)[0])

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: SampleList, train_cfg: dict
    ) -> dict:
        """``L_DWD = CE(P_DWD, L) + CE(P_co, L)``, or what ``loss_decode`` names instead of CE.

        Keys are the names of the losses, and the same behind ``coarse_`` for ``P_co``: with
        several losses ``loss_ce``, ``loss_dice``, ``coarse_loss_ce``, ``coarse_loss_dice``.
        """
        losses, coarse = (self.loss_by_feat(p, batch_data_samples) for p in self.decode(inputs))
        return losses | {f'coarse_{key}': x for key, x in coarse.items() if key != 'acc_seg'}

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: SampleList) -> dict:
        """Losses and accuracy of one prediction (B, 2, h, w): mmseg's, in less time."""
        labels = self._stack_batch_gt(batch_data_samples)
        seg_logits = self._resize(fast.planes(seg_logits), labels)
        weight = None if self.sampler is None else self.sampler.sample(seg_logits, labels)
        labels = labels.squeeze(1)
        losses = losses_by_name(
            self.loss_decode, seg_logits, labels, weight=weight, ignore_index=self.ignore_index
        )
        return losses | {'acc_seg': fast.accuracy(seg_logits, labels, self.ignore_index)}

    def _resize(self, x: Tensor, like: Tensor) -> Tensor:
        return resize(x, like.shape[2:], mode='bilinear', align_corners=self.align_corners)
