from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F

from mmomni.models.comparators import HiFiEncoder
from mmomni.models.comparators.hifi_net import BlockAttention, MultiScaleLaplacian
from test_models.references import randomise

from .contract import ComparatorTester


class TestHiFiNet(ComparatorTester):
    paper = 'hifi-net_hrnet-w18'
    lite = 'hifi-net_hrnet-w18'
    parameters = 9.84
    multiply_adds = 111.7
    losses: ClassVar = {'decode.loss_ce'}
    shares = False


@torch.no_grad()
def test_even_features_lose_nothing():
    module = randomise(MultiScaleLaplacian(2, (2, 4, 8), 0.0, dict(type='BN')))
    even = torch.full((1, 2, 16, 24), 0.7, dtype=torch.float64)
    torch.testing.assert_close(module(even), module.merge(torch.zeros(1, 6, 16, 24).double()))


@torch.no_grad()
@pytest.mark.parametrize('scale', [2, 4])
def test_a_gaussian_whose_sigma_is_the_scale(scale):
    module = MultiScaleLaplacian(1, (scale,), 0.0, dict(type='BN')).double()
    kernel = module.get_buffer(f'gaussian{scale}')[0, 0].double()
    assert kernel.sum() == pytest.approx(1)
    assert kernel[0, 1] / kernel[1, 1] == pytest.approx(torch.tensor(-1 / (2 * scale**2)).exp())
    assert kernel[0, 0] / kernel[0, 1] == pytest.approx(torch.tensor(-1 / (2 * scale**2)).exp())


@torch.no_grad()
def test_every_block_looks_at_every_other_one():
    module = randomise(BlockAttention(2, block=2), scale=0.2)
    x = torch.randn(1, 2, 4, 6, dtype=torch.float64)
    blocks = [
        x[0, :, row : row + 2, column : column + 2].flatten()
        for row in (0, 2) for column in (0, 2, 4)
    ]  # fmt: skip
    tokens = torch.stack(blocks)
    queries, keys, values = (
        F.linear(tokens, layer.weight.flatten(1), layer.bias)
        for layer in (module.query, module.key, module.value)
    )
    read = ((queries @ keys.T).softmax(dim=-1) @ values).unflatten(1, (2, 2, 2))
    rows = [torch.cat(list(read[start : start + 3]), dim=-1) for start in (0, 3)]
    expected = x + module.project(torch.cat(rows, dim=1)[None])
    torch.testing.assert_close(module(x), expected)


@torch.no_grad()
@pytest.mark.parametrize(('strides', 'stride'), [((1, 1), 1), ((1, 2), 2), ((2, 2), 4)])
def test_branches_begin_at_the_stride_of_the_stem(make_planes, strides, stride):
    encoder = HiFiEncoder((4, 6, 8, 10), blocks=1, first_channels=4, strides=strides).eval()
    branches = encoder(make_planes(32, 64)[None].float())
    assert [tuple(x.shape[1:]) for x in branches] == [
        (channels, 32 // (stride << k), 64 // (stride << k))
        for k, channels in enumerate((4, 6, 8, 10))
    ]
