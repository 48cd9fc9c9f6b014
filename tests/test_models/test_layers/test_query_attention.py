import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.models.layers import QueryAttention
from test_models.references import array, layer_norm, linear, randomise


class LargestTensor(TorchDispatchMode):
    """Remembers the largest tensor of any operation, attention matrices never stored included."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        outputs = func(*args, **(kwargs or {}))
        for output in outputs if isinstance(outputs, (tuple, list)) else [outputs]:
            if isinstance(output, torch.Tensor):
                self.numel = max(self.numel, output.numel())
        if 'scaled_dot_product' in str(func):
            query, key = args[1:3] if 'backward' in str(func) else args[:2]
            self.numel = max(self.numel, query[..., 0].numel() * key.shape[-2])
        return outputs


def attend(query, key, value, heads):
    """``softmax(Q K^T / sqrt(d)) V`` of one sample, (L, C), (S, C), (S, C), a head at a time."""
    out = np.zeros(query.shape)
    size = query.shape[1] // heads
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        for i, q in enumerate(query[:, part]):
            scores = np.array([q @ k for k in key[:, part]]) / np.sqrt(size)
            weights = np.exp(scores - scores.max())
            weights /= weights.sum()
            for weight, v in zip(weights, value[:, part], strict=True):
                out[i, part] += weight * v
    return out


def reference(module, x, heads):
    B, C, H, W = x.shape
    out = np.zeros(x.shape)
    for b in range(B):
        pixels = np.array([array(x)[b, :, y, i] for y in range(H) for i in range(W)])
        pixels = layer_norm(pixels, module.norm, eps=1e-5)
        key, value = np.split(linear(pixels, module.gather), 2, axis=1)
        queries = array(module.queries)
        tokens = queries + attend(queries, key, value, heads)
        tokens = layer_norm(tokens, module.token_norm, eps=1e-5)
        key, value = np.split(linear(tokens, module.read), 2, axis=1)
        read = attend(linear(pixels, module.read_query), key, value, heads)
        out[b] = linear(read, module.out).T.reshape(C, H, W)
    return out


@pytest.mark.parametrize(('queries', 'heads'), [(1, 1), (3, 2), (5, 4)])
def test_equals_reference(queries, heads):
    module = randomise(QueryAttention(8, queries, heads), scale=1)
    x = torch.randn(2, 8, 3, 4, dtype=torch.float64)
    expected = reference(module, x, heads)
    np.testing.assert_allclose(array(module(x)), expected, rtol=1e-9, atol=1e-12)


def test_pixels_differ_from_the_start():
    """With equal tokens, all pixels read the same and training cannot part them."""
    torch.manual_seed(0)
    read = QueryAttention(32, num_queries=16, num_heads=4)(torch.randn(2, 32, 8, 8))
    over_pixels = read.flatten(2).std(dim=2).mean()
    assert over_pixels > 0.05 * read.std()


def test_samples_are_independent():
    module = randomise(QueryAttention(8, 3, 2))
    x = torch.randn(2, 8, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(module(x), torch.cat([module(x[:1]), module(x[1:])]))


def largest(side):
    module = QueryAttention(8, num_queries=4, num_heads=2)
    with LargestTensor() as recorder:
        module(torch.randn(1, 8, side, side)).sum().backward()
    return recorder.numel


def test_cost_is_linear_in_pixels():
    assert largest(32) >= 32 * 32 * 8
    assert largest(64) == 4 * largest(32)


def test_no_matrix_of_pixels_by_pixels():
    assert largest(32) < (32 * 32) ** 2 / 10


def test_recorder_sees_a_matrix_of_pixels_by_pixels():
    """The check above can fail: ordinary self-attention does not pass it."""
    x = torch.randn(1, 2, 32 * 32, 4)
    with LargestTensor() as recorder:
        torch.nn.functional.scaled_dot_product_attention(x, x, x)
    assert recorder.numel >= (32 * 32) ** 2


def test_every_parameter_receives_a_gradient():
    module = QueryAttention(8, 3, 2)
    module(torch.randn(2, 8, 3, 4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in module.parameters())


def test_under_autocast():
    """The queries are a float32 weight, keys and values come from a layer in half precision."""
    module = QueryAttention(8, 3, 2)
    x = torch.randn(2, 8, 3, 4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = module(x)
    torch.testing.assert_close(out.float(), module(x), atol=0.05, rtol=0.05)


def test_heads_must_divide_channels():
    with pytest.raises(ValueError, match=r'multiple of num_heads=3, got 8'):
        QueryAttention(8, 4, 3)
