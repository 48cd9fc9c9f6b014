"""Reading images one after the other, in this process or in processes of its own."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from mmomni.utils.workers import in_order, worker_pool

from .inputs import Source
from .results import Failure
from .samples import Sample

AHEAD = 2
"""So many batches a process are read before they are asked for."""
NAMED = 3

Read = Callable[[Source], Sample | Failure]
Batch = list[Sample | Failure]


def read_in_batches(
    sources: Sequence[Source], read: Read, batch_size: int = 1, workers: int = 0
) -> Iterator[Batch]:
    """Batches in the order of the sources, each as soon as it is asked for.

    Args:
        sources: The images.
        read: Whatever it raises is raised here; with workers it and the sources must be picklable.
        batch_size: Sources a batch.
        workers: Processes that read; 0: this one. They start with the first batch and end with the
            last, or when nobody wants any more. A program that asks for them guards what it does by
            ``if __name__ == '__main__':``, as for any process of Python's ``multiprocessing``.

    Raises:
        ChildProcessError: One of them was killed.
        ValueError: There are no such batches, or no such number of processes.
    """
    if batch_size < 1 or workers < 0:
        raise ValueError(
            f'expected batches of 1 image or more and 0 workers or more, got {batch_size} and '
            f'{workers}'
        )
    starts = range(0, len(sources), batch_size)
    batches = [sources[start : start + batch_size] for start in starts]
    if not workers or not batches:
        yield from ([read(source) for source in batch] for batch in batches)
        return
    workers, done = min(workers, len(batches)), 0
    pool = worker_pool(workers, _start_worker, (read,))
    try:
        for batch in in_order(pool, _read_here, batches, AHEAD * workers):
            yield batch
            done += 1
    except BrokenProcessPool as error:
        raise _killed(batches[done : done + AHEAD * workers]) from error
    finally:  # an interrupted run does not wait for what is being read
        pool.leave()


_read: Read


def _start_worker(read: Read) -> None:
    global _read  # noqa: PLW0603  (sent to a process once, not with each batch)
    _read = read


def _read_here(batch: Sequence[Source]) -> Batch:
    return [_read(source) for source in batch]


def _killed(waiting: Sequence[Sequence[Source]]) -> ChildProcessError:
    names = [source.name for batch in waiting for source in batch]
    more = f' and {len(names) - NAMED} more' if len(names) > NAMED else ''
    return ChildProcessError(
        'expected all processes that read images to live, but one was killed (out of memory?) '
        f'before {", ".join(names[:NAMED])}{more} were read; take fewer workers'
    )
