"""mmseg's own losses as docs/training.md names them, on the tampered class alone."""

import itertools

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from test_models.references import array

TVERSKY = dict(type='TverskyLoss', class_weight=[0.0, 2.0], alpha=0.3, beta=0.7)
LOVASZ = dict(type='LovaszLoss', classes=[1], reduction='none')


@pytest.fixture
def case():
    """Two samples of 2 x 3 pixels, the second without tampering."""
    labels = torch.tensor([[[1, 0, 255], [0, 1, 1]], [[0, 255, 0], [0, 0, 0]]])
    return torch.randn(2, 2, 2, 3), labels


def loss_of(config, logits, labels):
    return MODELS.build(config)(logits, labels, weight=None, ignore_index=255)


def probabilities(logits):
    exponentials = np.exp(array(logits))
    return exponentials[:, 1] / exponentials.sum(axis=1)


def test_tversky_is_a_mean_over_samples(case):
    """With 1 added above and below, so that authentic samples count, too."""
    logits, labels = case
    expected = []
    for p, label in zip(probabilities(logits), labels.numpy(), strict=True):
        tp, fn = p[label == 1].sum(), (1 - p[label == 1]).sum()
        expected.append(1 - (tp + 1) / (tp + 0.3 * p[label == 0].sum() + 0.7 * fn + 1))
    assert loss_of(TVERSKY, logits, labels).item() == pytest.approx(np.mean(expected))


def test_lovasz_interpolates_the_jaccard_loss_of_the_batch(case):
    """The definition: errors in falling order, each by how much its pixel raises the loss."""
    logits, labels = case
    p, labels = probabilities(logits)[labels != 255], labels[labels != 255].numpy()
    errors = np.abs(labels - p)

    def jaccard_loss(wrong):
        hit, extra = ((labels == 1) & ~wrong).sum(), ((labels == 0) & wrong).sum()
        return 1 - hit / ((labels == 1).sum() + extra)

    order = np.argsort(-errors)
    steps = [jaccard_loss(np.isin(np.arange(len(p)), order[:k])) for k in range(len(p) + 1)]
    expected = sum(errors[i] * (b - a)
                   for i, (a, b) in zip(order, itertools.pairwise(steps), strict=True))  # fmt: skip
    assert loss_of(LOVASZ, *case).item() == pytest.approx(expected)


@pytest.mark.parametrize('config', [TVERSKY, LOVASZ], ids=lambda config: config['type'])
def test_ignored_pixels_have_no_gradient(config, case):
    logits, labels = case
    loss_of(config, logits.requires_grad_(), labels).backward()
    assert logits.grad[labels[:, None].expand_as(logits) == 255].count_nonzero() == 0
    assert logits.grad.count_nonzero() > 0


def test_lovasz_of_a_batch_without_tampering_is_its_highest_probability(case):
    logits, _ = case
    labels = torch.zeros(2, 2, 3, dtype=torch.long)
    assert loss_of(LOVASZ, logits, labels).item() == pytest.approx(probabilities(logits).max())


def test_dice_counts_ignored_pixels_as_predicted(case):
    """Why it is not used: a padded pixel, called tampered or not, changes the loss."""
    logits, labels = case
    config = dict(type='DiceLoss', use_sigmoid=False, naive_dice=True, ignore_index=0)
    loss_of(config, logits.requires_grad_(), labels).backward()
    assert logits.grad[labels[:, None].expand_as(logits) == 255].count_nonzero() > 0


def test_class_weights_of_cross_entropy_end_at_ignored_pixels(case):
    """Why mmomni.WeightedCrossEntropy exists."""
    config = dict(type='CrossEntropyLoss', class_weight=[1.0, 4.0], avg_non_ignore=True)
    with pytest.raises(IndexError):
        loss_of(config, *case)
