"""Building blocks of networks written out in float64 NumPy: nothing of torch computes here.

Weights come from the tested module; strides, paddings and the order of things from the equations.
"""

from math import erf

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def randomise(module, scale=0.3):
    """Draw all parameters and running statistics, so that no term hides behind a 0 or a 1."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=scale)
        for layer in module.modules():
            if isinstance(layer, (_BatchNorm, nn.LayerNorm)):
                layer.weight.uniform_(0.5, 1.5)
            if isinstance(layer, _BatchNorm):
                layer.running_mean.normal_(std=0.3)
                layer.running_var.uniform_(0.5, 2)
    module.double()
    module.eval()  # mmseg's SwinTransformer returns nothing here
    return module


def assert_twins(modules, outputs, x):
    """Two modules gave the same output for ``x``, give the same gradients and keep the same."""
    seed = torch.randn_like(outputs[0])
    gradients = [
        torch.autograd.grad(y, [x, *module.parameters()], seed)
        for y, module in zip(outputs, modules, strict=True)
    ]
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(*(module.state_dict() for module in modules))


def array(tensor):
    return tensor.detach().double().numpy()


def conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """``y[o, r, c] = b[o] + sum_{i, u, v} w[o, i, u, v] x[i, r s + u d - p, c s + v d - p]``."""
    x, weight = np.asarray(x), array(weight)
    outputs, inputs, size, _ = weight.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = ((n - dilation * (size - 1) - 1) // stride + 1 for n in x.shape[2:])
    y = np.zeros((len(x), outputs, height, width))
    for o in range(outputs):
        first = (o // (outputs // groups)) * inputs
        for u in range(size):
            for v in range(size):
                rows = slice(u * dilation, u * dilation + stride * (height - 1) + 1, stride)
                columns = slice(v * dilation, v * dilation + stride * (width - 1) + 1, stride)
                for i in range(inputs):
                    y[:, o] += weight[o, i, u, v] * x[:, first + i, rows, columns]
    return y if bias is None else y + array(bias)[:, None, None]


def batch_norm(x, layer, eps=1e-5):
    mean, var, weight, bias = (
        array(t)[:, None, None]
        for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / np.sqrt(var + eps) * weight + bias


def layer_norm(x, layer, eps):
    """Over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    return normed * array(layer.weight) + array(layer.bias)


def linear(x, layer):
    return x @ array(layer.weight).T + array(layer.bias)


def relu(x):
    return np.where(x > 0, x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def gelu(x):
    return x * (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def conv_bn_relu(x, module, **geometry):
    """A conv without bias, batch norm, ReLU; ``module`` is an mmcv ``ConvModule``."""
    assert module.conv.bias is None
    return relu(batch_norm(conv(x, module.conv.weight, **geometry), module.bn))


def bilinear(x, height, width):
    """Half-pixel centres, edges repeated: the convention called ``align_corners=False``."""

    def positions(old, new):
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, old - 1), at - low

    top, bottom, down = positions(x.shape[2], height)
    left, right, across = positions(x.shape[3], width)
    rows = x[:, :, top] * (1 - down)[:, None] + x[:, :, bottom] * down[:, None]
    return rows[..., left] * (1 - across) + rows[..., right] * across


def cross_entropy(logits, labels, ignore=255):
    """Mean of ``-log softmax(logits)[label]`` over the pixels that count; 0 if none does."""
    terms = []
    for b, y, x in np.ndindex(labels.shape):
        if labels[b, y, x] != ignore:
            scores = logits[b, :, y, x]
            top = scores.max()
            terms.append(top + np.log(np.exp(scores - top).sum()) - scores[labels[b, y, x]])
    return float(np.mean(terms)) if terms else 0.0


def depthwise(sample, filters, dilation):
    """(C, H, W) and (C, 3, 3): one filter a channel, zeros outside."""
    _, H, W = sample.shape
    out = np.zeros_like(sample)
    for c, y, x in np.ndindex(sample.shape):
        for u in range(3):
            for v in range(3):
                row, column = y + dilation * (u - 1), x + dilation * (v - 1)
                if 0 <= row < H and 0 <= column < W:
                    out[c, y, x] += filters[c, u, v] * sample[c, row, column]
    return out
