import numpy as np
import pytest
import torch

from mmomni.models.layers import ScSE
from test_models.references import array, linear, randomise, relu, sigmoid


def as_linear(layer):
    """A 1x1 conv is a linear layer on the channels."""
    result = torch.nn.Linear(layer.in_channels, layer.out_channels)
    result.weight.data, result.bias.data = layer.weight.flatten(1), layer.bias
    return result


@pytest.mark.parametrize('channels', [32, 48])
def test_equals_reference(channels):
    """``x * sigmoid(W2 relu(W1 mean(x))) + x * sigmoid(w . x)``."""
    scse = randomise(ScSE(channels))
    x = torch.randn(2, channels, 3, 4, dtype=torch.float64)
    down, up, spatial = (as_linear(m) for m in scse.modules() if isinstance(m, torch.nn.Conv2d))
    expected = np.zeros(x.shape)
    for b, sample in enumerate(array(x)):
        channel = sigmoid(linear(relu(linear(sample.mean((1, 2)), down)), up))
        for i, j in np.ndindex(3, 4):
            here = sample[:, i, j]
            expected[b, :, i, j] = here * channel + here * sigmoid(linear(here, spatial))
    np.testing.assert_allclose(array(scse(x)), expected, rtol=1e-12)


@pytest.mark.parametrize(('channels', 'squeezed'), [(8, 1), (64, 4), (512, 32)])
def test_reduction_is_16(channels, squeezed):
    assert ScSE(channels).channel[1].out_channels == squeezed
