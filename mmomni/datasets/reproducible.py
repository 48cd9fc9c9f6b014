"""Random augmentation that depends on the position in the run alone.

Stock workers draw from one random stream each, so a resumed run augments differently from an
uninterrupted one. Here the sampler numbers its draws and the dataset seeds every draw by its
number: a run that was killed and resumed sees, bit for bit, the data it would have seen.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import ConcatDataset, InfiniteSampler

from mmomni.randomness import seed_all
from mmomni.registry import DATA_SAMPLERS, DATASETS


class SeededIndex(int):
    """A dataset index with the entropy that seeds its random transforms."""

    entropy: tuple[int, ...]

    def __new__(cls, index: int, entropy: tuple[int, ...]) -> 'SeededIndex':
        seeded = super().__new__(cls, index)
        seeded.entropy = entropy
        return seeded

    def __reduce__(self) -> tuple:
        return SeededIndex, (int(self), self.entropy)


@DATA_SAMPLERS.register_module()
class ReproducibleSampler(InfiniteSampler):
    """mmengine's ``InfiniteSampler``, each index with its number in the run."""

    def _indices_of_rank(self) -> Iterator[int]:
        for draw, index in enumerate(super()._indices_of_rank()):
            yield SeededIndex(index, (self.seed, self.rank, draw))


@DATASETS.register_module()
class ReproducibleConcatDataset(ConcatDataset):
    """Datasets one after another; indices of :class:`ReproducibleSampler` seed their draw."""

    def __getitem__(self, idx: int) -> Any:
        if isinstance(idx, SeededIndex):
            seed_all(*idx.entropy)
        return super().__getitem__(int(idx))
