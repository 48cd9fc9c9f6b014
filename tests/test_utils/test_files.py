"""Files that are found, written whole or not at all, and read without a torn line."""

import pytest

from mmomni.utils.files import find_by_stem, find_images, is_image, replacing, whole_lines


def test_images_are_told_by_their_suffix(tmp_path):
    assert is_image(tmp_path / 'a.JPG')
    assert not is_image(tmp_path / 'a.txt')


def test_images_are_found_below_and_through_links_once(tmp_path):
    for name in ('b/x.png', 'a.jpg', 'b/notes.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'b/up').symlink_to(tmp_path)
    assert find_images(tmp_path) == [tmp_path / 'a.jpg', tmp_path / 'b/x.png']


def test_stems_are_paths_without_suffix(tmp_path):
    (tmp_path / 'b').mkdir()
    for name in ('b/x.png', 'b/x.jpg', 'x.png'):
        (tmp_path / name).touch()
    assert find_by_stem(tmp_path) == {
        'b/x': [str(tmp_path / 'b/x.jpg'), str(tmp_path / 'b/x.png')],
        'x': [str(tmp_path / 'x.png')],
    }


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
