from fractions import Fraction

import numpy as np
import pytest
import torch

from mmomni.models.auxiliary_heads import ModalGateHead
from mmomni.models.losses import gate_label, tampered_iou
from test_models.references import array, bilinear, cross_entropy


def as_logits(*masks):
    """Logits whose larger class is the mask, by varied margins."""
    tampered = torch.tensor(np.stack(masks)).bool()
    margin = torch.rand(tampered.shape, dtype=torch.float64) + 0.1
    return torch.stack([-margin, margin], dim=1) * (tampered[:, None] * 2 - 1)


def iou_by_sets(predicted, label):
    """Exact; ignored pixels are in neither set; 1 if both sets are empty."""
    pixels = [p for p in np.ndindex(label.shape) if label[p] != 255]
    a = {p for p in pixels if predicted[p]}
    b = {p for p in pixels if label[p] == 1}
    return Fraction(len(a & b), len(a | b)) if a | b else Fraction(1)


def row(tampered, length=12):
    """One row of pixels, the first ``tampered`` of them tampered."""
    mask = np.zeros((1, length), dtype=int)
    mask[0, :tampered] = 1
    return mask


def test_iou_equals_sets():
    rng = np.random.default_rng(0)
    predicted = rng.integers(0, 2, (20, 5, 7))
    labels = rng.choice([0, 1, 255], (20, 5, 7))
    expected = [float(iou_by_sets(*pair)) for pair in zip(predicted, labels, strict=True)]
    result = tampered_iou(as_logits(*predicted), torch.tensor(labels))
    np.testing.assert_allclose(array(result), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ('predicted', 'label', 'iou'),
    [
        pytest.param(row(0), row(0), 1, id='both empty'),
        pytest.param(row(0), row(3), 0, id='empty prediction'),
        pytest.param(row(3), row(0), 0, id='empty ground truth'),
        pytest.param(row(5), row(5), 1, id='perfect'),
        pytest.param(row(12), row(12), 1, id='all tampered'),
        pytest.param(row(2), row(8), 1 / 4, id='part'),
        pytest.param(row(12), row(12) * 255, 1, id='all ignored'),
        pytest.param(row(6), np.where(row(3), 255, 0), 0, id='prediction beyond ignored'),
        pytest.param(row(3), np.where(row(3), 255, 0), 1, id='prediction on ignored only'),
        pytest.param(row(0), np.where(row(3), 255, 1 - row(12)), 1, id='empty but ignored'),
    ],
)
def test_iou_of(predicted, label, iou):
    result = tampered_iou(as_logits(predicted), torch.tensor(label)[None])
    assert result.item() == pytest.approx(iou)


def label_for(rgb, fused, truth):
    return gate_label(as_logits(rgb), as_logits(fused), torch.tensor(truth)[None]).item()


@pytest.mark.parametrize(
    ('rgb', 'fused', 'expected'),
    [
        (10, 8, 1),  # 1.0 > 0.8 + 0.1
        (8, 10, 0),
        (10, 10, 0),
        (0, 0, 0),
        (2, 0, 1),
        (10, 9, 0),  # 1.0 = 0.9 + 0.1
        (1, 0, 0),  # 0.1 = 0.0 + 0.1
    ],
)
def test_gate_label(rgb, fused, expected):
    assert label_for(row(rgb), row(fused), row(10)) == expected


