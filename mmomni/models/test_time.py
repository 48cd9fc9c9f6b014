from collections.abc import Sequence

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.structures import SegDataSample

from mmomni.registry import MODELS


@MODELS.register_module()
class ManipulationTTAModel(SegTTAModel):
    """Average the probabilities of several views of an image; for two-channel logits.

    Unlike its parent it also hands over the mean, as ``seg_logits``, so that all that is scored or
    drawn of probabilities is that of the decision. What else is said of an image (the gate's
    choice) is that of the first view, whose size counts: views may be larger at the right and at
    the bottom, as those of :class:`mmomni.MirrorBlocks` are.

    Raises:
        ValueError: In testing: the first view is not the picture as it is.
    """

    merges_probabilities = True

    def merge_preds(self, data_samples_list: list[Sequence[SegDataSample]]) -> list[SegDataSample]:
        """The first view of each image with the prediction of all."""
        return [self._merged(views) for views in data_samples_list]

    @staticmethod
    def _merged(views: Sequence[SegDataSample]) -> SegDataSample:
        merged, *others = views
        _demand_as_it_is(merged, others)
        height, width = merged.seg_logits.data.shape[1:]
        cut = [view.seg_logits.data[:, :height, :width].float() for view in views]
        probability = torch.stack(cut).softmax(dim=1).mean(dim=0)
        smallest = torch.finfo(probability.dtype).tiny
        merged.seg_logits = PixelData(data=probability.clamp_min(smallest).log())
        merged.pred_sem_seg = PixelData(data=probability.argmax(dim=0, keepdim=True))
        return merged


def _demand_as_it_is(first: SegDataSample, others: Sequence[SegDataSample]) -> None:
    height, width = first.seg_logits.data.shape[1:]
    is_larger = any(
        view.seg_logits.data[0, :height, :width].shape != (height, width) for view in others
    )
    has_no_mask = 'gt_sem_seg' not in first and any('gt_sem_seg' in view for view in others)
    if is_larger or has_no_mask:
        raise ValueError(
            f'{first.img_path}: expected the picture as it is for the first view; begin those of '
            "tta_pipeline with dict(type='mmomni.MirrorBlocks', direction=None)"
        )
