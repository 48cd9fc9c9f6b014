import math

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmseg.models.decode_heads import FCNHead

from mmomni.models.losses import RegionLoss, tversky_losses
from mmomni.registry import MODELS
from test_models.references import array

# Two samples of 2 x 2 pixels; the second has one tampered pixel and one ignored.
PROBABILITY = torch.tensor([[[0.8, 0.3], [0.6, 0.1]], [[0.2, 0.4], [0.9, 0.5]]])
LABELS = torch.tensor([[[1, 0], [1, 0]], [[0, 1], [255, 0]]])
# TP: 0.8 + 0.6; 0.4.  FP: 0.3 + 0.1; 0.2 + 0.5.  FN: 0.2 + 0.4; 0.6.
TP, FP, FN = (1.4, 0.4), (0.4, 0.7), (0.6, 0.6)


def logits_of(probability):
    """Two channels whose softmax it is, the first of them not 0."""
    probability = probability.double()
    return torch.stack([torch.full_like(probability, 0.7), 0.7 + probability.logit()], dim=1)


def tversky(tp, fp, fn, alpha, beta):
    return 1 - tp / (tp + alpha * fp + beta * fn)


@pytest.mark.parametrize(('alpha', 'beta'), [(0.5, 0.5), (0.3, 0.7), (1.0, 1.0)])
def test_equals_hand_computed_ratios(alpha, beta):
    expected = [tversky(*each, alpha, beta) for each in zip(TP, FP, FN, strict=True)]
    losses, counts = tversky_losses(
        PROBABILITY.flatten(1), LABELS.flatten(1), alpha, beta
    )
    np.testing.assert_allclose(array(losses), expected, rtol=1e-6)
    assert counts.tolist() == [True, True]
    pooled = tversky(sum(TP), sum(FP), sum(FN), alpha, beta)
    for pool, value in (('sample', np.mean(expected)), ('batch', pooled)):
        loss = RegionLoss(alpha, beta, pool)(logits_of(PROBABILITY), LABELS)
        assert loss.item() == pytest.approx(value, rel=1e-6)


def test_half_and_half_is_dice():
    p, g = PROBABILITY[0].flatten(), LABELS[0].flatten()
    dice = 1 - 2 * float((p * g).sum()) / float((p + g).sum())
    assert RegionLoss()(logits_of(PROBABILITY[:1]), LABELS[:1]).item() == pytest.approx(dice)


@pytest.mark.parametrize(('pool', 'samples'), [('sample', 1), ('batch', 2)])
def test_exponent_2_is_dice_with_squared_sums(pool, samples):
    seen = LABELS[:samples] != 255
    p, g = PROBABILITY[:samples][seen], LABELS[:samples][seen]
    dice = 1 - 2 * float((p * g).sum()) / float((p**2 + g**2).sum())
    loss = RegionLoss(pool=pool, exponent=2)(logits_of(PROBABILITY[:samples]), LABELS[:samples])
    assert loss.item() == pytest.approx(dice)


def test_exponent_is_1_or_2():
    with pytest.raises(ValueError, match='exponent to be 1 or 2, got 3'):
        RegionLoss(exponent=3)


def test_perfect_prediction_is_0_and_its_inverse_1():
    labels = torch.tensor([[[1, 0], [0, 0]]])
    logits = 1000.0 * torch.stack([1 - labels, labels], dim=1)
    assert RegionLoss()(logits, labels) == 0
    assert RegionLoss()(-logits, labels) == 1


def test_authentic_samples_count_in_the_batch_and_not_alone():
    labels = LABELS.clone()
    labels[1] = 0
    false_positive = FP[0] + float(PROBABILITY[1].sum())
    pooled = tversky(TP[0], false_positive, FN[0], 0.5, 0.5)
    logits = logits_of(PROBABILITY)
    assert RegionLoss(pool='batch')(logits, labels).item() == pytest.approx(pooled)
    alone = tversky(TP[0], FP[0], FN[0], 0.5, 0.5)
    assert RegionLoss(pool='sample')(logits, labels).item() == pytest.approx(alone)


