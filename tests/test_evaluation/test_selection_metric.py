"""What models are chosen by: scores at 0.5, at the best threshold, and of authentic images."""

import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from reference_scores import auc

from mmomni.evaluation.functional import pixel_counts, threshold_counts
from mmomni.evaluation.metrics import ManipulationMetric, SelectionMetric
from mmomni.evaluation.metrics.selection_metric import THRESHOLDS
from mmomni.registry import METRICS

SCORES = {'IoU', 'IoU_fixed', 'F1', 'F1_fixed', 'AUC', 'false_area', 'false_area_fixed'}
COUNTS = {'tampered', 'authentic', 'unreadable'}


def sample(probability, target, dataset='a', domain='natural', **meta):
    """A tested image of one row of pixels."""
    probability = torch.tensor(np.array([probability]), dtype=torch.float64)
    logits = torch.stack([1 - probability, probability]).log()
    data = SegDataSample(metainfo=dict(img_path='x', dataset_name=dataset, domain=domain, **meta))
    data.gt_sem_seg = PixelData(data=torch.tensor(np.array([[target]]), dtype=torch.uint8))
    data.seg_logits = PixelData(data=logits)
    data.pred_sem_seg = PixelData(data=logits.argmax(dim=0, keepdim=True))
    return data


def evaluate(samples, metric=SelectionMetric, **options):
    evaluator = Evaluator(metric(**options))
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


def row_of(found, group='average'):
    start = f'selection/{group}/'
    return {key[len(start) :]: value for key, value in found.items() if key.startswith(start)}


# ---- counts ----------------------------------------------------------------------------------


def test_counts_at_thresholds_are_those_of_each_alone():
    rng = np.random.default_rng(0)
    thresholds = torch.tensor(THRESHOLDS)
    for _ in range(20):
        # values on thresholds, too: predicted is what is higher
        probability = torch.tensor(rng.integers(0, 41, (6, 9)) / 40, dtype=torch.float32)
        target = torch.tensor(rng.choice([0, 1, 255], (6, 9)))
        expected = [pixel_counts(probability > t, target) for t in thresholds]
        assert threshold_counts(probability, target, thresholds) == expected


def test_counts_of_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match='NaN, which no threshold divides'):
        threshold_counts(torch.tensor([[math.nan]]), torch.zeros(1, 1), torch.tensor([0.5]))


# ---- one image -------------------------------------------------------------------------------


def test_underconfident_image_by_hand():
    """At 0.5 one of four; from 0.25 below 0.3 on all four and one more; above 0.3 three."""
    found = row_of(evaluate([sample([0.6, 0.4, 0.33, 0.27, 0.27, 0.1], [1, 1, 1, 1, 0, 0])]))
    assert found['IoU'] == pytest.approx(1 / 4, abs=1e-5)
    assert found['F1'] == pytest.approx(2 / 5, abs=1e-5)
    assert found['IoU_fixed'] == pytest.approx(4 / 5, abs=1e-5)
    assert found['F1_fixed'] == pytest.approx(8 / 9, abs=1e-5)
    assert found['threshold'] == 0.25  # not 0.15 or 0.2, which are as good
    assert found['AUC'] == pytest.approx((4 * 2 - 0.5) / (4 * 2))
    assert math.isnan(found['false_area'])


def test_authentic_image_by_hand():
    samples = [
        sample([0.9, 0.6, 0.3, 0.2], [0, 0, 0, 255]),
        sample([0.3, 0.1], [1, 0]),
    ]
    found = row_of(evaluate(samples))
    assert (found['threshold'], found['IoU']) == (0.25, 0)
    assert found['false_area'] == pytest.approx(2 / 3)
    assert found['false_area_fixed'] == 1


