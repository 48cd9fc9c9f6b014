"""What importing the package pulls in, and what it must not."""

import ast
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmomni

PACKAGE = Path(mmomni.__file__).parent
OPTIONAL = ('torchvision', 'jpegio', 'mmpretrain', 'lmdb', 'pyarrow', 'ray')
MODULES = sorted(m.name for m in pkgutil.walk_packages(mmomni.__path__, 'mmomni.'))


def run(code, **env):
    command = [sys.executable, '-W', 'ignore', '-c', code]
    env = {**os.environ, 'PYTHONPATH': str(PACKAGE.parent), **env}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=env)


@pytest.fixture
def decoys(tmp_path):
    """Importable stand-ins for the optional packages, which here may not be installed."""
    for name in OPTIONAL:
        (tmp_path / f'{name}.py').touch()
    return f'{tmp_path}{os.pathsep}{PACKAGE.parent}'


@pytest.mark.parametrize('module', ['mmomni', 'mmomni.jpeg'])
def test_optional_packages_are_not_imported(module, decoys):
    code = f'import {module}, sys; print([m for m in {OPTIONAL} if m in sys.modules])'
    result = run(code, PYTHONPATH=decoys)
    assert (result.returncode, result.stdout.strip()) == (0, '[]'), result.stderr


def test_decoys_are_seen(decoys):
    """The check above can fail."""
    code = "import torchvision, mmomni, sys; print('torchvision' in sys.modules)"
    assert run(code, PYTHONPATH=decoys).stdout.strip() == 'True'


@pytest.mark.host
def test_every_module_imports_without_optional_packages():
    """``None`` in ``sys.modules`` makes an import fail as if the package were not installed."""
    assert len(MODULES) > 40
    code = [
        'import importlib, sys',
        f'sys.modules.update(dict.fromkeys({OPTIONAL}))',
        f'for name in {MODULES}: importlib.import_module(name)',
    ]
    result = run('\n'.join(code))
    assert result.returncode == 0, result.stderr


def imports_of(path):
    """Top-level names imported anywhere in a file, and by relative imports ``.name``."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield '.' * node.level + (node.module or '')


@pytest.mark.parametrize(
    ('place', 'forbidden'),
    [
        ('jpeg', ('torch', 'mmcv', 'mmengine', 'mmseg', 'mmdet')),
        ('utils', ('mmcv', 'mmengine', 'mmseg', 'mmdet')),
        ('utils/templates', ('torch', 'mm')),
        ('evaluation/functional', ('mm',)),
        ('synthesis', ('torch', 'mmcv', 'mmengine', 'mmseg', 'mmdet')),
        ('models', ('torchvision', 'mmpretrain', 'mmomni.datasets', 'mmomni.apis')),
        ('datasets', ('torchvision', 'mmomni.models', 'mmomni.apis')),
    ],
)
def test_imports_point_one_way(place, forbidden):
    paths = [PACKAGE / place] if place.endswith('.py') else sorted((PACKAGE / place).rglob('*.py'))
    assert paths
    found = {(path.name, name) for path in paths for name in imports_of(path)}
    assert [pair for pair in sorted(found) if pair[1].startswith(forbidden)] == []
