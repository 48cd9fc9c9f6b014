from typing import ClassVar

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmomni.models.comparators import ExplicitVisualPrompting, evp
from mmomni.models.comparators.evp import high_frequencies

from .contract import ComparatorTester

MIT = dict(
    type='MixVisionTransformer', embed_dims=8, num_layers=[2, 1, 3, 1], num_heads=[1, 2, 2, 4]
)
LITE = dict(type='mmomni.EfficientNetLite')


class TestEVP(ComparatorTester):
    paper = 'evp_mit-b4'
    lite = 'evp_efficientnet-lite0'
    parameters = 64.55
    multiply_adds = 95.1
    losses: ClassVar = {'decode.loss_ce'}
    idle = ('backbone.backbone.',)
    shares = False


@pytest.fixture(params=[MIT, LITE], ids=['MiT', 'EfficientNet-Lite'])
def encoder(request):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        encoder = ExplicitVisualPrompting(request.param)
        encoder.init_weights()
    return encoder


def test_high_frequencies_are_what_numpy_says():
    image = torch.rand(2, 3, 12, 20).double()
    spectrum = np.fft.fftshift(np.fft.fft2(image.numpy()), axes=(-2, -1))
    spectrum[..., 6 - 3 : 6 + 3, 10 - 3 : 10 + 3] = 0  # of 240 values the share .16: a side of 6
    expected = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(-2, -1))).real)
    found = high_frequencies(image, 0.16)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_a_flat_image_has_no_high_frequencies():
    assert high_frequencies(torch.full((1, 3, 32, 32), 5.0), 0.25).abs().max() < 1e-4
    checkers = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    assert high_frequencies(checkers.expand(1, 3, 32, 32), 0.25).sub(1).abs().max() < 1e-4


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_high_frequencies_are_computed_in_single_precision(dtype):
    image = torch.rand(1, 3, 24, 20).to(dtype)
    assert torch.equal(high_frequencies(image, 0.25), high_frequencies(image.float(), 0.25))


def test_without_prompts_the_backbone_is_as_it_was(encoder):
    """All that is added comes out of `shared`."""
    planes = torch.rand(2, 5, 64, 64) * 255
    prompted = encoder.eval()(planes)
    for prompts in encoder.prompts:
        nn.init.zeros_(prompts.shared.weight)
    alone = encoder(planes)
    body = getattr(encoder.backbone, 'body', encoder.backbone)
    for level, expected in zip(alone, body(encoder.rgb(planes)), strict=True):
        torch.testing.assert_close(level, expected)
    assert all(not torch.allclose(a, b) for a, b in zip(prompted, alone, strict=True))


def test_only_prompts_learn(encoder):
    """Weights and statistics of the backbone stay as they were loaded, whatever decays."""
    wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.5))
    optimizer = build_optim_wrapper(encoder, wrapper)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    encoder.train()
    optimizer.update_params(sum(x.square().mean() for x in encoder(torch.rand(2, 5, 64, 64))))
    after = encoder.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert {name.split('.')[0] for name in changed} == {'prompts', 'handcrafted'}
    assert changed == {n for n, p in encoder.named_parameters() if p.requires_grad}


def test_half_a_million_parameters_learn():
    """The paper's 3.70 M and, with r = 16, 3.22 M, less the 3.15 M of the head."""
    channels, depths = (64, 128, 320, 512), (3, 8, 27, 3)

    def learnt(reduction):
        prompts = [evp.Prompts(c, reduction, d) for c, d in zip(channels, depths, strict=True)]
        parts = nn.ModuleList([*prompts, evp._pyramid([c // reduction for c in channels])])
        return sum(parameter.numel() for parameter in parts.parameters())

    assert (learnt(4), learnt(16)) == (550_480, 72_628)


@pytest.mark.parametrize(
    ('changed', 'message'),
    [(dict(reduction=16), 'up to 8 channels, got 16'), (dict(low_share=1.0), 'below 1, got 1.0')],
)
def test_refuses_what_cannot_be(changed, message):
    with DefaultScope.overwrite_default_scope('mmseg'), pytest.raises(ValueError, match=message):
        ExplicitVisualPrompting(MIT, **changed)
