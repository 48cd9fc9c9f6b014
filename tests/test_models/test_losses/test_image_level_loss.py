import pytest
import torch
import torch.nn.functional as F

from mmomni.models.losses import ImageLevelLoss

LABELS = torch.tensor([[[0, 1], [0, 255]], [[0, 0], [0, 0]]])


@pytest.fixture
def logits():
    torch.manual_seed(0)
    return torch.randn(2, 2, 2, 2, dtype=torch.float64)


def test_it_is_the_cross_entropy_of_the_surest_pixel(logits):
    probability = logits.softmax(dim=1)[:, 1]
    surest = torch.stack([probability[0][LABELS[0] != 255].max(), probability[1].max()])
    expected = F.binary_cross_entropy(surest, torch.tensor([1.0, 0.0]).double())
    assert ImageLevelLoss()(logits, LABELS).item() == pytest.approx(expected.item(), rel=1e-6)
    weighted = ImageLevelLoss(loss_weight=3.0)(logits, LABELS).item()
    assert weighted == pytest.approx(3 * expected.item(), rel=1e-6)


def test_one_pixel_of_each_sample_learns(logits):
    logits.requires_grad_()
    ImageLevelLoss()(logits, LABELS).backward()
    touched = logits.grad.abs().sum(dim=1) > 0
    assert touched.sum(dim=(1, 2)).tolist() == [1, 1]
    assert not touched[0, 1, 1]
    assert logits.grad[0, 1].min() < 0 < logits.grad[1, 1].max()


def test_samples_without_a_pixel_do_not_count(logits):
    labels = LABELS.clone()
    labels[1] = 255
    alone = ImageLevelLoss()(logits[:1], LABELS[:1])
    assert ImageLevelLoss()(logits, labels).item() == pytest.approx(alone.item())
    logits.requires_grad_()
    loss = ImageLevelLoss()(logits, torch.full_like(LABELS, 255))
    loss.backward()
    assert loss == 0
    assert logits.grad.count_nonzero() == 0


def test_logits_may_be_large():
    logits = torch.zeros(1, 2, 2, 2)
    logits[:, 1] = -1e4
    assert ImageLevelLoss()(logits, LABELS[1:]) == 0
    assert ImageLevelLoss()(logits, LABELS[:1]).isfinite()
