"""By the equations of CMX, one pixel and one head at a time."""

import pytest
import torch

from mmomni.models.comparators.cross_modal_fusion import (
    CrossAttention,
    FeatureFusion,
    FeatureRectification,
)
from test_models.references import randomise

C, H, W = 4, 3, 5


@pytest.fixture
def streams():
    torch.manual_seed(0)
    return [torch.randn(2, C, H, W, dtype=torch.float64) for _ in range(2)]


@torch.no_grad()
def test_rectification(streams):
    module = randomise(FeatureRectification(C))
    first, second = streams
    both = torch.cat(streams, dim=1)
    average, largest = both.flatten(2).mean(-1), both.flatten(2).max(-1).values
    of_channels = module.of_channels(torch.cat([average, largest], dim=1)).sigmoid()
    of_pixels = module.of_pixels(both).sigmoid()
    found = module(first, second)
    for b in range(2):
        for c in range(C):
            share = 0.5 * of_channels[b, C + c] + 0.5 * of_pixels[b, 1]
            torch.testing.assert_close(found[0][b, c], first[b, c] + share * second[b, c])
            share = 0.5 * of_channels[b, c] + 0.5 * of_pixels[b, 0]
            torch.testing.assert_close(found[1][b, c], second[b, c] + share * first[b, c])


@torch.no_grad()
def test_each_stream_reads_the_context_of_the_other(streams):
    module = randomise(CrossAttention(C, num_heads=2))
    tokens = [x.flatten(2).transpose(1, 2) for x in streams]
    found = module(*tokens)
    for own, other in ((0, 1), (1, 0)):
        keys, values = module.key_values[other](tokens[other]).chunk(2, dim=-1)
        for head in (slice(0, 2), slice(2, 4)):
            for b in range(2):
                context = keys[b, :, head].T @ values[b, :, head] / 2**0.5
                expected = tokens[own][b, :, head] @ context.softmax(dim=0)
                torch.testing.assert_close(found[own][b, :, head], expected)


def test_heads_divide_the_channels():
    with pytest.raises(ValueError, match='num_heads to divide 4 channels, got 3'):
        CrossAttention(4, 3)


@torch.no_grad()
def test_fusion_keeps_the_size_and_mixes_neighbours(streams):
    module = randomise(FeatureFusion(C, 2, dict(type='BN')))
    found = module(*streams)
    assert found.shape == (2, C, H, W)
    for index in range(2):
        changed = [x.clone() for x in streams]
        changed[index][:, :, 0, 0] += 1
        assert not torch.allclose(module(*changed)[:, :, 1, 1], found[:, :, 1, 1])
