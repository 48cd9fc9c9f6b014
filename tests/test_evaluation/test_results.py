import csv
import errno
import json
import os

import numpy as np
import pytest
from mmengine.config import Config

from mmomni.datasets.configured import AbsentSet
from mmomni.evaluation.results import Report, nest

ABSENT = AbsentSet('natural', 'Coverage', 'data/Coverage/test.txt')


# ---- nesting -----------------------------------------------------------------------------------


def test_slashes_become_levels():
    flat = {'p/average/IoU': 1, 'p/domains/face/IoU': 2, 'p/domains/face/F1': 3, 'loss': 4}
    assert nest(flat) == {
        'p': {'average': {'IoU': 1}, 'domains': {'face': {'IoU': 2, 'F1': 3}}},
        'loss': 4,
    }


def test_nothing_gives_nothing():
    assert nest({}) == {}


@pytest.mark.parametrize('nan', [float('nan'), np.float32('nan')])
def test_nan_becomes_none(nan):
    assert nest({'a/b': nan, 'c': 0.0}) == {'a': {'b': None}, 'c': 0.0}


def test_values_that_are_no_numbers_are_kept():
    assert nest({'a': 'text', 'b': [1, 2]}) == {'a': 'text', 'b': [1, 2]}


# ---- a report ----------------------------------------------------------------------------------


def metrics_of(domain, name, protocol='per_image', iou=0.9, f1=0.8, authentic=0):
    start = f'{protocol}/datasets/{domain}/{name}'
    values = dict(IoU=iou, F1=f1, precision=0.7, recall=0.6)
    values |= dict(tampered=10, authentic=authentic, unreadable=0, skipped=0)
    return {f'{start}/{key}': value for key, value in values.items()}


@pytest.fixture
def write(tmp_path):
    """Files of a report on CASIAv1 (and others), with Coverage missing."""

    def write_report(metrics, *names, absent=(ABSENT,), pipeline=(), **options):
        entries = [
            dict(type='X', domain='natural', name=name, pipeline=list(pipeline))
            for name in names or ('CASIAv1',)
        ]
        cfg = Config(
            dict(
                test_dataloader=dict(dataset=dict(type='Concat', datasets=entries)),
                work_dir=str(tmp_path), load_from='some.pth', **options,
            )
        )  # fmt: skip
        Report(cfg, absent).write(metrics)
        return tmp_path

    return write_report


PAPER = metrics_of('natural', 'CASIAv1', iou=0.8094, f1=0.8, authentic=2)


def test_json_holds_the_metrics_as_before_and_the_tables(write):
    content = json.loads((write(PAPER) / 'results.json').read_text())
    assert content['per_image']['datasets']['natural']['CASIAv1']['IoU'] == 0.8094
    assert content['test_input'] == 'native'
    assert content['checkpoint'] == 'some.pth'
    assert content['missing'] == [ABSENT._asdict()]
    (table,) = content['tables']
    row = table['rows'][0]
    assert (row['name'], row['table'], row['protocol']) == ('CASIAv1', 1, 'per_image')
    assert row['scores'] == dict(IoU=0.8094, F1=0.8, precision=0.7, recall=0.6)
    assert row['paper'] == dict(IoU=0.798, F1=0.834)
    assert row['difference'] == pytest.approx(dict(IoU=0.0114, F1=-0.034))
    assert [(row['name'], row['note']) for row in table['rows'][1:]] == [
        ('Coverage', 'missing'),
        ('natural without IMD20', 'over 1 of 4 sets'),
        ('natural', 'over 1 of 5 sets'),
        ('average', 'over 1 of 10 sets'),
    ]


def test_images_that_were_not_scored_are_noted(write):
    failed = {'per_image/datasets/natural/CASIAv1/failed': 3}
    content = json.loads((write(PAPER | failed) / 'results.json').read_text())
    assert content['tables'][0]['rows'][0]['note'].endswith('3 failed')


@pytest.mark.parametrize('broken', ['json', 'csv', 'md'])
def test_files_that_cannot_be_written_are_left_as_they_were(broken, write, tmp_path, monkeypatch):
    write(PAPER)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    usual = os.replace

    def full(source, target):
        if str(target).endswith(broken):
            raise OSError(errno.ENOSPC, 'No space left on device', str(target))
        usual(source, target)

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(OSError, match='No space left'):
        write(metrics_of('natural', 'CASIAv1', iou=0.1))
    assert {path.name for path in tmp_path.iterdir()} == set(before)
    assert (tmp_path / f'results.{broken}').read_bytes() == before[f'results.{broken}']


