"""``tools/analysis_tools/benchmark.py`` on tiny models, and the table that it makes."""

import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from model_profiling.report import cost_table, forms_table, rows_of, shares_table
from model_profiling.subjects import Case
from model_profiling.timing import Reading

ROOT = Path(__file__).resolve().parents[1]
MODELS = [
    str(ROOT / 'configs' / path)
    for path in ('mini/upernet_convnext-atto_mini.py', 'demo/omni-iml_convnext-atto_demo.py')
]


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/benchmark.py')


@pytest.fixture(scope='module')
def out(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp('benchmark')
    broken = folder / 'broken.py'
    broken.write_text("model = dict(type='NoSuchModel')")
    options = ['--device', 'cpu', '--sizes', '64', '--rounds', '1', '--precisions', 'fp32']
    options += ['--forms', 'plain', 'eager', '--batch-sizes', '1', '--out', str(folder / 'out')]
    with pytest.raises(SystemExit) as exit_:
        tool.main(['--models', *MODELS, str(broken), *options])
    assert exit_.value.code == 1  # for the broken one
    return folder / 'out'


def test_results(out):
    results = json.loads((out / 'results.json').read_text())
    names = ['upernet_convnext-atto_mini', 'omni-iml_convnext-atto_demo']
    assert list(results['models']) == names
    assert results['baseline'] == names[0]
    assert [(row['model'], row['form']) for row in results['latency']] == [
        (name, form) for form in ('plain', 'eager') for name in names
    ]
    assert [row['model'] for row in results['training']] == names
    for row in results['latency'] + results['training']:
        assert row['wall'] > 0
        assert row['memory'] > 0
        assert row['limits']['both'] >= max(row['limits']['operations'], row['limits']['bytes'])
    plain, latency, training = *results['latency'][1::2], results['training'][1]
    assert plain['difference'] == 0
    assert 0 < latency['difference'] < 1e-3
    assert plain['macs'] > latency['macs']
    assert latency['macs'] == sum(results['models'][names[1]]['macs'].values())
    assert training['macs'] > 4 * latency['macs']  # two images, forward and twice backward
    assert training['synchronisations']['mmomni'] == 0
    assert 'neck' in training['shares']


@pytest.fixture
def known_machine(tool, monkeypatch):
    """Measuring it costs seconds; for ``out`` it is measured."""
    machine = dict(device='', torch='', threads=1, binding='', flops=dict(fp32=1e9), bandwidth=1e9)
    monkeypatch.setattr(tool, 'measure_machine', lambda *_: dict(machine))


@pytest.mark.usefixtures('known_machine')
def test_layouts_and_forms_of_the_frequency_head_have_rows(tool, tmp_path):
    options = ['--measure', 'latency', '--device', 'cpu', '--sizes', '32', '--rounds', '1']
    options += ['--forms', 'eager', '--layouts', 'contiguous', 'channels_last']
    options += ['--frequency-forms', 'look_up', 'plain']
    tool.main(['--models', MODELS[1], *options, '--out', str(tmp_path)])
    results = json.loads((tmp_path / 'results.json').read_text())
    combinations = list(product(['contiguous', 'channels_last'], ['look_up', 'plain']))
    rows = results['latency']
    assert [(row['layout'], row['frequency']) for row in rows] == combinations
    first, *others = [row['difference'] for row in rows]
    assert first == 0
    assert 0 < max(others) < 1e-3  # where the gate takes vision no form makes a difference
    text = (tmp_path / 'table.md').read_text()
    assert '### Inference, 32 px, batch 1, fp32, eager, channels_last maps, frequency' in text
    assert 'logits differ from eager, contiguous maps, frequency head look_up by' in text


def test_one_broken_config_is_named(out):
    (failure,) = json.loads((out / 'results.json').read_text())['failures']
    assert failure[:2] == ['broken', 'config']
    assert 'NoSuchModel' in failure[2]
    assert 'FAILED broken, config' in (out / 'table.md').read_text()


def test_table_and_picture(out):
    text = (out / 'table.md').read_text()
    assert '### Inference, 64 px, batch 1, fp32, eager' in text
    assert '### Training, 64 px, batch 2, fp32, eager' in text
    assert '### Ratios of ms between forms, 64 px, batch 1, fp32' in text
    assert '| backbone.fph | 0.00 |' in text
    with Image.open(out / 'ratios.png') as picture:
        assert len(picture.convert('RGB').getcolors(2**20)) > 10


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--models', MODELS[0], MODELS[0]], 'different names'),
        (['--sizes', '64', '100'], 'multiples of 32, got [100]'),
        (['--rounds', '0'], 'at least one of --rounds, got 0'),
        (['--batch-sizes', '8', '-1'], 'at least one image, got [-1]'),
        (['--measure', 'training', '--forms', 'plain'], "got --forms ['plain']"),
        (['--device', 'cuda'], 'there is no CUDA here'),
        (['--device', 'cpu', '--precisions', 'fp32', 'tf32'], 'tf32 is for CUDA, got --device cpu'),
        (['--layouts', 'last'], "invalid choice: 'last'"),
        (['--frequency-forms', 'fast'], "invalid choice: 'fast'"),
    ],
)
def test_wrong_arguments_are_refused_before_the_work(
    tool, tmp_path, capsys, monkeypatch, arguments, message
):
    monkeypatch.setattr(tool.torch.cuda, 'is_available', lambda: False)
    with pytest.raises(SystemExit):
        tool.main([*arguments, '--out', str(tmp_path)])
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures('known_machine')
def test_a_broken_baseline_is_not_replaced(tool, tmp_path):
    options = ['--measure', '--device', 'cpu', '--sizes', '64', '--out', str(tmp_path / 'out')]
    with pytest.raises(SystemExit):
        tool.main(['--models', str(tmp_path / 'no.py'), MODELS[0], *options])
    text = (tmp_path / 'out/table.md').read_text()
    assert 'Baseline: no.' in text
    assert '| ratio | - |' in text
    assert 'FAILED no, config: FileNotFoundError' in text


