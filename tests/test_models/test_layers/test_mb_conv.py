import pytest
import torch
from mmcv.cnn import fuse_conv_bn
from mmseg.models.utils import InvertedResidualV3

from mmomni.models.layers.mb_conv import MBConv
from test_models.references import randomise

CHANNELS = 32
NORM = dict(type='BN')


def make(norm_cfg=NORM):
    return randomise(MBConv(CHANNELS, norm_cfg))


def plain(block):
    """mmseg's block with the same weights: the excitation multiplied onto the map."""
    swish, sigmoid = dict(type='SiLU'), dict(type='Sigmoid')
    squeeze = dict(channels=6 * CHANNELS, ratio=24, act_cfg=(swish, sigmoid))
    expected = InvertedResidualV3(
        CHANNELS, CHANNELS, 6 * CHANNELS, 3, se_cfg=squeeze, norm_cfg=NORM, act_cfg=swish
    ).double()
    expected.load_state_dict(block.state_dict())
    return expected.train(block.training)


@pytest.fixture
def x():
    return torch.randn(2, CHANNELS, 5, 7, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_equals_mmseg_with_gradients(x, training, layout):
    block = make().train(training)
    results = []
    for module in (block, plain(block)):
        y = module(x.contiguous(memory_format=layout))
        seed = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
        results.append([y, *torch.autograd.grad(y, [x, *module.parameters()], seed)])
    torch.testing.assert_close(*results)


def test_moving_averages_of_training(x):
    block = make()
    expected = plain(block)
    block(x), expected(x)
    torch.testing.assert_close(block.state_dict(), expected.state_dict())


def test_squeezes_to_a_quarter_of_its_channels():
    assert make().se.conv1.conv.weight.shape[:2] == (CHANNELS // 4, 6 * CHANNELS)


def test_after_fusion_of_the_norms(x):
    block = make().eval()
    expected = block(x)
    torch.testing.assert_close(fuse_conv_bn(block)(x), expected)


def test_under_autocast(x):
    block = make().float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = block(x.float())
    y.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in block.parameters())
