import logging
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmomni.evaluation.functional import PixelCounts, demand_defined, pixel_counts

NAMED_FAILURES = 5
"""So many of each rank are told in full."""


def counts_of(sample: BaseDataElement) -> PixelCounts:
    """What agrees in a prediction, at its decision."""
    target = sample.gt_sem_seg.data.squeeze(0)
    return pixel_counts(sample.pred_sem_seg.data.squeeze(0).to(target.device), target)


class Failures(NamedTuple):
    """What went wrong in the hook of one rank."""

    number: int
    told: list[str]
    """The first of them: rank, file and reason."""


class EveryImageHook(Hook):
    """Base of hooks that look at every readable image of a test once and draw what they saw.

    With several ranks each sees its own share. As mmengine's metrics do, it takes for granted that
    the ranks take turns (:class:`mmengine.dataset.DefaultSampler`), and leaves out the images
    that are repeated to fill the last turn.

    An image that fails is left out, a picture that fails is given up, and neither ends the test.
    All ranks meet once after the test, whatever happened to one of them; what failed anywhere is
    then told in one line by the first, and :attr:`is_complete` is false.
    """

    needs_probabilities: ClassVar[bool] = True
    """Test-time augmentation of mmseg merges decisions, and leaves one view's probabilities;
    :class:`mmomni.ManipulationTTAModel` merges these."""

    _failures = Failures(0, [])
    _rank = 0

    @property
    def is_complete(self) -> bool:
        """Whether the last test has drawn all that it should have; of all ranks, on the first."""
        return not self._failures.number

    def before_test(self, runner: Runner) -> None:
        """Start empty."""
        self._rank, self._failures = runner.rank, Failures(0, [])
        self._has_probabilities = not any(
            isinstance(module, BaseTTAModel) and not getattr(module, 'merges_probabilities', False)
            for module in runner.model.modules()
        )
        # The same on all ranks, because all of them or none meet after the test.
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
                with self.noting_failure(str(sample.metainfo.get('img_path'))):
                    if 'seg_logits' in sample:
                        demand_defined(sample.seg_logits.data)
                    self.look(sample, index)

    def after_test(self, runner: Runner) -> None:
        """Meet, draw and tell what failed."""
        if not self._is_active:
            return
        shares: list[Any] = []
        with self.noting_failure('no picture'):
            shares.append(self.share())
        met = all_gather_object((self._failures, shares))
        if runner.rank:
            return
        self._failures = Failures(
            sum(failures.number for failures, _ in met),
            [line for failures, _ in met for line in failures.told],
        )
        shares = [share for _, shares in met for share in shares]
        if len(shares) == len(met):
            with self.noting_failure('no picture'):
                self.draw(runner, shares)
        self._tell()

    @contextmanager
    def noting_failure(self, what: str) -> Iterator[None]:
        """Go on after a failure, which :meth:`after_test` tells with the rank and ``what``."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (whatever it is, the test goes on)
            number, told = self._failures
            if len(told) < NAMED_FAILURES:
                reason = f'{type(error).__name__}: {error}'
                told = [*told, f'rank {self._rank}, {what}: {reason}']
            self._failures = Failures(number + 1, told)

    def _tell(self) -> None:
        number, told = self._failures
        if number:
            others = [f'and {number - len(told):,} others'] if number > len(told) else []
            print_log(
                f'{type(self).__name__}: not complete, {"; ".join([*told, *others])}',
                logger='current',
                level=logging.ERROR,
            )

    @abstractmethod
    def start(self) -> None:
        """Forget what an earlier test has left."""

    @abstractmethod
    def look(self, sample: BaseDataElement, index: int) -> None:
        """Take what is needed of a prediction; ``index`` is its place in the order of testing."""

    def share(self) -> Any:
        """What the first rank has to know of the images of this one; small, and pickled."""
        return None

    @abstractmethod
    def draw(self, runner: Runner, shares: Sequence[Any]) -> None:
        """Draw what all ranks saw; on rank 0 alone, without anything that ranks do together.

        ``shares`` are :meth:`share` of all ranks.
        """
