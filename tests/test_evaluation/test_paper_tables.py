"""Tables beside the paper's figures: which protocol, which average, what compares."""

import math
from pathlib import Path

import pytest
from mmengine.config import Config

from mmomni.evaluation.paper_tables import build_tables
from mmomni.evaluation.published import PAPER_AVERAGES, PAPER_READINGS, PAPER_ROWS, PAPER_SETS

ROOT = Path(__file__).resolve().parents[2]
NATURAL = [key for key in PAPER_SETS if key[0] == 'natural']
DOCTAMPER = [key for key in PAPER_SETS if key[1].startswith('DocTamper')]


def metrics_of(key, protocol='per_image', iou=0.5, f1=0.6, **counts):
    """What ``ManipulationMetric`` returns of one set."""
    start = f'{protocol}/datasets/{key[0]}/{key[1]}'
    values = dict(IoU=iou, F1=f1, precision=0.7, recall=0.8, tampered_area=0.1)
    values |= dict(tampered=10, authentic=0, unreadable=0) | counts
    return {f'{start}/{name}': value for name, value in values.items()}


def all_sets(without=()):
    """Every set of the paper by both protocols: IoU 0.1, 0.2, ... 1.0 by the paper's own."""
    found = {}
    for number, (key, wanted) in enumerate(PAPER_SETS.items(), 1):
        for protocol in ('per_image', 'doctamper'):
            right = protocol == wanted
            if key not in without:
                found |= metrics_of(key, protocol, number / 10 if right else 0.0, f1=0.5)
    return found


def rows_of(metrics, *arguments, **options):
    """``{name: row}`` of the only table."""
    (table,) = build_tables(metrics, *arguments, **options)
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    return dict(zip(names, table.rows, strict=True))


# ---- the figures -------------------------------------------------------------------------------


@pytest.mark.parametrize('score', ['IoU', 'F1'])
def test_averages_of_the_paper_are_the_means_of_its_cells(score):
    """Tables 1 to 3 are rounded to three digits."""
    figures = PAPER_ROWS['Omni-IML']
    for name, members in PAPER_AVERAGES.items():
        mean = sum(figures[key[1]].scores[score] for key in members) / len(members)
        assert figures[name].scores[score] == pytest.approx(mean, abs=1e-3), name


@pytest.mark.parametrize('row', PAPER_ROWS)
@pytest.mark.parametrize('score', ['IoU', 'F1'])
def test_totals_of_the_paper_are_the_means_of_its_domains(row, score):
    figures = PAPER_ROWS[row]
    mean = sum(figures[name].scores[score] for name in ('natural', 'document', 'face')) / 3
    assert figures['average'].scores[score] == pytest.approx(mean, abs=1.5e-3)


def test_doctamper_f1_of_the_paper_is_that_of_its_mean_precision_and_recall():
    """DTD's protocol, in which F1 is not a mean over images."""
    for _, name in DOCTAMPER:
        scores = PAPER_ROWS['Omni-IML'][name].scores
        p, r = scores['precision'], scores['recall']
        assert scores['F1'] == pytest.approx(2 * p * r / (p + r), abs=1e-3)


TABLE_4 = {
    'TruFor (official)': (0.631, 0.984, 0.638, 0.774),
    'TruFor (face re-trained)': (0.814, 0.990, 0.819, 0.896),
    'HiFi-Net (natural)': (0.255, 0.439, 0.379, 0.407),
    'HiFi-Net (face)': (0.784, 0.866, 0.800, 0.815),
    'Omni-IML': (0.822, 0.993, 0.826, 0.902),
}
"""IoU, precision, recall, F1 of FaceShifter in the paper."""
HALF = 0.0005  # all are rounded to three digits


def f1_of(precision, recall):
    return 2 * precision * recall / (precision + recall)


def iou_of(f1):
    return f1 / (2 - f1)


def meets(value, function, *arguments):
    """Whether rounded numbers may obey a growing function."""
    low, high = (function(*(x + d for x in arguments)) for d in (-HALF, HALF))
    return low <= value + HALF and value - HALF <= high


