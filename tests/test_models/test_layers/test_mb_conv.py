import pytest
import torch
from mmseg.models.utils import InvertedResidualV3, SELayer

from mmomni.models.layers.mb_conv import MBConv, SqueezeExcitation
from test_models.references import assert_twins, randomise


@pytest.mark.parametrize('training', [True, False])
def test_equals_mmseg_with_gradients(training):
    ours = randomise(MBConv(16, dict(type='BN'))).train(training)
    swish, sigmoid = dict(type='SiLU'), dict(type='Sigmoid')
    squeeze = dict(channels=96, ratio=24, act_cfg=(swish, sigmoid))
    theirs = InvertedResidualV3(16, 16, 96, se_cfg=squeeze, act_cfg=swish).double().train(training)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 16, 7, 5, dtype=torch.float64, requires_grad=True)
    assert_twins((ours, theirs), (ours(x), theirs(x)), x)


@pytest.mark.parametrize('grad', [True, False])
def test_excitation_equals_mmseg(grad):
    ours = randomise(SqueezeExcitation(64, ratio=4))
    theirs = SELayer(64, ratio=4).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 64, 5, 7, dtype=torch.float64, requires_grad=grad)
    with torch.set_grad_enabled(grad):
        expected = theirs(x)
        kept = x.detach().clone()
        torch.testing.assert_close(ours(x), expected)
    assert grad == torch.equal(x, kept)  # in place where no gradient needs it
