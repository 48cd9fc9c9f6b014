"""Entries of images -> datasets -> domains -> average, and what is counted but not scored."""

import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from reference_scores import SETS, random_map

from mmomni.evaluation.functional import PROTOCOLS
from mmomni.evaluation.metrics import ManipulationMetric
from mmomni.registry import METRICS


def sample(prediction, target, dataset='a', domain='natural', p_modal=None, **meta):
    """One tested image; maps are lists of rows, predictions 0 and 1 or probabilities."""
    data = SegDataSample(
        metainfo=dict(img_path='x.jpg', dataset_name=dataset, domain=domain) | meta
    )
    data.gt_sem_seg = PixelData(data=torch.as_tensor(target, dtype=torch.uint8)[None])
    probability = torch.as_tensor(prediction, dtype=torch.float64)[None]
    data.seg_logits = PixelData(data=torch.cat([1 - probability, probability]).log())
    data.pred_sem_seg = PixelData(data=data.seg_logits.data.argmax(dim=0, keepdim=True))
    if p_modal is not None:
        data.set_field(p_modal, 'p_modal', dtype=float)
    return data


def evaluate(samples, batch_size=1, **options):
    """As the runner does it: batches, then one evaluation of the whole set."""
    evaluator = Evaluator(ManipulationMetric(**options))
    for start in range(0, len(samples), batch_size):
        evaluator.process(samples[start : start + batch_size])
    return evaluator.evaluate(len(samples))


def iou(numerator, denominator, **options):
    """A sample of 1 x 12 pixels with that IoU."""
    target = [[1] * denominator + [0] * (12 - denominator)]
    prediction = [[1] * numerator + [0] * (12 - numerator)]
    return sample(prediction, target, **options)


# ---- averages ------------------------------------------------------------------------------


@pytest.mark.parametrize('batch_size', [1, 2, 6])
def test_images_then_datasets_then_domains(batch_size):
    """a: (1/2 + 1) / 2 = 3/4; b: 1/4; natural: 1/2; c and face: 1/3; average: 5/12."""
    samples = [
        iou(1, 2, dataset='a'),
        iou(4, 4, dataset='a'),
        iou(1, 4, dataset='b'),
        iou(0, 3, dataset='c', domain='face'),
        iou(0, 3, dataset='c', domain='face'),
        iou(3, 3, dataset='c', domain='face'),
    ]
    found = evaluate(samples, batch_size)
    expected = {
        'datasets/natural/a': 3 / 4,
        'datasets/natural/b': 1 / 4,
        'datasets/face/c': 1 / 3,
        'domains/natural': 1 / 2,
        'domains/face': 1 / 3,
        'average': 5 / 12,
    }
    for group, value in expected.items():
        assert found[f'per_image/{group}/IoU'] == pytest.approx(value, abs=1e-6)


def test_f1_is_the_mean_of_f1_not_of_its_parts():
    """Two images with f = 2/5 each; from the mean P and R, 5/8 both, it would be 5/8."""
    samples = [iou(1, 4), sample([[1, 1, 1, 1]], [[1, 0, 0, 0]])]
    found = evaluate(samples)
    assert found['per_image/average/F1'] == pytest.approx(2 / 5, abs=1e-6)
    assert found['per_image/average/precision'] == pytest.approx(5 / 8, abs=1e-6)
    assert found['per_image/average/recall'] == pytest.approx(5 / 8, abs=1e-6)


def test_two_datasets_of_one_name_stay_in_their_domains():
    """`natural/test` and `face/test` are both called `test` unless they are given names."""
    samples = [iou(2, 2, dataset='test'), iou(0, 2, dataset='test', domain='face')]
    found = evaluate(samples)
    assert found['per_image/domains/natural/IoU'] == pytest.approx(1, abs=1e-6)
    assert found['per_image/domains/face/IoU'] == 0


def test_samples_without_meta_form_one_group():
    data = sample([[1]], [[1]])
    del data.dataset_name, data.domain
    found = evaluate([data])
    assert found['per_image/domains/all/IoU'] == found['per_image/average/IoU']


