"""The first key of every metric: ``save_best='auto'`` chooses by it, and its rule is known."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmomni.evaluation.functional import PROTOCOLS
from mmomni.evaluation.metrics import (
    GateReport,
    ImageLevelMetric,
    ManipulationMetric,
    SelectionMetric,
)
from mmomni.evaluation.metrics.grouped_metric import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    rule_of,
)

METRICS = [
    SelectionMetric, GateReport, ImageLevelMetric,
    lambda: ImageLevelMetric(pooling='top_k_mean'), lambda: SelectionMetric(prefix='mine'),
    *(lambda name=name: ManipulationMetric(name) for name in PROTOCOLS),
    lambda: ManipulationMetric(dict(name='own', scores=('recall',))),
    lambda: ManipulationMetric(dict(name='own', scores=('AP', 'IoU'))),
]  # fmt: skip
HEADLINES = [
    'selection/mIoU', 'gate/mIoU', 'image_level/max/AUC', 'image_level/top_k_mean/AUC', 'mine/mIoU',
    'per_image/mIoU', 'doctamper/mIoU', 'doctamper_batch6/mIoU', 'pooled/mIoU',
    'imdlbenco/mIoU', 'imdlbenco_permuted/mIoU', 'trufor/mDice', 'catnet/mIoU', 'own/mAcc',
    'own/mAP',
]  # fmt: skip
AVERAGES = {'mIoU': ('IoU_chosen', 'IoU', 'mIoU'), 'mDice': ('F1',), 'mAcc': ('recall',),
            'mAP': ('AP',), 'AUC': ('AUC',)}  # fmt: skip
CASES = pytest.mark.parametrize(
    ('make', 'expected'), list(zip(METRICS, HEADLINES, strict=True)), ids=HEADLINES
)


def wide(columns):
    return torch.tensor(columns).repeat_interleave(16).expand(16, -1)


def sample(right, target=(0, 0, 1, 1), domain='glossy', index=0):
    """An image of four columns, wide enough for a band; of the last two, ``right`` are found."""
    found = wide([0.1, 0.1, *([0.9] * right + [0.1] * (2 - right))])
    data = SegDataSample(
        metainfo=dict(img_path='x', dataset_name='laptop', domain=domain, sample_idx=index)
    )
    data.gt_sem_seg = PixelData(data=wide(target).to(torch.uint8)[None])
    data.seg_logits = PixelData(data=torch.stack([1 - found, found]).log())
    decision = (found > 0.5).long()[None]
    data.pred_sem_seg = PixelData(data=decision)
    for part in ('rgb', 'fused', 'chosen'):
        setattr(data, f'coarse_{part}', PixelData(data=decision))
    data.set_field(1.0, 'p_modal', dtype=float)
    return data


def evaluate(metric, right):
    evaluator = Evaluator(metric)
    samples = [sample(right), sample(0, (0, 0, 0, 0), index=1)]  # one of them authentic
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


@CASES
def test_the_first_key_is_the_headline_and_an_average(make, expected):
    found = evaluate(make(), 1)
    assert next(iter(found)) == expected
    prefix, name = expected.rsplit('/', 1)
    averages = [f'{prefix}/average/{score}' for score in AVERAGES[name]]
    (same,) = [found[key] for key in averages if key in found]
    assert found[expected] == same
    assert not math.isnan(same)


@CASES
def test_nothing_else_stands_right_behind_the_prefix(make, expected):
    metric = make()
    found = evaluate(metric, 1)
    direct = [key for key in found if '/' not in key[len(metric.prefix) + 1 :]]
    assert direct == [expected]
    assert expected.rsplit('/', 1)[1] in metric.headline_names()
    behind = {key.rsplit('/', 1)[1] for key in found if '/average/' in key}
    assert behind <= metric.score_names()


@CASES
def test_the_best_checkpoint_by_auto_is_that_of_the_better_score(make, expected, tmp_path):
    saved = []
    hub = MessageHub('auto')  # with `get_instance`, what another test said may still be in it
    runner = SimpleNamespace(
        iter=1, epoch=0, message_hub=hub, logger=MMLogger.get_current_instance(),
        work_dir=str(tmp_path), save_checkpoint=lambda out, filename, **_: saved.append(filename),
    )  # fmt: skip
    hook = CheckpointHook(by_epoch=False, save_best='auto')
    hook.before_train(runner)
    for iteration, right in enumerate((0, 2, 1), start=1):
        runner.iter = iteration
        hook.after_val_epoch(runner, evaluate(make(), right))
    assert hook.rules == ['greater']
    name = expected.replace('/', '_')
    assert saved == [f'best_{name}_iter_1.pth', f'best_{name}_iter_2.pth']


@CASES
def test_early_stopping_knows_the_rule_of_the_headline(make, expected):
    assert EarlyStoppingHook(monitor=expected).rule == 'greater'
    assert rule_of(expected) in ('greater', None)


@pytest.mark.parametrize(
    ('key', 'rule'),
    [
        ('selection/average/IoU', 'greater'),
        ('selection/domains/glossy/IoU', 'greater'),
        ('selection/datasets/natural/top/false_area', 'less'),
        ('image_level/max/average/FPR', 'less'),
        ('image_level/max/average/TPR', 'greater'),
        ('selection/average/threshold', None),
        ('per_image/average/tampered', None),
        ('mAP_like/boundary', None),
        ('mine/average/ECE', None),  # a group, but no score of ours
    ],
)
def test_which_values_are_better(key, rule):
    assert rule_of(key) == rule


@CASES
def test_of_every_score_it_is_said_which_values_are_better(make, expected):
    """Or that none is: what tells something of the images or of the network."""
    neither = {
        'tampered_area', 'frequency_share', 'vision_share', 'label_vision_share', 'threshold',
        'tampered', 'authentic', 'unreadable', 'skipped',
    }  # fmt: skip
    assert make().score_names() <= HIGHER_IS_BETTER | LOWER_IS_BETTER | neither


def test_the_headline_of_a_network_without_a_gate_is_what_it_has():
    data = sample(2)
    for part in ('coarse_fused', 'coarse_chosen', 'p_modal'):
        delattr(data, part)
    evaluator = Evaluator(GateReport())
    evaluator.process([data])
    assert next(iter(evaluator.evaluate(1).items())) == ('gate/mIoU', 1)