def test_scores_at_one_half_are_those_of_per_image():
    rng = np.random.default_rng(1)
    samples = [sample(rng.random(30), rng.integers(0, 2, 30)) for _ in range(5)]
    found = row_of(evaluate(samples))
    protocol = dict(name='other', empty_gt='skip', scores=['IoU', 'F1', 'AUC'])
    other = evaluate(samples, ManipulationMetric, protocol=protocol)
    for name in protocol['scores']:
        assert found[name] == pytest.approx(other[f'other/average/{name}'])


def test_auc_is_exact():
    rng = np.random.default_rng(2)
    probability, target = rng.random(40) * 1e-4, rng.integers(0, 2, 40)
    found = row_of(evaluate([sample(probability, target)]))
    assert found['AUC'] == pytest.approx(auc(probability, target == 1))


@pytest.mark.parametrize('highest', [0.04, 0.99])
def test_of_equally_good_thresholds_the_nearest_to_one_half(highest):
    assert row_of(evaluate([sample([highest, 0.01], [1, 0])]))['threshold'] == 0.5


# ---- many ------------------------------------------------------------------------------------


def test_one_threshold_for_all_weighs_domains_not_images():
    """One natural image is best at 0.75, three faces, of two sets, at 0.25."""
    natural = sample([0.8, 0.7, 0.1], [1, 0, 0])
    face = [sample([0.3, 0.1], [1, 0], name, 'face') for name in 'bbc']
    found = evaluate([natural, *face])
    expected = {k: ((t < 0.8) / (1 + (t < 0.7) + (t < 0.1)), (t < 0.3) / (1 + (t < 0.1)))
                for k, t in enumerate(THRESHOLDS)}  # fmt: skip
    best = max(expected, key=lambda k: (sum(expected[k]), k))
    assert row_of(found)['threshold'] == THRESHOLDS[best] == 0.25
    assert row_of(found)['IoU_fixed'] == pytest.approx(3 / 4, abs=1e-5)
    assert row_of(found, 'domains/natural')['IoU_fixed'] == pytest.approx(1 / 2, abs=1e-5)
    assert row_of(found, 'domains/face')['IoU_fixed'] == pytest.approx(1, abs=1e-5)
    assert row_of(found, 'domains/face')['IoU'] == 0


def test_averages_are_over_what_defines_the_score():
    """A set of authentic images does not make the average undefined."""
    samples = [
        sample([0.9, 0.1], [1, 0]),
        sample([0.9, 0.1], [0, 0], 'camera'),
        sample([0.1, 0.1], [0, 0], 'scans', 'document'),
    ]
    found = evaluate(samples)
    assert math.isnan(row_of(found, 'datasets/natural/camera')['IoU'])
    assert math.isnan(row_of(found, 'domains/document')['IoU'])
    average = row_of(found)
    assert average['IoU'] == pytest.approx(1, abs=1e-5)
    assert average['false_area'] == pytest.approx((1 / 2 + 0) / 2)
    assert (average['tampered'], average['authentic']) == (1, 2)
    assert set(average) == SCORES | COUNTS | {'threshold'}


def test_without_tampered_images_nothing_but_false_area_is_defined():
    average = row_of(evaluate([sample([0.9, 0.1], [0, 0])]))
    assert {name for name, value in average.items() if not math.isnan(value)} == {
        'false_area', 'false_area_fixed', *COUNTS
    }  # fmt: skip


def test_unreadable_images_are_counted_and_not_scored():
    samples = [sample([0.9, 0.1], [1, 0]), sample([0.9, 0.1], [0, 1], unreadable='broken')]
    average = row_of(evaluate(samples))
    assert average['IoU'] == pytest.approx(1, abs=1e-5)
    assert average['unreadable'] == 1


def test_every_number_is_a_scalar_for_the_log():
    found = evaluate([sample([0.9, 0.1], [1, 0]), sample([0.9], [0], domain='face')])
    assert all(isinstance(value, (int, float)) for value in found.values())


def test_is_built_from_a_config():
    metric = METRICS.build(dict(type='mmomni.SelectionMetric', prefix='val'))
    assert metric.prefix == 'val'
