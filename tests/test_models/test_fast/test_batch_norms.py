import subprocess
import sys

import pytest
import torch
from torch import nn

from mmomni.models.fast.batch_norms import batch_normalisation, normalisation
from test_models.references import assert_twins, randomise


@pytest.fixture
def x():
    return torch.randn(50, 4, dtype=torch.float64, requires_grad=True)


def by_scale_and_shift(norm, x):
    scale, shift = batch_normalisation(norm, x.mean(dim=0), x.var(dim=0, unbiased=False), len(x))
    return x * scale + shift


def test_learning_equals_torch_with_gradients(x):
    ours, theirs = nn.BatchNorm1d(4).double(), nn.BatchNorm1d(4).double()
    theirs.load_state_dict(randomise(ours).state_dict())
    assert_twins((ours, theirs), (by_scale_and_shift(ours.train(), x), theirs(x)), x)


@pytest.mark.parametrize('bias', [None, torch.arange(4.0, dtype=torch.float64)])
def test_fixed_equals_torch(x, bias):
    norm = randomise(nn.BatchNorm1d(4))
    scale, shift = normalisation(norm, bias)
    torch.testing.assert_close(x * scale + shift, norm(x if bias is None else x + bias))


def test_none_after_fusion(x):
    bias = torch.arange(4.0)
    scale, shift = normalisation(nn.Identity(), bias)
    assert torch.equal(shift, bias)
    assert torch.equal(scale, torch.ones(4))
    with pytest.raises(ValueError, match='bias'):
        normalisation(nn.Identity(), None)


SYNCHRONISED = """
import sys
import torch
import torch.distributed as dist
from mmomni.models.fast.batch_norms import batch_normalisation

rank, store, result = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
torch.manual_seed(0)
norm = torch.nn.SyncBatchNorm(4, momentum=0.1).double()
factor = torch.randn(4, dtype=torch.float64, requires_grad=True)
parts, seeds = (torch.randn(9, 4, dtype=torch.float64).split([3, 6]) for _ in range(2))
if rank >= 0:
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    parts, seeds = parts[rank : rank + 1], seeds[rank : rank + 1]
x = torch.cat(parts) * factor
scale, shift = batch_normalisation(norm, x.mean(dim=0), x.var(dim=0, unbiased=False), len(x))
((x * scale + shift) * torch.cat(seeds)).sum().backward()
gradients = [factor.grad, norm.weight.grad, norm.bias.grad]
if rank >= 0:
    for gradient in gradients:
        dist.all_reduce(gradient)
torch.save([scale, shift, *gradients, *norm.buffers()], result)
"""


def test_synchronised_over_ranks(tmp_path):
    """Two ranks with three and six rows are one process with nine."""
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
