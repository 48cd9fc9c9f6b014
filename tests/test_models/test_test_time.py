"""Views of one image become one prediction."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmomni.models import ManipulationTTAModel


class Recorded(nn.Module):
    """Answers with what was recorded of each view."""

    def test_step(self, data):
        return data['data_samples']


def view(logits, **fields):
    sample = SegDataSample(metainfo=dict(img_path='a.jpg', **fields))
    sample.seg_logits = PixelData(data=logits)
    sample.pred_sem_seg = PixelData(data=logits.argmax(dim=0, keepdim=True))
    return sample


def merged(*views):
    data = dict(inputs=[[None]] * len(views), data_samples=[[each] for each in views])
    (sample,) = ManipulationTTAModel(module=Recorded()).test_step(data)
    return sample


@pytest.mark.parametrize('scale', [1.0, 1000.0])
def test_probabilities_are_averaged_and_decide(scale):
    first, second = (scale * torch.randn(2, 6, 7) for _ in range(2))
    sample = merged(view(first, flip=False), view(second, flip=True))
    expected = (first.softmax(0) + second.softmax(0)) / 2
    torch.testing.assert_close(sample.seg_logits.data.softmax(0), expected)
    assert sample.seg_logits.data.isfinite().all()
    torch.testing.assert_close(sample.pred_sem_seg.data, expected.argmax(0, keepdim=True))
    assert sample.flip is False


def test_what_a_view_is_larger_by_is_cut_off():
    first, second = torch.randn(2, 6, 7), torch.randn(2, 6, 8)
    sample = merged(view(first), view(second))
    expected = (first.softmax(0) + second[..., :7].softmax(0)) / 2
    torch.testing.assert_close(sample.seg_logits.data.softmax(0), expected)


@pytest.mark.parametrize('width', [8, 7])
def test_a_mirrored_view_is_not_the_first(width):
    """Which may be larger than the picture, and has no mask."""
    first, second = view(torch.randn(2, 6, 8), flip=True), view(torch.randn(2, 6, width))
    second.gt_sem_seg = PixelData(data=torch.zeros(1, 6, width, dtype=torch.long))
    with pytest.raises(ValueError, match=r'a\.jpg: expected the picture as it is.*direction=None'):
        merged(first, second)


def test_ground_truth_and_gate_of_the_first_view_stay():
    first, second = view(torch.randn(2, 4, 4)), view(torch.randn(2, 4, 4))
    first.gt_sem_seg = PixelData(data=torch.ones(1, 4, 4, dtype=torch.long))
    first.set_field(0.25, 'p_modal', dtype=float)
    second.set_field(1.0, 'p_modal', dtype=float)
    sample = merged(first, second)
    assert sample.p_modal == 0.25
    assert sample.gt_sem_seg.data.all()
