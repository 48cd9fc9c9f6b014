"""Every protocol against :mod:`reference_scores`, and each of its degenerate cases by name."""

import math

import pytest
import torch
from reference_scores import IMAGES, SETS, random_map

from mmomni.evaluation.functional import (
    PROTOCOLS,
    build_protocol,
    count_scores,
    dataset_scores,
    per_image_scores,
    pixel_counts,
    score_image,
)

EXACT = dict(rel=1e-12, abs=1e-12, nan_ok=True)


def score(probability, target, protocol):
    chosen = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    return score_image(torch.as_tensor(probability), torch.as_tensor(target), chosen)


@pytest.fixture(scope='module')
def thousand():
    return [random_map(seed) for seed in range(1000)]


@pytest.mark.parametrize('protocol', IMAGES)
def test_thousand_images_match_the_reference(protocol, thousand):
    for seed, image in enumerate(thousand):
        found = score(*image, protocol).scores
        assert found == pytest.approx(_only(IMAGES[protocol](*image), found), **EXACT), seed


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('size', [1, 5, 6, 7, 100])
def test_sets_match_the_reference(protocol, size, thousand):
    """Sets that start at different kinds of images; batches of 6 that are full and that are not."""
    images = thousand[-size:]
    found = dataset_scores([score(*image, protocol) for image in images], PROTOCOLS[protocol])
    assert set(found) == set(PROTOCOLS[protocol].scores)
    assert found == pytest.approx(SETS[protocol](images), **EXACT)


def _only(expected, names):
    assert set(names) <= set(expected)
    return {name: expected[name] for name in names}


@pytest.mark.parametrize('kind', ['torch.float16', 'torch.bfloat16', 'torch.float64'])
def test_any_precision_of_probabilities(kind):
    probability = torch.tensor([[0.1, 0.9], [0.8, 0.4]]).to(getattr(torch, kind[6:]))
    found = score(probability, [[0, 1], [1, 0]], 'imdlbenco').scores
    assert found == pytest.approx(dict.fromkeys(found, 1), abs=1e-7)


# ---- choices that differ, by hand ------------------------------------------------------------

TWO = (  # I, P, G, U: 1, 2, 3, 4 and 2, 2, 2, 2
    ([[0.9, 0.9, 0.1, 0.1, 0.1]], [[1, 0, 1, 1, 0]]),
    ([[0.9, 0.9, 0.1, 0.1, 0.1]], [[1, 1, 0, 0, 0]]),
)


def scores_of(images, protocol):
    chosen = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    return dataset_scores([score(*image, chosen) for image in images], chosen)


def own(**choices):
    return build_protocol(dict(name='mine', **choices))


def test_per_image_takes_means_over_images():
    expected = dict(IoU=(1 / 4 + 1) / 2, precision=3 / 4, recall=2 / 3, F1=(2 / 5 + 1) / 2)
    assert scores_of(TWO, 'per_image') == pytest.approx(expected, abs=1e-6)


def test_pooled_counts_all_pixels_together():
    """Sums of I, P, G, U: 3, 4, 5, 6."""
    expected = dict(IoU=3 / 6, precision=3 / 4, recall=3 / 5, F1=6 / 9)
    assert scores_of(TWO, own(average='pooled')) == pytest.approx(expected, abs=1e-6)


def test_doctamper_pools_iou_and_takes_f1_of_the_mean_precision_and_recall():
    expected = dict(IoU=3 / 6, precision=3 / 4, recall=2 / 3, F1=12 / 17)
    assert scores_of(TWO, 'doctamper') == pytest.approx(expected, abs=1e-7)


def test_batches_of_six_overweight_a_short_last_batch():
    """Six images with p = 1/2, then one with p = 1: 3/4 instead of 4/7."""
    images = [TWO[0]] * 6 + [TWO[1]]
    assert scores_of(images, 'doctamper')['precision'] == pytest.approx(4 / 7)
    assert scores_of(images, 'doctamper_batch6')['precision'] == pytest.approx(3 / 4)


def test_batches_follow_the_order_of_the_images():
    images = [TWO[1]] + [TWO[0]] * 6
    assert scores_of(images, 'doctamper_batch6')['precision'] == pytest.approx((3.5 / 6 + 0.5) / 2)


def test_places_decide_the_batches():
    """Places 0 to 4 and 6 to 7, in any order: p = 1/2 five times, then 1/2 and 1."""
    chosen = PROTOCOLS['doctamper_batch6']
    images = [score(*TWO[1], chosen)] + [score(*TWO[0], chosen)] * 6
    found = dataset_scores(images, chosen, places=[7, 6, 4, 3, 2, 1, 0])
    assert found['precision'] == pytest.approx((1 / 2 + 3 / 4) / 2)


def test_imdlbenco_has_its_own_eps():
    """One of one pixel: 1 / (1 + 1e-8), where ``per_image`` adds 1e-6."""
    image = ([[0.9]], [[1]])
    assert score(*image, 'imdlbenco').scores['IoU'] == 1 / (1 + 1e-8)
    assert score(*image, 'per_image').scores['IoU'] == 1 / (1 + 1e-6)


