"""``mmomni train``, ``test`` and ``browse``: the scripts of ``tools/`` as commands."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    assert message.startswith(f'mmomni {command}: expected a config')
    assert "got 'my_confg.py', no such file" in message
    assert message.endswith('is it my_config.py?')
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize('command', ['train', 'test'])
def test_a_config_that_cannot_be_read_is_one_line(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('my_config.py').write_text('a = 1\nb = (\n')
    Path('a.pth').touch()
    with pytest.raises(SystemExit) as stopped:
        main([command, 'my_config.py', *(['a.pth'] if command == 'test' else [])])
    message = str(stopped.value.code)
    assert message.startswith(f'mmomni {command}: my_config.py, line 2: syntax error')
    assert len(message.splitlines()) == 1


def test_what_is_wrong_with_a_training_is_said_before_anything_is_built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo = 'mmomni::demo/omni-iml_convnext-atto_demo.py'
    options = ['train_cfg.type=EpochBasedTrainLoop', 'model.decode_head.num_classes=3']
    with pytest.raises(SystemExit) as stopped:
        main(['train', demo, '--cfg-options', *options])
    first, classes, endless = str(stopped.value.code).splitlines()
    assert first == 'mmomni train: this config cannot be trained with:'
    assert 'num_classes=3' in classes
    assert 'ReproducibleSampler' in endless
    with pytest.raises(SystemExit, match='max_iters is a variable of the config'):
        main(['train', demo, '--cfg-options', 'max_iters=3'])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('config', ['nosuch.py', 'broken.py'])
@pytest.mark.parametrize('command', ['calibrate', 'predict'])
def test_other_commands_say_what_is_wrong_with_a_config(
    command, config, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path('broken.py').write_text('a = (')
    Path('a.pth').touch()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save('a.png')
    arguments = {
        'calibrate': [config, 'a.pth', '.'],
        'predict': ['a.png', '--config', config, '--checkpoint', 'a.pth'],
    }
    assert main([command, *arguments[command]]) == 1
    error = capsys.readouterr().err
    expected = 'expected a config' if config == 'nosuch.py' else 'broken.py, line 1: syntax error'
    assert expected in error
    assert len(error.splitlines()) == 1