def test_csv_has_one_line_a_row(write):
    with (write(PAPER) / 'results.csv').open(newline='') as file:
        first, second, *averages = csv.DictReader(file)
    assert first['name'] == 'CASIAv1'
    assert [float(first[f'IoU{part}']) for part in ('', '_paper', '_difference')] \
        == pytest.approx([0.8094, 0.798, 0.0114])  # fmt: skip
    assert first['recall_paper'] == ''
    assert (first['tampered'], first['authentic'], first['test_input']) == ('10', '2', 'native')
    assert (second['name'], second['IoU'], second['IoU_paper']) == ('Coverage', '', '0.524')
    assert [row['is_average'] for row in averages] == ['True'] * 3


def test_markdown_shows_ours_the_papers_and_the_difference(write):
    lines = (write(PAPER) / 'results.md').read_text().splitlines()
    assert '- test input: native' in lines
    assert '## paper: Omni-IML, test input: native' in lines
    (row,) = [line for line in lines if line.startswith('| CASIAv1')]
    assert [cell.strip() for cell in row.strip('|').split('|')] == [
        'CASIAv1', '1', '0.809 (0.798, +0.011)', '0.800 (0.834, -0.034)', '0.700', '0.600', '12',
        'per_image', '2 authentic',
    ]  # fmt: skip
    assert any(line.startswith('| Coverage | 1 | - (0.524) | - (0.576) | - | -') for line in lines)
    assert any(line.startswith('| = natural | ') and 'over 1 of 5 sets' in line for line in lines)
    assert '- natural/Coverage: expected data/Coverage/test.txt' in lines
    assert "Cells: ours (the paper's, difference)." in lines
    header, ruler = (line for line in lines if line.startswith(('|  |', '| ---')))
    assert header.count('|') == ruler.count('|') == row.count('|')


def test_log_shows_the_table_the_missing_sets_and_the_files(write, log):
    folder = write(PAPER)
    (table,) = [line for line in log if 'CASIAv1' in line]
    assert 'paper: Omni-IML, test input: native' in table
    assert '0.809 (0.798, +0.011)' in table
    assert "the paper's, difference" in table
    assert any('1 of 2 test sets left out' in line for line in log)
    assert f'results: {folder}/results.json, {folder}/results.csv, {folder}/results.md' in log


def test_resized_input_is_in_every_title(write, log):
    resize = dict(type='Resize', scale=(512, 512))
    folder = write(PAPER, pipeline=[resize])
    assert 'test input: resized 512x512' in (folder / 'results.md').read_text()
    assert json.loads((folder / 'results.json').read_text())['test_input'] == 'resized 512x512'
    assert any('test input: resized 512x512' in line for line in log)


def test_own_sets_have_no_column_of_the_paper(write):
    folder = write(metrics_of('natural', 'mine'), 'mine', absent=())
    lines = (folder / 'results.md').read_text().splitlines()
    assert '## results, test input: native' in lines
    assert '|  | IoU | F1 | precision | recall | images | protocol | note |' in lines
    assert '| mine | 0.900 | 0.800 | 0.700 | 0.600 | 10 | per_image |  |' in lines
    assert not any('paper' in line for line in lines)
    assert json.loads((folder / 'results.json').read_text())['missing'] == []


def test_other_metrics_alone_make_a_json_alone(write, log):
    folder = write({'mIoU': 51.2, 'aAcc': 80.0}, absent=())
    content = json.loads((folder / 'results.json').read_text())
    assert (content['mIoU'], content['tables']) == (51.2, [])
    assert sorted(path.name for path in folder.iterdir()) == ['results.json']
    assert log[-1] == f'results: {folder}/results.json'


def test_an_unknown_row_of_the_paper_is_refused_before_the_run(tmp_path):
    with pytest.raises(ValueError, match='paper_row must be one of'):
        Report(Config(dict(work_dir=str(tmp_path), paper_row='w.o. everything')))


def test_ablation_is_named_in_the_title(write):
    folder = write(PAPER, paper_row='w.o. AE')
    assert '## paper: w.o. AE, test input: native' in (folder / 'results.md').read_text()
