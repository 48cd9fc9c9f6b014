import numpy as np
import pytest
import torch
from mmcv.cnn import fuse_conv_bn

from mmomni.models import fast
from mmomni.models.layers import ModalGate
from test_models.references import array, conv_bn_relu, linear, randomise, softmax

C2 = 6


@pytest.fixture
def gate():
    return randomise(ModalGate(C2, num_classes=2, norm_cfg=dict(type='BN')))


@pytest.fixture
def inputs():
    shapes = [(3, C2, 8, 5)] * 2 + [(3, 2, 8, 5)] * 2
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


def reference(gate, f_rgb, f_fused, p_rgb, p_fused):
    """Each prediction is repeated to as many channels as a feature map has."""
    repeated = [np.concatenate([softmax(array(p), 1)] * (C2 // 2), 1) for p in (p_rgb, p_fused)]
    x = np.concatenate([array(f_rgb), array(f_fused), *repeated], 1)
    for layer in gate.convs:
        x = conv_bn_relu(x, layer, stride=2, padding=1)
    return linear(x.mean((2, 3)), gate.linear)[:, 0]


def test_equals_reference(gate, inputs):
    logit = gate(*inputs)
    assert logit.shape == (3,)
    np.testing.assert_allclose(array(logit), reference(gate, *inputs), rtol=1e-10)
    with fast.disabled():
        np.testing.assert_allclose(array(gate(*inputs)), array(logit), rtol=1e-10)


@pytest.mark.parametrize('index', range(4))
def test_every_input_matters(gate, inputs, index):
    expected = gate(*inputs)
    inputs[index] = inputs[index] + torch.randn_like(inputs[index])
    assert not torch.isclose(gate(*inputs), expected).any()


def test_samples_are_independent(gate, inputs):
    alone = torch.cat([gate(*(x[b : b + 1] for x in inputs)) for b in range(3)])
    torch.testing.assert_close(gate(*inputs), alone)


def test_predictions_enter_as_probabilities(gate, inputs):
    f_rgb, f_fused, p_rgb, p_fused = inputs
    torch.testing.assert_close(gate(f_rgb, f_fused, p_rgb + 7, p_fused - 3), gate(*inputs))


def test_gradients_of_the_repeated_form(gate, inputs):
    """The predictions are repeated in the reference; here the weights are added up."""
    f_rgb, f_fused, *predictions = inputs
    repeated = [p.softmax(dim=1).repeat(1, C2 // 2, 1, 1) for p in predictions]
    x = gate.convs(torch.cat([f_rgb, f_fused, *repeated], dim=1))
    expected = gate.linear(x.mean((2, 3)))[:, 0]
    seed = torch.randn_like(expected)
    both = gate(*inputs), expected
    gradients = (torch.autograd.grad(y, [*gate.parameters()], seed) for y in both)
    torch.testing.assert_close(*gradients)


def test_after_fusion_of_the_norm(gate, inputs):
    expected = gate(*inputs)
    torch.testing.assert_close(fuse_conv_bn(gate)(*inputs), expected)
