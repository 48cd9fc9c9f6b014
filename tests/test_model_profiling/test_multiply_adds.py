"""Counts of multiply-adds and bytes, against hand-computed ones and against torch's counter."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from model_profiling.operations import limits, macs_by_module, operations_of
from model_profiling.subjects import Case, inference, load_subject

ROOT = Path(__file__).resolve().parents[2]
FLOAT = 4


def macs(module, *inputs):
    return sum(each.macs for each in operations_of(module, lambda: module(*inputs)))


def test_of_vectors():
    matrix, vector = torch.ones(5, 7), torch.ones(7)
    operations = operations_of(nn.Identity(), lambda: (matrix @ vector, vector @ vector))
    assert [each.macs for each in operations] == [5 * 7, 7]


def test_inference_mode_is_refused():
    """It passes convolutions on whole, unseen: they would count nothing."""
    with torch.inference_mode(), pytest.raises(ValueError, match=r'expected torch.no_grad'):
        macs(nn.Linear(2, 2), torch.ones(1, 2))


@pytest.mark.parametrize(
    ('module', 'shape', 'expected'),
    [
        # outputs x channels of a group x kernel
        (nn.Conv2d(3, 8, 3), (2, 3, 10, 12), (2 * 8 * 8 * 10) * 3 * 9),
        (nn.Conv2d(3, 8, 5, stride=2, padding=2), (1, 3, 8, 8), (8 * 4 * 4) * 3 * 25),
        (nn.Conv2d(6, 6, 7, padding=3, groups=6), (1, 6, 8, 8), (6 * 8 * 8) * 49),
        (nn.Conv2d(4, 6, 3, padding=8, dilation=8, groups=2), (1, 4, 8, 8), (6 * 8 * 8) * 2 * 9),
        # every input goes to every place of the kernel
        (nn.ConvTranspose2d(3, 8, 2, stride=2), (1, 3, 5, 5), (3 * 5 * 5) * 8 * 4),
        (nn.Linear(7, 5), (4, 7), 4 * 7 * 5),
        (nn.Linear(7, 5, bias=False), (2, 4, 7), 2 * 4 * 7 * 5),
        (nn.BatchNorm2d(3), (2, 3, 4, 4), 0),
        (nn.Upsample(scale_factor=2, mode='bilinear'), (1, 3, 4, 4), 0),
    ],
)
def test_multiply_adds_of_a_layer(module, shape, expected):
    assert macs(module.eval(), torch.randn(shape)) == expected


@pytest.mark.parametrize('gradients', [True, False])
def test_multiply_adds_of_attention(gradients):
    """Q K^T over 5 channels of the key, then 11 of the value; for 7 queries and 13 keys."""

    class Attention(nn.Module):
        def forward(self, query, key, value):
            return F.scaled_dot_product_attention(query, key, value)

    q, k, v = torch.randn(2, 3, 7, 5), torch.randn(2, 3, 13, 5), torch.randn(2, 3, 13, 11)
    with torch.set_grad_enabled(gradients):
        assert macs(Attention(), q, k, v) == 2 * 3 * 7 * 13 * (5 + 11)
        assert macs(Attention(), q, k, v[..., :5]) == 2 * 3 * 7 * 13 * (5 + 5)


def test_multiply_adds_of_a_backward_pass():
    """Each gradient costs what the forward pass cost; that of an image is not asked for."""
    conv = nn.Conv2d(3, 8, 3)
    forward = 8 * 8 * 8 * 3 * 9
    image = torch.randn(1, 3, 10, 10)
    operations = operations_of(conv, lambda: conv(image).sum().backward())
    assert sum(each.macs for each in operations) == 2 * forward
    image.requires_grad_()
    operations = operations_of(conv, lambda: conv(image).sum().backward())
    assert sum(each.macs for each in operations) == 3 * forward


def test_agrees_with_torchs_counter():
    """On a step; torch counts gradients of grouped and of transposed convolutions too high."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8),
        nn.Flatten(), nn.Linear(8 * 13 * 13, 10),
    )  # fmt: skip
    image = torch.randn(2, 3, 31, 31)

    def step():
        net(image).square().mean().backward()

    with FlopCounterMode(display=False) as counter:
        step()
    ours = sum(each.macs for each in operations_of(net, step))
    assert ours > 0
    assert 2 * ours == counter.get_total_flops()


def test_multiply_adds_by_module():
    net = nn.Sequential()
    net.add_module('trunk', nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 5))))
    net.add_module('head', nn.Linear(5, 7))
    operations = operations_of(net, lambda: net(torch.randn(1, 2)))
    assert macs_by_module(operations, 1) == {'trunk': 6 + 15, 'head': 35}
    assert macs_by_module(operations, 2) == {'trunk.0': 6, 'trunk.1': 15, 'head': 35}
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_bytes_are_read_and_written_once_and_views_are_free():
    class Net(nn.Module):
        def forward(self, x):
            return F.relu(x.view(3, 4).t()[1:])

    net, x = Net(), torch.randn(12)
    operations = operations_of(net, lambda: net(x))
    assert sum(each.bytes for each in operations) == (9 + 9) * FLOAT


def test_bytes_of_expanded_and_in_place_tensors():
    class Net(nn.Module):
        def forward(self, x):
            return x.add_(torch.ones(1).expand(10))

    x = torch.randn(10)
    net = Net()
    operations = [op for op in operations_of(net, lambda: net(x)) if 'add_' in op.name]
    assert [op.bytes for op in operations] == [(10 + 1 + 10) * FLOAT]


def test_limits():
    """One operation waits for arithmetic, the other for memory."""
    net, x = nn.Linear(100, 100, bias=False), torch.ones(50, 100)
    operations = operations_of(net, lambda: net(x))
    assert [op.macs for op in operations if op.macs] == [500_000]
    moved = sum(op.bytes for op in operations)
    assert moved == FLOAT * (50 * 100 + 100 * 100 + 50 * 100)
    fast = limits(operations, flops=1e6, bandwidth=moved)
    assert fast == dict(operations=pytest.approx(1), bytes=pytest.approx(1), both=pytest.approx(1))
    slow = limits(operations, flops=1e6, bandwidth=moved / 4)
    assert (slow['bytes'], slow['both']) == (pytest.approx(4), pytest.approx(4))


@pytest.fixture(scope='module')
def demo():
    (path,) = (ROOT / 'configs/demo').glob('*.py')
    return load_subject(path, torch.device('cpu'))


def test_multiply_adds_of_a_model_grow_with_its_pixels(demo):
    """Up to what happens once an image: fully connected layers and pooled maps."""
    counts = []
    for size in (64, 128):
        run = inference(demo, Case(size, 1), torch.device('cpu'))
        counts.append(macs_by_module(operations_of(demo.model, run), 2))
    assert {'backbone.backbone', 'backbone.fph', 'neck.fusions'} <= set(counts[0])
    assert sum(counts[1].values()) / sum(counts[0].values()) == pytest.approx(4, rel=0.02)
    # 3x3 from 80 to 80 channels at stride 8, from 160 to 160 at stride 16
    assert counts[0]['neck.fusions'] == 9 * (8 * 8 * 80**2 + 4 * 4 * 160**2)