@pytest.mark.parametrize(
    ('row', 'of_precision_and_recall', 'of_f1'),
    [
        ('TruFor (official)', True, True), ('TruFor (face re-trained)', True, False),
        ('HiFi-Net (natural)', True, True), ('HiFi-Net (face)', False, False),
        ('Omni-IML', True, True),
    ],
)  # fmt: skip
def test_which_rows_of_the_face_table_fit_pooled_counts(row, of_precision_and_recall, of_f1):
    """Three of five, the paper's own among them; the IoU of others is above ``F1 / (2 - F1)``, as
    means over images are."""
    iou, precision, recall, f1 = TABLE_4[row]
    assert meets(f1, f1_of, precision, recall) is of_precision_and_recall
    assert meets(iou, iou_of, f1) is of_f1
    assert of_f1 or iou > iou_of(f1)


def test_the_face_row_of_the_paper_is_in_its_table():
    scores = PAPER_ROWS['Omni-IML']['FaceShifter'].scores
    names = ('IoU', 'precision', 'recall', 'F1')
    assert tuple(scores[name] for name in names) == TABLE_4['Omni-IML']


def test_face_rows_of_other_models_that_do_not_fit_are_means_over_images():
    """So that not one reading fits all of the paper."""
    fits = {}
    for row, figures in PAPER_ROWS.items():
        iou, f1 = (figures['face'].scores[name] for name in ('IoU', 'F1'))
        fits[row] = meets(iou, iou_of, f1)
        assert fits[row] or iou > iou_of(f1)
    assert [row for row in fits if not fits[row]] == [
        'EVP', 'HiFi-Net', 'TIFDM', 'Baseline', 'w.o. MG', 'w.o. MG*', 'w.o. DWD',
    ]  # fmt: skip


def test_no_natural_set_of_the_paper_fits_pooled_counts():
    figures = PAPER_ROWS['Omni-IML']
    for _, name in NATURAL:
        scores = figures[name].scores
        assert not meets(scores['IoU'], iou_of, scores['F1'])
        assert scores['IoU'] > iou_of(scores['F1'])


# ---- two readings of one set -------------------------------------------------------------------

FACE = ('face', 'FaceShifter')


def with_reading(**counts):
    return all_sets() | metrics_of(FACE, 'pooled', iou=0.25, f1=0.4, **counts)


def test_both_readings_of_the_face_set_are_rows_by_name():
    rows = rows_of(with_reading())
    assert list(rows)[-4:] == ['FaceShifter', 'FaceShifter (pooled)', 'face', 'average']
    mean, pooled = rows['FaceShifter'], rows['FaceShifter (pooled)']
    assert (mean.protocol, pooled.protocol) == ('per_image', 'pooled')
    assert (mean.scores['IoU'], pooled.scores['IoU']) == (1.0, 0.25)
    assert mean.paper == pooled.paper == PAPER_ROWS['Omni-IML']['FaceShifter'].scores
    assert mean.table == pooled.table == 4
    assert (mean.note, pooled.note) == (
        '', "as the paper's table fits; its text, and the averages: per_image"
    )


def test_averages_take_one_reading_and_count_its_images_once():
    rows, other = rows_of(with_reading()), rows_of(all_sets())
    for name in ('face', 'average'):
        assert rows[name] == other[name]


def test_notes_of_the_other_reading_are_its_own():
    note = rows_of(with_reading(authentic=5))['FaceShifter (pooled)'].note
    assert note == "as the paper's table fits; its text, and the averages: per_image, 5 authentic"


def test_another_set_has_no_second_reading():
    rows = rows_of(all_sets() | metrics_of(('natural', 'CASIAv1'), 'pooled'))
    assert 'CASIAv1 (pooled)' not in rows


def test_pooled_alone_is_named_and_not_compared():
    rows = rows_of(metrics_of(FACE, 'pooled'))
    assert list(rows) == ['FaceShifter', 'face', 'average']
    row = rows['FaceShifter']
    assert (row.protocol, row.paper, row.note) == ('pooled', {}, 'the paper: per_image')


def test_the_configs_of_the_paper_score_all_that_its_tables_take():
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/omni-iml.py')
    scored = {m.protocol for m in cfg.test_evaluator if m.type == 'mmomni.ManipulationMetric'}
    assert scored == {*PAPER_SETS.values(), *PAPER_READINGS.values()}


