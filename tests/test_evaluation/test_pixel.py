"""Counts and the ignored band against loops over pixels."""

import numpy as np
import pytest
import torch
from reference_scores import random_map
from scipy.ndimage import maximum_filter, minimum_filter

from mmomni.evaluation.functional import PixelCounts, ignore_band, per_image_scores, pixel_counts


def count(prediction, target):
    """Pixel by pixel: I, P, G, N, U; 255 is not counted."""
    i = p = g = n = u = 0
    for predicted, real in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
        if real == 255:
            continue
        i += bool(predicted) and real == 1
        p += bool(predicted)
        g += real == 1
        n += 1
        u += bool(predicted) or real == 1
    return i, p, g, n, u


def random_prediction(seed):
    probability, target = random_map(seed)
    return probability > 0.5, target


def test_random_maps_match_the_loop():
    for seed in range(200):
        prediction, target = random_prediction(seed)
        *expected, union = count(prediction, target)
        found = pixel_counts(torch.from_numpy(prediction), torch.from_numpy(target))
        assert tuple(found) == tuple(expected)
        assert found.union == union


def test_inverted_counts_are_those_of_the_inverse():
    for seed in range(100):
        prediction, target = random_prediction(seed)
        *expected, union = count(~prediction, target)
        found = pixel_counts(torch.from_numpy(prediction), torch.from_numpy(target)).inverted()
        assert (*found, found.union) == (*expected, union)


def test_counts_of_the_authentic_class():
    for seed in range(100):
        prediction, target = random_prediction(seed)
        exchanged = np.choose(np.minimum(target, 2), [1, 0, 255])
        *expected, union = count(~prediction, exchanged)
        found = pixel_counts(torch.from_numpy(prediction), torch.from_numpy(target)).of_authentic()
        assert (*found, found.union) == (*expected, union)


def score(prediction, target):
    return per_image_scores(pixel_counts(torch.tensor(prediction), torch.tensor(target)))


def test_toy_image_by_hand():
    """I = 1, P = 2, G = 3, U = 4 of 8 pixels."""
    prediction, target = [[1, 1, 0, 0], [0, 0, 0, 0]], [[1, 0, 1, 0], [1, 0, 0, 0]]
    counts = pixel_counts(torch.tensor(prediction), torch.tensor(target))
    assert counts == PixelCounts(intersection=1, predicted=2, tampered=3, scored=8)
    assert counts.union == 4
    expected = dict(IoU=1 / 4, precision=1 / 2, recall=1 / 3, F1=2 / 5)
    assert score(prediction, target) == pytest.approx(expected, abs=1e-6)


def test_perfect_prediction():
    expected = dict(IoU=1, F1=1, precision=1, recall=1)
    assert score([[0, 1]], [[0, 1]]) == pytest.approx(expected, abs=1e-5)


def test_inverted_prediction_scores_zero():
    assert set(score([[1, 0]], [[0, 1]]).values()) == {0}


@pytest.mark.parametrize('prediction', [[[0, 0]], [[1, 0]], [[1, 1]]])
def test_authentic_image_scores_zero_whatever_is_predicted(prediction):
    assert set(score(prediction, [[0, 0]]).values()) == {0}


def test_all_pixels_ignored():
    assert set(score([[1, 0]], [[255, 255]]).values()) == {0}


def test_prediction_on_ignored_pixels_costs_nothing():
    assert score([[1, 1, 0]], [[1, 255, 0]]) == score([[1, 0, 0]], [[1, 255, 0]])


def test_another_ignore_index():
    counts = pixel_counts(torch.tensor([[1, 1]]), torch.tensor([[1, 7]]), ignore_index=7)
    assert counts == PixelCounts(1, 1, 1, 1)


@pytest.mark.parametrize('dtype', [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_any_type_of_prediction(dtype):
    prediction = torch.tensor([[0, 1, 1]]).to(dtype)
    assert pixel_counts(prediction, torch.tensor([[0, 1, 0]])) == PixelCounts(1, 2, 1, 3)


def test_large_image_does_not_overflow():
    ones = torch.ones(300, 300, dtype=torch.uint8)
    assert pixel_counts(ones, ones) == PixelCounts(*[90_000] * 4)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(3, 2\); .* original size'):
        pixel_counts(torch.zeros(2, 3), torch.zeros(3, 2))


# ---- ignored band ----------------------------------------------------------------------------


@pytest.mark.parametrize(('erosion', 'dilation'), [(15, 11), (1, 1), (3, 7)])
def test_band_matches_filters_of_scipy(erosion, dilation):
    for seed in range(200):
        _, target = random_map(seed)
        inside = minimum_filter(target == 1, erosion)
        outside = ~maximum_filter(target == 1, dilation)
        expected = np.where(inside | outside, target, 255)
        found = ignore_band(torch.from_numpy(target), erosion, dilation)
        assert torch.equal(found, torch.from_numpy(expected))


def test_band_by_hand():
    target = torch.tensor([[0, 0, 0, 1, 1, 1, 0, 0, 0]])
    band = [[0, 0, 255, 255, 1, 255, 255, 0, 0]]
    assert ignore_band(target, 3, 3).tolist() == band


def test_band_does_not_eat_from_the_edge_of_the_image():
    ones = torch.ones(20, 4, dtype=torch.uint8)
    assert torch.equal(ignore_band(ones, 15, 11), ones)


def test_band_keeps_the_target_it_was_given():
    target = torch.tensor([[0, 1]])
    ignore_band(target, 15, 11)
    assert target.tolist() == [[0, 1]]


def test_band_with_another_ignore_index():
    assert ignore_band(torch.tensor([[0, 1, 7]]), 3, 3, ignore_index=7).tolist() == [[7, 7, 7]]
