"""The tests and what they start see no GPU, on any machine, but for ``-m gpu``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.device import get_device
from visible_devices import ON, are_gpu_tests_alone

TESTS = Path(__file__).resolve().parent
CARDS = '''
"""Stands in for a machine with two cards, which heed the variable as CUDA does."""
import os
import torch

def visible():
    return 0 if os.environ.get('CUDA_VISIBLE_DEVICES') == '' else 2

torch.cuda.device_count = visible
torch.cuda.is_available = lambda: visible() > 0
'''
PROBE = """
import os
import subprocess
import sys
import pytest
import torch
from mmengine.device import get_device

CODE = '''
from mmengine.device import get_device
import torch
print(get_device(), torch.cuda.device_count())
'''

@pytest.mark.parametrize('device', ['cpu 0', pytest.param('cuda 2', marks=pytest.mark.gpu)])
def test_probe(device):
    assert f'{get_device()} {torch.cuda.device_count()}' == device
    child = subprocess.run([sys.executable, '-c', CODE], capture_output=True, text=True)
    assert child.stdout.splitlines()[-1] == device, child.stdout + child.stderr
"""


@pytest.mark.parametrize(
    ('expression', 'alone'),
    [
        ('gpu', True), ('gpu and not slow', True), ('(gpu) and slow', True),
        ('', False), ('slow', False), ('not slow and not gpu and not browser', False),
        ('not gpu', False), ('gpu or slow', False), ('gpu and (slow or browser)', False),
        ('slow or gpu', False),
    ],
)  # fmt: skip
def test_gpus_are_shown_to_tests_of_gpus_alone(expression, alone):
    assert are_gpu_tests_alone(expression) is alone


def test_this_process_and_its_children_see_none():
    code = 'import os; print(repr(os.environ.get("CUDA_VISIBLE_DEVICES")))'
    child = subprocess.run([sys.executable, '-c', code], capture_output=True, check=True, text=True)
    assert child.stdout == "''\n"
    assert os.environ['CUDA_VISIBLE_DEVICES'] == ''
    assert not torch.cuda.is_available()
    assert get_device() == 'cpu'


@pytest.fixture(scope='module')
def machine(tmp_path_factory):
    """A folder of tests with our conftest, and a Python that has cards."""
    folder = tmp_path_factory.mktemp('machine')
    for name in ('conftest.py', 'light.py', 'skips.py', 'visible_devices.py'):
        shutil.copy(TESTS / name, folder)
    # which chooses a device when it is imported, as some of the suite's do
    (folder / 'test_folder').mkdir()
    (folder / 'test_folder/conftest.py').write_text('import mmengine.device\n')
    (folder / 'test_folder/test_probe.py').write_text(PROBE)
    (folder / 'sitecustomize.py').write_text(CARDS)
    shutil.copy(TESTS.parent / 'pyproject.toml', folder)
    return folder


def outcome(machine, *arguments, **environment):
    path = os.pathsep.join([str(machine), str(TESTS.parent)])
    env = {**os.environ, 'PYTHONPATH': path, **environment}
    env.pop('CUDA_VISIBLE_DEVICES')
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *arguments]
    result = subprocess.run(
        command, cwd=machine, env=env, capture_output=True, check=False, text=True
    )
    return result.stdout.splitlines()[-1], result.stdout + result.stderr


@pytest.mark.parametrize(
    'arguments', [['test_folder'], ['test_folder', '-m', 'gpu']], ids=['usual', 'gpu']
)
def test_on_a_machine_with_cards(machine, arguments):
    """The usual test is on the CPU there, with its children; that of GPUs is on one."""
    last, output = outcome(machine, *arguments)
    assert last.startswith('1 passed, 1 deselected'), output


def test_the_trial_on_the_cpu_hides_the_cards(machine):
    last, output = outcome(machine, 'test_folder', '-m', 'gpu', **{ON: 'cpu'})
    assert "assert 'cpu 0' == 'cuda 2'" in output
    assert last.startswith('1 failed, 1 deselected')