# ---- everything is there -----------------------------------------------------------------------


def test_every_set_is_scored_by_the_protocol_of_the_paper():
    rows = rows_of(all_sets())
    for number, ((_, name), protocol) in enumerate(PAPER_SETS.items(), 1):
        assert rows[name].protocol == protocol
        assert rows[name].scores['IoU'] == number / 10


def test_averages_by_hand():
    """natural .1 .2 .3 .4 .5; document .6 .7 .8 .9; face 1."""
    rows = rows_of(all_sets())
    expected = {
        'natural without IMD20': 0.25,
        'natural': 0.3,
        'document': 0.75,
        'face': 1.0,
        'average': (0.3 + 0.75 + 1.0) / 3,
    }
    averages = {name: row.scores['IoU'] for name, row in rows.items() if row.is_average}
    assert averages == pytest.approx(expected)
    assert rows['document'].protocol == rows['average'].protocol == 'per_image + doctamper'
    assert rows['average'].counts['tampered'] == 100


def test_every_row_has_the_figures_of_the_paper_and_their_table():
    rows = rows_of(all_sets())
    tables = {name: row.table for name, row in rows.items()}
    assert tables == {
        'CASIAv1': 1, 'Coverage': 1, 'CocoGlide': 1, 'NIST16': 1, 'IMD20': 1,
        'natural without IMD20': 1, 'natural': 1, 'SACP': 2, 'DocTamper-TestingSet': 2,
        'DocTamper-FCD': 2, 'DocTamper-SCD': 2, 'document': 3, 'FaceShifter': 4, 'face': 3,
        'average': 3,
    }  # fmt: skip
    assert rows['NIST16'].paper == dict(IoU=0.556, F1=0.630)
    assert rows['DocTamper-FCD'].paper == dict(IoU=0.750, precision=0.901, recall=0.760, F1=0.824)
    assert rows['average'].paper == dict(IoU=0.723, F1=0.789)
    assert not any(row.note for row in rows.values())


def test_rows_come_in_the_order_of_the_paper():
    shuffled = dict(reversed(all_sets().items()))
    assert list(rows_of(shuffled)) == [
        'CASIAv1', 'Coverage', 'CocoGlide', 'NIST16', 'IMD20', 'natural without IMD20', 'natural',
        'SACP', 'DocTamper-TestingSet', 'DocTamper-FCD', 'DocTamper-SCD', 'document',
        'FaceShifter', 'face', 'average',
    ]  # fmt: skip


# ---- something is missing ----------------------------------------------------------------------


def test_missing_sets_are_rows_and_their_averages_do_not_compare():
    missing = [('natural', 'NIST16'), ('document', 'SACP')]
    rows = rows_of(all_sets(without=missing), missing)
    for _, name in missing:
        assert (rows[name].note, rows[name].scores) == ('missing', {})
        assert rows[name].paper
    notes = {name: row.note for name, row in rows.items() if row.is_average}
    assert notes == {
        'natural without IMD20': 'over 3 of 4 sets', 'natural': 'over 4 of 5 sets',
        'document': 'over 3 of 4 sets', 'face': '', 'average': 'over 8 of 10 sets',
    }  # fmt: skip
    assert rows['natural'].scores['IoU'] == pytest.approx((0.1 + 0.2 + 0.3 + 0.5) / 4)
    assert rows['natural'].paper == rows['document'].paper == rows['average'].paper == {}
    assert rows['face'].paper == dict(IoU=0.822, F1=0.902)


def test_without_imd20_the_average_without_it_compares():
    missing = [('natural', 'IMD20')]
    rows = rows_of(all_sets(without=missing), missing)
    assert rows['natural without IMD20'].paper == dict(IoU=0.582, F1=0.636)
    assert rows['natural'].paper == {}


def test_sets_that_the_config_does_not_name_are_no_rows_but_count_as_missing():
    rows = rows_of(metrics_of(('natural', 'CASIAv1')))
    assert list(rows) == ['CASIAv1', 'natural without IMD20', 'natural', 'average']
    assert rows['CASIAv1'].paper
    assert rows['natural'].note == 'over 1 of 5 sets'
    assert rows['average'].note == 'over 1 of 10 sets'


