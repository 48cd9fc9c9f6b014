"""Is this image forged: pooling, scores of a set, and what is undefined."""

import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from reference_scores import auc, average_precision

from mmomni.evaluation.functional import image_level_scores, image_score
from mmomni.evaluation.metrics import ImageLevelMetric
from mmomni.registry import METRICS

SCORES = {'AUC', 'AP', 'F1', 'accuracy', 'balanced_accuracy', 'TPR', 'FPR'}

# ---- one image -------------------------------------------------------------------------------


def test_max_is_the_highest_pixel():
    assert image_score(torch.tensor([[0.25, 0.75], [0, 0.5]]), 'max') == 0.75


def test_top_k_mean_is_that_of_the_highest_pixels():
    probability = torch.arange(200).reshape(10, 20) / 200
    expected = (199 + 198) / 2 / 200
    assert image_score(probability, 'top_k_mean') == pytest.approx(expected)
    assert image_score(probability, 'top_k_mean', top_k=1) == pytest.approx(99.5 / 200)


def test_top_k_mean_of_a_small_image_takes_one_pixel():
    assert image_score(torch.tensor([[0.25, 0.5]]), 'top_k_mean') == 0.5


@pytest.mark.parametrize('pooling', ['max', 'top_k_mean'])
def test_probabilities_that_are_no_numbers_are_refused(pooling):
    with pytest.raises(ValueError, match='got NaN; did the training'):
        image_score(torch.tensor([[0.25, math.nan]]), pooling)


def test_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="got 'mean'"):
        image_score(torch.zeros(1, 1), 'mean')


# ---- a set of images -------------------------------------------------------------------------


def level(scores, labels, threshold=0.5):
    labels = torch.tensor(labels, dtype=torch.bool)
    return image_level_scores(torch.tensor(scores, dtype=torch.float64), labels, threshold)


def test_random_sets_match_the_definitions():
    rng = np.random.default_rng(0)
    for size in (2, 3, 10, 50):
        for _ in range(25):
            scores, labels = rng.integers(0, 9, size) / 8, rng.random(size) < 0.5
            tp = sum(s > 0.5 and y for s, y in zip(scores, labels, strict=True))
            fp = sum(s > 0.5 and not y for s, y in zip(scores, labels, strict=True))
            forged, authentic = int(labels.sum()), int((~labels).sum())
            tpr = tp / forged if forged else math.nan
            fpr = fp / authentic if authentic else math.nan
            f1 = 2 * tp / (fp + tp + forged) if fp + tp + forged else math.nan
            expected = {
                'AUC': auc(scores, labels),
                'AP': average_precision(scores.astype(np.float32), labels),
                'F1': f1,
                'accuracy': (tp + authentic - fp) / size,
                'balanced_accuracy': (tpr + 1 - fpr) / 2,
                'TPR': tpr,
                'FPR': fpr,
            }
            assert level(scores, labels) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_perfect_verdicts():
    found = level([0.9, 0.1], [True, False])
    assert found == {**dict.fromkeys(SCORES, 1), 'FPR': 0}


def test_score_at_the_threshold_is_authentic():
    assert level([0.5, 0.5], [True, False])['TPR'] == 0
    assert level([0.5, 0.5], [True, False], threshold=0.4)['FPR'] == 1


def undefined(found):
    return {name for name, value in found.items() if math.isnan(value)}


def test_without_authentic_images():
    assert undefined(level([0.9, 0.1], [True, True])) == {'AUC', 'balanced_accuracy', 'FPR'}


def test_without_forged_images():
    found = level([0.9, 0.1], [False, False])
    assert undefined(found) == {'AUC', 'AP', 'balanced_accuracy', 'TPR'}
    assert undefined(level([0.1], [False])) == {'AUC', 'AP', 'F1', 'balanced_accuracy', 'TPR'}


def test_without_images():
    assert undefined(level([], [])) == SCORES


# ---- the metric ------------------------------------------------------------------------------


def sample(highest, forged, dataset='a', domain='natural', **meta):
    """A 10 x 10 image whose highest probability is given."""
    data = SegDataSample(
        metainfo=dict(img_path='x.jpg', dataset_name=dataset, domain=domain) | meta
    )
    probability = torch.zeros(1, 10, 10, dtype=torch.float64)
    probability[0, 3, 4] = highest
    target = torch.zeros(1, 10, 10, dtype=torch.uint8)
    target[0, 0, 0] = forged
    data.seg_logits = PixelData(data=torch.cat([1 - probability, probability]).log())
    data.pred_sem_seg = PixelData(data=data.seg_logits.data.argmax(dim=0, keepdim=True))
    data.gt_sem_seg = PixelData(data=target)
    return data


