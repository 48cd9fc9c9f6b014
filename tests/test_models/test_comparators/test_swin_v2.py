import math

import numpy as np
import pytest
import torch

from mmomni.models.comparators.swin_v2 import CosineWindowMSA, Merging, SwinBlockV2, SwinStageV2
from test_models.references import array, randomise


def attention_by_hand(layer, x, window):
    """Token by token and head by head, in NumPy."""
    heads, channels = layer.num_heads, x.shape[-1]
    d = channels // heads
    q, k, v = (x @ array(part).T for part in layer.qkv.weight.chunk(3))
    q, v = q + array(layer.q_bias), v + array(layer.v_bias)
    first, _, second = layer.cpb_mlp
    y = np.zeros_like(x)
    for head in range(heads):
        part = slice(head * d, head * d + d)
        scale = math.exp(min(layer.logit_scale[head].item(), math.log(100)))
        for i in range(len(x)):
            logits = []
            for j in range(len(x)):
                cosine = q[i, part] @ k[j, part]
                cosine /= np.linalg.norm(q[i, part]) * np.linalg.norm(k[j, part])
                offset = np.subtract(divmod(i, window), divmod(j, window)) * 8 / (window - 1)
                offset = np.sign(offset) * np.log2(np.abs(offset) + 1) / np.log2(8)
                hidden = np.maximum(array(first.weight) @ offset + array(first.bias), 0)
                bias = 16 / (1 + math.exp(-(array(second.weight)[head] @ hidden)))
                logits.append(cosine * scale + bias)
            weights = np.exp(np.array(logits) - max(logits))
            y[i, part] = weights / weights.sum() @ v[:, part]
    return y @ array(layer.proj.weight).T + array(layer.proj.bias)


@torch.no_grad()
@pytest.mark.parametrize('scale', [1.5, 9.0])
def test_attention(scale):
    layer = randomise(CosineWindowMSA(8, 3, 2))
    layer.logit_scale.fill_(scale)
    x = torch.randn(2, 9, 8, dtype=torch.float64)
    expected = np.stack([attention_by_hand(layer, each, 3) for each in x.numpy()])
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-6, atol=1e-9)


@torch.no_grad()
def test_a_mask_separates_tokens():
    layer = randomise(CosineWindowMSA(8, 2, 2))
    x = torch.randn(2, 4, 8, dtype=torch.float64)
    mask = torch.zeros(2, 4, 4, dtype=torch.float64)
    mask[1, :2, 2:] = mask[1, 2:, :2] = -1e9
    found = layer(x, mask)
    torch.testing.assert_close(found[0], layer(x)[0])
    changed = x.clone()
    changed[1, 2:] = 5
    torch.testing.assert_close(layer(changed, mask)[1, :2], found[1, :2])


@torch.no_grad()
def test_a_block_normalises_before_it_adds():
    block = randomise(SwinBlockV2(8, 2, 4, shift=False, drop_path_rate=0.0))
    x = torch.randn(1, 16, 8, dtype=torch.float64)
    y = x + block.norm1(block.attn.w_msa(x))
    torch.testing.assert_close(block(x, (4, 4)), y + block.norm2(block.ffn(y)))


@torch.no_grad()
def test_shifted_windows_reach_over_the_borders_of_the_others():
    block = randomise(SwinBlockV2(8, 2, 4, shift=True, drop_path_rate=0.0))
    x = torch.randn(1, 64, 8, dtype=torch.float64)
    changed = x.clone()
    changed[0, 8 * 3 + 3] += 1
    moved = (block(changed, (8, 8)) - block(x, (8, 8))).abs().sum(-1).view(8, 8) > 1e-12
    assert moved[2:6, 2:6].all()
    assert moved.sum() == 16


@torch.no_grad()
def test_merging_normalises_last():
    merging = randomise(Merging(4, 6))
    x, size = merging(torch.randn(1, 6 * 8, 4, dtype=torch.float64), (6, 8))
    assert tuple(size) == (3, 4)
    assert x.shape == (1, 12, 6)
    centred = (x - merging.last_norm.bias) / merging.last_norm.weight
    torch.testing.assert_close(centred.mean(-1), torch.zeros(1, 12, dtype=torch.float64))


@torch.no_grad()
@pytest.mark.parametrize('size', [(4, 4), (3, 5), (1, 1)])
def test_any_size_passes(size):
    stage = SwinStageV2(16, 2, channels_per_head=8, window_size=4, before=8)
    merged = stage.merge(torch.randn(2, 8, 2 * size[0], 2 * size[1]))
    assert stage(merged).shape == merged.shape == (2, 16, *size)
