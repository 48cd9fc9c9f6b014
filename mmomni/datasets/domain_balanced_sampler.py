from collections import defaultdict
from collections.abc import Iterator, Mapping, Sized

import numpy as np
from mmengine.dataset import ConcatDataset

from mmomni.registry import DATA_SAMPLERS
from mmomni.utils.seeding import Stream, generator

from .reproducible import ReproducibleSampler


@DATA_SAMPLERS.register_module()
class DomainBalancedSampler(ReproducibleSampler):
    """Mix domains, or single data sets, by given weights, whatever their sizes.

    They take turns in the smoothest order their weights allow: among any ``n`` consecutive
    draws, each is met its share of ``n`` times, give or take one or two. The batches of all
    ranks together are consecutive draws, so every step sees the mixture. Each is
    shuffled anew whenever it has been used up. A resumed run goes on where it stopped, like
    :class:`ReproducibleSampler`.

    Args:
        dataset: ``mmomni.ReproducibleConcatDataset`` of :class:`mmomni.ManipulationDataset`.
        weights: Weight of each domain, positive, any scale: ``dict(natural=2, document=1)``. A
            domain left out is never drawn. A key ``'document/SACP'`` is one data set of a domain,
            which then has no weight as a whole.
        shuffle: Whether domains are shuffled.
        seed: Seed of the shuffling; default: one that all ranks agree on.

    Raises:
        ValueError: A weight is not positive, no data set has the domain or name, or both a domain
            and a data set of it have weights.
    """

    def __init__(
        self,
        dataset: Sized,
        weights: Mapping[str, float],
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(dataset, shuffle=shuffle, seed=seed)
        members = _indices_by_key(dataset)
        for key, weight in weights.items():
            if key not in members:
                raise ValueError(
                    'expected weights for domains or data sets that exist, '
                    f'{", ".join(sorted(members))}, got {key!r}'
                )
            if not weight > 0:
                raise ValueError(f'weights must be positive, got {weight} for {key!r}')
            domain = key.split('/')[0]
            if domain != key and domain in weights:
                raise ValueError(
                    f'weights for {domain!r} and {key!r}: give one to the domain or to its sets'
                )
        total = sum(weights.values())
        self.shares = {key: weight / total for key, weight in weights.items()}
        self.members = {key: members[key] for key in weights}

    def _infinite_indices(self) -> Iterator[int]:
        """The draws of all ranks: smooth weighted round robin over one stream for each domain."""
        streams = {
            key: self._stream(indices, number)
            for number, (key, indices) in enumerate(self.members.items())
        }
        credit = dict.fromkeys(self.shares, 0.0)
        while True:
            for key, share in self.shares.items():
                credit[key] += share
            chosen = max(credit, key=lambda name: credit[name])
            credit[chosen] -= 1
            yield next(streams[chosen])

    def _stream(self, indices: np.ndarray, number: int) -> Iterator[int]:
        rng = generator(Stream.ORDER, self.seed, number)
        while True:
            yield from (rng.permutation(indices) if self.shuffle else indices).tolist()


def _indices_by_key(dataset: Sized) -> dict[str, np.ndarray]:
    """Indices of the samples of each domain, and of each data set as ``domain/name``."""
    if not isinstance(dataset, ConcatDataset):
        raise ValueError(
            f'expected a concatenation of datasets with domains, got {type(dataset).__name__}; use '
            'mmomni.ReproducibleConcatDataset'
        )
    ranges = defaultdict(list)
    start = 0
    for member in dataset.datasets:
        indices = np.arange(start, start + len(member))
        ranges[member.domain].append(indices)
        ranges[f'{member.domain}/{member.name}'].append(indices)
        start += len(member)
    return {key: np.concatenate(parts) for key, parts in ranges.items()}