@pytest.mark.parametrize('tenths', range(10))
@pytest.mark.parametrize('scale', [10, 20, 30, 70, 160])
def test_exactly_the_margin_is_not_enough(tenths, scale):
    rgb, fused = (row(n * scale // 10, scale) for n in (tenths + 1, tenths))
    assert label_for(rgb, fused, row(scale, scale)) == 0


def test_one_pixel_beyond_the_margin_is_enough():
    assert label_for(row(201, 1000), row(100, 1000), row(1000, 1000)) == 1


@pytest.mark.parametrize(('rgb', 'fused'), [(0, 0), (0, 1), (1, 0), (3, 1)])
@pytest.mark.parametrize('truth', [row(0), row(12) * 255], ids=['authentic', 'ignored'])
def test_no_tampered_pixel_is_no_label(rgb, fused, truth):
    assert np.isnan(label_for(row(rgb), row(fused), truth))


def test_gate_label_equals_sets():
    rng = np.random.default_rng(1)
    rgb, fused = rng.integers(0, 2, (2, 200, 3, 4))
    labels = rng.choice([0, 1, 1, 255], (200, 3, 4))
    labels[:, 0, 0] = 1
    expected = [
        float(iou_by_sets(a, label) > iou_by_sets(b, label) + Fraction(1, 10))
        for a, b, label in zip(rgb, fused, labels, strict=True)
    ]
    result = gate_label(as_logits(*rgb), as_logits(*fused), torch.tensor(labels))
    assert result.tolist() == expected
    assert 0 < sum(expected) < 200


@pytest.fixture
def samples(make_sample):
    """Tampered left half, authentic with an ignored border, all tampered; 8 x 16."""
    left, border, everything = np.zeros((8, 16)), np.zeros((8, 16)), np.ones((8, 16))
    left[:, :8] = 1
    border[:, 12:] = 255
    return [make_sample(mask) for mask in (left, border, everything)]


@pytest.fixture
def predictions(samples):
    """Coarse logits at a quarter of the size: right in one modality, noise in the other."""
    masks = [sample.gt_sem_seg.data[0, ::4, ::4].numpy() == 1 for sample in samples]
    right, noise = 4 * as_logits(*masks).float(), torch.randn(3, 2, 2, 4)
    p_rgb = torch.where(torch.tensor([True, False, True]).view(3, 1, 1, 1), right, noise)
    p_fused = torch.where(torch.tensor([False, True, True]).view(3, 1, 1, 1), right, noise)
    return [p_rgb, p_fused, torch.tensor([0.7, -0.2, 0.4])]


def loss_of(predictions, samples, **kwargs):
    return ModalGateHead(in_index=(0, 1, 2), **kwargs).loss(predictions, samples, {})


def test_losses_equal_reference(predictions, samples):
    """``L_MG = CE(P_rgb, L) + CE(P_fused, L) + CE(P_cls, L_c)``."""
    losses = loss_of(predictions, samples)
    labels = np.stack([sample.gt_sem_seg.data[0].numpy() for sample in samples])
    p_rgb, p_fused = (bilinear(array(p), 8, 16) for p in predictions[:2])
    assert losses['loss_rgb'].item() == pytest.approx(cross_entropy(p_rgb, labels), rel=1e-5)
    assert losses['loss_fused'].item() == pytest.approx(cross_entropy(p_fused, labels), rel=1e-5)
    terms = []
    for b, logit in enumerate(array(predictions[2])):
        if not (labels[b] == 1).any():
            continue
        iou_rgb, iou_fused = (iou_by_sets(p[b].argmax(0), labels[b]) for p in (p_rgb, p_fused))
        probability = 1 / (1 + np.exp(-logit))
        chosen = probability if iou_rgb > iou_fused + Fraction(1, 10) else 1 - probability
        terms.append(-np.log(chosen))
    assert losses['loss_gate'].item() == pytest.approx(np.mean(terms), rel=1e-5)
    assert sum(name.startswith('loss') for name in losses) == 3


def test_targets_of_the_fixture_differ(predictions, samples):
    """So that the loss of the gate above was tested on both."""
    p_rgb, p_fused = (torch.from_numpy(bilinear(array(p), 8, 16)) for p in predictions[:2])
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
    assert str(gate_label(p_rgb, p_fused, labels).tolist()) == '[1.0, nan, 0.0]'


@pytest.mark.parametrize(
    ('logits', 'accuracy'),
    [((1.0, -1.0, -1.0), 100), ((-1.0, -1.0, -1.0), 50), ((-1.0, 1.0, 1.0), 0)],
)
def test_accuracy_of_the_gate(predictions, samples, logits, accuracy):
    predictions[2] = torch.tensor(logits)
    assert loss_of(predictions, samples)['acc_gate'].item() == pytest.approx(accuracy)


def test_samples_without_tampering_do_not_teach_the_gate(predictions, samples):
    predictions[2].requires_grad_()
    losses = loss_of(predictions, samples)
    (gradient,) = torch.autograd.grad(losses['loss_gate'], predictions[2])
    assert [bool(each) for each in gradient] == [True, False, True]


def test_batch_without_tampering_is_no_loss_of_the_gate(predictions, make_sample):
    predictions[2].requires_grad_()
    losses = loss_of(predictions, [make_sample(np.zeros((8, 16)))] * 3)
    assert losses['loss_gate'] == 0
    assert losses['acc_gate'] == 100
    assert torch.autograd.grad(losses['loss_gate'], predictions[2])[0].count_nonzero() == 0


def gate_step(maps, masks, logits, make_sample):
    """The gate's loss, and its gradient, of coarse predictions and masks (H, W) of 0 and 1."""
    p_cls = torch.tensor(logits, requires_grad=True)
    p_rgb, p_fused = (8 * as_logits(*each).float() for each in maps)
    losses = loss_of([p_rgb, p_fused, p_cls], [make_sample(mask) for mask in masks])
    (gradient,) = torch.autograd.grad(losses['loss_gate'], p_cls)
    return losses['loss_gate'].item(), gradient.tolist()


@pytest.mark.parametrize('modality', ['rgb', 'fused'])
@pytest.mark.parametrize('others', ['authentic', 'ignored'])
def test_one_false_pixel_changes_nothing_for_the_gate(modality, others, make_sample):
    """With "an empty union scores 1" it turned the label, for every crop beside the forgery."""
    untouched = np.zeros((8, 16))
    masks = [np.full((8, 16), 255.0 * (others == 'ignored')), untouched.copy()]
    masks[1][:, :8] = 1
    found = []
    for false_pixels in (0, 1, 40):
        maps = dict(rgb=[untouched.copy(), masks[1]], fused=[untouched.copy(), untouched])
        maps[modality][0].flat[:false_pixels] = 1
        found.append(gate_step(maps.values(), masks, [0.3, -0.4], make_sample))
    assert found[0] == found[1] == found[2]
    assert found[0][1][0] == 0


@pytest.mark.parametrize('authentic', [0, 1, 3])
def test_samples_with_tampering_teach_as_if_they_were_alone(authentic, make_sample):
    """Mean over those alone, in float64 by hand: vision is right for the first, not the second."""
    empty, full = np.zeros((8, 16)), np.ones((8, 16))
    maps = [[*part, *[empty] * authentic] for part in ((full, empty), (empty, full))]
    logits, labels = np.array([0.3, -0.4]), np.array([1.0, 0.0])
    probability = 1 / (1 + np.exp(-logits))
    loss = -np.log(np.where(labels == 1, probability, 1 - probability)).mean()
    gradient = (probability - labels) / 2
    found = gate_step(
        maps, [full, full] + [empty] * authentic, [*logits] + [5.0] * authentic, make_sample
    )
    assert found[0] == pytest.approx(loss, rel=1e-6)
    assert found[1] == pytest.approx([*gradient] + [0.0] * authentic, rel=1e-6)


def test_authentic_batch_leaves_the_gate_a_gradient_of_zero_not_none(make_sample):
    """DDP waits for the gradient of every parameter."""
    gate = torch.nn.Linear(4, 1)
    empty = 8 * as_logits(*[np.zeros((8, 16))] * 3).float()
    p_cls = gate(torch.randn(3, 4)).squeeze(1)
    samples = [make_sample(np.zeros((8, 16)))] * 3
    loss_of([empty, empty.clone(), p_cls], samples)['loss_gate'].backward()
    assert all(p.grad is not None and not p.grad.any() for p in gate.parameters())


CE = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
DICE = dict(type='mmomni.RegionLoss', loss_name='loss_dice')


@pytest.mark.parametrize('configs', [CE, [CE], dict(CE, loss_name='loss_other')])
def test_one_loss_of_the_config_is_named_as_the_default(configs, predictions, samples):
    losses = loss_of(predictions, samples, loss_decode=configs)
    assert losses == loss_of(predictions, samples)


def test_several_losses_by_name(predictions, samples):
    losses = loss_of(predictions, samples, loss_decode=[CE, DICE])
    for name in ('rgb', 'fused'):
        for key, config in (('ce', CE), ('dice', DICE)):
            alone = loss_of(predictions, samples, loss_decode=config)
            assert losses[f'{name}_loss_{key}'] == alone[f'loss_{name}']
    assert len(losses) == 4 + 2


def test_losses_of_one_name_are_added(predictions, samples):
    dice = dict(DICE, loss_name='loss_ce')
    losses = loss_of(predictions, samples, loss_decode=[CE, dice])
    parts = [loss_of(predictions, samples, loss_decode=each)['loss_rgb'] for each in (CE, dice)]
    assert losses['rgb_loss_ce'].item() == pytest.approx(float(sum(parts)))


def test_no_loss_at_all_is_refused():
    with pytest.raises(ValueError, match=r'remove mmomni\.ModalGateHead'):
        ModalGateHead(loss_decode=[])


@pytest.mark.parametrize(
    ('missing', 'names'), [([2], {'loss_rgb', 'loss_fused'}), ([1, 2], {'loss_rgb'})]
)
def test_terms_that_remain_without_a_gate(predictions, samples, missing, names):
    expected = loss_of(predictions, samples)
    for index in missing:
        predictions[index] = None
    losses = loss_of(predictions, samples)
    assert set(losses) == names
    assert all(torch.equal(losses[name], expected[name]) for name in names)


def test_margin(predictions, samples):
    """No IoU is larger than another by more than 1: the label is always 0."""
    predictions[2] = torch.full((3,), -1.0)
    assert loss_of(predictions, samples, margin=1.0)['acc_gate'] == 100


def test_everything_ignored_is_no_loss(predictions, make_sample):
    samples = [make_sample(np.full((8, 16), 255)) for _ in range(3)]
    losses = loss_of(predictions, samples)
    assert losses['loss_rgb'] == losses['loss_fused'] == 0
    assert losses['loss_gate'] == 0


def test_half_precision_inputs(predictions, samples):
    losses = loss_of([p.bfloat16() for p in predictions], samples)
    assert {loss.dtype for name, loss in losses.items() if 'loss' in name} == {torch.float32}


def test_gradients_stay_in_their_term(predictions, samples):
    predictions = [p.requires_grad_() for p in predictions]
    losses = loss_of(predictions, samples)
    for name, own in (('loss_rgb', 0), ('loss_fused', 1), ('loss_gate', 2)):
        grads = torch.autograd.grad(
            losses[name], predictions, retain_graph=True, allow_unused=True
        )
        assert [g is not None and bool(g.any()) for g in grads] == [i == own for i in range(3)]


def test_default_places():
    """After the four levels of ModalGateEncoder."""
    assert ModalGateHead().in_index == (4, 5, 6)
    assert ModalGateHead().margin == 0.1
