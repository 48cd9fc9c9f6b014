from collections import defaultdict
from collections.abc import Iterator, Mapping, Sized

import numpy as np
from mmengine.dataset import ConcatDataset

from mmomni.registry import DATA_SAMPLERS

from .reproducible import ReproducibleSampler


@DATA_SAMPLERS.register_module()
class DomainBalancedSampler(ReproducibleSampler):
    """Mix the domains by given weights, whatever the sizes of their data sets.

    Domains take turns in the smoothest order their weights allow: among any ``n`` consecutive
    draws, each is met its share of ``n`` times, give or take one or two. The batches of all
    ranks together are consecutive draws, so every step sees the mixture. Each domain is
    shuffled anew whenever it has been used up. A resumed run goes on where it stopped, like
    :class:`ReproducibleSampler`.

    Args:
        dataset: ``mmomni.ReproducibleConcatDataset`` of :class:`mmomni.ManipulationDataset`.
        weights: Weight of each domain, positive, any scale: ``dict(natural=2, document=1)``. A
            domain left out is never drawn.
        shuffle: Whether domains are shuffled.
        seed: Seed of the shuffling; default: one that all ranks agree on.

    Raises:
        ValueError: A weight is not positive, or no data set has the domain.
    """

    def __init__(
        self,
        dataset: Sized,
        weights: Mapping[str, float],
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(dataset, shuffle=shuffle, seed=seed)
        members = _indices_by_domain(dataset)
        for domain, weight in weights.items():
            if domain not in members:
                raise ValueError(
                    f'expected weights for domains that exist, {sorted(members)}, got {domain!r}'
                )
            if not weight > 0:
                raise ValueError(f'weights must be positive, got {weight} for {domain!r}')
        total = sum(weights.values())
        self.shares = {domain: weight / total for domain, weight in weights.items()}
        self.members = {domain: members[domain] for domain in weights}

    def _infinite_indices(self) -> Iterator[int]:
        """The draws of all ranks: smooth weighted round robin over one stream for each domain."""
        streams = {
            domain: self._stream(indices, number)
            for number, (domain, indices) in enumerate(self.members.items())
        }
        credit = dict.fromkeys(self.shares, 0.0)
        while True:
            for domain, share in self.shares.items():
                credit[domain] += share
            chosen = max(credit, key=lambda domain: credit[domain])
            credit[chosen] -= 1
            yield next(streams[chosen])

    def _stream(self, indices: np.ndarray, number: int) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, number])
        while True:
            yield from (rng.permutation(indices) if self.shuffle else indices).tolist()


def _indices_by_domain(dataset: Sized) -> dict[str, np.ndarray]:
    if not isinstance(dataset, ConcatDataset):
        raise ValueError(
            f'expected a concatenation of datasets with domains, got {type(dataset).__name__}; use '
            'mmomni.ReproducibleConcatDataset'
        )
    ranges = defaultdict(list)
    start = 0
    for member in dataset.datasets:
        ranges[member.domain].append(np.arange(start, start + len(member)))
        start += len(member)
    return {domain: np.concatenate(parts) for domain, parts in ranges.items()}
