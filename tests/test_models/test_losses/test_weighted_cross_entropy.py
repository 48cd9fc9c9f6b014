import numpy as np
import pytest
import torch

from mmomni.models.losses import WeightedCrossEntropy
from mmomni.registry import MODELS
from test_models.references import array


def case():
    labels = torch.tensor([[[1, 0, 255], [0, 1, 0]]])
    return torch.randn(1, 2, 2, 3), labels


def test_equals_hand_computed_mean():
    """``sum w(L) CE / sum w(L)`` over pixels that are not ignored."""
    logits, labels = case()
    scores = array(logits)[0] - np.log(np.exp(array(logits)[0]).sum(axis=0))
    total = weights = 0.0
    for y, x in np.ndindex(2, 3):
        label = int(labels[0, y, x])
        if label != 255:
            weight = (1.0, 4.0)[label]
            total -= weight * scores[label, y, x]
            weights += weight
    loss = WeightedCrossEntropy([1.0, 4.0], loss_weight=0.5)(logits, labels)
    assert loss.item() == pytest.approx(total / weights / 2, rel=1e-6)


@pytest.mark.parametrize(('weights', 'label'), [((1.0, 4.0), 255), ((0.0, 1.0), 0)])
def test_nothing_that_counts_is_no_loss(weights, label):
    logits, labels = case()
    loss = WeightedCrossEntropy(weights)(logits.requires_grad_(), torch.full_like(labels, label))
    loss.backward()
    assert loss == 0
    assert logits.grad.count_nonzero() == 0


def test_leaves_nothing_in_a_checkpoint():
    assert WeightedCrossEntropy([1, 2]).state_dict() == {}


def test_other_number_of_classes_is_named():
    logits, labels = case()
    with pytest.raises(ValueError, match=r'expected class_weight with 2 weights, .* got 3'):
        WeightedCrossEntropy([1, 2, 3])(logits, labels)


def test_weights_of_pixels_are_refused():
    with pytest.raises(ValueError, match='remove `sampler`'):
        WeightedCrossEntropy([1, 2])(*case(), weight=torch.ones(1))


@pytest.mark.parametrize('weights', [[0, 0], [-1, 2]])
def test_bad_weights_are_named(weights):
    with pytest.raises(ValueError, match='expected weights from 0, not all 0'):
        MODELS.build(dict(type='mmomni.WeightedCrossEntropy', class_weight=weights))