def test_keys_are_the_documented_ones():
    found = evaluate([iou(1, 2)])
    scores = {'IoU', 'F1', 'precision', 'recall', 'tampered_area'}
    keys = scores | {'tampered', 'authentic', 'unreadable', 'skipped'}
    groups = ('datasets/natural/a', 'domains/natural', 'average')
    expected = {f'per_image/{group}/{key}' for group in groups for key in keys}
    assert set(found) == {'per_image/mIoU', *expected}


def test_prefix_names_all_keys():
    assert {key.split('/')[0] for key in evaluate([iou(1, 2)], prefix='mine')} == {'mine'}


# ---- counts --------------------------------------------------------------------------------


def test_tampered_and_authentic_are_counted():
    samples = [iou(1, 2), iou(0, 0), iou(2, 0), iou(1, 1, dataset='c', domain='face')]
    found = evaluate(samples)
    for group, counts in {'datasets/natural/a': (1, 2, 0), 'average': (2, 2, 0)}.items():
        kinds = ('tampered', 'authentic', 'unreadable')
        assert tuple(found[f'per_image/{group}/{kind}'] for kind in kinds) == counts


def test_authentic_images_score_zero_and_pull_the_mean_down():
    assert evaluate([iou(2, 2), iou(0, 0)])['per_image/average/IoU'] == pytest.approx(0.5, abs=1e-6)


def test_unreadable_images_are_counted_and_named_but_not_scored(log):
    samples = [
        iou(1, 2),
        iou(2, 2, unreadable='broken', img_path='folder/broken.jpg'),
        iou(1, 2),
    ]
    found = evaluate(samples)
    assert found['per_image/average/IoU'] == pytest.approx(1 / 2, abs=1e-6)
    counts = [found[f'per_image/average/{k}'] for k in ('tampered', 'authentic', 'unreadable')]
    assert counts == [2, 0, 1]
    assert any('1 unreadable' in line and 'folder/broken.jpg' in line for line in log)


def test_dataset_of_unreadable_images_only_has_no_score():
    found = evaluate([iou(1, 2, unreadable='broken')])
    assert math.isnan(found['per_image/datasets/natural/a/IoU'])
    assert found['per_image/average/unreadable'] == 1
    assert found['per_image/average/tampered'] == 0


# ---- companions of the scores ----------------------------------------------------------------


@pytest.mark.parametrize(
    'target', [[[1, 0, 0, 0]], [[1, 1, 1, 1]], [[1, 255, 0, 0]], [[0, 0, 0, 0]]]
)
def test_tampered_area_is_the_score_of_answering_tampered_everywhere(target):
    found = evaluate([sample([[1, 1, 1, 1]], target)])
    assert found['per_image/average/IoU'] == pytest.approx(
        found['per_image/average/tampered_area'], abs=1e-5
    )


def test_tampered_area_does_not_depend_on_the_prediction():
    assert evaluate([iou(0, 3)])['per_image/average/tampered_area'] == 3 / 12


def test_frequency_share_is_one_minus_p_modal():
    samples = [
        iou(1, 2, p_modal=1.0),
        iou(1, 2, p_modal=0.0),
        iou(1, 2, p_modal=0.25, dataset='c', domain='face'),
    ]
    found = evaluate(samples)
    assert found['per_image/domains/natural/frequency_share'] == 0.5
    assert found['per_image/domains/face/frequency_share'] == 0.75
    assert found['per_image/average/frequency_share'] == 0.625


def test_without_a_gate_there_is_no_frequency_share():
    assert not [key for key in evaluate([iou(1, 2)]) if 'frequency_share' in key]


def test_table_holds_every_row_and_number(log):
    evaluate([iou(1, 2, p_modal=1.0), iou(1, 4, dataset='c', domain='face', p_modal=0.0)])
    (table,) = [line for line in log if 'IoU' in line]
    for part in ('a', '= natural', '= face', '= average', '0.500', '0.250', '0.375', 'per_image'):
        assert part in table


# ---- protocols -----------------------------------------------------------------------------


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_protocol_names_all_keys_and_scores_as_its_functions_do(protocol):
    images = [random_map(seed) for seed in range(40)]
    samples = [sample(*image, sample_idx=index) for index, image in enumerate(images)]
    found = evaluate(samples, batch_size=7, protocol=protocol)
    assert {key.split('/')[0] for key in found} == {protocol}
    for name, value in SETS[protocol](images).items():
        score = found[f'{protocol}/datasets/natural/a/{name}']
        assert score == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)


