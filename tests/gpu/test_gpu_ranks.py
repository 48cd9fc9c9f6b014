"""Ranks over NCCL: gradients, synchronised norms, metrics.

In the trial on a CPU they are connected by gloo, and norms are fixed: torch's SyncBN wants GPUs.
"""

import json
import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from comparing import DOUBLE
from mmengine.model import MMDistributedDataParallel, convert_sync_batchnorm
from networks import WITHOUT_BOXES, subject_of
from torch import multiprocessing, nn

from mmomni.evaluation.metrics import ManipulationMetric
from model_profiling.subjects import training_batch

IMAGES = 4
COUNTED = 6
"""Images of the metric, of which two ranks have as many each."""


def model_on(device, synchronised):
    """In float64: so a difference is one of the arithmetic and not of its rounding."""
    model = subject_of(WITHOUT_BOXES).model
    if synchronised:
        model = convert_sync_batchnorm(model, 'torch')
    model = model.double().to(device).train()
    if device.type == 'cpu':
        for layer in model.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.eval()
    return model


def gradients(model, inner, device, numbers):
    """Of the loss of some of the images, and the statistics of the norms; on the CPU."""
    data = training_batch(IMAGES, 64)
    inputs = torch.stack([data['inputs'][i] for i in numbers]).to(device).double()
    samples = [data['data_samples'][i].to(device) for i in numbers]
    loss, _ = inner.parse_losses(model(inputs, samples, mode='loss'))
    loss.backward()
    found = {name: p.grad.cpu() for name, p in inner.named_parameters() if p.grad is not None}
    statistics = {n: x.cpu() for n, x in inner.named_buffers() if 'running' in n}
    return found | statistics


def sample(number):
    generator = torch.Generator().manual_seed(number)
    logits = torch.randn(2, 16, 16, generator=generator)
    mask = (torch.rand(1, 16, 16, generator=generator) < 0.3).long()
    return dict(
        img_path=f'{number}.jpg', dataset_name='a', domain='natural', sample_idx=number,
        p_modal=0, seg_logits=dict(data=logits), gt_sem_seg=dict(data=mask),
        pred_sem_seg=dict(data=logits.argmax(dim=0, keepdim=True)),
    )  # fmt: skip


def scores(numbers):
    """Gathered on the device of the ranks."""
    metric = ManipulationMetric(collect_device='gpu')
    for number in numbers:
        metric.process(None, [sample(number)])
    return metric.evaluate(COUNTED)


def run(rank, size, folder, kind):
    """One of the ranks."""
    os.chdir(folder)
    torch.set_num_threads(1)
    device = torch.device(kind, rank if kind == 'cuda' else None)
    if kind == 'cuda':
        torch.cuda.set_device(device)
    backend = 'nccl' if kind == 'cuda' else 'gloo'
    store = f'file://{folder}/store{size}'
    dist.init_process_group(backend, init_method=store, rank=rank, world_size=size)
    inner = model_on(device, synchronised=kind == 'cuda')
    wrapped = MMDistributedDataParallel(
        inner, device_ids=[rank] if kind == 'cuda' else None, broadcast_buffers=False
    )
    own = range(rank * IMAGES // size, (rank + 1) * IMAGES // size)
    torch.save(gradients(wrapped, inner, device, own), f'{rank}.pt')
    found = scores(range(rank, COUNTED, size))  # as DefaultSampler deals
    Path(f'{rank}.json').write_text(json.dumps(found))
    dist.destroy_process_group()


def results_of(size, device, folder):
    multiprocessing.spawn(run, (size, str(folder), device.type), nprocs=size)
    return [
        (torch.load(folder / f'{rank}.pt'), json.loads((folder / f'{rank}.json').read_text()))
        for rank in range(size)
    ]


@pytest.fixture(scope='module')
def alone(device):
    """The same in this process: all images, plain norms."""
    model = model_on(device, synchronised=False)
    return gradients(model, model, device, range(IMAGES)), scores(range(COUNTED))


def assert_same(ranks, alone):
    (expected, expected_scores) = alone
    for found, found_scores in ranks:
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            scale = float(value.abs().max())
            torch.testing.assert_close(
                found[name], value, rtol=DOUBLE['rtol'], atol=DOUBLE['atol'] + 1e-6 * scale,
                msg=lambda text, name=name: f'{name}: {text}',
            )  # fmt: skip
        assert len(found_scores) > 5
        assert found_scores == pytest.approx(expected_scores, nan_ok=True)


def test_one_rank(device, alone, tmp_path):
    assert_same(results_of(1, device, tmp_path), alone)


@pytest.mark.usefixtures('two_devices')
def test_two_ranks(device, alone, tmp_path):
    assert_same(results_of(2, device, tmp_path), alone)
