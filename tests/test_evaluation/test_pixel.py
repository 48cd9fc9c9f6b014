"""``per_image`` against an independent loop written from the table of protocols."""

import numpy as np
import pytest
import torch

from mmomni.evaluation.functional import PixelCounts, per_image_scores, pixel_counts


def reference(prediction, target):
    """Pixel by pixel: I, P, G, U and the scores of one image; 255 is not counted."""
    i = p = g = u = 0
    for predicted, real in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
        if real == 255:
            continue
        i += bool(predicted) and real == 1
        p += bool(predicted)
        g += real == 1
        u += bool(predicted) or real == 1
    precision, recall = i / (p + 1e-6), i / (g + 1e-6)
    f1 = 2 * precision * recall / (precision + recall + 1e-8)
    return (i, p, g, u), dict(IoU=i / (u + 1e-6), F1=f1, precision=precision, recall=recall)


def random_maps(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 14, 2)
    target = (rng.random((height, width)) < rng.choice([0, 0.1, 0.5, 0.9, 1])).astype(np.uint8)
    prediction = (rng.random((height, width)) < rng.choice([0, 0.1, 0.5, 1])).astype(np.uint8)
    kind = seed % 6
    if kind == 1:
        prediction = target.copy()
    elif kind == 2:
        prediction = 1 - target
    elif kind == 3:
        target[rng.random((height, width)) < 0.3] = 255
    elif kind == 4:
        prediction[:], target[:] = 0, 0
        prediction[0, 0] = rng.integers(2)
    return prediction, target


@pytest.mark.parametrize('block', range(10))
def test_random_maps_match_the_reference(block):
    for seed in range(block * 30, block * 30 + 30):
        prediction, target = random_maps(seed)
        counts, scores = reference(prediction, target)
        found = pixel_counts(torch.from_numpy(prediction), torch.from_numpy(target))
        assert tuple(found) == counts
        assert per_image_scores(found) == pytest.approx(scores, rel=1e-12, abs=1e-12)


def score(prediction, target):
    return per_image_scores(pixel_counts(torch.tensor(prediction), torch.tensor(target)))


def test_toy_image_by_hand():
    """I = 1, P = 2, G = 3, U = 4."""
    prediction, target = [[1, 1, 0, 0], [0, 0, 0, 0]], [[1, 0, 1, 0], [1, 0, 0, 0]]
    counts = pixel_counts(torch.tensor(prediction), torch.tensor(target))
    assert counts == PixelCounts(intersection=1, predicted=2, tampered=3, union=4)
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
    assert pixel_counts(prediction, torch.tensor([[0, 1, 0]])) == PixelCounts(1, 2, 1, 2)


def test_large_image_does_not_overflow():
    ones = torch.ones(300, 300, dtype=torch.uint8)
    assert pixel_counts(ones, ones) == PixelCounts(*[90_000] * 4)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(3, 2\); .* original size'):
        pixel_counts(torch.zeros(2, 3), torch.zeros(3, 2))