def test_protocol_of_ones_own():
    choices = dict(name='mine', base='per_image', threshold=0.9, scores=['IoU'])
    found = evaluate([sample([[0.8, 0.95]], [[1, 1]])], protocol=choices)
    assert found['mine/average/IoU'] == pytest.approx(1 / 2, abs=1e-6)
    assert 'mine/average/F1' not in found


def test_skipped_images_are_counted():
    samples = [iou(1, 2), iou(0, 0), iou(2, 0), iou(1, 2, unreadable='broken')]
    found = evaluate(samples, protocol='doctamper')
    kinds = ('tampered', 'authentic', 'unreadable', 'skipped')
    assert [found[f'doctamper/average/{kind}'] for kind in kinds] == [1, 2, 1, 2]


def test_batches_are_those_of_a_dataset_in_its_order():
    """p is 1 for numbers 0 to 5 and 0 for number 6: batches of 1 and 0."""
    wrong = sample([[1, 0]], [[0, 1]], sample_idx=6)
    samples = [wrong, *(iou(1, 1, sample_idx=index) for index in range(6))]
    other = [iou(1, 1, sample_idx=0, dataset='b')]
    found = evaluate(samples + other, protocol='doctamper_batch6')
    assert found['doctamper_batch6/datasets/natural/a/precision'] == pytest.approx(1 / 2)
    assert found['doctamper_batch6/datasets/natural/b/precision'] == pytest.approx(1)


def test_unreadable_images_keep_their_place_in_a_batch():
    """p is 0 for number 6 and 1 for all others; without number 0, both batches stay what they were.

    Counted without the unreadable image, number 6 would close the first batch: (5/6 + 1) / 2.
    """
    broken = iou(1, 1, sample_idx=1, unreadable='broken')  # the stand-in is the next image
    wrong = sample([[1, 0]], [[0, 1]], sample_idx=6)
    samples = [broken, *(iou(1, 1, sample_idx=index) for index in range(1, 6)), wrong]
    samples.append(iou(1, 1, sample_idx=7))
    found = evaluate(samples, protocol='doctamper_batch6')
    assert found['doctamper_batch6/average/precision'] == pytest.approx((1 + 1 / 2) / 2)


def test_batches_need_the_place_in_the_dataset():
    with pytest.raises(ValueError, match="add 'sample_idx' to meta_keys"):
        evaluate([iou(1, 2)], protocol='doctamper_batch6')


def test_unknown_protocol_is_refused():
    with pytest.raises(ValueError, match="got 'f1'"):
        ManipulationMetric(protocol='f1')


def test_several_protocols_in_one_evaluation():
    evaluator = Evaluator([ManipulationMetric(protocol=name) for name in ('trufor', 'catnet')])
    evaluator.process([iou(1, 2)])
    assert {key.split('/')[0] for key in evaluator.evaluate(1)} == {'trufor', 'catnet'}


@pytest.mark.parametrize('protocol', ['per_image', 'doctamper', 'catnet'])
def test_decision_is_enough_where_nothing_else_is_asked_for(protocol):
    """Test-time augmentation of mmseg merges predictions, but leaves the logits of one view."""
    data = iou(1, 1)
    data.seg_logits = PixelData(data=data.seg_logits.data.flip(0))
    found = evaluate([data], protocol=protocol)
    assert found[f'{protocol}/average/{PROTOCOLS[protocol].scores[0]}'] == pytest.approx(1)


def test_logits_of_another_prediction_are_an_error():
    data = iou(1, 1)
    data.seg_logits = PixelData(data=data.seg_logits.data.flip(0))
    with pytest.raises(ValueError, match=r'x\.jpg: .*Test-time augmentation'):
        evaluate([data], protocol='imdlbenco')


def test_missing_logits_are_an_error():
    data = iou(1, 1)
    del data.seg_logits
    with pytest.raises(ValueError, match=r'x\.jpg: .*two channels.*got none'):
        evaluate([data], protocol='imdlbenco')


def test_logits_of_one_channel_are_an_error():
    data = iou(1, 1)
    data.seg_logits = PixelData(data=data.seg_logits.data[1:])
    with pytest.raises(ValueError, match=r'got the shape \(1, 1, 12\).*out_channels=2'):
        evaluate([data], protocol='imdlbenco')


