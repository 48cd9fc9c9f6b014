"""Files that are found, written whole or not at all, and read without a torn line."""

import os
from functools import partial
from pathlib import Path

import pytest
from odd_folders import close_folders, obeying_modes

from mmomni.utils.files import (
    contents_of,
    copies_among,
    counted_kinds,
    files_below,
    find_by_stem,
    find_images,
    is_image,
    missing_text,
    replacing,
    whole_lines,
)


def test_images_are_told_by_their_suffix(tmp_path):
    assert is_image(tmp_path / 'a.JPG')
    assert not is_image(tmp_path / 'a.txt')


def test_images_are_found_below_and_through_links_once(tmp_path):
    for name in ('b/x.png', 'a.jpg', 'b/notes.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'b/up').symlink_to(tmp_path)
    assert find_images(tmp_path) == [tmp_path / 'a.jpg', tmp_path / 'b/x.png']


def test_every_file_of_a_folder_has_one_place(tmp_path):
    jpeg = b'\xff\xd8\xff\xe0'
    for name, content in {
        'photo': jpeg, 'twitter.jpg_large': jpeg, 'really.heic': jpeg, 'sub/broken.jpg': b'',
        'a.pdf': b'%PDF-1.7', 'notes.txt': b'text', '.DS_Store': b'x', '._b.jpg': jpeg,
        'sub/.ipynb_checkpoints/a.jpg': jpeg, 'sub/Thumbs.db': b'x',
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / 'sub/up').symlink_to(tmp_path)
    found = contents_of(tmp_path)
    names = [str(path.relative_to(tmp_path)) for path in found.images]
    assert names == ['photo', 'really.heic', 'sub/broken.jpg', 'twitter.jpg_large']
    assert found.closed == {}
    assert counted_kinds(found.others.values()) == '3 hidden, 1 db, 1 pdf, 1 txt'
    assert len(found.images) + len(found.others) == 10


def test_a_hidden_folder_that_is_asked_for_is_not_hidden(tmp_path):
    (tmp_path / '.cache').mkdir()
    (tmp_path / '.cache/a.jpg').touch()
    assert contents_of(tmp_path / '.cache').images == [tmp_path / '.cache/a.jpg']


def test_a_hidden_folder_that_a_link_shows_is_not_hidden(tmp_path):
    (tmp_path / '.store').mkdir()
    (tmp_path / '.store/a.jpg').touch()
    (tmp_path / 'photos').symlink_to('.store')
    assert contents_of(tmp_path).images == [tmp_path / 'photos/a.jpg']


@pytest.fixture
def refuse_folders(monkeypatch):
    return partial(close_folders, monkeypatch)


def test_folders_that_cannot_be_entered_are_named(tmp_path, refuse_folders):
    for name in ('open/a.jpg', 'closed/b.jpg', '.hidden/c.jpg'):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    refuse_folders('closed', '.hidden')
    found = contents_of(tmp_path)
    assert found.images == [tmp_path / 'open/a.jpg']
    assert found.closed == {tmp_path / 'closed': 'Permission denied'}
    assert found.others == {tmp_path / '.hidden': 'hidden'}


def test_a_folder_without_permission_is_named(tmp_path):
    (tmp_path / 'closed').mkdir(0)
    with obeying_modes():
        found = contents_of(tmp_path)
    assert found.closed == {tmp_path / 'closed': 'Permission denied'}


def test_a_folder_that_cannot_be_entered_itself(tmp_path, refuse_folders):
    refuse_folders(tmp_path.name)
    assert contents_of(tmp_path).closed == {tmp_path: 'Permission denied'}


def test_kinds_are_counted_and_add_up_however_many():
    assert counted_kinds(['txt', 'pdf', 'txt', 'a']) == '2 txt, 1 a, 1 pdf'
    many = [f'{number:02}' for number in range(45)]
    text = counted_kinds([*many, *many[-3:]])
    assert text.endswith(', 5 of 5 other kinds')
    assert sum(int(part.split()[0]) for part in text.split(', ')) == 48


def test_what_does_not_exist_is_told_from_where_on_and_what_is_near(tmp_path):
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'file').touch()
    (tmp_path / 'link').symlink_to(tmp_path / 'nowhere')
    here = str(tmp_path)
    near = "; the closest name there is 'photos'"
    for name, expected in {
        'photo': f'does not exist{near}',
        'photo/a/b.jpg': f'does not exist, nor does {here}/photo{near}',
        'zebra': 'does not exist',
        'a\0b': 'does not exist',
        'file/b.jpg': 'does not exist',
        'link': f'a link to {here}/nowhere, which does not exist',
    }.items():
        assert missing_text(tmp_path / name) == f'{here}/{name}: {expected}'


