"""The tests that need a GPU, and the command that runs them, as far as a CPU can tell."""

import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn
from visible_devices import ON

import mmomni.models

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    'BoxSupervisionHead': 'test_gpu_detection.py', 'SeparableRoIAlign': 'test_gpu_detection.py',
    'ManipulationTTAModel': 'runs a segmentor several times',
    'Criterion': 'abstract', 'FivePlanes': 'what RGBPlanes and others begin with',
    'MixVisionStages': 'only calls modules of mmseg',
    'ResNetStages': 'only calls modules of mmseg', 'SwinStages': 'only calls modules of mmseg',
    'Stagewise': 'abstract', 'TimmBackbone': 'only calls modules of timm',
    'TimmStages': 'only calls modules of timm',
}  # fmt: skip


def python(*command, **environment):
    env = {**os.environ, 'PYTHONPATH': str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT, env=env, capture_output=True, check=False, text=True,
    )  # fmt: skip


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tests/gpu')
    yield import_module('parts').TABLES
    for name in ('parts', 'comparing'):
        sys.modules.pop(name)


def test_every_module_of_the_package_is_compared(tables):
    """By name: whoever adds a layer adds it to ``tests/gpu/parts.py``, too."""
    modules = [import_module(each.name) for each in pkgutil.walk_packages(
        mmomni.models.__path__, 'mmomni.models.'
    )]  # fmt: skip
    defined = {
        name
        for module in modules
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, nn.Module)
        and kind.__module__ == module.__name__
        and not name.startswith('_')
    }
    built = {type(each).__name__ for part in tables.values() for each in part.make().modules()}
    assert len(defined) > 25
    assert defined - built - set(ELSEWHERE) == set()
    assert set(ELSEWHERE) <= defined


def test_without_a_card_all_are_skipped_for_one_reason():
    """And all of the folder are of the set: nothing is deselected."""
    result = python('-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-m', 'gpu', 'tests/gpu')
    assert result.returncode == 0, result.stdout
    assert re.fullmatch(r'\d\d+ skipped in .*', result.stdout.splitlines()[-1])
    found = re.findall(r'SKIPPED \[(\d+)\] tests/gpu/\S+: (.*)', result.stdout)
    assert {reason for _, reason in found} == {
        'no CUDA device: torch.cuda.is_available() is False'
    }
    assert sum(int(count) for count, _ in found) > 80


def check(tmp_path, *arguments):
    out = tmp_path / 'gpu.json'
    result = python('tools/gpu_check.py', '--device', 'cpu', '--out', out, *arguments)
    return result, json.loads(out.read_text())


def test_some_of_the_tests_themselves_run_on_the_cpu(tmp_path):
    """Also that the command's results have them, in a process that dies of none."""
    names = 'suppression or HighPass or ScSE'
    result, found = check(tmp_path, '--parts', 'tests', '--tests', names)
    assert result.returncode == 0, (tmp_path / 'gpu/tests.log').read_text()
    assert found['passed'] is found['tests']['passed'] is True
    assert found['machine']['torch'] == torch.__version__
    assert found['tests']['counts'] == dict(passed=8)
    assert all(test['outcome'] == 'passed' for test in found['tests']['tests'])


@pytest.mark.slow
def test_everything_runs_on_the_cpu(tmp_path):
    result, found = check(tmp_path, '--minutes', '60')
    assert result.returncode == 0, json.dumps(found, indent=1)
    assert {test['outcome'] for test in found['tests']['tests']} <= {'passed', 'skipped'}
    figures = {key for test in found['tests']['tests'] for key in test.get('figures', {})}
    assert {'peak_mib', 'graph_breaks', 'host_reads', 'loss_scale', 'share'} <= figures
    assert len(found['training']['fp32']['losses']) == 2
    assert found['benchmark']['results']['latency'][0]['wall'] > 0


# ---- the command -----------------------------------------------------------------------------


@pytest.fixture
def tool(load_tool):
    return load_tool('gpu_check.py')