def test_permuted_takes_the_better_of_prediction_and_inverse():
    image = ([[0.1, 0.9, 0.9]], [[1, 0, 0]])
    assert score(*image, 'imdlbenco').scores == dict.fromkeys(PROTOCOLS['imdlbenco'].scores, 0)
    permuted = score(*image, 'imdlbenco_permuted').scores
    assert permuted == pytest.approx(dict.fromkeys(permuted, 1), abs=1e-7)


def test_permuted_takes_the_better_for_each_score():
    """I, P, G = 1, 1, 3 of 4 pixels: p = 1 of the prediction, r = 2/3 of its inverse."""
    found = score([[0.9, 0.1, 0.1, 0.1]], [[1, 1, 1, 0]], 'imdlbenco_permuted').scores
    assert (found['precision'], found['recall']) == pytest.approx((1, 2 / 3))


def test_probability_at_the_threshold_is_authentic():
    assert score([[0.5, 0.6]], [[1, 1]], 'per_image').counts.predicted == 1
    assert score([[0.3, 0.6]], [[1, 1]], own(threshold=0.25)).counts.predicted == 2


def test_best_threshold_is_that_of_the_image():
    """0.2 separates the first image, 0.8 the second."""
    images = [([[0.1, 0.2, 0.3]], [[0, 0, 1]]), ([[0.7, 0.8, 0.9]], [[0, 0, 1]])]
    found = scores_of(images, own(threshold='best'))
    assert found == pytest.approx(dict.fromkeys(found, 1), abs=1e-5)
    assert scores_of(images, 'per_image')['F1'] == pytest.approx(1 / 4, abs=1e-6)


def test_best_threshold_of_the_permuted_image():
    image = ([[0.9, 0.8, 0.7, 0.6]], [[0, 0, 0, 1]])
    assert score(*image, own(threshold='best')).scores['F1'] == pytest.approx(2 / 5, abs=1e-6)
    found = score(*image, own(threshold='best', permute=True)).scores
    assert found['F1'] == pytest.approx(1, abs=1e-5)


def test_best_f1_stands_beside_the_f1_at_the_threshold():
    found = score([[0.1, 0.2, 0.3]], [[0, 0, 1]], own(scores=['F1', 'F1_best'])).scores
    assert found == pytest.approx(dict(F1=0, F1_best=1), abs=1e-5)


def test_histogram_of_many_bins_agrees_with_the_exact_form(thousand):
    names = ['AUC', 'AP', 'F1_best']
    exact, binned = own(scores=names), own(scores=names, bins=1 << 16)
    for image in thousand[:60]:
        expected = score(*image, exact).scores
        assert score(*image, binned).scores == pytest.approx(expected, abs=0.02, nan_ok=True)


def test_trufor_leaves_out_a_band_along_the_outline():
    """A 31-px square in 61: wrong pixels only within 7 px inside and 5 px outside of its edge."""
    target = torch.zeros(61, 61, dtype=torch.uint8)
    target[15:46, 15:46] = 1
    inner, outer = torch.zeros(61, 61), torch.zeros(61, 61)
    inner[22:39, 22:39] = 1
    outer[10:51, 10:51] = 1
    for probability in (inner, outer):
        assert score(probability, target, 'trufor').scores['F1'] == 1
    inner[22, 22], outer[9, 9] = 0, 1
    for probability in (inner, outer):
        assert score(probability, target, 'trufor').scores['F1'] < 1


# ---- degenerate images -----------------------------------------------------------------------

EMPTY, FULL, MIXED = [[0, 0]], [[1, 1]], [[1, 0]]
NOTHING, EVERYTHING = [[0.1, 0.2]], [[0.9, 0.8]]


@pytest.mark.parametrize('probability', [NOTHING, EVERYTHING])
@pytest.mark.parametrize('protocol', ['per_image', 'imdlbenco', 'imdlbenco_permuted'])
def test_authentic_image_scores_zero(protocol, probability):
    result = score(probability, EMPTY, protocol)
    assert set(result.scores.values()) == {0}
    assert not result.is_skipped
    assert not result.is_tampered


@pytest.mark.parametrize('probability', [NOTHING, EVERYTHING])
@pytest.mark.parametrize('protocol', ['doctamper', 'doctamper_batch6', 'trufor'])
def test_authentic_image_is_skipped(protocol, probability):
    result = score(probability, EMPTY, protocol)
    assert all(math.isnan(value) for value in result.scores.values())
    assert result.is_skipped


def test_authentic_image_counts_in_the_pooled_iou_of_doctamper():
    found = scores_of([TWO[1], (EVERYTHING, EMPTY)], 'doctamper')
    expected = dict(IoU=2 / 4, precision=1, recall=1, F1=1)
    assert found == pytest.approx(expected, abs=1e-7)


