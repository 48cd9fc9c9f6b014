"""``tools/analysis_tools/compare.py``: what it trains, tests and prints, on runs made by hand."""

import json
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config

LITE = Path(__file__).resolve().parents[1] / 'configs/comparators/lite'
EVP, TIFDM = (
    LITE / f'{name}_efficientnet-lite0_1xb12-3k_192x192.py' for name in ('evp', 'tifdm')
)
IOUS = {'evp': 0.2, 'tifdm': 0.4}


def results_of(name, seed):
    """Averages as ``tools/test.py`` writes them, a little higher with every seed."""
    rows = [
        dict(
            name=domain or 'average', domain=domain, is_average=True,
            note='over 1 of 2 sets' if domain == 'face' else '',
            scores=dict(IoU=IOUS[name] + 0.1 * seed, F1=0.5),
        )
        for domain in ('natural', 'face', '')
    ]  # fmt: skip
    rows.append(dict(rows[0], name='a set', is_average=False))
    return dict(tables=[dict(title='results', rows=rows)])


class Runs(list):
    """Stands in for the processes: what was run, and results where something is tested."""

    broken = ''

    def __call__(self, script, config, *words):
        name = Path(config).stem.split('_')[0]
        work_dir = Path(words[words.index('--work-dir') + 1])
        self.append((Path(script).name, name, work_dir.name, words))
        if name == self.broken:
            raise subprocess.CalledProcessError(1, script)
        work_dir.mkdir(parents=True, exist_ok=True)
        if Path(script).name == 'train.py':
            (work_dir / 'last_checkpoint').write_text('trained.pth\n')
        else:
            seed = int(next(w for w in words if str(w).startswith('randomness.seed')).split('=')[1])
            (work_dir / 'results.json').write_text(json.dumps(results_of(name, seed)))


@pytest.fixture
def runs(load_tool, monkeypatch):
    runs = Runs()
    runs.tool = load_tool('analysis_tools/compare.py')
    monkeypatch.setattr(runs.tool, 'run', runs)
    return runs


def cells_of(text, name):
    line = next(line for line in text.splitlines() if line.startswith(f'| {name}'))
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_all_are_trained_and_tested_and_the_paper_stands_beside(runs, tmp_path, capsys):
    words = [EVP, TIFDM, '--seeds', 0, 1, '--work-dir', tmp_path, '--rounds', 0]
    assert runs.tool.main([str(word) for word in words]) == 0
    done = [(script, work_dir) for script, _, work_dir, _ in runs]
    assert done == [
        (f'{what}.py', f'{name}_efficientnet-lite0_seed{seed}')
        for seed in (0, 1) for name in ('evp', 'tifdm') for what in ('train', 'test')
    ]  # fmt: skip
    text = capsys.readouterr().out
    head = cells_of(text, 'model')
    assert head == [
        'model', 'natural IoU', 'natural F1', 'face IoU', 'face F1', 'average IoU', 'average F1',
        'runs',
    ]  # fmt: skip
    row = cells_of(text, 'evp')
    assert row[1] == '0.250 ± 0.071 (0.455)'
    assert row[-2:] == ['0.500 ± 0.000 (0.611)', '2']
    assert 'tifdm_efficientnet-lite0_seed1: face over 1 of 2 sets' in text
    assert (tmp_path / 'table.md').read_text() == text
    runs.clear()
    assert runs.tool.main([str(word) for word in words]) == 0
    assert runs == []  # all is there


def test_one_that_fails_is_named_and_the_others_go_on(runs, tmp_path, capsys):
    runs.broken = 'evp'
    words = [EVP, TIFDM, '--work-dir', tmp_path, '--rounds', 0]
    assert runs.tool.main([str(word) for word in words]) == 1
    text = capsys.readouterr().out
    assert 'evp_efficientnet-lite0, seed 0: ' in text
    assert cells_of(text, 'tifdm')[1] == '0.400 (0.473)'


