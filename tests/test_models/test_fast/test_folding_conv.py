import pytest
import torch
from mmcv.cnn import ConvModule, fuse_conv_bn
from mmengine.model import revert_sync_batchnorm
from torch import nn

from mmomni.models.fast import FoldingConv
from test_models.references import randomise

SETTINGS = [
    dict(kernel_size=1),
    dict(kernel_size=3, padding=1, stride=2),
    dict(kernel_size=3, padding=2, dilation=2, groups=2, bias=True),
    dict(kernel_size=1, act_cfg=None),
]


def make(norm='BN', **settings):
    settings = settings or SETTINGS[0]
    return randomise(FoldingConv(4, 6, norm_cfg=norm and dict(type=norm), **settings))


@pytest.fixture
def x():
    return torch.randn(2, 4, 10, 8, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def norms_passed(monkeypatch):
    passed = []
    for norm in (nn.BatchNorm2d, nn.SyncBatchNorm):
        forward = norm.forward
        monkeypatch.setattr(norm, 'forward', lambda *x, f=forward: passed.append(1) or f(*x))
    return passed


@pytest.mark.parametrize('settings', SETTINGS)
@pytest.mark.parametrize('training', [True, False])
def test_equals_mmcv_with_gradients(x, settings, training, norms_passed):
    module = make(**settings).train(training)
    wanted = [x, *module.parameters()]
    found = module(x)
    assert bool(norms_passed) == training
    expected = ConvModule.forward(module, x)
    seed = torch.randn_like(found)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, wanted, seed), torch.autograd.grad(expected, wanted, seed)
    )


@pytest.mark.parametrize(('size', 'passes'), [(6, False), (5, True)])
def test_small_maps_pass_the_norm(size, passes, norms_passed):
    """A kernel of 4 x 3 x 3 = 36 values for each channel against the pixels."""
    module = make(kernel_size=3, padding=1)
    x = torch.randn(1, 4, size + 1, size, dtype=torch.float64)
    expected = ConvModule.forward(module, x)
    norms_passed.clear()
    torch.testing.assert_close(module(x), expected)
    assert bool(norms_passed) == passes


@pytest.mark.parametrize('norm', ['GN', 'IN', None])
def test_other_norms(x, norm):
    module = randomise(FoldingConv(4, 4, 1, norm_cfg=norm and dict(type=norm, **(
        dict(num_groups=2) if norm == 'GN' else {}
    ))))  # fmt: skip
    torch.testing.assert_close(module(x), ConvModule.forward(module, x))


@pytest.mark.parametrize('setting', [dict(affine=False), dict(track_running_stats=False)])
def test_norms_that_cannot_be_folded(x, setting):
    module = FoldingConv(4, 6, 1, norm_cfg=dict(type='BN', **setting)).double().eval()
    torch.testing.assert_close(module(x), ConvModule.forward(module, x))


def test_synchronised_and_fused_norms(x, norms_passed):
    module = make('SyncBN')
    folded = module(x)
    assert not norms_passed
    torch.testing.assert_close(revert_sync_batchnorm(module)(x), folded)
    fused = fuse_conv_bn(make())
    torch.testing.assert_close(fused(x), ConvModule.forward(fused, x))


def test_folds_as_mmcv_fuses(x):
    module = make()
    folded = module(x)
    torch.testing.assert_close(fuse_conv_bn(module)(x), folded)


@pytest.mark.parametrize(
    'settings',
    [
        dict(order=('act', 'conv', 'norm')),
        dict(with_spectral_norm=True),
        dict(padding=2, padding_mode='reflect'),
        dict(padding=2, padding_mode='circular'),
        dict(conv_cfg=dict(type='ConvWS')),
    ],
)
def test_options_of_mmcv(x, settings):
    module, x = make(kernel_size=3, **settings), x.detach()
    torch.testing.assert_close(module(x.clone()), ConvModule.forward(module, x.clone()))


@pytest.mark.parametrize('flags', [dict(norm=False), dict(activate=False)])
def test_flags_of_mmcv(x, flags):
    module = make()
    torch.testing.assert_close(module(x, **flags), ConvModule.forward(module, x, **flags))


@pytest.mark.parametrize('name', ['conv', 'bn'])
def test_hooks_see_what_passes(x, name):
    module, seen = make(), []
    getattr(module, name).register_forward_hook(lambda *args: seen.append(args[2]))
    expected = module(x)
    assert len(seen) == 1
    torch.testing.assert_close(make_unhooked(module)(x), expected)


@pytest.mark.parametrize('register', ['full_backward_hook', 'full_backward_pre_hook'])
@pytest.mark.parametrize('name', ['conv', 'bn'])
def test_hooks_see_gradients(x, name, register):
    module, seen = make(kernel_size=1, inplace=False), []  # torch refuses it in place
    hook = getattr(getattr(module, name), f'register_{register}')
    hook(lambda *_: seen.append(1))
    module(x).sum().backward()
    assert seen == [1]


def make_unhooked(module):
    copy = FoldingConv(4, 6, 1, norm_cfg=dict(type='BN')).double().eval()
    copy.load_state_dict(module.state_dict())
    return copy


def test_convolution_in_half_and_norm_in_single_precision():
    module = make().float()
    module.conv.bfloat16()
    x = torch.randn(1, 4, 9, 8).bfloat16()
    assert module(x).dtype == torch.bfloat16
    torch.testing.assert_close(
        module(x).float(), ConvModule.forward(module, x).float(), rtol=0.03, atol=0.03
    )
