"""Each part of the models gives on a GPU what it gives on a CPU, forward and backward."""

import pytest
import torch
from comparing import CPU, assert_alike, outcome
from parts import TABLES
from torch import nn


def varied(module):
    """Weights of norms, biases and statistics away from 0 and 1, so that nothing hides."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim <= 1:
                parameter.uniform_(0.5, 1.5)
        for layer in module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.running_mean.normal_(std=0.3)
                layer.running_var.uniform_(0.5, 2)
    return module.double()


@pytest.mark.parametrize('training', [True, False], ids=['training', 'evaluation'])
@pytest.mark.parametrize('name', TABLES)
def test_device_equals_the_plain_form_on_the_cpu(name, training, device):
    part = TABLES[name]
    module = varied(part.make())
    module.train(training)
    inputs = part.inputs()
    expected = outcome(module, inputs, CPU, part.run, plain=True)
    for plain in (True, False):
        found = outcome(module, inputs, device, part.run, plain)
        assert_alike(found, expected, **part.tolerance)
