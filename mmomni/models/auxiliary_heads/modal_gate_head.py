from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.utils import resize
from mmseg.utils import SampleList
from torch import Tensor

from mmomni.evaluation.functional import gate_label
from mmomni.evaluation.functional.gate import IGNORE_INDEX
from mmomni.registry import MODELS


@MODELS.register_module()
class ModalGateHead(BaseModule):
    """The loss of the Modal Gate Encoder, in training only (paper, section 3.1).

    ``L_MG = CE(P_rgb, L) + CE(P_fused, L) + CE(P_cls, L_c)``. Without a learned gate
    (``P_cls`` is ``None``), or without frequency features (``P_fused`` is ``None``), the terms
    that remain.

    Args:
        in_index: Places of ``P_rgb``, ``P_fused``, ``P_cls`` among the inputs.
        margin: By how much vision alone must be better to be chosen.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        in_index: Sequence[int] = (4, 5, 6),
        margin: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_index = tuple(in_index)
        self.margin = margin
        self.loss_decode = CrossEntropyLoss(avg_non_ignore=True)

    def loss(
        self, inputs: Sequence[Tensor | None], batch_data_samples: SampleList, train_cfg: dict
    ) -> dict[str, Tensor]:
        """Loss terms and, where the gate is learned, its accuracy against ``L_c``."""
        p_rgb, p_fused, p_cls = (inputs[i] for i in self.in_index)
        labels = torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in batch_data_samples])
        coarse = {
            name: resize(p.float(), labels.shape[1:], mode='bilinear', align_corners=False)
            for name, p in (('rgb', p_rgb), ('fused', p_fused))
            if p is not None
        }
        losses = {
            f'loss_{name}': self.loss_decode(p, labels, ignore_index=IGNORE_INDEX)
            for name, p in coarse.items()
        }
        if p_cls is not None:
            target = gate_label(coarse['rgb'], coarse['fused'], labels, self.margin)
            losses['loss_gate'] = F.binary_cross_entropy_with_logits(p_cls.float(), target)
            losses['acc_gate'] = ((p_cls > 0) == target.bool()).float().mean() * 100
        return losses