# ---- what cannot be scored -----------------------------------------------------------------

NAN, INF = math.nan, math.inf


def undefined(pixel, **options):
    """A sample of which the first pixel has these logits."""
    data = iou(1, 1, **options)
    data.seg_logits.data[:, 0, 0] = torch.tensor(pixel, dtype=torch.float64)
    return data


@pytest.mark.parametrize('pixel', [(NAN, NAN), (0, NAN), (0, INF), (-INF, -INF)])
@pytest.mark.parametrize('protocol', sorted(PROTOCOLS))
def test_an_undefined_prediction_is_counted_and_named_and_never_a_score(pixel, protocol, log):
    samples = [iou(1, 2, sample_idx=0), undefined(pixel, img_path='bad.jpg', sample_idx=1)]
    expected = evaluate(samples[:1], protocol=protocol)
    found = evaluate(samples, protocol=protocol)
    groups = ('datasets/natural/a', 'domains/natural', 'average')
    assert [found.pop(f'{protocol}/{key}/failed') for key in groups] == [1, 1, 1]
    assert found == pytest.approx(expected, nan_ok=True)
    (line,) = [line for line in log if 'bad.jpg' in line]
    assert 'rank 0, bad.jpg: expected finite logits' in line
    assert '1 of 12 pixels' in line


def test_where_nothing_is_defined_nothing_is_scored():
    found = evaluate([undefined((NAN, NAN))])
    assert math.isnan(found['per_image/average/IoU'])
    assert found['per_image/average/failed'] == 1


def test_a_probability_of_zero_or_of_one_channel_is_defined():
    data = iou(1, 1)
    assert data.seg_logits.data.isinf().any()
    data.pred_sem_seg = PixelData(data=data.seg_logits.data.argmax(dim=0, keepdim=True))
    data.seg_logits = PixelData(data=data.seg_logits.data[1:])
    assert evaluate([data])['per_image/average/IoU'] == pytest.approx(1)


def test_an_error_of_one_image_costs_only_its_score(log):
    """Of all of them, the first would raise it, and the run ends before it has cost anything."""
    wrong = sample([[1, 0]], [[0, 1]], img_path='wrong.jpg')
    wrong.gt_sem_seg = PixelData(data=torch.zeros(1, 3, 3))
    found = evaluate([iou(1, 2), wrong, iou(1, 2)])
    assert found['per_image/average/IoU'] == pytest.approx(1 / 2)
    assert found['per_image/average/tampered'] == 2
    assert found['per_image/average/failed'] == 1
    assert any('rank 0, wrong.jpg: ValueError: ' in line for line in log)
    with pytest.raises(ValueError, match='size'):
        evaluate([wrong, iou(1, 2)])


# ---- contract with mmengine ----------------------------------------------------------------


def test_one_entry_a_sample():
    metric = ManipulationMetric()
    data = [iou(1, 2), iou(1, 2, unreadable='broken'), iou(0, 0)]
    metric.process(None, [item.to_dict() for item in data])
    assert len(metric.results) == 3


def test_samples_added_to_fill_the_last_batch_are_cut():
    """Distributed samplers repeat samples; mmengine cuts to the size of the set."""
    metric = ManipulationMetric()
    metric.process(None, [item.to_dict() for item in (iou(1, 2), iou(0, 2))])
    assert metric.evaluate(1)['per_image/average/IoU'] == pytest.approx(0.5, abs=1e-6)


def test_second_evaluation_starts_afresh():
    metric = ManipulationMetric()
    for numerator in (0, 2):
        metric.process(None, [iou(numerator, 2).to_dict()])
        found = metric.evaluate(1)
    assert found['per_image/average/IoU'] == pytest.approx(1, abs=1e-5)


def test_prediction_of_another_size_is_an_error():
    with pytest.raises(ValueError, match=r'\(1, 2\) and \(1, 3\).*original size'):
        evaluate([sample([[1, 0]], [[1, 0, 0]])])


def test_is_built_from_a_config():
    metric = METRICS.build(dict(type='mmomni.ManipulationMetric', ignore_index=7))
    assert metric.ignore_index == 7


def test_unknown_argument_is_refused():
    with pytest.raises(TypeError, match='ignore_indx'):
        METRICS.build(dict(type='mmomni.ManipulationMetric', ignore_indx=7))