@pytest.mark.parametrize('empty', [0.02, 0.5])
def test_authentic_samples_can_count_as_if_a_share_of_them_were_found(empty):
    labels = LABELS.clone()
    labels[1] = torch.tensor([[0, 0], [255, 0]])
    found = empty * 3  # pixels that are not ignored
    authentic = tversky(found, 0.2 + 0.4 + 0.5, 0, 0.3, 0.7)
    other = tversky(TP[0], FP[0], FN[0], 0.3, 0.7)
    loss = RegionLoss(0.3, 0.7, pool='sample', empty=empty)(logits_of(PROBABILITY), labels)
    assert loss.item() == pytest.approx((other + authentic) / 2)
    labels[1] = 255
    loss = RegionLoss(0.3, 0.7, pool='sample', empty=empty)(logits_of(PROBABILITY), labels)
    assert loss.item() == pytest.approx(other)  # a sample without any pixel is left out


@pytest.mark.parametrize('alpha', [0.3, 0.5, 1.0])
def test_false_alarms_of_the_area_of_empty_cost_their_share(alpha):
    labels = torch.zeros(1, 10, 10, dtype=torch.long)
    logits = torch.tensor([30.0, -30.0]).view(1, 2, 1, 1).repeat(1, 1, 10, 10)
    logits[..., :5, :4] *= -1  # a fifth
    loss = RegionLoss(alpha, 0.5, pool='sample', empty=0.2)(logits, labels)
    assert loss.item() == pytest.approx(alpha / (1 + alpha))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [(dict(pool='sample', empty=2), r'empty in \[0, 1\]'), (dict(empty=0.1), "for pool='sample'")],
)
def test_empty_that_makes_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        RegionLoss(**arguments)


@pytest.mark.parametrize('pool', ['batch', 'sample'])
@pytest.mark.parametrize('label', [0, 255])
def test_nothing_tampered_is_no_loss(label, pool):
    logits = logits_of(PROBABILITY).requires_grad_()
    loss = RegionLoss(pool=pool)(logits, torch.full_like(LABELS, label))
    loss.backward()
    assert loss == 0
    assert logits.grad.count_nonzero() == 0


@pytest.mark.parametrize('pool', ['batch', 'sample'])
def test_ignored_pixels_have_no_gradient(pool):
    logits = logits_of(PROBABILITY).requires_grad_()
    RegionLoss(pool=pool)(logits, LABELS).backward()
    touched = logits.grad.abs().sum(dim=1) > 0
    assert torch.equal(touched, LABELS != 255)


def test_half_precision_is_computed_in_single():
    loss = RegionLoss()(logits_of(PROBABILITY).bfloat16(), LABELS)
    assert loss.dtype == torch.float32


def test_weight():
    logits = logits_of(PROBABILITY)
    single = RegionLoss()(logits, LABELS)
    assert RegionLoss(loss_weight=3.0)(logits, LABELS) == pytest.approx(3 * single)


def test_beside_cross_entropy_in_a_foreign_head(make_sample):
    """An untrained head: each term by its name, and weights of pixels are refused."""
    losses = [
        dict(type='CrossEntropyLoss', avg_non_ignore=True),
        dict(type='mmomni.RegionLoss', loss_name='loss_dice'),
    ]
    with DefaultScope.overwrite_default_scope('mmseg'):
        head = FCNHead(
            in_channels=4, channels=4, num_classes=2, num_convs=1, loss_decode=losses,
        )  # fmt: skip
        sampler = dict(type='OHEMPixelSampler', thresh=0.7)
        hard = FCNHead(
            in_channels=4, channels=4, num_classes=2, num_convs=1, loss_decode=losses,
            sampler=sampler,
        )  # fmt: skip
    inputs, samples = [torch.rand(2, 4, 4, 4)], [make_sample(np.eye(8))] * 2
    terms = head.loss(inputs, samples, {})
    assert set(terms) == {'loss_ce', 'loss_dice', 'acc_seg'}
    assert 0 < terms['loss_dice'] < 1
    with pytest.raises(ValueError, match='remove `sampler`'):
        hard.loss(inputs, samples, {})


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(pool='image'), r"one of \('batch', 'sample'\), got 'image'"),
        (dict(alpha=0.0), 'positive alpha and beta, got 0.0 and 0.5'),
        (dict(beta=math.nan), 'positive alpha and beta'),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='mmomni.RegionLoss', **options))