def test_the_folder_is_made_before_the_work(tool, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setattr(tool, 'measure_machine', pytest.fail)
    with pytest.raises(SystemExit, match=r'--out as a folder to write to: .*file'):
        tool.main(['--device', 'cpu', '--out', str(tmp_path / 'file')])


@pytest.mark.usefixtures('known_machine')
def test_no_model_at_all(tool, tmp_path):
    with pytest.raises(SystemExit, match='FileNotFoundError'):
        tool.main(['--models', str(tmp_path / 'no.py'), '--device', 'cpu'])


def test_the_default_models_exist(tool):
    assert len(tool.MODELS) == 10
    assert all(path.is_file() for path in tool.MODELS)


CASE = Case(512, 2)
READINGS = {
    ('base', CASE): [Reading(1.0, 2.0), Reading(4.0, 2.0), Reading(2.0, 2.0)],
    ('ours', CASE): [Reading(0.5, 1.0), Reading(3.0, 1.0), Reading(2.0, 1.0)],
}


def test_rows_have_medians_and_ratios_within_rounds():
    base, ours = rows_of(READINGS, 'base')
    assert (base['wall'], ours['wall']) == (2.0, 2.0)
    assert ours['wall_ratio'] == (0.5, 0.75, 1.0)
    assert ours['busy_ratio'] == (0.5, 0.5, 0.5)
    assert rows_of(READINGS, 'absent')[0]['wall_ratio'] is None


def test_cost_table():
    rows = rows_of(READINGS, 'base')
    rows[0].update(macs=4e9, memory=2**20, limits=dict(both=0.5))
    rows[1].update(macs=3e9, memory=2**21, limits=dict(both=0.2))
    models = {name: dict(parameters=dict(inference=12e6)) for name in ('base', 'ours')}
    lines = cost_table(rows, models, 'base', 'inference').splitlines()
    assert lines[3] == (
        '| ours | 12.0 | 3.0 | 0.75 | 2,000.0 | 0.75 (0.50 to 1.00) | 0.50 (0.50 to 0.50) '
        '| 1.00 | 2 | 200.0 | 20 % |'
    )
    assert lines[0].count('|') == lines[2].count('|') == lines[3].count('|')


def test_cost_table_without_baseline_and_without_counts():
    rows = [row for row in rows_of(READINGS, 'absent') if row['model'] == 'ours']
    models = dict(ours=dict(parameters=dict(inference=12e6)))
    line = cost_table(rows, models, 'absent', 'inference').splitlines()[2]
    assert line == '| ours | 12.0 | - | - | 2,000.0 | - | - | 1.00 | - | - | - |'


def test_forms_are_compared_within_rounds():
    readings = {
        (name, Case(512, 2, form=form)): [Reading(wall, wall) for wall in walls]
        for name, form, walls in (
            ('base', 'plain', (4.0, 8.0, 4.0)),
            ('ours', 'plain', (4.0, 4.0, 8.0)),
            ('base', 'eager', (2.0, 2.0, 4.0)),
            ('ours', 'eager', (1.0, 4.0, 2.0)),
        )
    }
    rows = rows_of(readings, 'base')
    rows[3]['difference'] = 2e-5
    lines = forms_table(rows, 'base').splitlines()
    assert lines[0] == (
        '| model | form | of base, plain (least to most) | of base, eager (least to most) '
        '| logits differ from plain by |'
    )
    assert lines[5] == '| ours | eager | 0.50 (0.25 to 0.50) | 0.50 (0.50 to 2.00) | 2.0e-05 |'
    assert lines[2] == '| base | plain | 1.00 (1.00 to 1.00) | 2.00 (1.00 to 4.00) | - |'


def test_without_its_first_form_a_model_is_compared_with_none(tool, monkeypatch):
    """A stand-in whose logits are 1, 2, 3 plainly and 1, 2, 5 otherwise: standard deviation 1."""
    cases = [Case(32, 1, form=form) for form in ('plain', 'eager')]
    readings = {('base', cases[1]): [Reading(1, 1)]}
    readings |= {('ours', case): [Reading(1, 1)] for case in cases}
    rows = rows_of(readings, 'base')
    subjects = [SimpleNamespace(name=name) for name in ('base', 'ours')]
    logits = dict(plain=torch.tensor([1.0, 2, 3]), eager=torch.tensor([1.0, 2, 5]))
    monkeypatch.setattr(tool, 'inference', lambda _, case, __: lambda: logits[case.form])
    bench = tool.Bench(subjects, 'base', {}, 1, None, tool.Failures())
    tool.add_differences(bench, rows, 'plain')
    assert [row.get('difference') for row in rows] == [None, 0, 2]


def test_shares_table():
    row = dict(model='ours', shares=dict(head=dict(forward=1.0, backward=2.0), step=dict(step=1.0)))
    lines = shares_table(row).splitlines()
    assert lines[2] == '| head | 1,000.0 | 2,000.0 | 0.0 | 75.0 % |'
    assert lines[3] == '| step | 0.0 | 0.0 | 1,000.0 | 25.0 % |'


@pytest.mark.usefixtures('known_machine')
def test_what_cannot_be_trained_is_named_and_stops_nothing(tool, tmp_path):
    broken = tmp_path / 'broken.py'
    broken.write_text(
        f"_base_ = '{MODELS[1]}'\noptim_wrapper = dict(optimizer=dict(type='NoSuchOptimizer'))\n"
    )
    options = ['--measure', 'training', '--device', 'cpu', '--sizes', '64', '--rounds', '1']
    with pytest.raises(SystemExit):
        tool.main(['--models', MODELS[0], str(broken), *options, '--out', str(tmp_path / 'out')])
    results = json.loads((tmp_path / 'out/results.json').read_text())
    assert [row['model'] for row in results['training']] == ['upernet_convnext-atto_mini']
    (failure,) = results['failures']
    assert failure[:2] == ['broken', '64 px, batch 2, fp32, eager']


def test_frequency_head(load_tool, capsys):
    load_tool('analysis_tools/benchmark_frequency_head.py').main(
        ['--size', '256', '--rounds', '1', '--device', 'cpu']
    )
    rows = [line.split('|')[1:-1] for line in capsys.readouterr().out.splitlines()[4:]]
    assert [row[0].strip() for row in rows] == [
        'inference, up to stride 8',
        'inference, with the MBConv blocks',
        'forward and backward, up to stride 8',
        'forward and backward, with the MBConv blocks',
    ]
    assert all(float(row[6].strip(' x')) > 1 for row in rows)  # in memory, whatever the machine


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--size', '60'], 'multiple of 8, got 60'),
        (['--rounds', '0'], 'at least one of --rounds, got 0'),
        (['--device', 'cuda'], 'there is no CUDA here'),
    ],
)
def test_wrong_arguments_of_the_frequency_head(load_tool, capsys, monkeypatch, arguments, message):
    tool = load_tool('analysis_tools/benchmark_frequency_head.py')
    monkeypatch.setattr(tool.torch.cuda, 'is_available', lambda: False)
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert message in capsys.readouterr().err
