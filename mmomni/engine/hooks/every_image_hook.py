from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement


class EveryImageHook(Hook):
    """Base of hooks that look at every readable image of a test once.

    With several ranks each sees its own share. As mmengine's metrics do, it takes for granted that
    the ranks take turns (:class:`mmengine.dataset.DefaultSampler`), and leaves out the images
    that are repeated to fill the last turn.
    """

    def before_test(self, runner: Runner) -> None:
        """Start empty."""
        self._number_seen = 0
        self.start()

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] = (),
    ) -> None:
        """Look at each image of a batch."""
        for sample in outputs:
            index = self._number_seen * runner.world_size + runner.rank
            self._number_seen += 1
            repeated = index >= len(runner.test_dataloader.dataset)
            if not repeated and 'unreadable' not in sample.metainfo:
                self.look(sample, index)

    @abstractmethod
    def start(self) -> None:
        """Forget what an earlier test has left."""

    @abstractmethod
    def look(self, sample: BaseDataElement, index: int) -> None:
        """Take what is needed of a prediction; ``index`` is its place in the order of testing."""
