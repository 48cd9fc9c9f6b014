"""The script that runs tests with the oldest and the newest versions of the dependencies."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEPENDENCIES = ['numpy>=1.23.5', 'jpeglib>=1.0,<1.1', 'torch>=2.1']
EXTRAS = {
    'serve': ['Werkzeug>=2.3'],
    'dev': ['mmomni[serve,onnx]', 'mypy', 'pillow-heif', 'pytest>=7.3'],
    'onnx': ['onnx'],
    'timm': ['timm'],
}


@pytest.fixture(scope='module')
def try_versions(load_tool):
    return load_tool('try_versions.py')


@pytest.fixture(scope='module')
def ours(try_versions):
    return try_versions.tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']


def project_with(dependencies):
    return {'name': 'mmomni', 'dependencies': dependencies, 'optional-dependencies': EXTRAS}


@pytest.mark.parametrize(
    ('oldest', 'expected'),
    [
        (True, ['numpy==1.23.5', 'jpeglib==1.0', 'onnx', 'Werkzeug==2.3', 'pillow-heif',
                'pytest==7.3']),
        (False, ['numpy>=1.23.5', 'jpeglib<1.1,>=1.0', 'onnx', 'Werkzeug>=2.3', 'pillow-heif',
                 'pytest>=7.3']),
    ],
)  # fmt: skip
def test_what_pip_is_asked_for(try_versions, oldest, expected):
    """Neither torch nor linters, and nothing of the extras that no test here needs."""
    project = project_with(DEPENDENCIES)
    assert try_versions.requirements(project, oldest) == expected


def test_a_dependency_without_a_minimum_is_named(try_versions):
    project = project_with(['numpy<3'])
    assert try_versions.requirements(project, oldest=False)[0] == 'numpy<3'
    with pytest.raises(ValueError, match=r'expected a minimum of every dependency.*got numpy<3'):
        try_versions.requirements(project, oldest=True)


def test_all_of_our_dependencies_have_a_minimum(try_versions, ours):
    asked = try_versions.requirements(ours, oldest=True)
    assert {'matplotlib==3.7', 'numpy==1.23.5', 'Werkzeug==2.3', 'lmdb==1.4.1'} <= set(asked)


def test_one_of_the_two_must_be_asked_for():
    command = [sys.executable, 'tools/try_versions.py']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'one of the arguments --oldest --newest is required' in done.stderr


def test_what_pip_does_not_find_ends_with_a_hint(try_versions, ours, monkeypatch, capsys):
    def fail(path, asked):
        raise subprocess.CalledProcessError(1, ['pip'])

    monkeypatch.setattr(try_versions, 'make', fail)
    monkeypatch.setattr(sys, 'argv', ['try_versions.py', '--oldest'])
    assert try_versions.main() == 1
    assert 'try 3.10 or 3.11' in capsys.readouterr().err
