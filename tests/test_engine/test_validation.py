"""What is said before training about the validation to come."""

from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from PIL import Image

from mmomni.datasets import ManipulationDataset
from mmomni.datasets.transforms import LoadManipulationMask
from mmomni.engine.validation import check_validation
from mmomni.evaluation.metrics import (
    GateReport,
    ImageLevelMetric,
    ManipulationMetric,
    SelectionMetric,
)


def make_set(root, *highest, pipeline=()):
    """Images with masks of one value each; ``None`` is an image without a mask."""
    for part in ('images', 'masks'):
        (root / part).mkdir(parents=True)
    for number, value in enumerate(highest):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / f'images/{number}.jpg')
        if value is not None:
            mask = np.zeros((8, 8), np.uint8)
            mask[2, 3] = value
            Image.fromarray(mask).save(root / f'masks/{number}.png')
    prefix = None if any(value is not None for value in highest) else dict(img_path='images')
    return ManipulationDataset(
        domain='natural', data_root=str(root), data_prefix=prefix, pipeline=list(pipeline)
    )


def check(datasets, metrics=(), save_best=None, hooks=()):
    whole = ConcatDataset.__new__(ConcatDataset)
    whole.datasets = datasets
    loop = SimpleNamespace(
        dataloader=SimpleNamespace(dataset=whole), evaluator=SimpleNamespace(metrics=metrics)
    )
    best = [CheckpointHook(save_best=save_best, rule='greater')] if save_best else []
    check_validation(SimpleNamespace(val_loop=loop, hooks=[*best, *hooks]))


def test_validation_without_tampered_images_is_refused(tmp_path):
    sets = [make_set(tmp_path / 'a', None, 0), make_set(tmp_path / 'b', 0)]
    with pytest.raises(ValueError, match='not one image of the validation sets') as error:
        check(sets)
    for part in ('natural/a: 2 images', 'natural/b: 1 images', 'val_dataloader=None'):
        assert part in str(error.value)


def test_one_tampered_image_is_enough(tmp_path):
    check([make_set(tmp_path / 'a', None), make_set(tmp_path / 'b', 0, 255)])


def test_masks_are_read_from_where_the_pipeline_does(tmp_path):
    """As ``s3://`` of somebody's own backend; here by one that knows no file at all."""

    class Elsewhere(LoadManipulationMask):
        def read(self, path):
            return (tmp_path / 'a/masks/0.png').read_bytes()

    make_set(tmp_path / 'a', 255)
    check([make_set(tmp_path / 'b', 0, pipeline=[Elsewhere()])])


def test_unreadable_mask_is_no_tampered_image(tmp_path):
    data = make_set(tmp_path / 'a', 255)
    (tmp_path / 'a/masks/0.png').write_bytes(b'broken')
    with pytest.raises(ValueError, match='not one image'):
        check([data])


def test_sets_of_other_packages_are_believed(tmp_path):
    check([make_set(tmp_path / 'a', None), object()])


@pytest.mark.parametrize('key', ['selection/average/IoU', 'auto'])
def test_best_checkpoint_by_a_score_that_exists(key, tmp_path):
    check([make_set(tmp_path / 'a', 255)], [GateReport(), SelectionMetric()], key)


def test_best_checkpoint_by_a_score_that_nothing_has_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"selection/average/IoU.*\['gate'\].*SelectionMetric"):
        check([make_set(tmp_path / 'a', 255)], [GateReport()], 'selection/average/IoU')


@pytest.mark.parametrize('group', ['domains/natural', 'datasets/natural/a'])
def test_best_checkpoint_by_a_group_that_exists(group, tmp_path):
    check([make_set(tmp_path / 'a', 255)], [SelectionMetric()], f'selection/{group}/IoU')


@pytest.mark.parametrize(
    ('group', 'expected'),
    [
        ('domains/real', r"\['natural'\] after 'domains/', got 'real'"),
        ('datasets/natural/b', r"\['natural/a'\] after 'datasets/', got 'natural/b'"),
        ('datasets/natural', r"\['natural/a'\] after 'datasets/', got 'natural'"),
    ],
)
def test_best_checkpoint_by_a_group_that_is_not_validated(group, expected, tmp_path):
    key = f'selection/{group}/IoU'
    with pytest.raises(ValueError, match=f'{key}.*{expected}'):
        check([make_set(tmp_path / 'a', 255)], [SelectionMetric()], key)


def test_groups_of_other_packages_are_believed(tmp_path):
    key = 'other/domains/real/IoU'
    check([make_set(tmp_path / 'a', 255)], [SimpleNamespace(prefix='other')], key)
    check([make_set(tmp_path / 'b', 255), object()], [SelectionMetric(prefix='other')], key)


def test_metrics_without_a_prefix_are_believed(tmp_path):
    check([make_set(tmp_path / 'a', 255)], [SimpleNamespace(prefix=None)], 'mIoU')


def test_no_validation_is_said(log):
    check_validation(SimpleNamespace(val_loop=None, hooks=[]))
    assert any(line.startswith('no validation') for line in log)


# ---- keys of hooks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('metric', 'key'),
    [
        (SelectionMetric(), 'selection/mIoU'),
        (SelectionMetric(), 'selection/average/threshold'),
        (SelectionMetric(), 'selection/domains/natural/false_area'),
        (ManipulationMetric(), 'per_image/mIoU'),
        (ManipulationMetric(), 'per_image/average/frequency_share'),
        (ManipulationMetric('trufor'), 'trufor/mDice'),
        (ManipulationMetric('doctamper_batch6'), 'doctamper_batch6/average/recall'),
        (ImageLevelMetric(), 'image_level/max/AUC'),
        (ImageLevelMetric(), 'image_level/max/average/balanced_accuracy'),
        (GateReport(), 'gate/mIoU'),
        (GateReport(), 'gate/average/accuracy'),
    ],
)
def test_keys_that_metrics_have(metric, key):
    check([object()], [metric], key)
    check([object()], [metric], hooks=[EarlyStoppingHook(key, 'greater')])


@pytest.mark.parametrize(
    ('metric', 'key'),
    [
        (SelectionMetric(), 'selection/IoU'),
        (SelectionMetric(), 'selection/mDice'),
        (SelectionMetric(), 'selection/average/iou'),
        (SelectionMetric(), 'selection/averages/IoU'),
        (SelectionMetric(), 'selection/domains/natural/mIoU'),
        (ManipulationMetric(), 'per_image/average/AUC'),
        (ImageLevelMetric(), 'image_level/max/average/IoU'),
        (GateReport(), 'gate/average/IoU'),
    ],
)
@pytest.mark.parametrize('hook', [CheckpointHook, EarlyStoppingHook])
def test_a_score_that_no_metric_has_is_refused_at_the_start(metric, key, hook):
    name = 'monitor' if hook is EarlyStoppingHook else 'save_best'
    hooks = [hook(**{name: key}, rule='greater')]
    with pytest.raises(ValueError, match=f'by {key!r} .*which is no key of val_evaluator'):
        check([object()], [metric], hooks=hooks)


def test_early_stopping_by_a_metric_that_is_not_there_is_refused():
    hooks = [EarlyStoppingHook('per_image/mIoU')]
    with pytest.raises(ValueError, match=r"stops early by 'per_image/mIoU'.*\['selection'\]"):
        check([object()], [SelectionMetric()], hooks=hooks)


def test_the_best_by_auto_is_not_the_worst():
    hooks = [CheckpointHook(save_best='auto', rule='less')]
    with pytest.raises(ValueError, match="expected rule='greater', got 'less'"):
        check([object()], [SelectionMetric()], hooks=hooks)
