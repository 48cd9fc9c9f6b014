from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmomni.datasets.transforms.jpeg_schedule import SharedInt
from mmomni.registry import HOOKS


@HOOKS.register_module()
class MinQualityHook(Hook):
    """Lower the worst JPEG quality of training linearly (curriculum of DTD, CVPR 2023).

    Moves ``min_quality`` of every training transform that keeps it in a ``SharedInt``, such as
    :class:`mmomni.DocTamperJPEG`. The value is in shared memory, so running and persistent workers
    see it at once. It depends on the iteration alone, so a resumed run goes on where it was.
    Batches that workers prepared ahead keep the bound of the moment they were made: around the (at
    most ``start - end``) steps, a few batches of two otherwise equal runs can differ.

    Args:
        start: Lowest quality at the first iteration.
        end: Lowest quality at iteration ``iters`` and after it.
        iters: Length of the descent. Default: the whole run.
    """

    def __init__(self, start: int = 100, end: int = 75, iters: int | None = None) -> None:
        if not 1 <= end <= start <= 100:
            raise ValueError(f'expected 1 <= end <= start <= 100, got start={start}, end={end}')
        self.start = start
        self.end = end
        self.iters = iters
        self._bounds: list[SharedInt] = []

    def before_train(self, runner: Runner) -> None:
        """Raises ``ValueError`` if no training transform has a bound to move."""
        self._bounds = list(_bounds(runner.train_dataloader.dataset))
        if not self._bounds:
            raise ValueError(
                'MinQualityHook found no training transform with a shared min_quality; add '
                'mmomni.DocTamperJPEG to the training pipeline or remove the hook'
            )
        self._move(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Stateless: depends on the place in the run alone."""
        self._move(runner)

    def value_at(self, iteration: int, total: int) -> int:
        """The bound at an iteration of ``total``."""
        progress = min(1.0, iteration / max(1, self.iters or total))
        return round(self.start + (self.end - self.start) * progress)

    def _move(self, runner: Runner) -> None:
        value = self.value_at(runner.iter, runner.max_iters)
        if any(bound.value != value for bound in self._bounds):
            for bound in self._bounds:
                bound.value = value
            print_log(f'lowest JPEG quality: {value}', logger='current')


def _bounds(node: Any) -> Iterator[SharedInt]:
    """All shared bounds below a dataset, a pipeline or a transform, each once."""
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from _bounds(child)
        return
    bound = getattr(node, 'min_quality', None)
    if isinstance(bound, SharedInt):
        yield bound
    for name in ('datasets', 'dataset', 'pipeline', 'transforms'):
        child = getattr(node, name, None)
        if child is not None:
            yield from _bounds(child)
