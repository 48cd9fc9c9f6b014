"""Reading over several processes: the same records, whatever happens to one of them."""

import multiprocessing
import os
import time

import pytest
from planting import Builder

from mmomni.inspection import survey
from mmomni.inspection.reading import read_record
from mmomni.inspection.records import Fault, ListedImage, Record
from mmomni.inspection.survey import read_all
from mmomni.utils.workers import worker_pool


def listed(*names):
    return [ListedImage('set', '-', 'train', str(name), None) for name in names]


@pytest.fixture
def forked(monkeypatch):
    """Workers that know what a test replaced in this process, two samples at a time."""
    monkeypatch.setattr(survey, 'CHUNK', 2)
    monkeypatch.setattr(survey, '_pool', lambda workers: worker_pool(workers, method='fork'))


@pytest.fixture
def quick(monkeypatch):
    """Records of names that say what becomes of their reader."""
    monkeypatch.setattr(survey, 'read_record', read_name)


def read_name(sample):
    if sample.image.startswith('deadly'):
        os._exit(1)
    if sample.image.startswith('slow'):
        time.sleep(0.2)
    return Record(sample, Fault(False, f'read {sample.image}'), None)


def test_records_are_those_of_one_process_in_the_order_of_the_samples(forked, tmp_path):
    build = Builder(tmp_path)
    paths = [build.add(f'{index}.png', mask=False) for index in range(5)]
    samples = listed(*paths, tmp_path / 'absent.png', paths[0])
    records = read_all(samples, workers=2)
    assert records == read_all(samples) == [read_record(sample) for sample in samples]
    assert [record.sample for record in records] == samples


def test_a_slow_file_changes_no_order(forked, quick):
    names = ['slow', 'a', 'b', 'c', 'd']
    assert [record.sample.image for record in read_all(listed(*names), 2)] == names


@pytest.mark.parametrize('workers', [1, 2])
def test_progress_counts_every_sample_once(workers, forked, quick):
    calls = []
    read_all(listed(*'abcde'), workers, lambda *call: calls.append(call))
    assert calls == [(done, 5) for done in range(6)]


@pytest.mark.parametrize('workers', [1, 2])
def test_nothing_to_read_is_no_progress(workers, forked):
    assert read_all([], workers, lambda *call: pytest.fail('called')) == []


def test_files_that_kill_their_readers_harm_no_others(forked, quick):
    names = ['deadly 1', 'a', 'b', 'c', 'd', 'deadly 2', 'deadly 3']
    calls = []
    records = read_all(listed(*names), 2, lambda *call: calls.append(call))
    assert [record.sample.image for record in records] == names
    for name, record in zip(names, records, strict=True):
        killed = 'reading it killed the process (memory, or a fault of the decoder)'
        reason = killed if name.startswith('deadly') else f'read {name}'
        assert record.image == Fault(False, reason)
    assert calls == [(done, 7) for done in range(8)]


def test_an_interrupted_run_leaves_no_process(forked, quick):
    def interrupt(done, total):
        if done:
            raise KeyboardInterrupt

    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        read_all(listed(*(f'slow {index}' for index in range(12))), 2, interrupt)
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize('workers', [0, -3])
def test_less_than_one_process_is_refused(workers):
    with pytest.raises(ValueError, match=f'workers must be 1 or more, got {workers}'):
        read_all(listed('a'), workers)
