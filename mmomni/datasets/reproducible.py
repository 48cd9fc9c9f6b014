"""Random augmentation that depends on the position in the run alone.

Stock workers draw from one random stream each, so a resumed run augments differently from an
uninterrupted one. Here the sampler numbers its draws and the dataset seeds every draw by its
number: a run that was killed and resumed sees, bit for bit, the data it would have seen.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from mmengine.dataset import ConcatDataset, InfiniteSampler

from mmomni.registry import DATA_SAMPLERS, DATASETS
from mmomni.utils.seeding import Stream, seed_all

from .configured import pass_on_pipeline, seen_in_views, type_name

_present_draw: ContextVar[int] = ContextVar('present_draw')


def present_draw() -> int:
    """Number of the training sample that this process makes, counted over all ranks from 0.

    For transforms that change over training. Workers make batches ahead of the training loop, so
    what the loop tells them comes too early; the number travels with the sample.

    Raises:
        RuntimeError: The sample has no number.
    """
    try:
        return _present_draw.get()
    except LookupError:
        raise RuntimeError(
            'a transform that changes over training got a sample without its number in the run; '
            'train with mmomni.ReproducibleSampler (or DomainBalancedSampler) and '
            'mmomni.ReproducibleConcatDataset, test with a fixed value'
        ) from None


class SeededIndex(int):
    """A dataset index with its number in the run and the place in it that seeds its transforms.

    Attributes:
        entropy: (seed, rank, draw of the rank), see :attr:`mmomni.utils.seeding.Stream.SAMPLE`.
        draw: Its number, counted over all ranks.
    """

    entropy: tuple[int, ...]
    draw: int

    def __new__(cls, index: int, entropy: tuple[int, ...], draw: int) -> 'SeededIndex':
        seeded = super().__new__(cls, index)
        seeded.entropy = entropy
        seeded.draw = draw
        return seeded

    def __reduce__(self) -> tuple:
        return SeededIndex, (int(self), self.entropy, self.draw)


@DATA_SAMPLERS.register_module()
class ReproducibleSampler(InfiniteSampler):
    """mmengine's ``InfiniteSampler``, each index with its number in the run."""

    def _indices_of_rank(self) -> Iterator[int]:
        for draw, index in enumerate(super()._indices_of_rank()):
            entropy = (self.seed, self.rank, draw)
            yield SeededIndex(index, entropy, draw * self.world_size + self.rank)


@DATASETS.register_module()
class ReproducibleConcatDataset(ConcatDataset):
    """Datasets one after another; indices of :class:`ReproducibleSampler` seed their draw.

    Args:
        datasets: Data sets or their configs.
        pipeline: That of the configs that name none. Here, too, mmseg's ``MMSegInferencer`` looks
            for how an image of no data set is read, and its ``tools/test.py --tta`` puts
            ``tta_pipeline``: of one that ends in ``TestTimeAug`` this is the last step of every
            pipeline, in the place of packing.
        **kwargs: Those of :class:`mmengine.dataset.ConcatDataset`.

    Raises:
        ValueError: Two data sets of one domain share a name: their scores would be mixed.
    """

    def __init__(
        self, datasets: Sequence[Any], pipeline: Sequence[dict] | None = None, **kwargs: Any
    ) -> None:
        if pipeline is not None:
            datasets = pass_on_pipeline(dict(datasets=datasets, pipeline=pipeline))['datasets']
            if pipeline and type_name(pipeline[-1]) == 'TestTimeAug':
                datasets = [seen_in_views(each, pipeline[-1]) for each in datasets]
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
        if not isinstance(idx, SeededIndex):
            return super().__getitem__(idx)
        seed_all(Stream.SAMPLE, *idx.entropy)
        token = _present_draw.set(idx.draw)
        try:
            return super().__getitem__(int(idx))
        finally:
            _present_draw.reset(token)
