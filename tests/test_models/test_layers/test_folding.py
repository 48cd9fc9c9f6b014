import pytest
import torch
from mmcv.cnn import ConvModule, fuse_conv_bn
from mmengine.model import revert_sync_batchnorm
from torch import nn

from mmomni.models.layers import FoldingConvModule
from mmomni.models.layers.folding import fold, is_fixed
from test_models.references import randomise

NORMS = [dict(type='BN'), dict(type='SyncBN'), dict(type='IN', affine=True), None]


def make(**kwargs):
    return randomise(FoldingConvModule(4, 6, 3, padding=1, **kwargs))


@pytest.fixture
def x():
    return torch.randn(2, 4, 5, 7, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize('norm_cfg', NORMS, ids=lambda cfg: str(cfg and cfg['type']))
@pytest.mark.parametrize('kwargs', [{}, dict(act_cfg=None), dict(stride=2), dict(groups=2)])
def test_equals_mmcv_in_evaluation(x, norm_cfg, kwargs):
    module = make(norm_cfg=norm_cfg, **kwargs).eval()
    outputs = module(x), ConvModule.forward(module, x)
    wanted = [x, *module.parameters()]
    seed = torch.randn_like(outputs[0])
    gradients, expected = (torch.autograd.grad(y, wanted, seed) for y in outputs)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(gradients, expected)


def test_equals_mmcv_in_training_with_the_same_moving_averages(x):
    ours = make(norm_cfg=dict(type='BN'))
    theirs = ConvModule(4, 6, 3, padding=1, norm_cfg=dict(type='BN')).double()
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours.train()(x), theirs.train()(x))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_norm_is_not_called_in_evaluation(x):
    module = make(norm_cfg=dict(type='BN')).eval()
    module.norm.forward = pytest.fail
    module(x)


@pytest.mark.parametrize(
    'norm',
    [
        nn.BatchNorm2d(6),  # in training
        nn.BatchNorm2d(6, track_running_stats=False).eval(),
        nn.BatchNorm2d(6, affine=False).eval(),
        nn.InstanceNorm2d(6, affine=True, track_running_stats=True).eval(),
        nn.GroupNorm(2, 6).eval(),
        nn.Identity().eval(),
        None,
    ],
    ids=str,
)
def test_norms_that_stay(norm):
    assert not is_fixed(norm)


def test_parameters_are_not_changed(x):
    module = make(norm_cfg=dict(type='BN')).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module(x)
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)


def test_after_fusion_of_the_norm(x):
    module = make(norm_cfg=dict(type='BN')).eval()
    expected = module(x)
    torch.testing.assert_close(fuse_conv_bn(module)(x), expected)


def test_norm_of_which_mmengine_made_a_plain_one():
    module = revert_sync_batchnorm(make(norm_cfg=dict(type='SyncBN'))).eval()
    assert type(module.norm).__name__ == '_BatchNormXd'
    assert fold(module)[2] is None


def test_without_graph_breaks(x):
    module = make(norm_cfg=dict(type='BN')).eval()
    with torch.no_grad():
        assert torch._dynamo.explain(module)(x).graph_break_count == 0