def test_without_a_card_it_ends_before_anything_starts(tool, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        tool.main(['--out', str(tmp_path / 'gpu.json')])
    assert end.value.code == 2
    assert 'no CUDA device: torch.cuda.is_available() is False (' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_half_removed_package_stops_nothing(tool, tmp_path, monkeypatch):
    """pip leaves such folders, and their metadata has no name."""
    (tmp_path / '~andas-2.0.dist-info').mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert tool.describe_machine()['packages']['numpy']


@pytest.mark.parametrize('minutes', ['0', '-1', 'nan'])
def test_no_time_is_refused(tool, minutes, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--device', 'cpu', '--minutes', minutes])
    assert 'expected --minutes above 0' in capsys.readouterr().err


def test_a_part_that_fails_loses_no_other(tool, tmp_path, monkeypatch, capsys):
    parts = {
        'tests': (lambda *_: dict(passed=False, fault='why'), 0.5),
        'training': (lambda *_: dict(passed=True, losses=[1.0]), 0.5),
        'benchmark': (lambda *_: 1 / 0, 1.0),
    }
    monkeypatch.setattr(tool, 'PARTS', parts)
    out = tmp_path / 'new/gpu.json'
    with pytest.raises(SystemExit) as end:
        tool.main(['--device', 'cpu', '--out', str(out)])
    found = json.loads(out.read_text())
    assert end.value.code == 1
    assert found['passed'] is False
    assert found['tests']['fault'] == 'why'
    assert found['training']['losses'] == [1.0]
    assert found['benchmark']['fault'] == 'ZeroDivisionError: division by zero'
    assert 'tests FAILED' in capsys.readouterr().out


LINES = """
import json, os, sys
gone = [each.partition('=')[2] for each in sys.argv if each.startswith('--deselect=')]
def note(**line):
    with open(os.environ['MMOMNI_GPU_RESULTS'], 'a') as file:
        file.write(json.dumps(line) + '\\n')
def phase(test, when, outcome='passed', message='', **figures):
    note(test=test, phase=when, outcome=outcome, seconds=1.0, figures=figures, message=message)
def whole(test, outcome='passed', message='', **figures):
    if test not in gone:
        note(test=test, phase='start')
        phase(test, 'setup')
        phase(test, 'call', outcome, message, **figures)
        phase(test, 'teardown', **figures)
whole('first', peak=3)
whole('second', 'failed', 'assert 1 == 2')
if 'third' not in gone:
    note(test='third', phase='start')
    phase('third', 'setup')
    os.kill(os.getpid(), 6)
whole('fourth')
if 'fifth' not in gone:
    note(test='fifth', phase='start')
    phase('fifth', 'setup', 'skipped', 'no card')
    phase('fifth', 'teardown')
    note(test='sixth', phase='start')
    phase('sixth', 'setup', 'failed', 'no operators')
    phase('sixth', 'teardown')
    sys.exit(70)
sys.exit(5)
"""


def test_behind_a_test_that_kills_its_process_the_others_go_on(tool, tmp_path, monkeypatch):
    """Two processes end early: one dies, one says that CUDA answers no more."""
    (tmp_path / 'pytest.py').write_text(LINES)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    deadline = tool.time.monotonic() + 60
    found = tool.run_tests(tmp_path, deadline, Namespace(device='cpu', tests=None))
    outcomes = {test['name']: test['outcome'] for test in found['tests']}
    assert outcomes == dict(
        first='passed', second='failed', third='died', fourth='passed', fifth='skipped',
        sixth='error',
    )  # fmt: skip
    assert found['passed'] is False
    assert found['tests'][0] == dict(
        name='first', outcome='passed', seconds=3.0, figures=dict(peak=3)
    )
    assert found['tests'][1]['message'] == 'assert 1 == 2'


def test_time_that_is_up_ends_a_program_and_is_told(tool, tmp_path):
    heeding = 'signal.signal(signal.SIGINT, signal.default_int_handler)'  # jobs of a shell may not
    program = f'import signal, time; {heeding}; time.sleep(600)'
    result = tool.run(['-c', program], tmp_path / 'log', 1).result
    assert (result['passed'], result['status']) == (False, None)
    assert result['fault'] == 'time was up (--minutes)'


def test_the_trial_is_named_alike_everywhere(tool):
    """The command, the tests and the page."""
    text = inspect.getsource(tool)
    assert f"environment['{ON}']" in text
    assert ON in (ROOT / 'docs/performance.md').read_text(encoding='utf-8')
    conftest = (ROOT / 'tests/gpu/conftest.py').read_text(encoding='utf-8')
    assert f'LOST = {tool.LOST}\n' in conftest
