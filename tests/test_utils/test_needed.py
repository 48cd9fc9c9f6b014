"""Without torch or OpenMMLab: what works, and what is said where something does not."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmomni
from mmomni.utils.needed import HOST, how_to_install

PACKAGE = Path(mmomni.__file__).parent
# `None` makes an import fail as if the package were not installed.
WITHOUT = 'import sys; sys.path.insert(0, {!r}); sys.modules.update(dict.fromkeys({!r}))\n'
MODULES = sorted(
    '.'.join(('mmomni', *path.relative_to(PACKAGE).with_suffix('').parts))
    for path in PACKAGE.rglob('*.py')
    if path.stem not in ('__init__', '__main__') and '.mim' not in path.parts
)
IMPORT_ALL = """
import importlib
import mmomni
for name in {!r}:
    try:
        importlib.import_module(name)
        print('imported', name)
    except ModuleNotFoundError as error:
        print(error)
"""


def run(absent, code, folder):
    code = WITHOUT.format(str(PACKAGE.parent), absent) + code
    command = [sys.executable, '-c', code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize('absent', [*((name,) for name in HOST), HOST], ids='-'.join)
def test_a_module_that_needs_what_is_missing_names_the_command(absent, tmp_path):
    done = run(absent, IMPORT_ALL.format(MODULES), tmp_path)
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    told = [line for line in lines if line == how_to_install(absent)]
    imported = [line for line in lines if line.startswith('imported ')]
    assert len(told) + len(imported) == len(lines) == len(MODULES), lines
    assert 'imported mmomni.synthesis.generate' in lines or 'imported mmomni.jpeg.luma' in lines
    assert len(told) > 50


def test_a_part_missing_in_what_is_installed_is_told_as_it_is(tmp_path):
    """It is another fault, and hiding it behind what else is missing would mislead."""
    done = run(('torch.nn', 'mmseg'), 'import mmomni.models.layers', tmp_path)
    last = done.stderr.splitlines()[-1]
    assert 'torch.nn' in last
    assert 'mmseg' not in last


@pytest.mark.parametrize('command', [
    'predict a.jpg --checkpoint a.pth', 'serve --checkpoint a.pth', 'train a.py', 'test a.py a.pth',
    'browse a.py',
])  # fmt: skip
def test_a_command_names_it_in_one_line(command, tmp_path):
    for name in ('a.jpg', 'a.pth'):
        (tmp_path / name).touch()
    absent = ('mmengine', 'mmseg')
    code = f'from mmomni.cli import main; sys.exit(main({command.split()!r}))'
    done = run(absent, code, tmp_path)
    expected = f'mmomni {command.split()[0]}: {how_to_install(absent)}\n'
    assert (done.returncode, done.stdout, done.stderr) == (1, '', expected)


def test_what_needs_none_of_them_goes_on(tmp_path):
    command = ['synthesize', 'rendered', 'out', '--domain', 'document', '--num', '1']
    code = f"""if True:
        from mmomni.cli import main
        status = main({[*command, '--max-side', '64']!r})
        try:
            main(['--version'])
        finally:
            sys.exit(status)
    """
    done = run(HOST, code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f'mmomni {mmomni.__version__}\n')
    assert len(list((tmp_path / 'out/images').iterdir())) == 1


@pytest.mark.parametrize(
    ('names', 'says', 'command'),
    [
        (('torch',), 'torch is not installed', 'pip install torch'),
        (('mmseg',), 'mmseg is not installed', "pip install 'mmomni[onedl]'"),
        (('mmengine', 'mmseg'), 'mmengine, mmseg are not', "pip install 'mmomni[onedl]'"),
        (
            HOST,
            'torch, mmcv, mmengine, mmseg are not',
            (
                'pip install torch && pip install ninja && MMCV_WITH_OPS=1 pip install '
                "--no-build-isolation onedl-mmcv && pip install 'mmomni[onedl]'"
            ),
        ),
    ],
)
def test_commands_are_in_the_order_to_install(names, says, command):
    line = how_to_install(names)
    assert says in line
    assert line.endswith(f'installed: {command}')
    assert '\n' not in line


def test_nothing_is_changed_where_all_is_there(tmp_path):
    code = """if True:
        import mmomni
        from mmomni.utils import needed
        print(any(isinstance(finder, needed._Finder) for finder in sys.meta_path))
    """
    assert run((), code, tmp_path).stdout == 'False\n'
