"""Read all samples, over several processes, whatever single files do to them."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool

from mmomni.utils.workers import WorkerPool, worker_pool

from .reading import read_record
from .records import Fault, ListedImage, Record

CHUNK = 32
Progress = Callable[[int, int], None]


def read_all(
    samples: Sequence[ListedImage], workers: int = 1, progress: Progress | None = None
) -> list[Record]:
    """The records of all samples, in their order.

    With one worker, everything happens in this process. ``progress`` is called with (done, total)
    at the start and after every sample.

    Raises:
        ValueError: ``workers`` is less than 1.
    """
    if workers < 1:
        raise ValueError(f'workers must be 1 or more, got {workers}')
    records: list[Record | None] = [None] * len(samples)
    if progress is not None and samples:
        progress(0, len(samples))
    numbered = _read_here(samples) if workers == 1 else _read_in_processes(samples, workers)
    for done, (index, record) in enumerate(numbered, 1):
        records[index] = record
        if progress is not None:
            progress(done, len(samples))
    return [record for record in records if record is not None]


def _read_here(samples: Sequence[ListedImage]) -> Iterator[tuple[int, Record]]:
    return ((index, read_record(sample)) for index, sample in enumerate(samples))


def _read_in_processes(
    samples: Sequence[ListedImage], workers: int
) -> Iterator[tuple[int, Record]]:
    crashed = []
    pool = _pool(workers)
    try:
        chunks = {
            pool.submit(_read_chunk, samples[start : start + CHUNK]): start
            for start in range(0, len(samples), CHUNK)
        }
        for future in as_completed(chunks):
            try:
                yield from enumerate(future.result(), chunks[future])
            except BrokenProcessPool:
                crashed.append(chunks[future])
    finally:  # an interrupted run does not wait for all the rest
        pool.leave()
    for start in sorted(crashed):
        for index in range(start, min(start + CHUNK, len(samples))):
            yield index, _read_alone(samples[index])


def _read_chunk(samples: Sequence[ListedImage]) -> list[Record]:
    return [read_record(sample) for sample in samples]


def _read_alone(sample: ListedImage) -> Record:
    """Read one in a process of its own: a file that kills its reader then harms no other."""
    try:
        with _pool(1) as pool:
            return pool.submit(read_record, sample).result()
    except BrokenProcessPool:
        fault = Fault(False, 'reading it killed the process (memory, or a fault of the decoder)')
        return Record(sample, fault, None)


def _pool(workers: int) -> WorkerPool:
    # As the host starts processes: a crash costs one for each sample, which a fork makes cheap.
    # Workers use none of OpenCV's threads, which would not survive it.
    return worker_pool(workers, method=multiprocessing.get_start_method())
