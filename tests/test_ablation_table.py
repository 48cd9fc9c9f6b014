"""``tools/analysis_tools/ablation_table.py`` on runs laid out by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent / 'tools/analysis_tools/ablation_table.py'


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/ablation_table.py')


@pytest.fixture
def make_run(tmp_path):
    def make(row, seed, note='', model='atto', **ious):
        folder = tmp_path / f'{row}_{model}_{seed}'
        folder.mkdir()
        config = f'{row}_convnext-{model}_mini.py'
        (folder / config).write_text(f'randomness = dict(seed={seed})\n')
        sets = [dict(name='a', domain='natural', is_average=False, note='', scores=dict(IoU=0.0))]
        domains = [
            dict(name=name, domain=name, is_average=True, note=note, scores=dict(IoU=iou))
            for name, iou in ious.items()
        ]
        results = dict(tables=[dict(title='results', rows=sets + domains)])
        (folder / 'results.json').write_text(json.dumps(results))
        return folder

    return make


def test_mean_over_domains_leaves_others_out(tool, make_run):
    folder = make_run('omni-iml', 3, natural=0.5, document=0.7, face=0.9, real=0.1)
    expected = dict(natural=0.5, document=0.7, face=0.9, average=pytest.approx(0.7), real=0.1)
    assert tool.read_run(folder) == ('omni-iml_convnext-atto_mini', 3, expected)


def test_seeds_are_averaged_and_the_paper_stands_beside(tool, make_run):
    folders = [make_run('omni-iml', s, natural=0.1 * s, document=0.2, face=0.3) for s in (1, 3)]
    rows, errors = tool.gather(folders)
    assert errors == []
    line = next(x for x in tool.markdown(rows).splitlines() if x.startswith('| Omni-IML'))
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    # natural: 0.1 and 0.3, whose standard deviation is 0.2 / sqrt(2)
    assert cells[1] == '0.200 ± 0.141 (0.598)'
    assert cells[2] == '0.200 ± 0.000 (0.748)'
    assert cells[-2:] == ['1, 3', 'omni-iml_convnext-atto_mini']


def test_rows_in_the_order_of_the_paper_and_others_after(tool, make_run):
    scores = dict(natural=0.1, document=0.2, face=0.3)
    folders = [make_run(row, 0, **scores) for row in ('segformer', 'omni-iml', 'upernet')]
    rows, _ = tool.gather(folders)
    names = [line.split('|')[1].strip() for line in tool.markdown(rows).splitlines()[2:5]]
    assert names == ['Baseline', 'Omni-IML', 'segformer']


def test_models_of_other_sizes_are_not_averaged(tool, make_run):
    folders = [
        make_run('omni-iml', seed, model=model, natural=0.1, document=0.2, face=0.3)
        for seed, model in ((0, 'atto'), (1, 'base'))
    ]
    rows, errors = tool.gather(folders)
    assert errors == []
    assert [sorted(runs) for runs in rows.values()] == [[0], [1]]
    assert tool.markdown(rows).count('| Omni-IML |') == 2


def test_averages_over_some_sets_are_refused(tool, make_run):
    folder = make_run('omni-iml', 0, 'over 3 of 5 sets', natural=0.1, document=0.2, face=0.3)
    with pytest.raises(ValueError, match='natural: over 3 of 5 sets'):
        tool.read_run(folder)


def test_the_same_run_twice_is_named(tool, make_run):
    folder = make_run('omni-iml', 0, natural=0.1, document=0.2, face=0.3)
    rows, errors = tool.gather([folder, folder])
    assert len(rows['omni-iml_convnext-atto_mini']) == 1
    assert 'second run' in errors[0]


def test_unfinished_and_foreign_runs_are_named_and_the_rest_is_printed(make_run, tmp_path):
    whole = make_run('upernet', 0, natural=0.1, document=0.2, face=0.3)
    foreign = make_run('omni-iml', 0, natural=0.1)
    (tmp_path / 'empty').mkdir()
    done = subprocess.run(
        [sys.executable, TOOL, whole, foreign, tmp_path / 'empty', '--out', tmp_path / 'table.md'],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "['document', 'face'] are missing" in done.stderr
    assert 'no results.json' in done.stderr
    assert '| Baseline | 0.100 (0.451) |' in done.stdout
    assert (tmp_path / 'table.md').read_text() == done.stdout
