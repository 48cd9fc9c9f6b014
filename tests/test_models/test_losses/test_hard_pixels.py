import math

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.losses import OhemCrossEntropy

from mmomni.models.losses import HardPixelCrossEntropy


@pytest.fixture
def logits():
    return 3 * torch.randn(2, 2, 20, 30)


@pytest.fixture
def labels():
    labels = torch.randint(0, 2, (2, 20, 30))
    labels[:, :3] = 255
    return labels


@pytest.mark.parametrize('min_kept', [1, 300, 900])
def test_it_is_that_of_mmseg(logits, labels, min_kept):
    expected = OhemCrossEntropy(min_kept=min_kept)(logits, labels)
    torch.testing.assert_close(HardPixelCrossEntropy(min_kept=min_kept)(logits, labels), expected)


def test_by_hand():
    """Probabilities of the true class .9, .6, .2 and .95: two are below .7."""
    p = torch.tensor([0.9, 0.6, 0.2, 0.95])
    logits = torch.stack([(1 - p).log(), p.log()])[None, :, None]
    loss = HardPixelCrossEntropy(min_kept=1, loss_weight=2.0)
    labels = torch.ones(1, 1, 4, dtype=torch.long)
    assert loss(logits, labels).item() == pytest.approx(-math.log(0.6 * 0.2), rel=1e-5)
    loss = HardPixelCrossEntropy(min_kept=3)
    assert loss(logits, labels).item() == pytest.approx(-math.log(0.6 * 0.2 * 0.9) / 3, rel=1e-5)


def test_where_all_is_right_all_that_must_be_kept_is():
    logits = torch.tensor([50.0, -50.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8)
    loss = HardPixelCrossEntropy(min_kept=4)(logits, torch.zeros(1, 8, 8, dtype=torch.long))
    assert loss == 0


def test_where_all_is_ignored_nothing_counts(logits):
    logits.requires_grad_()
    loss = HardPixelCrossEntropy()(logits, torch.full((2, 20, 30), 255))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_few_pixels_are_all_kept(logits, labels):
    expected = F.cross_entropy(logits, labels, ignore_index=255)
    torch.testing.assert_close(HardPixelCrossEntropy()(logits, labels), expected)


@pytest.mark.parametrize('arguments', [dict(thresh=0), dict(thresh=1.1), dict(min_kept=0)])
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match='expected thresh'):
        HardPixelCrossEntropy(**arguments)


def test_weights_are_refused(logits, labels):
    with pytest.raises(ValueError, match='takes no weights'):
        HardPixelCrossEntropy()(logits, labels, weight=torch.ones(1))
