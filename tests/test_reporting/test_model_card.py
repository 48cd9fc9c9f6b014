import json
import math

import pytest

from mmomni.reporting import model_summary

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
            dict(fpr=0.05, num_images=100, expected_fpr_std=0.02, domain=domain)
            for domain in (None, 'face')
        ],
    )  # fmt: skip


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
