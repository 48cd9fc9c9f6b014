"""AUC, AP and best threshold against their definitions, pair by pair and threshold by threshold."""

import math

import pytest
import torch
from reference_scores import auc, f1, random_map, thresholds
from reference_scores import average_precision as reference_precision

from mmomni.evaluation.functional import (
    average_precision,
    best_counts,
    roc_auc,
    score_groups,
    score_histogram,
)


def groups(scores, labels):
    return score_groups(torch.tensor(scores), torch.tensor(labels, dtype=torch.bool))


def test_random_maps_match_the_definitions():
    for seed in range(200):
        probability, target = random_map(seed)
        scores, labels = probability.ravel(), target.ravel() == 1
        found = score_groups(torch.from_numpy(scores), torch.from_numpy(labels))
        assert roc_auc(*found) == pytest.approx(auc(scores, labels), abs=1e-12, nan_ok=True)
        expected = reference_precision(scores, labels)
        assert average_precision(*found) == pytest.approx(expected, abs=1e-12, nan_ok=True)
        counts = best_counts(*found)
        best = f1(scores > thresholds(scores), labels).max()
        agreed = 2 * counts.intersection / max(1, counts.predicted + counts.tampered)
        assert agreed == pytest.approx(best, abs=1e-12)


def test_groups_are_counted_from_the_highest_score():
    positives, negatives = groups([0.5, 0.9, 0.5, 0.1], [1, 1, 0, 0])
    assert (positives.tolist(), negatives.tolist()) == ([1, 1, 0], [0, 1, 1])


@pytest.mark.parametrize(
    ('scores', 'expected'), [([0.9, 0.8, 0.2, 0.1], 1), ([0.1, 0.2, 0.8, 0.9], 0), ([0.5] * 4, 0.5)]
)
def test_auc_of_perfect_inverted_and_constant_scores(scores, expected):
    assert roc_auc(*groups(scores, [1, 1, 0, 0])) == expected


def test_tie_between_the_classes_costs_half_a_pair():
    """Of four pairs three are right and one is tied."""
    assert roc_auc(*groups([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0])) == 3.5 / 4


def test_average_precision_by_hand():
    """Steps of 1/2 recall at precision 1/1 and 2/3."""
    assert average_precision(*groups([0.9, 0.8, 0.7], [1, 0, 1])) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize('labels', [[1, 1], [0, 0]])
def test_auc_of_one_class_is_undefined(labels):
    assert math.isnan(roc_auc(*groups([0.1, 0.9], labels)))


def test_average_precision_of_one_class():
    assert average_precision(*groups([0.1, 0.9], [1, 1])) == 1
    assert math.isnan(average_precision(*groups([0.1, 0.9], [0, 0])))


def test_nothing_to_rank():
    found = groups([], [])
    assert math.isnan(roc_auc(*found))
    assert math.isnan(average_precision(*found))
    assert best_counts(*found) == (0, 0, 0, 0)


def test_best_threshold_may_call_everything_or_nothing():
    assert best_counts(*groups([0.1, 0.9], [1, 1])) == (2, 2, 2, 2)
    assert best_counts(*groups([0.1, 0.9], [0, 0])) == (0, 0, 0, 2)


def test_highest_of_equally_good_thresholds():
    """F1 is 2/3 for the first pixel alone and for the first four."""
    assert best_counts(*groups([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1])).predicted == 1


def test_large_areas_are_counted_exactly():
    """2^27 pairs of tied pixels in 32-bit floats would lose the last digits."""
    scores = torch.full((3 << 14,), 0.5)
    labels = torch.arange(3 << 14) < (1 << 14)
    scores[0] = 0.75
    expected = 0.5 + 0.5 / (1 << 14)
    assert roc_auc(*score_groups(scores, labels)) == pytest.approx(expected, abs=1e-15)


# ---- histogram -------------------------------------------------------------------------------


@pytest.mark.parametrize('bins', [2, 10, 1000])
def test_histogram_is_exact_for_scores_in_bins_of_their_own(bins):
    scores = torch.randint(0, bins, (500,)).double().add(0.5) / bins
    labels = torch.rand(500) < scores
    exact, binned = score_groups(scores, labels), score_histogram(scores, labels, bins)
    assert roc_auc(*binned) == pytest.approx(roc_auc(*exact), abs=1e-12)
    assert average_precision(*binned) == pytest.approx(average_precision(*exact), abs=1e-12)
    assert best_counts(*binned) == best_counts(*exact)


def test_auc_of_a_histogram_is_within_its_bound():
    for bins in (4, 64, 1024):
        scores = torch.rand(2000)
        labels = torch.rand(2000) < scores
        positives, negatives = score_histogram(scores, labels, bins)
        shared = (positives * negatives).sum() / (positives.sum() * negatives.sum())
        error = abs(roc_auc(positives, negatives) - roc_auc(*score_groups(scores, labels)))
        assert error <= shared / 2


def test_histograms_of_images_add_up_to_that_of_the_set():
    scores, labels = torch.rand(300), torch.rand(300) < 0.3
    whole = score_histogram(scores, labels, 50)
    parts = [score_histogram(scores[k::3], labels[k::3], 50) for k in range(3)]
    for k in range(2):
        assert torch.equal(sum(part[k] for part in parts), whole[k])


def test_memory_of_a_histogram_does_not_grow():
    sizes = [len(score_histogram(torch.rand(n), torch.rand(n) < 0.5, 16)[0]) for n in (1, 10_000)]
    assert sizes == [16, 16]


def test_ends_of_the_interval_are_in_the_first_and_last_bin():
    positives, negatives = score_histogram(torch.tensor([0.0, 1.0]), torch.tensor([True, False]), 4)
    assert (positives.tolist(), negatives.tolist()) == ([0, 0, 0, 1], [1, 0, 0, 0])


@pytest.mark.parametrize('bad', [-0.1, 1.1, math.nan])
def test_scores_that_are_no_probabilities_are_refused(bad):
    with pytest.raises(ValueError, match=r'in \[0, 1\]'):
        score_histogram(torch.tensor([0.5, bad]), torch.tensor([True, False]), 4)


def test_scores_that_are_not_a_number_are_refused():
    with pytest.raises(ValueError, match='1 of 2 scores are NaN'):
        groups([0.5, math.nan], [1, 0])
