"""Augmentation depends on the place in the run, not on workers or on how the run got there."""

import itertools
import pickle
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader

from mmomni.datasets import ReproducibleConcatDataset, ReproducibleSampler
from mmomni.datasets.reproducible import SeededIndex
from mmomni.utils.seeding import Stream, seed_all

DRAWS = 12


class Draws(BaseDataset):
    """Every sample: its number and what the three random number generators say."""

    def __init__(self, start, length):
        self.samples = [dict(number=start + number) for number in range(length)]
        super().__init__(serialize_data=False)

    def load_data_list(self):
        return self.samples

    def prepare_data(self, idx):
        number = self.get_data_info(idx)['number']
        return number, random.random(), float(np.random.rand()), float(torch.rand(()))


def concatenated():
    return ReproducibleConcatDataset([Draws(0, 3), Draws(3, 2)])


def run(workers=0, skip=0, seed=5, batch_size=2, draws=DRAWS, shuffle=True):
    """What ``draws`` draws of a run yield, after ``skip`` batches fetched and thrown away."""
    data = concatenated()
    loader = DataLoader(
        data,
        batch_size=batch_size,
        sampler=ReproducibleSampler(data, shuffle=shuffle, seed=seed),
        num_workers=workers,
        collate_fn=list,
    )
    batches = itertools.islice(loader, skip, -(-draws // batch_size))
    return [sample for batch in batches for sample in batch]


@pytest.fixture
def unseeded():
    """Another state of the generators than any run before."""
    seed_all(Stream.TOOL, random.SystemRandom().getrandbits(32))


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_number_of_workers_does_not_matter(workers, unseeded):
    expected = run()
    seed_all(Stream.TOOL, 99)
    assert run(workers) == expected


@pytest.mark.parametrize('workers', [0, 2])
def test_a_run_that_skips_ahead_sees_what_it_would_have_seen(workers, unseeded):
    assert run(workers, skip=3) == run()[6:]


def test_batch_size_does_not_matter():
    assert run(batch_size=3) == run(batch_size=2)


@pytest.mark.skipif(
    not hasattr(ReproducibleSampler, 'skip'), reason='this mmengine skips by loading'
)
def test_mmengines_own_skipping_keeps_the_numbers():
    sampler = ReproducibleSampler(concatenated(), seed=5)
    sampler.skip(6)
    skipped = list(itertools.islice(iter(sampler), 4))
    whole = list(itertools.islice(iter(ReproducibleSampler(concatenated(), seed=5)), 10))
    assert skipped == whole[6:]
    assert [index.entropy for index in skipped] == [index.entropy for index in whole[6:]]


def test_two_visits_of_one_sample_differ():
    visits = [draw for draw in run(draws=20) if draw[0] == 1]
    assert len(visits) == 4
    for generator in (1, 2, 3):
        assert len({visit[generator] for visit in visits}) == 4


def test_every_sample_is_visited_once_a_round():
    numbers = [draw[0] for draw in run(draws=10, batch_size=5)]
    assert sorted(numbers[:5]) == sorted(numbers[5:]) == [0, 1, 2, 3, 4]


def test_without_shuffling_the_order_is_the_datasets():
    assert [draw[0] for draw in run(shuffle=False, draws=6)] == [0, 1, 2, 3, 4, 0]


def test_another_seed_gives_another_order_and_other_draws():
    assert [draw[0] for draw in run(seed=5)] != [draw[0] for draw in run(seed=6)]
    drawn = [{draw[1] for draw in run(seed=seed, shuffle=False)} for seed in (5, 6)]
    assert not drawn[0] & drawn[1]


def test_ranks_draw_different_numbers(monkeypatch):
    """Two ranks share the samples out and never draw alike."""
    drawn = []
    for rank in (0, 1):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        drawn.append(run(draws=4))
    numbers = [draw[0] for draws in zip(*drawn, strict=True) for draw in draws]
    assert sorted(numbers[:5]) == [0, 1, 2, 3, 4]
    assert not {draw[1] for draw in drawn[0]} & {draw[1] for draw in drawn[1]}


def test_seeded_index_is_an_index_and_survives_pickling():
    index = pickle.loads(pickle.dumps(SeededIndex(3, (5, 0, 7), draw=14)))
    assert ['a', 'b', 'c', 'd'][index] == 'd'
    assert (index.entropy, index.draw) == ((5, 0, 7), 14)


def test_samples_are_numbered_over_all_ranks(monkeypatch):
    numbers = []
    for rank in (0, 1, 2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 3))
        sampler = ReproducibleSampler(concatenated(), seed=5)
        numbers.append([index.draw for index in itertools.islice(sampler, 3)])
    assert numbers == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_plain_index_leaves_the_generators_alone():
    seed_all(Stream.TOOL, 1)
    expected = random.random()
    seed_all(Stream.TOOL, 1)
    assert concatenated()[4][:2] == (4, expected)


def test_seeding_covers_all_generators_and_takes_large_numbers():
    drawn = []
    for _ in range(2):
        seed_all(Stream.SAMPLE, 2**40, 0, 3)
        drawn.append((random.random(), np.random.rand(), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
    seed_all(Stream.SAMPLE, 2**40, 0, 4)
    assert random.random() != drawn[0][0]


def test_two_sets_of_one_domain_and_name_are_refused():
    def sets(*names):
        return [SimpleNamespace(domain='natural', name=name) for name in names]

    ReproducibleConcatDataset._refuse_equal_names(sets('test', 'train'))
    with pytest.raises(ValueError, match=r"2 data sets of domain 'natural' are called 'test'"):
        ReproducibleConcatDataset._refuse_equal_names(sets('test', 'train', 'test'))