def test_what_lies_in_a_closed_folder_is_not_said_to_be_missing(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, 'Permission denied', path)

    monkeypatch.setattr('os.listdir', refuse)
    assert f'because the folder {tmp_path} cannot be entered' in missing_text(tmp_path / 'a')


def test_stems_are_paths_without_suffix(tmp_path):
    (tmp_path / 'b').mkdir()
    for name in ('b/x.png', 'b/x.jpg', 'x.png'):
        (tmp_path / name).touch()
    assert find_by_stem(tmp_path) == {
        'b/x': [str(tmp_path / 'b/x.jpg'), str(tmp_path / 'b/x.png')],
        'x': [str(tmp_path / 'x.png')],
    }


def test_a_given_suffix_may_be_more_than_what_follows_the_dot(tmp_path):
    paths = [tmp_path / 'b/x_gt.png', tmp_path / 'a.b_gt.png']
    assert find_by_stem(tmp_path, paths, '_gt.png') == {
        'b/x': [str(tmp_path / 'b/x_gt.png')],
        'a.b': [str(tmp_path / 'a.b_gt.png')],
    }


HIDDEN = ('._b.jpg', '.DS_Store', '.ipynb_checkpoints/a-checkpoint.jpg', 'sub/.cache/deep/b.png')


@pytest.fixture
def with_hidden(tmp_path):
    for name in (*HIDDEN, 'a.jpg', 'sub/b.png', 'sub/Thumbs.db'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_hidden_files_are_counted_and_no_images(with_hidden):
    images = [with_hidden / 'a.jpg', with_hidden / 'sub/b.png']
    assert find_images(with_hidden) == images
    assert sorted(find_by_stem(with_hidden)) == ['a', 'sub/b']
    others = [with_hidden / 'sub/Thumbs.db']
    assert files_below(with_hidden, is_image) == (images, others, len(HIDDEN))


def test_images_in_a_folder_that_cannot_be_entered_are_not_passed_over(tmp_path, refuse_folders):
    (tmp_path / 'open' / 'closed').mkdir(parents=True)
    (tmp_path / 'open' / 'a.jpg').touch()
    refuse_folders('closed')
    for find in (find_images, find_by_stem):
        with pytest.raises(PermissionError, match=r'open/closed: this folder cannot be entered'):
            find(tmp_path)


def test_a_hidden_folder_need_not_be_entered(tmp_path, refuse_folders):
    (tmp_path / '.Trash').mkdir()
    (tmp_path / 'a.jpg').touch()
    refuse_folders('.Trash')
    assert find_images(tmp_path) == [tmp_path / 'a.jpg']


def test_copies_are_files_with_the_bytes_of_an_earlier_one(tmp_path):
    contents = dict(b=b'xy', a=b'xy', c=b'yx', d=b'xyz', e=b'xy', f=b'', g=b'')
    paths = {name: tmp_path / name for name in contents}
    for name, content in contents.items():
        paths[name].write_bytes(content)
    paths['h'] = tmp_path / 'h'
    paths['h'].symlink_to(paths['d'])
    os.mkfifo(tmp_path / 'pipe')
    given = [*paths.values(), tmp_path / 'pipe', tmp_path / 'gone', tmp_path, Path('no\0name')]
    expected = dict(a='b', e='b', g='f', h='d')
    assert copies_among(given) == {paths[copy]: paths[first] for copy, first in expected.items()}


def test_what_is_whole_takes_the_place(tmp_path):
    target = tmp_path / 'file.txt'
    target.write_text('before')
    with replacing(target) as unfinished:
        unfinished.write_text('after')
        assert target.read_text() == 'before'
    assert [path.name for path in tmp_path.iterdir()] == ['file.txt']
    assert target.read_text() == 'after'


@pytest.mark.parametrize('named', [False, True])
def test_what_fails_leaves_nothing_behind(tmp_path, named):
    target = tmp_path / 'file.txt'
    target.write_text('before')
    with pytest.raises(KeyboardInterrupt), replacing(  # noqa: PT012
        target, tmp_path / 'part' if named else None
    ) as unfinished:
        unfinished.write_text('half')
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ['file.txt']
    assert target.read_text() == 'before'


def test_a_torn_line_is_left_out(tmp_path):
    path = tmp_path / 'lines.jsonl'
    assert whole_lines(path) == []
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    assert whole_lines(path) == [b'{"a": 1}\n', b'{"a": 2}\n']
