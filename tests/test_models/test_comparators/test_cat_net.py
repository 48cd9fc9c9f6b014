from typing import ClassVar

import pytest
import torch

from mmomni.models.comparators.cat_net import DCTStream

from .contract import ComparatorTester


class TestCATNet(ComparatorTester):
    paper = 'catnet_hrnet-w48'
    lite = 'catnet_efficientnet-lite0'
    parameters = 114.26
    multiply_adds = 133.3
    losses: ClassVar = {'decode.loss_ce'}
    sees_frequencies = True


@pytest.fixture
def stream():
    return DCTStream(4, 2, (8, 12, 16), (1, 1), 1).eval()


@torch.no_grad()
def test_a_channel_is_one_frequency_of_every_block(stream):
    """``X`` at row v, column u of a block, then the same times its quantisation step."""
    coefficients = torch.randint(0, 30, (2, 16, 24)).float()
    table = torch.randint(1, 100, (2, 8, 8)).float()
    found = stream._by_frequency(coefficients, table)
    assert found.shape == (2, 2 * 2 * 64, 2, 3)
    values = torch.eye(21)[coefficients.clamp(max=20).long()].movedim(-1, 1)
    x = stream.embed_conv(stream.values_conv(values))
    for channel, v, u in [(0, 0, 0), (0, 2, 5), (1, 7, 0), (1, 7, 7)]:
        places = x[:, channel, v::8, u::8]
        index = 64 * channel + 8 * v + u
        torch.testing.assert_close(found[:, index], places)
        torch.testing.assert_close(found[:, 128 + index], places * table[:, v, u].view(2, 1, 1))


@torch.no_grad()
def test_levels_of_the_stream(stream):
    maps = stream(torch.zeros(1, 64, 96), torch.ones(1, 8, 8))
    assert [tuple(x.shape[1:]) for x in maps] == [(8, 8, 12), (12, 4, 6), (16, 2, 3)]
