from typing import ClassVar

import pytest
import torch

from mmomni.models.comparators import tifdm

from .contract import ComparatorTester


class TestTIFDM(ComparatorTester):
    paper = 'tifdm_resnet50'
    lite = 'tifdm_efficientnet-lite0'
    parameters = 24.5
    multiply_adds = 49.3
    losses: ClassVar = {'decode.loss_ce'}
    shares = False


@pytest.mark.parametrize('rows', [1000, 7])
def test_attention_is_one_softmax_over_all_pairs(monkeypatch, rows):
    monkeypatch.setattr(tifdm, 'ROWS', rows)
    torch.manual_seed(0)
    attention = tifdm.JointAttention(4, 2).double()
    x = 3 * torch.randn(2, 4, 5, 6).double()
    query, key, value = (
        m(x).flatten(2) for m in (attention.query, attention.key, attention.value)
    )
    pairs = torch.einsum('bdn,bdm->bnm', query, key)
    weights = pairs.flatten(1).softmax(dim=1).view_as(pairs)
    attended = torch.einsum('bnm,bcm->bcn', weights, value).view_as(x)
    expected = attention.out(x + attended)
    torch.testing.assert_close(attention(x), expected, atol=1e-6, rtol=1e-6)
    assert not torch.allclose(expected, attention.out(x), atol=1e-3)


def test_fusion_takes_semantics_of_any_size():
    fusion = tifdm.HighLowFusion(4, dict(type='BN'), dict(type='ReLU'))
    low = torch.rand(2, 4, 6, 10)
    assert fusion(low, torch.rand(2, 4, 3, 5)).shape == low.shape
