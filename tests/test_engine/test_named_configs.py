"""Configs by path and by name, and the one line that says why one cannot be read."""

import copy
from pathlib import Path

import pytest

from mmomni.engine.configs import config_file, open_config
from mmomni.utils.staged import staged

LITE = 'omni-iml_efficientnet-lite0_1xb12-40k_192x192'
LITE_FILE = staged('configs') / f'lite/{LITE}.py'


@pytest.mark.parametrize(
    'name',
    [
        str(LITE_FILE),
        f'mmomni::lite/{LITE}.py',
        f'mmomni::lite/{LITE}',
        f'configs/lite/{LITE}.py',
        f'lite/{LITE}.py',
        f'{LITE}.py',
        LITE,
    ],
)
def test_a_config_of_the_package_has_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(config_file(name)).samefile(LITE_FILE)


def test_a_file_goes_before_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(f'{LITE}.py').write_text('a = 1\n')
    assert open_config(f'{LITE}.py').a == 1


@pytest.mark.parametrize(
    'base',
    [
        "_base_ = './base.py'\n",
        'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n',
    ],
)
def test_its_text_says_the_same_and_is_not_laid_out_anew_for_every_checkpoint(
    base, tmp_path, monkeypatch
):
    (tmp_path / 'base.py').write_text("model = dict(type='Net', sizes=[(1, 2)] * 40)\n")
    (tmp_path / 'whole.py').write_text(f'{base}seed = 3\n')
    cfg = copy.deepcopy(open_config(str(tmp_path / 'whole.py')))  # as runners do
    cfg.merge_from_dict({'model.depth': 9})
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', None)
    assert max(map(len, cfg.pretty_text.splitlines())) < 80
    cfg.dump(tmp_path / 'copy.py')
    assert open_config(str(tmp_path / 'copy.py')).to_dict() == cfg.to_dict()


def test_every_name_that_works_names_one_config():
    paths = [path for path in staged('configs').rglob('*.py') if '_base_' not in path.parts]
    assert len(paths) > 20
    for path in paths:
        assert Path(config_file(path.stem)).samefile(path)


@pytest.mark.parametrize(
    ('name', 'closest'),
    [
        ('my_confg.py', 'my_config.py'),
        ('mmomni::lite/omni-iml_efficientnet-lite0_1xb12-40k_192x19.py', f'mmomni::lite/{LITE}.py'),
        (f'nosuch/{LITE}s.py', f'mmomni::lite/{LITE}.py'),
    ],
)
def test_of_a_missing_config_the_closest_is_named(name, closest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('my_config.py').touch()
    with pytest.raises(FileNotFoundError, match='expected a config') as error:
        config_file(name)
    assert f'got {name!r}, no such file' in str(error.value)
    assert f'is it {closest}?' in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_nothing_close_is_nothing_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('qqqqqqqq.py', '.', '/', '', 'mmomni::', 'mmseg::pspnet/a.py'):
        with pytest.raises(FileNotFoundError, match='expected a config') as error:
            config_file(name)
        assert 'is it' not in str(error.value)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('a = 1\nb = (\n', 'line 2: syntax error'),
        ('a = 1\nb = c\n', "line 2: NameError: name 'c' is not defined"),
        ("_base_ = ['base.py']\nc = _base_.b\n", 'line 2: AttributeError'),
        ("_base_ = ['base.py', 'base.py']\n", ': KeyError'),
        ("_base_ = ['base.py']\na = dict(b=dict(c=2))\n", ': TypeError'),
        ("_base_ = ['broken.py']\n", 'broken.py, line 1: syntax error'),
        ("custom_imports = dict(imports=['no_such'])", "No module named 'no_such'; PYTHONPATH"),
        ('a = "\N{GREEK SMALL LETTER MU}', 'line 1: syntax error'),
    ],
)
def test_what_is_wrong_with_a_config_is_one_line(text, expected, tmp_path):
    (tmp_path / 'base.py').write_text('a = dict(b=1)\n')
    (tmp_path / 'broken.py').write_text('a = = 1\n')
    path = tmp_path / 'own.py'
    path.write_text(text, encoding='utf-8')
    with pytest.raises(ValueError, match=r'\.py') as error:
        open_config(str(path))
    assert expected in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_bytes_that_are_no_text_are_one_line(tmp_path):
    path = tmp_path / 'own.py'
    path.write_bytes(b'a = 1\n\xff\xfe')
    with pytest.raises(ValueError, match=r'own\.py: expected a config, text in UTF-8'):
        open_config(str(path))


def test_another_suffix_is_refused_with_those_that_exist(tmp_path):
    path = tmp_path / 'own.txt'
    path.write_text('a = 1')
    with pytest.raises(ValueError, match=r'own\.txt: expected a config \(\.py, \.yml'):
        open_config(str(path))


@pytest.mark.parametrize('base', ['bse.py', 'mmomni::_base_/default_runtme.py'])
def test_a_missing_base_is_named_with_the_closest(base, tmp_path):
    path = tmp_path / 'own.py'
    path.write_text(f"_base_ = ['{base}']\n")
    (tmp_path / 'base.py').touch()
    with pytest.raises(FileNotFoundError, match='expected its _base_ at') as error:
        open_config(str(path))
    assert 'is it ' in str(error.value)