def evaluate(samples, **options):
    evaluator = Evaluator(ImageLevelMetric(**options))
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


def test_keys_name_the_pooling():
    found = evaluate([sample(0.9, 1), sample(0.1, 0)], pooling='top_k_mean')
    groups = ('datasets/natural/a', 'domains/natural', 'average')
    names = SCORES | {'tampered', 'authentic', 'unreadable'}
    keys = {'AUC', *(f'{group}/{name}' for group in groups for name in names)}
    assert set(found) == {f'image_level/top_k_mean/{key}' for key in keys}


def test_two_poolings_in_one_evaluation():
    evaluator = Evaluator([ImageLevelMetric(p) for p in ('max', 'top_k_mean')])
    evaluator.process([sample(0.9, 1)])
    assert len(evaluator.evaluate(1)) == 2 * (1 + 3 * 10)


def test_domain_pools_the_images_of_its_datasets(log):
    """Neither set has both classes; together three of four pairs are in the right order."""
    samples = [
        sample(0.9, 1, 'forgeries'),
        sample(0.6, 1, 'forgeries'),
        sample(0.7, 0, 'photos'),
        sample(0.2, 0, 'photos'),
    ]
    found = evaluate(samples)
    assert math.isnan(found['image_level/max/datasets/natural/forgeries/AUC'])
    assert math.isnan(found['image_level/max/datasets/natural/photos/AUC'])
    assert found['image_level/max/domains/natural/AUC'] == 3 / 4
    assert found['image_level/max/domains/natural/FPR'] == 1 / 2
    (line,) = [line for line in log if line.startswith('undefined')]
    assert 'datasets/natural/forgeries/AUC' in line
    assert 'domains/natural' not in line


def test_average_is_the_mean_of_the_domains():
    face = [sample(0.9, 1, domain='face'), sample(0.1, 0, domain='face')]
    natural = [sample(0.1, 1), sample(0.9, 0), sample(0.9, 0)]
    found = evaluate(face + natural)
    assert found['image_level/max/average/accuracy'] == 1 / 2
    assert found['image_level/max/average/authentic'] == 3


def test_average_is_undefined_where_a_domain_is(log):
    found = evaluate([sample(0.9, 1), sample(0.9, 1, domain='face'), sample(0.1, 0)])
    assert found['image_level/max/domains/natural/AUC'] == 1
    assert math.isnan(found['image_level/max/average/AUC'])
    assert any('domains/face/AUC' in line for line in log)


def test_unreadable_images_are_counted_and_named_but_not_scored(log):
    broken = sample(0.1, 1, unreadable='broken', img_path='folder/broken.jpg')
    found = evaluate([sample(0.9, 1), sample(0.1, 0), broken])
    assert found['image_level/max/average/TPR'] == 1
    assert found['image_level/max/average/unreadable'] == 1
    assert any('1 unreadable' in line and 'folder/broken.jpg' in line for line in log)


def test_dataset_of_unreadable_images_only_has_no_score():
    found = evaluate([sample(0.9, 1, unreadable='broken')])
    assert math.isnan(found['image_level/max/average/accuracy'])
    assert found['image_level/max/average/tampered'] == 0


def test_threshold_of_the_verdict():
    assert evaluate([sample(0.4, 1)], threshold=0.3)['image_level/max/average/TPR'] == 1


def test_ignored_pixels_do_not_make_an_image_forged():
    data = sample(0.9, 0)
    data.gt_sem_seg.data[:] = 255
    assert evaluate([data])['image_level/max/average/authentic'] == 1


def test_table_names_the_pooling(log):
    evaluate([sample(0.9, 1), sample(0.1, 0)])
    (table,) = [line for line in log if 'AUC' in line]
    for part in ('image_level/max', '= natural', '= average', 'balanced_accuracy', '1.000'):
        assert part in table


@pytest.mark.parametrize('options', [dict(pooling='mean'), dict(top_k=0), dict(top_k=2)])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=r'pooling of .*top_k in \(0, 1\]'):
        ImageLevelMetric(**options)


def test_is_built_from_a_config():
    metric = METRICS.build(dict(type='mmomni.ImageLevelMetric', pooling='top_k_mean', top_k=0.1))
    assert (metric.pooling, metric.top_k) == ('top_k_mean', 0.1)
