import errno
import os

import pytest
import torch

from mmomni.utils.files import unfinished_files, write_durably
from mmomni.utils.torn_files import torn


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict=dict(a=torch.arange(2000.0), b=torch.ones(3)), meta={}), path)
    return path


def test_a_whole_file_is_whole(whole):
    assert torn(whole) == ''


@pytest.mark.parametrize('share', [0.0003, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_cut_short(whole, share):
    data = whole.read_bytes()
    whole.write_bytes(data[: max(1, int(share * len(data)))])
    assert torn(whole).startswith('is cut short')


def test_a_part_was_taken_out_of_the_middle(whole):
    data = whole.read_bytes()
    whole.write_bytes(data[:500] + data[3000:])
    assert torn(whole).startswith('is cut short')


@pytest.mark.parametrize(
    ('data', 'reason'), [(b'', 'is empty'), (bytes(5000), 'holds zeros'), (b'PK', 'is cut short')]
)
def test_nothing_in_it(tmp_path, data, reason):
    (tmp_path / 'x.pth').write_bytes(data)
    assert torn(tmp_path / 'x.pth').startswith(reason)


def test_absent(tmp_path):
    assert torn(tmp_path / 'x.pth') == 'does not exist'


def test_what_cannot_be_told_is_believed(tmp_path):
    torch.save(torch.ones(3), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert torn(tmp_path / 'old.pth') == ''
    assert torn(tmp_path) == ''  # a folder, as DeepSpeed saves


# ---- writing ------------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """Names of functions of ``os`` in the order in which they were called."""
    names = []
    for name in ('fsync', 'replace'):
        function = getattr(os, name)

        def noted(*arguments, name=name, function=function):
            names.append(name)
            return function(*arguments)

        monkeypatch.setattr(os, name, noted)
    return names


def test_file_is_on_the_disk_before_it_gets_its_name_and_the_name_after(tmp_path, calls):
    write_durably(tmp_path / 'a', b'new')
    assert calls == ['fsync', 'replace', 'fsync']
    assert (tmp_path / 'a').read_bytes() == b'new'


def test_old_file_outlives_a_full_disk(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, 'No space left on device')

    (tmp_path / 'a').write_bytes(b'old')
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left'):
        write_durably(tmp_path / 'a', b'new')
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {'a': b'old'}


def test_unfinished_files_tell_their_process(tmp_path):
    for name in ('iter_2.pth.123.part', 'x.part', 'iter_2.pth', 'movie.mp4.part'):
        (tmp_path / name).touch()
    assert unfinished_files(tmp_path) == {tmp_path / 'iter_2.pth.123.part': 123}
