from collections import Counter
from itertools import islice

import pytest
from mmengine.dataset import ConcatDataset

from mmomni.datasets import DomainBalancedSampler

SIZES = {'natural': 50, 'document': 7, 'face': 20}


class Set:
    """As much of a ManipulationDataset as a sampler sees."""

    metainfo = None

    def __init__(self, domain, size, name='a'):
        self.domain, self.size, self.name = domain, size, name

    def __len__(self):
        return self.size


@pytest.fixture
def dataset():
    data = ConcatDataset.__new__(ConcatDataset)
    parts = [Set('natural', 30), Set('document', 7), Set('natural', 20, 'b'), Set('face', 20)]
    data.datasets, data._fully_initialized = parts, True
    data.cumulative_sizes = [30, 37, 57, 77]
    return data


def domain_of(index):
    return 'document' if 30 <= index < 37 else 'face' if index >= 57 else 'natural'


def sampler(dataset, weights=None, **kwargs):
    weights = weights or dict(natural=2, document=1, face=1)
    return DomainBalancedSampler(dataset, weights, seed=kwargs.pop('seed', 3), **kwargs)


def draws(sampler, number):
    return list(map(int, islice(iter(sampler), number)))


def test_every_batch_mixes_by_the_weights(dataset):
    found = draws(sampler(dataset), 400)
    for start in range(0, 400, 16):
        assert Counter(map(domain_of, found[start : start + 16])) == dict(
            natural=8, document=4, face=4
        )


@pytest.mark.parametrize('weights', [dict(natural=5, document=3, face=1), dict(natural=1, face=9)])
def test_any_window_is_within_two_of_its_share(dataset, weights):
    found = [domain_of(i) for i in draws(sampler(dataset, weights), 600)]
    total = sum(weights.values())
    for length in (4, 16, 50):
        for start in range(600 - length):
            count = Counter(found[start : start + length])
            for domain in SIZES:
                share = length * weights.get(domain, 0) / total
                assert abs(count[domain] - share) <= 2


def test_sets_of_a_domain_by_weights_of_their_own(dataset):
    weights = {'natural/b': 3, 'natural/a': 1, 'document': 4}
    found = draws(sampler(dataset, weights), 80)
    kinds = Counter('b' if 37 <= i < 57 else 'a' if i < 30 else domain_of(i) for i in found)
    assert kinds == dict(b=30, a=10, document=40)
    first = [i for i in found if 37 <= i < 57][:20]
    assert sorted(first) == list(range(37, 57)), 'used up before it repeats'


def test_a_domain_is_used_up_before_it_repeats(dataset):
    found = [i for i in draws(sampler(dataset), 400) if domain_of(i) == 'document']
    for start in range(0, len(found) - 7, 7):
        assert sorted(found[start : start + 7]) == list(range(30, 37))
    assert found[:7] != found[7:14], 'shuffled anew each time'


def test_without_shuffling_the_order_is_that_of_the_sets(dataset):
    found = [i for i in draws(sampler(dataset, shuffle=False), 200) if domain_of(i) == 'natural']
    assert found[:50] == [*range(30), *range(37, 57)]


def test_ranks_share_the_draws_and_a_global_batch_is_mixed(dataset, monkeypatch):
    whole = draws(sampler(dataset), 64)
    parts = []
    for rank in range(4):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 4))
        parts.append(draws(sampler(dataset), 16))
    assert [part[i] for i in range(16) for part in parts] == whole
    first_step = [index for part in parts for index in part[:4]]
    assert Counter(map(domain_of, first_step)) == dict(natural=8, document=4, face=4)


def test_draws_are_numbered_for_reproducible_augmentation(dataset):
    first = list(islice(iter(sampler(dataset)), 40))
    assert [index.entropy for index in first] == [(3, 0, draw) for draw in range(40)]


def test_skipping_ahead_equals_having_drawn(dataset):
    resumed = sampler(dataset)
    if not hasattr(resumed, 'skip'):
        pytest.skip('this mmengine has no InfiniteSampler.skip: it advances the loader')
    resumed.skip(100)
    assert draws(resumed, 50) == draws(sampler(dataset), 150)[100:]


def test_seeds_differ(dataset):
    assert draws(sampler(dataset, seed=1), 50) != draws(sampler(dataset, seed=2), 50)


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        (
            dict(natural=1, text=1),
            'document, document/a, face, face/a, natural, natural/a, natural/b, got .text.',
        ),
        ({'natural/c': 1}, "got 'natural/c'"),
        ({'natural/a': 1, 'natural': 1}, 'give one to the domain or to its sets'),
        (dict(natural=0), 'must be positive, got 0'),
        (dict(natural=float('nan')), 'must be positive'),
    ],
)
def test_bad_weights(dataset, weights, message):
    with pytest.raises(ValueError, match=message):
        sampler(dataset, weights)


def test_a_single_dataset_is_refused():
    with pytest.raises(ValueError, match='ReproducibleConcatDataset'):
        sampler(Set('natural', 5))
