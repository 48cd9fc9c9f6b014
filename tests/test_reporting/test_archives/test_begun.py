import pytest

from mmomni.reporting.archives.begun import MOST_DEATHS, Begun


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'begun/part-00000.txt'


def test_a_worker_that_ends_at_a_file_is_noted_with_it(path):
    first = Begun(path)
    first.begin([0])
    first.begin([1, 2])
    second = Begun(path)
    assert second.suspects == {1, 2}
    assert second.chunks(5, 2) == [[0], [1], [2], [3, 4]]
    second.begin([1])
    assert not Begun(path).refuses(1)


def test_no_file_is_to_blame_for_what_follows_it(path):
    first = Begun(path)
    first.begin([0])
    first.begin([])
    assert not Begun(path).suspects


def test_a_torn_note_is_none(path):
    Begun(path).begin([4])
    with open(path, 'ab') as file:
        file.write(b'[5')
    assert Begun(path).suspects == {4}
    assert Begun(path).suspects == {4}


def test_after_some_deaths_a_file_is_left_alone(path):
    for _ in range(MOST_DEATHS):
        begun = Begun(path)
        assert not begun.refuses(7)
        begun.begin([7])
    for number in (8, 9):
        begun = Begun(path)
        assert begun.refuses(7)
        begun.begin([number])
    assert Begun(path).refuses(7)
    Begun(path).forget()
    assert not Begun(path).suspects


def test_chunks_are_of_the_size_that_is_asked_for(path):
    assert Begun(path).chunks(5, 3) == [[0, 1, 2], [3, 4]]
    assert Begun(path).chunks(2, 1) == [[0], [1]]


def test_workers_that_end_here_and_there_have_other_reasons(path):
    for number in (0, 1, 0, 0, 2, 0, 1, 0):
        Begun(path).begin([number])
    begun = Begun(path)
    assert begun.suspects == {0, 1, 2}
    assert not any(map(begun.refuses, range(3)))
