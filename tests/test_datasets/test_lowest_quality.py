"""A quality bound that falls over training: exact for every sample, however it is loaded."""

import itertools

import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader

from mmomni.datasets import ReproducibleConcatDataset, ReproducibleSampler
from mmomni.datasets.transforms import DocTamperJPEG, RandomJPEGCompress
from mmomni.datasets.transforms.jpeg_schedule import luma_table
from mmomni.datasets.transforms.lowest_quality import LowestQuality
from mmomni.jpeg import read_luma

FALL = dict(start=100, end=60, samples=30)
DRAWS = 40
EXPECTED = [max(60, round(100 - 40 * number / 30)) for number in range(DRAWS)]


def present_bound(results):
    return LowestQuality(**FALL).present()


def first_is_unreadable(results):
    return None if results['sample_idx'] == 0 else results


class Images(BaseDataset):
    """Five images of one block."""

    def load_data_list(self):
        block = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        return [dict(img=block + number, img_path=str(number)) for number in range(5)]


def run(*pipeline, workers=0, skip=0):
    """What a run of ``DRAWS`` samples yields after ``skip`` batches of two."""
    data = ReproducibleConcatDataset([Images(pipeline=list(pipeline))])
    sampler = ReproducibleSampler(data, seed=3)
    loader = DataLoader(data, 2, sampler=sampler, num_workers=workers, collate_fn=list)
    return [made for batch in itertools.islice(loader, skip, DRAWS // 2) for made in batch]


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('skip', [0, 7], ids=['uninterrupted', 'resumed'])
def test_every_sample_gets_the_bound_of_its_number(skip, workers):
    assert run(present_bound, workers=workers, skip=skip) == EXPECTED[2 * skip :]


def test_a_sample_that_stands_in_for_an_unreadable_one_has_its_number():
    assert run(first_is_unreadable, present_bound) == EXPECTED


def quality(results):
    table = read_luma(results['img_bytes']).table
    return max(q for q in range(60, 101) if (table == luma_table(q)).all())


def factors_of_doctamper(results):
    return DocTamperJPEG('last', min_quality=FALL)(results)['quality_factors']


def qualities_of_saves(results):
    return [quality(RandomJPEGCompress(quality=(FALL, 100))(results))]


@pytest.mark.parametrize('drawn', [factors_of_doctamper, qualities_of_saves])
def test_transforms_draw_down_to_the_bound(drawn):
    qualities = run(drawn)
    assert qualities[0] in ([100], [100] * 2, [100] * 3)
    assert all(min(q) >= bound for q, bound in zip(qualities, EXPECTED, strict=True))
    assert min(map(min, qualities)) < 75
    assert run(drawn, workers=2, skip=4) == qualities[8:]


def test_falls_linearly_and_stays():
    falling = LowestQuality(start=100, end=75, samples=50)
    assert [falling.at(n) for n in (0, 10, 25, 40, 50, 199)] == [100, 95, 88, 80, 75, 75]


@pytest.mark.parametrize(
    'transform',
    [DocTamperJPEG('last', min_quality=FALL), RandomJPEGCompress(quality=(FALL, 100))],
    ids=['DocTamperJPEG', 'RandomJPEGCompress'],
)
def test_a_sample_without_a_number_is_refused(transform):
    """In testing, also in a process that made training samples before."""
    data = ReproducibleConcatDataset([Images(pipeline=[transform])])
    assert data[next(iter(ReproducibleSampler(data, seed=3)))]
    with pytest.raises(RuntimeError, match=r'mmomni\.ReproducibleSampler .* test with a fixed'):
        data[0]


def test_one_number_needs_no_number_of_the_sample():
    assert LowestQuality.of(80).present() == 80


@pytest.mark.parametrize(
    'wrong',
    [dict(start=70, end=80), dict(start=101, end=80), dict(start=70, end=0),
     dict(start=90, end=80, samples=0)],
)  # fmt: skip
def test_impossible_bounds(wrong):
    with pytest.raises(ValueError, match=r'1 <= end <= start <= 100|samples must be'):
        LowestQuality.of(dict(samples=10) | wrong)


def test_a_bound_that_starts_above_the_highest_quality():
    with pytest.raises(ValueError, match='1 <= lowest <= highest <= 100'):
        RandomJPEGCompress(quality=(FALL, 95))
