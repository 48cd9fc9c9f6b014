"""``mmomni train``, ``test`` and ``browse``: the scripts of ``tools/`` as commands."""

import sys
from pathlib import Path

import pytest

from mmomni.cli import main, tools
from mmomni.utils import staged

SCRIPT = """
import sys
import beside

def main():
    with open('seen.txt', 'w') as file:
        file.write('\\n'.join([*sys.argv, beside.WORD]))
    if '--fail' in sys.argv:
        sys.exit(7)
"""


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """A package that carries a stand-in for each script, in a folder to work in."""
    monkeypatch.chdir(tmp_path)
    for script, _ in tools.SCRIPTS.values():
        path = tmp_path / 'package/tools' / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SCRIPT)
        (path.parent / 'beside.py').write_text("WORD = 'of the same folder'\n")
    monkeypatch.setattr(staged, 'PACKAGE', tmp_path / 'package/mmomni')
    monkeypatch.delitem(sys.modules, 'beside', raising=False)
    yield tmp_path
    sys.modules.pop('beside', None)


@pytest.mark.parametrize('command', tools.SCRIPTS)
@pytest.mark.parametrize(
    'arguments', [[], ['-h'], ['a.py', '--work-dir', 'x'], ['a.py', '--cfg-options', 'b=1', '--']]
)
def test_a_command_hands_all_its_arguments_to_its_script(command, arguments, scripts):
    before = sys.argv, sys.path
    assert main([command, *arguments]) == 0
    seen = Path('seen.txt').read_text().splitlines()
    assert seen == [f'mmomni {command}', *arguments, 'of the same folder']
    assert (sys.argv, sys.path) == before


def test_the_exit_status_is_the_scripts(scripts):
    before = sys.argv, sys.path
    with pytest.raises(SystemExit) as stopped:
        main(['browse', 'a.py', '--fail'])
    assert stopped.value.code == 7
    assert (sys.argv, sys.path) == before


def test_a_package_without_the_script_is_named(scripts, capsys):
    (scripts / 'package/tools/train.py').unlink()
    with pytest.raises(SystemExit, match=r'^mmomni train: expected tools/train\.py in the package'):
        main(['train', 'a.py'])


def test_what_is_installed_goes_before_what_lies_beside_the_package(scripts):
    path = scripts / 'package/mmomni/.mim/tools/train.py'
    path.parent.mkdir(parents=True)
    path.touch()
    assert staged.staged('tools/train.py') == path


@pytest.mark.parametrize('command', ['train', 'test'])
def test_help_is_the_scripts_by_the_name_of_the_command(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, '--help'])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f'usage: mmomni {command} [-h]')
    assert '--cfg-options KEY=VALUE' in text


def test_all_commands_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    text = capsys.readouterr().out
    for command, (_, summary) in tools.SCRIPTS.items():
        assert f'{command} ' in text
        assert summary in ' '.join(text.split())


@pytest.mark.parametrize('command', ['train', 'test'])
def test_a_config_that_is_not_there_is_one_line(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('my_config.py').touch()
    Path('a.pth').touch()
    arguments = ['my_confg.py', *(['a.pth'] if command == 'test' else [])]
    with pytest.raises(SystemExit) as stopped:
        main([command, *arguments])
    message = str(stopped.value.code)
    assert message.startswith(f'mmomni {command}: my_confg.py: expected a config')
    assert message.endswith('is it my_config.py?')
    assert len(message.splitlines()) == 1
