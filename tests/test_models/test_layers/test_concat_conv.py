import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, fuse_conv_bn

from mmomni.models import fast
from mmomni.models.layers import ConcatConv
from test_models.references import randomise

CHANNELS = (3, 4, 2, 5)
SIZES = ((8, 12), (4, 6), (3, 2), (1, 1))
SIZE = torch.Size(SIZES[0])


def make(align_corners=False):
    return randomise(ConcatConv(CHANNELS, 6, align_corners, norm_cfg=dict(type='BN')))


@pytest.fixture
def parts():
    return [
        torch.randn(2, c, *size, dtype=torch.float64, requires_grad=True)
        for c, size in zip(CHANNELS, SIZES, strict=True)
    ]


def plain(module, parts):
    """The concatenation built, of maps that were enlarged before."""
    enlarged = [
        F.interpolate(part, SIZE, mode='bilinear', align_corners=module.align_corners)
        for part in parts
    ]
    return ConvModule.forward(module, torch.cat(enlarged, dim=1))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('align_corners', [True, False])
def test_equals_plain_form_with_gradients(parts, training, align_corners):
    module = make(align_corners).train(training)
    with fast.disabled():
        drawn = module(parts, SIZE)
    outputs = module(parts, SIZE), plain(module, parts)
    torch.testing.assert_close(drawn, outputs[1])
    seed = torch.randn_like(outputs[0])
    wanted = [*parts, *module.parameters()]
    gradients, expected = (torch.autograd.grad(y, wanted, seed) for y in outputs)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize('order', [(3, 0, 1, 2), (1, 2, 3, 0), (3, 1, 2, 0)])
def test_parts_of_any_size_in_any_order(parts, order):
    module = randomise(ConcatConv([CHANNELS[i] for i in order], 6, norm_cfg=dict(type='BN')))
    parts = [parts[i] for i in order]
    torch.testing.assert_close(module(iter(parts), SIZE), plain(module, parts))


def test_parts_are_not_changed(parts):
    before = [part.detach().clone() for part in parts]
    make()(parts, SIZE)
    assert all(torch.equal(part, kept) for part, kept in zip(parts, before, strict=True))


def test_weights_of_a_convolution_on_the_concatenation():
    plain = ConvModule(sum(CHANNELS), 6, 1, norm_cfg=dict(type='BN'))
    shapes = {name: value.shape for name, value in make().state_dict().items()}
    assert shapes == {name: value.shape for name, value in plain.state_dict().items()}


def test_after_fusion_of_the_norm(parts):
    module = make()
    expected = module(parts, SIZE)
    torch.testing.assert_close(fuse_conv_bn(module)(parts, SIZE), expected)


def test_without_norm_and_activation(parts):
    module = ConcatConv(CHANNELS, 6).double()
    assert module.conv.bias is not None
    torch.testing.assert_close(module(parts, SIZE), plain(module, parts))
    assert (module(parts, SIZE) < 0).any()


def test_missing_part(parts):
    with pytest.raises(ValueError, match='argument 2'):
        make()(parts[:-1], SIZE)


def test_under_autocast(parts):
    module = make().float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        x = module([part.float() for part in parts], SIZE)
    x.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())
