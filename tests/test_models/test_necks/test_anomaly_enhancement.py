import numpy as np
import pytest
import torch

from mmomni.models.necks import AnomalyEnhancement
from test_models.references import array, conv_bn_relu, randomise


@pytest.fixture
def neck():
    return randomise(AnomalyEnhancement([8, 4], num_queries=3, num_heads=2))


@pytest.fixture
def inputs():
    """Four levels, then coarse predictions, of which one is missing."""
    sizes = [(6, 8), (8, 4), (4, 2), (6, 1), (2, 4)]
    return [torch.randn(2, c, n, n, dtype=torch.float64) for c, n in sizes] + [None]


def test_equals_reference(neck, inputs):
    """``F2' = conv(F2 + Fa)``, ``F3' = conv(F3 + Fb)``."""
    outputs = neck(inputs)
    for index, level in enumerate((1, 2)):
        anomaly = neck.attentions[index](inputs[level])
        assert torch.equal(outputs[len(inputs) + index], anomaly)
        total = array(inputs[level]) + array(anomaly)
        expected = conv_bn_relu(total, neck.fusions[index], padding=1)
        np.testing.assert_allclose(array(outputs[level]), expected, rtol=1e-9, atol=1e-12)


def test_other_inputs_pass_through(neck, inputs):
    outputs = neck(inputs)
    assert len(outputs) == len(inputs) + 2
    assert all(outputs[i] is inputs[i] for i in (0, 3, 4, 5))


def test_inputs_are_left_alone(neck, inputs):
    before = [x if x is None else x.clone() for x in inputs]
    neck(tuple(inputs))
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(inputs, before, strict=True))


def test_other_levels():
    neck = randomise(AnomalyEnhancement([4], in_index=[0], num_queries=2, num_heads=1))
    x = torch.randn(1, 4, 2, 2, dtype=torch.float64)
    enhanced, anomaly = neck([x])
    expected = conv_bn_relu(array(x + anomaly), neck.fusions[0], padding=1)
    np.testing.assert_allclose(array(enhanced), expected, rtol=1e-9, atol=1e-12)


def test_every_parameter_receives_a_gradient(neck, inputs):
    outputs = neck.train()(inputs)
    (outputs[1].square().sum() + outputs[2].square().sum()).backward()
    assert [n for n, p in neck.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_unequal_lengths():
    with pytest.raises(ValueError, match='equally long'):
        AnomalyEnhancement([8, 4], in_index=(1,))
