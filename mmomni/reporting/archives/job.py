"""The work of an archive on a Ray cluster."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from .examiner import ShardExaminer
from .extra import imported
from .shards import Count

Answer = TypeVar('Answer')
OBJECTS = 1 << 28
"""Bytes of shared memory of a cluster of our own: only numbers of shards pass through it."""


class Cluster(NamedTuple):
    """Where the work is done.

    Attributes:
        address: Of a cluster, or ``'auto'``; default: that of ``RAY_ADDRESS``, or a new one on this
            machine that ends with this process.
        workers: Processes that predict; default: as many as the cluster has room for.
        cpus: Cores of each, which are its threads.
        gpus: Of each, also a part of one; default: one where the cluster has any, else none.
    """

    address: str | None = None
    workers: int | None = None
    cpus: float = 1.0
    gpus: float | None = None


class RayJob:
    """A connection to a cluster, as context.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: There is no cluster at that address.
        ValueError: The cluster has not room for one worker.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.workers = 0
        self._needs: dict[str, float] = {}

    def __enter__(self) -> 'RayJob':
        # Files that people examine are nobody's business: Ray is not to tell anybody of its use.
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        # Of the statistics of Ray Data, after a worker was lost; every five seconds the same.
        os.environ.setdefault('RAY_IGNORE_UNHANDLED_ERRORS', '1')
        ray = imported('ray')
        imported('ray.data')
        logging.getLogger('ray.data').setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        try:
            with _signals_kept():
                ray.init(**self._connection(), logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:  # Ray raises plain ones, too
            first = str(error).partition('\n')[0]
            raise ConnectionError(
                f'expected a Ray cluster at {self._cluster.address or "this machine"}, got '
                f'{type(error).__name__}: {first}'
            ) from error
        try:
            self._fit(ray.cluster_resources())
        except BaseException:
            ray.shutdown()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        imported('ray').shutdown()

    def _connection(self) -> dict[str, Any]:
        cluster = self._cluster
        if cluster.address is not None:
            return dict(address=cluster.address)
        if 'RAY_ADDRESS' in os.environ:
            return {}
        cores = None if cluster.workers is None else max(1, -(-cluster.workers * cluster.cpus // 1))
        return dict(
            address='local', num_cpus=cores, object_store_memory=OBJECTS, include_dashboard=False
        )

    def _fit(self, has: Mapping[str, float]) -> None:
        cluster = self._cluster
        gpus = cluster.gpus if cluster.gpus is not None else float(has.get('GPU', 0) >= 1)
        self._needs = dict(num_cpus=cluster.cpus, num_gpus=gpus)
        room = int(has.get('CPU', 0) // cluster.cpus)
        if gpus:
            room = min(room, int(has.get('GPU', 0) // gpus))
        if room < 1:
            raise ValueError(
                f'expected a cluster with {cluster.cpus:g} cores and {gpus:g} GPUs for a worker, '
                f'got one with {has.get("CPU", 0):g} and {has.get("GPU", 0):g}; see '
                '--cpus-per-worker and --gpus-per-worker'
            )
        self.workers = cluster.workers or room

    def ask(self, function: Callable[[], Answer]) -> Answer:
        """What a function answers where the workers are.

        Raises:
            Exception: Of the function.
        """
        ray = imported('ray')
        remote = ray.remote(max_retries=0, max_calls=1, **self._needs)(_called)
        try:
            return ray.get(remote.remote(function))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error

    def examine(
        self, shards: Sequence[int], arguments: Mapping[str, Any]
    ) -> Iterator[tuple[int, Count]]:
        """Shards that are done, as they come; ``arguments`` are those of :class:`ShardExaminer`.

        A worker that dies is replaced, and what it was at is done again.
        """
        data = imported('ray.data')
        rows = data.from_items([dict(shard=n) for n in shards], override_num_blocks=len(shards))
        counted = rows.map_batches(
            ShardExaminer, fn_constructor_kwargs=dict(arguments), batch_size=1,
            compute=data.ActorPoolStrategy(size=min(self.workers, len(shards))), **self._needs,
        )  # fmt: skip
        for row in counted.iter_rows():
            number = int(row.pop('shard'))
            yield number, Count(**{name: int(value) for name, value in row.items()})


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray's start takes SIGTERM for itself: the command would end without its account."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # set by no Python
                signal.signal(number, handler)


def _called(function: Callable[[], Answer]) -> Answer:
    """Ray takes plain functions only."""
    return function()
