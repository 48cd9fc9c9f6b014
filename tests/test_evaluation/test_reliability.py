"""The expected calibration error against its definition, pixel by pixel."""

import math

import numpy as np
import pytest
import torch

from mmomni.evaluation.functional import INTERVALS, reliability, score_histogram


def diagram(scores, labels, bins=10_000):
    return reliability(*score_histogram(torch.tensor(scores), torch.tensor(labels), bins))


@pytest.mark.parametrize('seed', range(20))
def test_error_is_that_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.random(3000) ** rng.uniform(0.3, 3), rng.random(3000) < rng.random()
    place = np.minimum((scores * INTERVALS).astype(int), INTERVALS - 1)
    expected = sum(
        abs(scores[place == k].sum() - labels[place == k].sum()) for k in range(INTERVALS)
    )
    assert diagram(scores, labels).error == pytest.approx(expected / 3000, abs=1e-4)


def test_what_is_as_often_right_as_it_says_has_none():
    scores = np.repeat([0.125, 0.525, 0.775], 1000)
    labels = np.arange(3000) % 1000 < 1000 * scores
    found = diagram(scores, labels)
    assert found.error == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(found.tampered, [0.125, 0.525, 0.775])
    np.testing.assert_allclose(found.weight, [1 / 3] * 3)


def test_what_is_sure_and_wrong_has_all():
    assert diagram([1.0, 0.0], [False, True]).error == pytest.approx(1, abs=1e-4)


def test_bins_that_fill_no_intervals():
    with pytest.raises(ValueError, match='a multiple of 20 bins, got 30'):
        diagram([0.5], [True], bins=30)


def test_without_pixels_there_is_none():
    assert math.isnan(reliability(*torch.zeros(2, 40, dtype=torch.int64)).error)
