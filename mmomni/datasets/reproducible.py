"""Random augmentation that depends on the position in the run alone.

Stock workers draw from one random stream each, so a resumed run augments differently from an
uninterrupted one. Here the sampler numbers its draws and the dataset seeds every draw by its
number: a run that was killed and resumed sees, bit for bit, the data it would have seen.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
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
    """Datasets one after another; indices of :class:`ReproducibleSampler` seed their draw.

    Raises:
        ValueError: Two data sets of one domain share a name: their scores would be mixed.
    """

    def __init__(self, datasets: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(datasets, **kwargs)
        self._refuse_equal_names(self.datasets)

    @staticmethod
    def _refuse_equal_names(datasets: Sequence[Any]) -> None:
        names = Counter((d.domain, d.name) for d in datasets if hasattr(d, 'domain'))
        for (domain, name), count in names.items():
            if count > 1:
                raise ValueError(
                    f'{count} data sets of domain {domain!r} are called {name!r}; give each a '
                    'name of its own, `name=...`'
                )

    def __getitem__(self, idx: int) -> Any:
        if isinstance(idx, SeededIndex):
            seed_all(*idx.entropy)
        return super().__getitem__(int(idx))
