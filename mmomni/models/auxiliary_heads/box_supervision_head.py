from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmomni.models.fast import speed_up_regions
from mmomni.registry import MODELS


@MODELS.register_module()
class BoxSupervisionHead(BaseModule):
    """Faster R-CNN's heads behind two cascaded FPNs, in training only (paper, section 3.2).

    ``L_AE`` = RPN classification + RPN box + RoI classification + RoI box, weights 1. The
    targets are ``data_sample.gt_instances``, made by :class:`mmomni.MaskToBoxes`.

    Detection runs in float32 whatever the autocast: box deltas overflow in half precision.

    Args:
        in_index: Places of ``Fa`` and ``Fb`` among the inputs.
        fpns: Configs of mmdet's FPN, applied one after another.
        rpn_head: Config of mmdet's RPNHead, ``train_cfg`` included.
        roi_head: Config of mmdet's StandardRoIHead, ``train_cfg`` included.
        proposal_cfg: How proposals are chosen for the RoI head (``train_cfg.rpn_proposal`` of
            mmdet's detectors).
    """

    def __init__(
        self,
        fpns: Sequence[dict],
        rpn_head: dict,
        roi_head: dict,
        proposal_cfg: dict,
        in_index: Sequence[int] = (7, 8),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_index = tuple(in_index)
        self.fpns = nn.ModuleList(MODELS.build(fpn) for fpn in fpns)
        self.rpn_head = MODELS.build(rpn_head)
        self.roi_head = MODELS.build(roi_head)
        speed_up_regions(self.roi_head)
        self.proposal_cfg = proposal_cfg

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: SampleList, train_cfg: dict
    ) -> dict[str, Tensor | list[Tensor]]:
        """The four terms of ``L_AE``, keys ``loss_{rpn,roi}_{cls,bbox}``.

        Raises:
            ValueError: A sample carries no boxes, or no neck makes ``Fa`` and ``Fb``.
        """
        if any('gt_instances' not in sample for sample in batch_data_samples):
            raise ValueError(
                'BoxSupervisionHead needs gt_instances in every data sample; put '
                'mmomni.MaskToBoxes and mmomni.PackManipulationInputs into the training pipeline'
            )
        if max(self.in_index) >= len(inputs):
            raise ValueError(
                f'BoxSupervisionHead expects Fa and Fb at in_index={self.in_index}, got '
                f'{len(inputs)} inputs; add the neck mmomni.AnomalyEnhancement or remove this head'
            )
        maps = [inputs[i].float() for i in self.in_index]
        with torch.autocast(maps[0].device.type, enabled=False):
            for fpn in self.fpns:
                maps = fpn(maps)
            rpn_losses, proposals = self.rpn_head.loss_and_predict(
                maps, batch_data_samples, proposal_cfg=self.proposal_cfg
            )
            # mmcv's RoIAlign reads maps of any layout as if they were planes.
            maps = [x.contiguous() for x in maps]
            roi_losses = self.roi_head.loss(maps, proposals, batch_data_samples)
        roi_losses = {f'{k[:5]}roi_{k[5:]}': v for k, v in roi_losses.items() if k[:5] == 'loss_'}
        return rpn_losses | roi_losses
