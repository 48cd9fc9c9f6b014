"""Which files of a list exist is known without asking for each, and by one process."""

import os

import numpy as np
import pytest

from mmomni.datasets import ManipulationDataset, lists, manipulation, presence
from mmomni.datasets.presence import MOST_ASKED_FOR, absent_files, any_exists

MANY = MOST_ASKED_FOR + 20


@pytest.fixture
def folder(tmp_path):
    """More files than are asked for one by one, and two folders of few."""
    for name, number in (('many', MANY), ('few', 3), ('few/below', 2)):
        (tmp_path / name).mkdir()
        for index in range(number):
            (tmp_path / name / f'{index}.jpg').touch()
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """Paths that were asked for, one by one."""
    paths, stat = [], os.stat

    def noted(path, *args, **kwargs):
        if isinstance(path, (str, os.PathLike)):
            paths.append(os.fspath(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, 'stat', noted)
    return paths


def files_of(folder, names):
    return [f'{folder}/{name}' for name in names]


def many(number=MANY):
    return [f'many/{index}.jpg' for index in range(number)]


def test_what_is_there_is_not_absent_and_nobody_asks(folder, asked):
    assert absent_files(files_of(folder, many())) == set()
    assert asked == []


def test_few_files_are_asked_for(folder, asked):
    """Their folder may hold millions."""
    files = files_of(folder, many(3))
    assert absent_files(files) == set()
    assert sorted(asked) == sorted(files)


def test_equals_isfile_for_all_that_a_path_can_be(folder):
    (folder / 'many/sub').mkdir()
    (folder / 'many/link.jpg').symlink_to(folder / 'few/0.jpg')
    (folder / 'many/to_folder.jpg').symlink_to(folder / 'few')
    (folder / 'many/broken.jpg').symlink_to(folder / 'gone.jpg')
    (folder / 'many/loop.jpg').symlink_to(folder / 'many/loop.jpg')
    (folder / 'linked').symlink_to(folder / 'many')
    names = [
        *many(), 'many/sub', 'many/link.jpg', 'many/to_folder.jpg', 'many/broken.jpg',
        'many/loop.jpg', 'many/', 'many//0.jpg', 'few/../many/1.jpg', 'many/0.JPG', 'many/gone.jpg',
        'many/0.jpg/x', 'linked/1.jpg', 'few/0.jpg', 'few/9.jpg', 'few/below/1.jpg',
        *(f'gone/{index}.jpg' for index in range(MANY)),
        *(f'few/0.jpg/{index}.jpg' for index in range(MANY)),
    ]  # fmt: skip
    files = [*files_of(folder, names), 'relative.jpg', '']
    assert absent_files(files) == {file for file in files if not os.path.isfile(file)}
    assert 2 * MANY < len(absent_files(files)) < 2 * MANY + 14


def test_names_without_a_folder_are_of_the_working_directory(folder, monkeypatch):
    monkeypatch.chdir(folder / 'many')
    names = [f'{index}.jpg' for index in range(MANY)]
    assert absent_files([*names, 'gone.jpg']) == {'gone.jpg'}


@pytest.mark.parametrize('error', [PermissionError, ValueError])
def test_a_folder_that_cannot_be_listed_is_asked(folder, monkeypatch, error):
    def refuse(path):
        raise error(path)

    monkeypatch.setattr('mmomni.datasets.presence.os.scandir', refuse)
    files = files_of(folder, [*many(), 'many/gone.jpg'])
    assert absent_files(files) == {f'{folder}/many/gone.jpg'}


def test_a_name_of_other_case_is_there_where_the_file_system_says_so(folder, monkeypatch):
    """As on other systems than this one."""
    isfile = os.path.isfile
    monkeypatch.setattr('mmomni.datasets.presence.osp.isfile', lambda p: isfile(p.lower()))
    files = files_of(str(folder).lower(), [*many(), 'many/0.JPG'])
    if str(folder) == str(folder).lower():
        assert absent_files(files) == set()


@pytest.mark.parametrize('number', [0, 1, 31, 32, 33, 1000])
def test_any_exists_looks_at_few(number, folder, asked):
    files = files_of(folder, [f'gone/{index}.jpg' for index in range(number)])
    assert any_exists(files) is (number == 0)
    assert len(asked) == min(number, len(files[:: max(1, -(-number // 32))])) <= 32
    assert any_exists([*files, f'{folder}/few/0.jpg'][::-1])


# ---- sets --------------------------------------------------------------------------------------


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """``listed(number, rank=0, without=0)``: a set of so many pairs, some files of them gone."""
    monkeypatch.setattr(manipulation, 'MOST_LOOKED_AT', 5)
    monkeypatch.setattr(presence, 'MOST_ASKED_FOR', 15)

    def make(number, rank=0, without=0, **options):
        for folder in ('images', 'masks'):
            (tmp_path / folder).mkdir(exist_ok=True)
            for index in range(without, number):
                (tmp_path / folder / f'{index}.png').touch()
        lines = [f'images/{index}.png masks/{index}.png' for index in range(number)]
        (tmp_path / 'list.txt').write_text('\n'.join(lines))
        monkeypatch.setattr(lists, 'is_first_process', lambda: rank == 0)
        return ManipulationDataset(
            domain='natural', data_root=str(tmp_path), ann_file='list.txt', **options
        )

    return make


@pytest.mark.parametrize('rank', [0, 1])
def test_the_start_asks_for_as_many_files_of_a_long_list_as_of_a_short_one(rank, listed, asked):
    """Two for each pair, and on every rank, were minutes for a million pairs."""
    counts = []
    for number in (40, 80):
        asked.clear()
        assert len(listed(number, rank)) == number
        counts.append(sum(path.endswith('.png') for path in asked))
    assert counts[0] == counts[1] <= (10 if rank == 0 else 11)


@pytest.mark.parametrize(('rank', 'listings'), [(0, ['images/', 'masks/']), (1, [])])
def test_the_first_rank_alone_lists_each_folder_once(rank, listings, listed, tmp_path, monkeypatch):
    seen, scandir = [], os.scandir

    def noted(path):
        seen.append(path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', noted)
    listed(40, rank)
    assert sorted(seen) == [f'{tmp_path}/{folder}' for folder in listings]


@pytest.mark.parametrize(('rank', 'lines'), [(0, 1), (1, 0)])
def test_missing_files_are_named_once(rank, lines, listed, log):
    assert len(listed(40, rank, without=3)) == 40
    named = [line for line in log if '6 files of' in line and 'images/0.png' in line]
    assert len(named) == lines


@pytest.mark.parametrize('rank', [0, 1])
def test_a_list_of_nothing_that_exists_ends_every_rank(rank, listed):
    """Else one would raise and the others wait for it."""
    with pytest.raises(FileNotFoundError, match=r'80 files of .*list\.txt do not exist.*data_r'):
        listed(40, rank, without=40)


@pytest.mark.parametrize('rank', [0, 1])
def test_every_rank_is_of_one_mind_where_few_exist(rank, listed, log):
    assert len(listed(40, rank, without=39)) == 40


def test_a_split_is_looked_at_for_itself(listed, log):
    listed(40, without=3, held_out=10)
    listed(40, without=3, held_out=10, split='held_out')
    counts = [int(line.split()[1]) for line in log if 'do not exist' in line]
    assert sum(counts) == 6


@pytest.mark.parametrize('gone', ['images/1.png', 'masks/1.png'])
def test_a_missing_file_is_named_in_training_and_another_takes_its_place(gone, save, photo, log):
    for index in range(3):
        save(f'images/{index}.png', photo(16, 16))
        path = save(f'masks/{index}.png', np.full((16, 16), 255, np.uint8))
    root = os.path.dirname(os.path.dirname(path))
    os.remove(f'{root}/{gone}')
    with open(f'{root}/list.txt', 'w') as file:
        file.writelines(f'images/{index}.png masks/{index}.png\n' for index in range(3))
    pipeline = [
        dict(type='mmomni.LoadOriginalImage'),
        dict(type='mmomni.LoadManipulationMask'),
        dict(type='mmomni.ExtractDCT'),
        dict(type='mmomni.PackManipulationInputs'),
    ]
    data = ManipulationDataset(
        domain='natural', data_root=root, ann_file='list.txt', pipeline=pipeline
    )
    assert any('1 files of' in line and gone in line for line in log)
    assert {data[1]['data_samples'].img_path[-5] for _ in range(20)} <= {'0', '2'}
    assert sum(line.startswith('unreadable') and gone in line for line in log) == 1