def test_only_imd20_has_no_average_without_it():
    assert 'natural without IMD20' not in rows_of(metrics_of(('natural', 'IMD20')))


def test_set_of_which_no_image_could_be_read_counts_as_missing_in_averages():
    metrics = all_sets() | metrics_of(
        NATURAL[0], iou=math.nan, f1=math.nan, precision=math.nan, recall=math.nan,
        tampered=0, unreadable=7,
    )  # fmt: skip
    rows = rows_of(metrics)
    assert rows['CASIAv1'].scores == {}
    assert rows['CASIAv1'].note == '7 unreadable'
    assert rows['natural'].note == 'over 4 of 5 sets'
    assert rows['natural'].scores['IoU'] == pytest.approx((0.2 + 0.3 + 0.4 + 0.5) / 4)


# ---- other protocols ---------------------------------------------------------------------------


def test_without_the_protocol_of_the_paper_nothing_is_compared():
    metrics = {key: value for key, value in all_sets().items() if key.startswith('per_image/')}
    rows = rows_of(metrics)
    row = rows['DocTamper-FCD']
    assert (row.protocol, row.paper, row.note) == ('per_image', {}, 'the paper: doctamper')
    assert rows['document'].paper == rows['average'].paper == {}
    assert rows['document'].note.startswith('other protocol: DocTamper-TestingSet')
    assert rows['natural'].paper


def test_the_only_protocol_there_is_gets_named():
    metrics = metrics_of(('natural', 'CASIAv1'), 'trufor')
    del metrics['trufor/datasets/natural/CASIAv1/IoU']
    row = rows_of(metrics)['CASIAv1']
    assert (row.protocol, row.paper) == ('trufor', {})
    assert set(row.scores) == {'F1', 'precision', 'recall'}


def test_authentic_and_skipped_images_are_noted():
    metrics = all_sets() | metrics_of(('natural', 'CASIAv1'), authentic=800, skipped=3)
    assert rows_of(metrics)['CASIAv1'].note == '800 authentic, 3 skipped'


# ---- other sets --------------------------------------------------------------------------------


def test_own_sets_get_the_same_table_without_the_paper():
    metrics = metrics_of(('natural', 'mine'), iou=0.2) | metrics_of(('natural', 'yours'), iou=0.4)
    for protocol, iou in (('doctamper', 0.1), ('per_image', 0.9)):
        metrics |= metrics_of(('receipts', 'a/b'), protocol, iou)
    rows = rows_of(metrics)
    assert list(rows) == ['mine', 'yours', 'natural', 'a/b', 'receipts', 'average']
    assert rows['natural'].scores['IoU'] == pytest.approx(0.3)
    assert rows['average'].scores['IoU'] == pytest.approx(0.6)
    assert rows['a/b'].protocol == 'per_image'
    assert not any(row.paper or row.table or row.note for row in rows.values())


def test_own_sets_do_not_enter_averages_of_the_paper():
    metrics = all_sets() | metrics_of(('natural', 'mine'), iou=1.0)
    paper, other = build_tables(metrics)
    assert 'mine' not in [row.name for row in paper.rows]
    assert [row.name for row in other.rows] == ['mine', 'natural', 'average']
    assert {row.name: row for row in paper.rows}['natural'].paper


def test_a_name_of_the_paper_in_another_domain_is_another_set():
    row = rows_of(metrics_of(('mine', 'CASIAv1')))['CASIAv1']
    assert row.paper == {}


def test_other_metrics_make_no_table():
    keys = ('mIoU', 'gate/datasets/natural/CASIAv1/IoU_rgb', 'image_level/max/average/F1')
    assert build_tables(dict.fromkeys(keys, 0.5)) == []


# ---- rows of Tables 5 and 6 --------------------------------------------------------------------


def test_an_ablation_compares_by_its_averages():
    rows = rows_of(all_sets(), paper_row='w.o. MG')
    assert rows['CASIAv1'].paper == {}
    assert rows['natural'].paper == dict(IoU=0.500, F1=0.552)
    assert rows['average'].paper == dict(IoU=0.639, F1=0.704)
    assert rows['average'].table == 5


def test_a_row_that_the_paper_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"'w\.o\. AE'.*got 'wo AE'"):
        build_tables(all_sets(), paper_row='wo AE')
