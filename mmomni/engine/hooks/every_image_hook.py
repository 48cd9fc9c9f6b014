import logging
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmomni.evaluation.functional import PixelCounts, pixel_counts


def counts_of(sample: BaseDataElement) -> PixelCounts:
    """What agrees in a prediction, at its decision."""
    target = sample.gt_sem_seg.data.squeeze(0)
    return pixel_counts(sample.pred_sem_seg.data.squeeze(0).to(target.device), target)


class EveryImageHook(Hook):
    """Base of hooks that look at every readable image of a test once and draw what they saw.

    With several ranks each sees its own share. As mmengine's metrics do, it takes for granted that
    the ranks take turns (:class:`mmengine.dataset.DefaultSampler`), and leaves out the images
    that are repeated to fill the last turn.

    A picture that fails is logged as an error and given up; it must not cost the scores of the
    test, which are written after it.
    """

    needs_probabilities: ClassVar[bool] = True
    """Test-time augmentation of mmseg merges decisions, and leaves one view's probabilities;
    :class:`mmomni.ManipulationTTAModel` merges these."""

    def before_test(self, runner: Runner) -> None:
        """Start empty."""
        self._has_probabilities = not any(
            isinstance(module, BaseTTAModel) and not getattr(module, 'merges_probabilities', False)
            for module in runner.model.modules()
        )
        self._is_active = self._has_probabilities or not self.needs_probabilities
        if not self._is_active:
            print_log(
                f'{type(self).__name__}: no picture, because test-time augmentation merges '
                'decisions and not probabilities',
                logger='current',
                level=logging.WARNING,
            )
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
            if self._is_active and not repeated and 'unreadable' not in sample.metainfo:
                with self._given_up_on_failure():
                    self.look(sample, index)

    def after_test(self, runner: Runner) -> None:
        """Draw."""
        if self._is_active:
            with self._given_up_on_failure():
                self.draw(runner)

    @contextmanager
    def _given_up_on_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (whatever it is, the test goes on)
            self._is_active = False
            print_log(
                f'{type(self).__name__}: no picture, because of {type(error).__name__}: {error}',
                logger='current',
                level=logging.ERROR,
            )

    @abstractmethod
    def start(self) -> None:
        """Forget what an earlier test has left."""

    @abstractmethod
    def look(self, sample: BaseDataElement, index: int) -> None:
        """Take what is needed of a prediction; ``index`` is its place in the order of testing."""

    @abstractmethod
    def draw(self, runner: Runner) -> None:
        """Gather what all ranks saw and draw it (rank 0)."""
