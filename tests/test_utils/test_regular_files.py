"""What is opened for reading: files, and nothing that could keep its reader."""

import os
import socket

import pytest

from mmomni.utils.regular_files import NotRegularError, open_regular


def test_files_and_links_to_them_are_read(tmp_path):
    (tmp_path / 'file').write_bytes(b'some bytes')
    (tmp_path / 'link').symlink_to('file')
    for path in (tmp_path / 'file', str(tmp_path / 'link')):
        with open_regular(path) as file:
            assert file.read() == b'some bytes'


@pytest.fixture
def odd_things(tmp_path, monkeypatch):
    """One of each kind that is no file, all called like images."""
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    os.mkfifo('pipe.jpg')
    (tmp_path / 'zero.jpg').symlink_to('/dev/zero')
    (tmp_path / 'folder.jpg').mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind('socket.jpg')
        yield {name: tmp_path / f'{name}.jpg' for name in ('pipe', 'zero', 'folder', 'socket')}


@pytest.mark.parametrize('kind', ['pipe', 'zero', 'folder', 'socket'])
def test_all_else_is_refused_and_not_even_opened(kind, odd_things, monkeypatch):
    monkeypatch.setattr(os, 'open', lambda *_, **__: pytest.fail('it was opened'))
    with pytest.raises(NotRegularError, match=r'got a (folder|pipe|device|socket)'):
        open_regular(odd_things[kind])


@pytest.mark.parametrize('kind', ['pipe', 'zero', 'folder'])
def test_what_takes_the_place_of_a_file_keeps_nobody_waiting(kind, odd_things, monkeypatch):
    """Between the look at a path and its opening, another may put a pipe there."""
    regular = os.stat(__file__)
    monkeypatch.setattr(os, 'stat', lambda *_, **__: regular)
    with pytest.raises(NotRegularError):
        open_regular(odd_things[kind])


@pytest.mark.parametrize('name', ['a\0b.jpg', 'lone \ud800.jpg'])
def test_a_name_that_no_file_can_have_is_an_error_of_the_system(name):
    with pytest.raises(OSError, match='no file can have the name'):
        open_regular(name)


def test_a_missing_file_is_told_from_others(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / 'none')
