import subprocess
import sys

import pytest
import torch

from mmomni.models.layers import frequency_look_up


@pytest.fixture
def small_stripes(monkeypatch):
    """Of one row of blocks, so that an image passes in several."""
    monkeypatch.setattr(frequency_look_up, '_CPU_PIXELS', 1)


def test_sums_of_both_devices_are_equal():
    values, gradient = torch.randint(0, 22, (50,)), torch.randn(50, 4, dtype=torch.float64)
    torch.testing.assert_close(
        frequency_look_up._multiply_one_hot(values, gradient),
        frequency_look_up._add_rows(values, gradient),
    )


def test_pairs_of_both_devices_are_equal(small_stripes):
    blocks = frequency_look_up.to_blocks(torch.randint(0, 30, (2, 16, 24)))
    by_products = frequency_look_up._count_by_products(blocks)
    assert torch.equal(by_products, frequency_look_up._count_by_bins(blocks).double())


def test_moments_are_those_of_all_pixels(small_stripes):
    blocks = frequency_look_up.to_blocks(torch.randint(0, 30, (2, 16, 24)))
    table = frequency_look_up.make_table(torch.randn(4, 21, 3, 3, dtype=torch.float64))
    looked_up = [
        frequency_look_up.look_up(taps, table) for _, taps in frequency_look_up.stripes(blocks)
    ]
    pixels = torch.cat(looked_up)
    assert len(looked_up) > 1
    mean, variance, count = frequency_look_up.moments(frequency_look_up.count_pairs(blocks), table)
    assert count == len(pixels) == 2 * 16 * 24
    torch.testing.assert_close(mean, pixels.mean(dim=0))
    torch.testing.assert_close(variance, pixels.var(dim=0, unbiased=False))


SYNCHRONISED = """
import sys
import torch
import torch.distributed as dist
from mmomni.models.layers.frequency_look_up import batch_normalisation, make_table, to_blocks

rank, store, result = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
torch.manual_seed(0)
norm = torch.nn.SyncBatchNorm(4, momentum=0.1).double()
kernel = torch.randn(4, 21, 3, 3, dtype=torch.float64, requires_grad=True)
images = [torch.randint(0, 21, (b, 16, 24)) for b in (1, 2)]
if rank >= 0:
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    images = [images[rank]]
blocks = to_blocks(torch.cat(images))
outputs = batch_normalisation(norm, blocks, make_table(kernel))
# each of two ranks has a loss of its own, and half of it: together that is the mean loss
factor = torch.arange(8.0).view(2, 4) + {-1: 5, 0: 0, 1: 10}[rank]
share = 1 if rank < 0 else 0.5
(share * (torch.stack(outputs) * factor).sum()).backward()
gradients = [kernel.grad, norm.weight.grad, norm.bias.grad]
if rank >= 0:
    for gradient in gradients:
        dist.all_reduce(gradient)
torch.save([*outputs, *gradients, *norm.buffers()], result)
"""


def test_norm_is_synchronised_over_ranks(tmp_path):
    """Two ranks with one and two images are one process with three."""
    files = {rank: tmp_path / f'{rank}.pt' for rank in (-1, 0, 1)}
    command = [sys.executable, '-W', 'ignore', '-c', SYNCHRONISED]
    processes = [
        subprocess.Popen([*command, str(rank), str(tmp_path / 'store'), str(file)])
        for rank, file in files.items()
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0]
    alone, first, second = (torch.load(file) for file in files.values())
    torch.testing.assert_close(first, alone)
    torch.testing.assert_close(second, alone)
