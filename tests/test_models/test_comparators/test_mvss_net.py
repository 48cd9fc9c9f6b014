from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmomni.models.comparators import EdgeHead, MVSSEncoder
from mmomni.models.comparators.mvss_net import BayarConv, SobelGate
from test_models.references import array, conv, randomise

from .contract import ComparatorTester

DICE = dict(type='mmomni.RegionLoss', pool='sample', exponent=2, loss_name='loss_edge')


class TestMVSSNet(ComparatorTester):
    paper = 'mvss-net_resnet-50'
    lite = 'mvss-net_efficientnet-lite0'
    parameters = 142.71
    multiply_adds = 166.2
    losses: ClassVar = {'decode.loss_dice', 'decode.loss_image', 'aux_0.loss_edge'}
    stride = 16
    # the attention of positions begins with the weight 0
    idle = tuple(f'decode_head.positions.1.{part}_project' for part in ('key', 'query', 'value'))
    shares = False


def test_constrained_kernels_predict_the_middle_pixel():
    torch.manual_seed(0)
    kernels = BayarConv(channels=3, kernel_size=5).double().constrained()
    assert kernels.shape == (3, 1, 5, 5)
    assert (kernels[..., 2, 2] == -1).all()
    np.testing.assert_allclose(array(kernels.sum(dim=(2, 3))), 0, atol=1e-12)


@torch.no_grad()
def test_an_even_image_has_no_noise():
    noise = BayarConv().double()(torch.full((1, 1, 8, 8), 0.7, dtype=torch.float64))
    np.testing.assert_allclose(array(noise[..., 2:-2, 2:-2]), 0, atol=1e-12)


@torch.no_grad()
def test_sobel_gate_is_sobel_of_all_channels():
    """The public code repeats one 3x3 filter over the channels of a common convolution."""
    gate = randomise(SobelGate())
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    across = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]], dtype=torch.float64)
    gradients = [
        conv(array(x), kernel.expand(1, 3, 3, 3), padding=1) for kernel in (across, across.T)
    ]
    gradient = np.concatenate(gradients, axis=1)
    norm = gate.norm
    scale = array(norm.weight) / np.sqrt(array(norm.running_var) + norm.eps)
    shifted = gradient - array(norm.running_mean)[:, None, None]
    gradient = shifted * scale[:, None, None] + array(norm.bias)[:, None, None]
    strength = np.sqrt((gradient**2).sum(axis=1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(array(gate(x)), array(x) / (1 + np.exp(-strength)))


def test_flat_features_have_a_gradient_without_nan():
    x = torch.zeros(1, 3, 4, 4, requires_grad=True)
    SobelGate()(x).sum().backward()
    assert x.grad.isfinite().all()


@torch.no_grad()
def test_edge_blocks_are_residual_and_only_the_last_is_linear():
    head = randomise(EdgeHead([2, 3, 4, 5], DICE))
    x = torch.randn(1, 1, 5, 5, dtype=torch.float64)
    for index, block in enumerate(head.joins):
        entered = block.enter(x)
        expected = entered + block.residual(entered)
        if index < 2:
            expected = F.leaky_relu(expected, 0.1)
        torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize('seed', range(4))
def test_no_draw_silences_the_edges(seed, make_sample):
    torch.manual_seed(seed)
    head = EdgeHead([2, 3, 4, 5], DICE)
    mask = torch.zeros(64, 64)
    mask[20:40, 20:40] = 1
    levels = [torch.rand(1, c, 16 >> k, 16 >> k) for k, c in enumerate((2, 3, 4, 5))]
    head.loss(levels, [make_sample(mask)], {})['loss_edge'].backward()
    assert [name for name, p in head.named_parameters() if not p.grad.any()] == []


def test_edges_are_learned_at_the_size_of_the_first_level(make_sample):
    torch.manual_seed(0)
    head = EdgeHead([2, 3, 4, 5], DICE)
    levels = [torch.randn(2, c, side, side) for c, side in ((2, 16), (3, 8), (4, 4), (5, 4))]
    assert head(levels).shape == (2, 1, 16, 16)
    mask = torch.zeros(64, 64)
    mask[20:40, 20:40] = 1
    samples = [make_sample(mask), make_sample(torch.zeros(64, 64))]
    loss = head.loss(levels, samples, {})
    assert loss.keys() == {'loss_edge'}
    assert 0 < loss['loss_edge'] < 1
    with torch.no_grad():  # edges at the right place, of two pixels at most
        edge = torch.full((2, 1, 16, 16), -30.0)
        edge[0, 0, 5, 5:10] = edge[0, 0, 9, 5:10] = edge[0, 0, 5:10, 5] = 30
        edge[0, 0, 5:10, 9] = edge[0, 0, 4, 4:11] = edge[0, 0, 10, 4:11] = 30
        edge[0, 0, 4:11, 4] = edge[0, 0, 4:11, 10] = 30
    head.forward = lambda _: edge
    assert head.loss(levels, samples, {})['loss_edge'] < 0.5


@pytest.mark.parametrize(('last', 'size', 'channels'), [(1, 2, 640), (2, 4, 864)])
def test_levels_are_joined_at_the_size_of_the_first(make_planes, last, size, channels):
    encoder = MVSSEncoder(dict(type='mmomni.EfficientNetLite', arch='lite0'), last)
    *levels, joined = encoder.eval()(make_planes(64, 64)[None].float())
    assert [x.shape[1] for x in levels] == [24, 40, 112, 320]
    assert joined.shape == (1, channels, size, size)
