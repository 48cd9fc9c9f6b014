"""What became of every file of an archive."""

from collections.abc import Iterable
from typing import NamedTuple

from mmomni.reporting.account import damaged_part

from .shards import Count


class ArchiveAccount(NamedTuple):
    """Files are in one of three places, which add up to the first number.

    Attributes:
        files: In the lists, each once.
        predicted: Files with a result; of several pictures if all of them have one.
        failed: Files that could not be examined, or not all of their pictures, with a reason each.
        not_looked_at: Files of shards that are not done.
        repeated: How many names of the lists were repetitions.
        pictures: Results; more than ``predicted`` where files have several pages.
        flagged: Results above the threshold of images; 0 without one.
        shards: All of them.
        shards_done: Those that are written.
        damaged: Of those predicted, files with pixels that are not the ones that were saved.
    """

    files: int
    predicted: int
    failed: int
    not_looked_at: int
    repeated: int
    pictures: int
    flagged: int
    shards: int
    shards_done: int
    damaged: int = 0

    @classmethod
    def of(
        cls, files: int, repeated: int, shards: int, done: Iterable[Count]
    ) -> 'ArchiveAccount':
        """The sum of what each shard that is ``done`` tells."""
        counts = list(done)
        predicted = sum(count.predicted for count in counts)
        failed = sum(count.failed for count in counts)
        return cls(
            files, predicted, failed, files - predicted - failed, repeated,
            sum(count.pictures for count in counts), sum(count.flagged for count in counts),
            shards, len(counts), sum(count.damaged for count in counts),
        )  # fmt: skip

    def text(self) -> str:
        """``'5,000 files: 4,960 predicted, 40 failed, 0 not looked at'``."""
        return (
            f'{self.files:,} file{"" if self.files == 1 else "s"}: {self.predicted:,} predicted'
            f'{damaged_part(self.damaged)}, {self.failed:,} failed, '
            f'{self.not_looked_at:,} not looked at'
        )
