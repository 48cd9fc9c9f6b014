from dataclasses import dataclass

from mmomni.datasets.reproducible import present_draw


@dataclass(frozen=True)
class LowestQuality:
    """The lowest JPEG quality of training, falling linearly (curriculum of DTD, CVPR 2023).

    Depends on the number of the training sample alone, so it is exact for any number of loader
    workers, and in a run that was killed and resumed.

    Args:
        start: Lowest quality of the first sample.
        end: That of sample number ``samples`` and of all after it.
        samples: Length of the descent in samples of all ranks together; of a whole run,
            iterations x batch size x ranks.
    """

    start: int
    end: int
    samples: int

    def __post_init__(self) -> None:
        if not 1 <= self.end <= self.start <= 100:
            raise ValueError(
                'the lowest quality must be in 1..100, 1 <= end <= start <= 100, got '
                f'start={self.start}, end={self.end}'
            )
        if self.samples < 1:
            raise ValueError(f'samples must be at least 1, got {self.samples}')

    @classmethod
    def of(cls, quality: int | dict) -> 'LowestQuality':
        """From an argument of a transform: one number, or ``dict(start=, end=, samples=)``."""
        return cls(**quality) if isinstance(quality, dict) else cls(quality, quality, samples=1)

    def at(self, draw: int) -> int:
        """The lowest quality of training sample number ``draw``."""
        return round(self.start + (self.end - self.start) * min(1.0, draw / self.samples))

    def present(self) -> int:
        """For the sample being made; raises ``RuntimeError`` if it falls and that has no number."""
        return self.end if self.start == self.end else self.at(present_draw())