def test_authentic_images_alone_have_no_score_in_doctamper():
    found = scores_of([(NOTHING, EMPTY)] * 2, 'doctamper')
    assert all(math.isnan(value) for value in found.values())


def test_authentic_image_in_catnet_has_the_iou_of_one_class():
    assert score(NOTHING, EMPTY, 'catnet').scores == {'mIoU': 0.5, 'permuted_mIoU': 0.5}
    assert score(EVERYTHING, EMPTY, 'catnet').scores == {'mIoU': 0, 'permuted_mIoU': 0.5}


@pytest.mark.parametrize(('probability', 'expected'), [(NOTHING, 1), (EVERYTHING, 0)])
def test_one_if_empty(probability, expected):
    names = ['IoU', 'F1', 'precision', 'recall', 'mIoU']
    protocol = own(base='catnet', empty_gt='one_if_empty', scores=names)
    assert set(score(probability, EMPTY, protocol).scores.values()) == {expected}


def test_one_if_empty_leaves_the_rankings_of_authentic_images_undefined():
    result = score(NOTHING, EMPTY, own(empty_gt='one_if_empty', scores=['IoU', 'AUC', 'AP']))
    assert result.scores['IoU'] == 1
    assert math.isnan(result.scores['AUC'])
    assert math.isnan(result.scores['AP'])
    assert result.is_skipped


def test_wholly_tampered_image_has_no_auc():
    result = score(EVERYTHING, FULL, 'imdlbenco')
    assert result.is_skipped
    assert math.isnan(result.scores['AUC'])
    assert result.scores['IoU'] == pytest.approx(1)


def test_undefined_auc_is_left_out_of_the_mean():
    images = [(EVERYTHING, FULL), ([[0.9, 0.1]], MIXED), ([[0.1, 0.9]], MIXED)]
    assert scores_of(images, 'imdlbenco')['AUC'] == 0.5


def test_constant_map_has_an_auc_of_one_half():
    assert score([[0.7] * 5], [[1, 0, 0, 1, 0]], 'imdlbenco').scores['AUC'] == 0.5


def test_region_that_erosion_removes_scores_zero_in_trufor():
    target = torch.zeros(30, 30, dtype=torch.uint8)
    target[10:20, 10:20] = 1
    result = score(target.float(), target, 'trufor')
    assert set(result.scores.values()) == {0}
    assert (result.is_tampered, result.counts.tampered) == (True, 0)


def test_image_that_is_all_band_is_skipped():
    target = torch.zeros(9, 9, dtype=torch.uint8)
    target[4, 4] = 1
    result = score(target.float(), target, own(ignore_band=[15, 15]))
    assert result.counts.scored == 0
    assert result.is_skipped


def test_wholly_tampered_image_in_trufor():
    assert score([[0.9] * 20] * 20, [[1] * 20] * 20, 'trufor').scores == dict(F1=1, F1_best=1)


@pytest.mark.parametrize('protocol', ['per_image', 'imdlbenco'])
def test_all_pixels_ignored_is_an_image_without_tampering(protocol):
    result = score([[0.9, 0.1]], [[255, 255]], protocol)
    assert set(result.scores.values()) == {0}
    assert (result.is_tampered, result.tampered_area) == (False, 0)


def test_ignored_pixels_are_ranked_nowhere():
    image = ([[0.9, 0.1, 0.99]], [[1, 0, 255]])
    assert score(*image, 'imdlbenco').scores['AUC'] == 1


def test_tampered_area_does_not_know_the_band():
    target = torch.zeros(30, 30, dtype=torch.uint8)
    target[:15] = 1
    assert score(target.float(), target, 'trufor').tampered_area == 0.5


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_no_images_have_no_score(protocol):
    found = dataset_scores([], PROTOCOLS[protocol])
    assert set(found) == set(PROTOCOLS[protocol].scores)
    assert all(math.isnan(value) for value in found.values())


def test_probabilities_that_are_not_a_number_are_an_error():
    with pytest.raises(ValueError, match='1 of 2 scores are NaN'):
        score([[math.nan, 0.5]], MIXED, 'imdlbenco')


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(3, 2\); .*ori_shape'):
        score(torch.zeros(2, 3), torch.zeros(3, 2), 'per_image')


def test_scores_of_an_image_are_numbers_whatever_its_size():
    result = score(torch.rand(64, 64), torch.ones(64, 64), 'imdlbenco_permuted')
    assert {type(value) for value in result.scores.values()} == {float}
    assert {type(value) for value in result.counts} == {int}


# ---- per_image of one prediction, which galleries caption ------------------------------------


def test_per_image_scores_are_those_of_the_protocol():
    probability, target = (torch.tensor(part) for part in TWO[0])
    counts = pixel_counts(probability > 0.5, target)
    assert per_image_scores(counts) == score(probability, target, 'per_image').scores
    assert per_image_scores(counts)['IoU'] == count_scores(counts, PROTOCOLS['per_image'])['IoU']