def test_a_checkpoint_is_tested_and_not_trained(runs, tmp_path):
    checkpoint = tmp_path / 'mine.safetensors'
    checkpoint.touch()
    words = [EVP, '--checkpoints', f'evp_efficientnet-lite0={checkpoint}', '--seeds', 0, 1,
             '--work-dir', tmp_path / 'out', '--rounds', 0]  # fmt: skip
    assert runs.tool.main([str(word) for word in words]) == 0
    assert [(script, words[0]) for script, *_, words in runs] == [('test.py', checkpoint)]


@pytest.mark.parametrize('changed', ['recipe', 'checkpoint'])
def test_results_of_another_recipe_or_checkpoint_are_not_taken_for_these(runs, tmp_path, changed):
    checkpoint = tmp_path / 'mine.safetensors'
    checkpoint.write_bytes(b'first')
    words = [str(EVP), '--work-dir', str(tmp_path / 'out'), '--rounds', '0']
    if changed == 'checkpoint':
        words += ['--checkpoints', f'evp_efficientnet-lite0={checkpoint}']
    assert runs.tool.main(words) == 0
    runs.clear()
    checkpoint.write_bytes(b'second')
    if changed == 'recipe':
        words += ['--cfg-options', 'train_cfg.max_iters=7']
    with pytest.raises(SystemExit, match='is of another recipe or checkpoint; remove it'):
        runs.tool.main(words)
    assert runs == []


def test_rows_of_the_paper_are_those_of_the_configs(load_tool):
    """By which ``tools/test.py`` compares each alone."""
    tool = load_tool('analysis_tools/compare.py')
    rows = {}
    for path in LITE.parent.glob('*.py'):
        if (row := Config.fromfile(path).paper_row) is not None:
            rows[path.stem.split('_')[0]] = row
    assert {**rows, 'omni-iml': 'Omni-IML'} == tool.ROWS
    assert all(tool.papers_of(f'{name}_any') for name in tool.ROWS)


def test_a_training_that_leaves_nothing_is_named(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runs.tool, 'run', lambda *_: None)
    assert runs.tool.main([str(EVP), '--work-dir', str(tmp_path), '--rounds', '0']) == 1
    assert 'evp_efficientnet-lite0, seed 0: FileNotFoundError' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ([TIFDM.parent / 'no.py'], 'no.py'),
        ([EVP, EVP], 'got a name twice'),
        ([EVP, '--checkpoints', f'tifdm={EVP}'], "checkpoints of ['tifdm']"),
        ([EVP, '--checkpoints', 'evp=nowhere.pth'], 'NAME=FILE with a file that is there'),
        ([EVP, LITE.parent / 'tifdm_resnet50_8xb2-370k_iml-512x512.py'], 'in train_dataloader'),
    ],
)
def test_refuses_what_cannot_be_compared(runs, tmp_path, capsys, words, message):
    with pytest.raises(SystemExit) as error:
        runs.tool.main([*map(str, words), '--work-dir', str(tmp_path)])
    assert message in f'{error.value} {capsys.readouterr().err}'
    assert runs == []


def test_options_are_for_all_and_reach_the_tools(runs, tmp_path):
    words = [EVP, '--work-dir', tmp_path, '--rounds', 0, '--cfg-options', 'train_cfg.max_iters=7']
    assert runs.tool.main([str(word) for word in words]) == 0
    assert all(words[-1] == 'train_cfg.max_iters=7' for *_, words in runs)


def test_costs_are_of_one_run_in_which_models_take_turns(runs, tmp_path, capsys):
    words = [EVP, TIFDM, '--work-dir', tmp_path, '--rounds', 1, '--size', 64]
    assert runs.tool.main([str(word) for word in words]) == 0
    text = capsys.readouterr().out
    assert cells_of(text, 'model')[-4:] == ['M parameters', 'G multiply-adds', 'ms', 'runs']
    parameters, macs, milliseconds, _ = cells_of(text, 'tifdm')[-4:]
    assert (parameters, macs) == ('3.2', '0.1')
    assert float(milliseconds) > 0
