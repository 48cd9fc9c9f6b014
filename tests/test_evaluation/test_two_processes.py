"""Metrics over two processes give the numbers of one, to the last bit."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.dataset import DefaultSampler
from reference_scores import random_map
from torch import multiprocessing

from mmomni.evaluation.functional import PROTOCOLS
from mmomni.evaluation.metrics import ImageLevelMetric, ManipulationMetric

SIZES = {'a': 14, 'b': 9}  # images of two datasets; 23 in all, an odd number
SAMPLERS = {
    'padded': dict(shuffle=False),  # the shorter shard gets the first image again
    'uneven': dict(shuffle=False, round_up=False),
    'shuffled': dict(shuffle=True, seed=0),
}


def all_samples():
    """As the evaluator hands them to a metric."""
    samples = []
    for dataset, size in SIZES.items():
        for index in range(size):
            probability, target = random_map(100 * len(dataset) + len(samples))
            probability = torch.from_numpy(np.stack([1 - probability, probability]))
            sample = dict(
                img_path=f'{dataset}{index}.jpg', dataset_name=dataset, domain='natural',
                sample_idx=index, p_modal=index % 2, seg_logits=dict(data=probability.log()),
                pred_sem_seg=dict(data=probability.log().argmax(dim=0, keepdim=True)),
                gt_sem_seg=dict(data=torch.from_numpy(target)[None]),
            )  # fmt: skip
            samples.append(sample | ({'unreadable': 'broken'} if index == 5 else {}))
    return samples


def evaluate(sampler):
    """All metrics over this process's share of the images."""
    samples = all_samples()
    metrics = [ManipulationMetric(name) for name in PROTOCOLS]
    metrics += [ImageLevelMetric(pooling) for pooling in ('max', 'top_k_mean')]
    found = {}
    for metric in metrics:
        for index in DefaultSampler(samples, **SAMPLERS[sampler]):
            metric.process(None, [samples[index]])
        found |= metric.evaluate(len(samples))
    return found


def run(rank, folder):
    """One of two processes: mmengine gathers through files in the working directory."""
    os.chdir(folder)
    torch.set_num_threads(1)
    store = f'file://{folder}/store'
    dist.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    found = {sampler: evaluate(sampler) for sampler in SAMPLERS}
    Path(f'{rank}.json').write_text(json.dumps(found))
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp('two')
    multiprocessing.spawn(run, (str(folder),), nprocs=2)
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in (0, 1)]


@pytest.fixture(scope='module')
def one():
    return evaluate('padded')


def same(left, right):
    assert set(left) == set(right)
    return [
        (key, left[key], right[key]) for key in left
        if left[key] != right[key] and not (math.isnan(left[key]) and math.isnan(right[key]))
    ] == []  # fmt: skip


@pytest.mark.parametrize('sampler', ['padded', 'uneven'])
@pytest.mark.parametrize('protocol', [*PROTOCOLS, 'image_level'])
def test_two_processes_give_the_numbers_of_one(protocol, sampler, one, two):
    expected = {key: value for key, value in one.items() if key.startswith(f'{protocol}/')}
    assert len(expected) > 20
    for rank in (0, 1):
        assert same({key: two[rank][sampler][key] for key in expected}, expected)


def test_every_image_is_counted_once(one, two):
    kinds = ('tampered', 'authentic', 'unreadable')
    for found in (one, two[0]['padded'], two[0]['uneven']):
        assert sum(found[f'per_image/average/{kind}'] for kind in kinds) == sum(SIZES.values())


def test_shuffled_samples_are_put_into_batches_in_the_order_of_their_dataset(one, two):
    key = 'doctamper_batch6/average/precision'
    assert two[0]['shuffled'][key] == one[key]
