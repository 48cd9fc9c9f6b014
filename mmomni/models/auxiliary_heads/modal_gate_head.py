from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.utils import resize
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmomni.models import fast
from mmomni.models.encoded import Encoded
from mmomni.models.losses import gate_label, losses_by_name
from mmomni.models.losses.gate import IGNORE_INDEX
from mmomni.registry import MODELS


@MODELS.register_module()
class ModalGateHead(BaseModule):
    """The loss of the Modal Gate Encoder, in training only (paper, section 3.1).

    ``L_MG = CE(P_rgb, L) + CE(P_fused, L) + CE(P_cls, L_c)``. Without a learned gate
    (``P_cls`` is ``None``), or without frequency features (``P_fused`` is ``None``), the terms
    that remain. Ours: samples without a tampered pixel have no ``L_c`` (see :func:`gate_label`) and
    are left out of the gate's term; a batch of nothing else has 0 there.

    Args:
        in_index: Places of ``P_rgb``, ``P_fused``, ``P_cls`` among the inputs.
        margin: By how much vision alone must be better to be chosen.
        loss_decode: Losses of ``P_rgb`` and ``P_fused``, one config or several, as of mmseg's
            heads; default: cross-entropy. One is logged as ``loss_rgb`` and ``loss_fused``,
            whatever its ``loss_name``; of several each by its own, ``rgb_loss_ce``,
            ``rgb_loss_dice``, ...
    """

    def __init__(
        self,
        in_index: Sequence[int] = Encoded.places('p_rgb', 'p_fused', 'p_cls'),
        margin: float = 0.1,
        loss_decode: dict | Sequence[dict] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_index = tuple(in_index)
        self.margin = margin
        self.loss_decode = _build_losses(loss_decode)

    def loss(
        self, inputs: Sequence[Tensor | None], batch_data_samples: SampleList, train_cfg: dict
    ) -> dict[str, Tensor]:
        """Loss terms and, where the gate is learned, its accuracy against ``L_c``.

        The accuracy is that over samples with tampered pixels, in percent; 100 if there are none.
        """
        p_rgb, p_fused, p_cls = (inputs[i] for i in self.in_index)
        labels = torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in batch_data_samples])
        size = labels.shape[1:]
        coarse = {
            name: resize(fast.planes(p.float()), size, mode='bilinear', align_corners=False)
            for name, p in (('rgb', p_rgb), ('fused', p_fused))
            if p is not None
        }
        losses: dict[str, Tensor] = {}
        for name, p in coarse.items():
            losses |= self._mask_losses(name, p, labels)
        if p_cls is not None:
            target = gate_label(coarse['rgb'], coarse['fused'], labels, self.margin)
            losses |= _gate_losses(p_cls.float(), target)
        return losses

    def _mask_losses(self, name: str, p: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses of one coarse prediction."""
        losses = losses_by_name(self.loss_decode, p, labels, ignore_index=IGNORE_INDEX)
        single = len(self.loss_decode) == 1
        return {f'loss_{name}' if single else f'{name}_{key}': x for key, x in losses.items()}


def _build_losses(configs: dict | Sequence[dict] | None) -> nn.ModuleList:
    if configs is None:
        return nn.ModuleList([CrossEntropyLoss(avg_non_ignore=True)])
    if isinstance(configs, dict):
        configs = [configs]
    if not configs:
        raise ValueError(
            'expected at least one loss in loss_decode, got none; to train without the coarse '
            'predictions, remove mmomni.ModalGateHead from auxiliary_head'
        )
    return nn.ModuleList(MODELS.build(config) for config in configs)


def _gate_losses(p_cls: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Logits and labels (B,), NaN = no label -> the gate's loss and its accuracy."""
    labelled = ~target.isnan()
    count = labelled.sum()
    target = target.nan_to_num()
    total = F.binary_cross_entropy_with_logits(p_cls, target, labelled.float(), reduction='sum')
    wrong = ((p_cls > 0) != target.bool()) & labelled
    count = count.clamp(min=1)  # no branch on a number of the device
    return {'loss_gate': total / count, 'acc_gate': 100 - 100 * wrong.sum() / count}
