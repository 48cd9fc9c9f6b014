import json
import math

import pytest

from mmomni.evaluation.calibration import conformal_threshold
from mmomni.reporting import model_summary
from mmomni.reporting.verdict import threshold_of

CALIBRATION = dict(
    threshold=0.9, pooling='max', fpr=0.05, num_images=100, expected_fpr_std=0.02,
    checkpoint_sha256='ab',
)  # fmt: skip
ROW = dict(name='natural', domain='photos', images=3, scores=dict(F1=0.5, IoU=0.25))


def test_what_people_need_of_a_card():
    card = dict(
        name='small', limits='A hint.', training=dict(sets=['a', 'b'], seed=0), source='x.pth',
        metrics=[ROW, dict(ROW, scores=dict(AUC=0.75, threshold=0.2))],
    )  # fmt: skip
    carried = [CALIBRATION, dict(CALIBRATION, domain='face')]
    assert model_summary(card, carried) == dict(
        name='small', limits='A hint.', trained_on=['a', 'b'],
        tested_on=[dict(name='natural', domain='photos', images=3, F1=0.5, IoU=0.25, AUC=0.75)],
        calibrations=[
            dict(
                fpr=0.05, num_images=100, expected_fpr=5 / 101,
                expected_fpr_std=pytest.approx(0.0215, abs=1e-4), domain=domain,
            )
            for domain in (None, 'face')
        ],
    )  # fmt: skip


@pytest.mark.parametrize(('fpr', 'images'), [(0.05, 91), (0.01, 132), (0.29, 99)])
def test_one_rate_of_false_alarms_is_told_of_a_calibration(fpr, images):
    """In its caution, among the facts of the model and by `mmomni calibrate`."""
    made = conformal_threshold([0.5] * images, fpr)
    carried = dict(CALIBRATION, fpr=fpr, num_images=images)
    (told,) = model_summary({}, [carried])['calibrations']
    assert (told['expected_fpr'], told['expected_fpr_std']) == made[1:3]
    caution = threshold_of(carried).caution()
    if caution:
        assert f'{100 * made.rate:.1f} % give or take {100 * made.rate_std:.1f} %' in caution


def test_rows_that_are_the_mean_of_others_say_of_which():
    rows = [dict(ROW, name=name, domain='real', images=n) for name, n in (('a', 4), ('b', 2))]
    rows += [dict(ROW, name='real', domain='real', images=6), dict(ROW, domain='natural'),
             dict(ROW, name='average', domain='', images=9)]  # fmt: skip
    tests = model_summary(dict(metrics=rows), [])['tested_on']
    assert [each.get('mean_of') for each in tests] == [
        None, None, ['a', 'b'], None, ['real', 'natural']
    ]  # fmt: skip
    rows[2]['images'] = 7  # a set that is called as its domain
    assert 'mean_of' not in model_summary(dict(metrics=rows), [])['tested_on'][2]


@pytest.mark.parametrize(
    'card',
    [
        {},
        dict(name=3, training=[], metrics='x'),
        dict(training=dict(sets=None), metrics=[1, {}, dict(scores=[])]),
        dict(training=dict(sets=[1, {}]), metrics=[dict(scores=dict(F1=math.nan, IoU='x'))]),
    ],
)
def test_a_strange_card_ends_in_json(card):
    summary = model_summary(card, [dict(fpr=0.1, num_images='x')])
    json.dumps(summary, allow_nan=False)
    assert (summary['trained_on'], 'name' in summary) == ([], False)
    assert all(test.keys() == {'name', 'domain', 'images'} for test in summary['tested_on'])
