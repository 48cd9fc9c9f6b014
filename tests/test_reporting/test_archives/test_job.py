"""On a cluster of this machine: processes of their own, of which some die."""

import signal
from functools import partial
from pathlib import Path

import pytest
from archive_models import SETTINGS, open_with_killer

pytest.importorskip('ray', reason='needs Ray and pyarrow: the extra ray')

from pyarrow import dataset

from mmomni.reporting.archives import Cluster, Options, RayJob
from mmomni.reporting.archives.job import _signals_kept


def refuse():
    raise ValueError('expected a checkpoint, got none')


@pytest.fixture
def job(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parent))  # of the workers
    monkeypatch.delenv('RAY_ADDRESS', raising=False)
    with RayJob(Cluster(workers=2, cpus=1)) as job:
        yield job


@pytest.mark.slow  # on a busy machine: Ray's own patience with a start ends after 30 s
def test_a_worker_that_is_killed_is_replaced(job, archive, tmp_path):
    """All on one cluster, because its start takes most of the time."""
    assert job.workers == 2
    with pytest.raises(ValueError, match='expected a checkpoint, got none'):
        job.ask(refuse)
    notes = tmp_path / 'notes.txt'
    opener = partial(open_with_killer, notes, '2.png', 1)
    with archive() as folder:
        arguments = dict(
            root=folder.root, opener=opener, settings=SETTINGS, options=Options(('png', 'json'))
        )
        folder.done.update(job.examine(folder.pending(), arguments))
        account = folder.write_account()
    assert account.text() == '6 files: 4 predicted, 2 failed, 0 not looked at'
    for folder in ('records', 'pictures'):  # as docs/archives.md reads them
        assert dataset.dataset(tmp_path / 'out' / folder).count_rows() > 0
    first, second = notes.read_text().splitlines()
    assert first != second


def test_ray_does_not_take_the_signals_of_the_command():
    before = signal.getsignal(signal.SIGTERM)
    with _signals_kept():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_cluster_without_room_is_refused(monkeypatch):
    job = RayJob(Cluster(gpus=2))
    with pytest.raises(ValueError, match='4 cores and 2 GPUs for a worker, got one with 8 and 0'):
        RayJob(Cluster(cpus=4, gpus=2))._fit(dict(CPU=8.0))
    job._fit(dict(CPU=8.0, GPU=4.0))
    assert job.workers == 2
    alone = RayJob(Cluster(cpus=2))
    alone._fit(dict(CPU=9.0))
    assert alone.workers == 4
