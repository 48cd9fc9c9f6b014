"""Images read by processes of our own."""

import os
import signal
import time

import numpy as np
import pytest

from mmomni.apis.inputs import Source
from mmomni.apis.reading import AHEAD, read_in_batches


def slowest_first(source):
    time.sleep(0.2 if source.name == '0' else 0)
    return source.name, os.getpid()


def with_a_death(source):
    if source.name == '2':
        os.kill(os.getpid(), signal.SIGKILL)
    return source.name


def failing(source):
    raise RuntimeError(f'a fault of ours in {source.name}')


def noted(source):
    source.content.with_name(source.name).touch()
    return source.name


def sources(number):
    return [Source(str(index), np.empty(0)) for index in range(number)]


@pytest.mark.parametrize('workers', [0, 2])
def test_order_is_that_of_the_sources(workers):
    found = list(read_in_batches(sources(5), slowest_first, 2, workers))
    assert [[name for name, _ in batch] for batch in found] == [['0', '1'], ['2', '3'], ['4']]
    processes = {process for batch in found for _, process in batch}
    assert (os.getpid() in processes) == (not workers)


def test_nothing_to_read():
    assert list(read_in_batches([], slowest_first, 1, 2)) == []


@pytest.mark.parametrize('numbers', [(0, 0), (-1, 2), (1, -1)], ids=str)
def test_batches_and_processes_that_there_cannot_be(numbers):
    with pytest.raises(ValueError, match=r'expected batches of 1 image or more and 0 workers'):
        list(read_in_batches(sources(3), failing, *numbers))


def test_a_killed_process_is_told_with_what_was_not_read():
    batches = read_in_batches(sources(9), with_a_death, 1, 1)
    with pytest.raises(ChildProcessError, match=r'one was killed \(out of memory\?\) before ') as e:
        list(batches)
    assert '2' in str(e.value).partition('before ')[2].partition(' were')[0].replace(' and', ',')
    assert str(e.value).endswith('take fewer workers')


def test_what_reading_raises_is_raised():
    with pytest.raises(RuntimeError, match='a fault of ours in 0'):
        list(read_in_batches(sources(3), failing, 1, 1))


def test_no_more_is_read_than_is_wanted(tmp_path):
    """What is held does not grow with the number of images."""
    inputs = [Source(str(index), tmp_path / 'x') for index in range(20)]
    batches = read_in_batches(inputs, noted, 1, 1)
    assert [next(batches), next(batches)] == [['0'], ['1']]
    time.sleep(0.3)
    batches.close()
    assert len(list(tmp_path.iterdir())) <= 2 + AHEAD
