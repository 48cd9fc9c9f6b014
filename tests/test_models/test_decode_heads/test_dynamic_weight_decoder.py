import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import fuse_conv_bn
from mmseg.models.decode_heads.decode_head import BaseDecodeHead

from mmomni.models.decode_heads import DynamicWeightDecoder
from test_models.references import array, bilinear, cross_entropy, randomise

IN_CHANNELS = [3, 4, 5, 6]
C = 4
CE = dict(type='CrossEntropyLoss', avg_non_ignore=True)


def make(**kwargs):
    sizes = dict(channels=C, coarse_channels=3, pool_scales=(1, 2))
    return randomise(DynamicWeightDecoder(IN_CHANNELS, **{**sizes, **kwargs}))


@pytest.fixture(scope='module')
def _head():
    torch.manual_seed(0)
    return make()


@pytest.fixture
def head(_head):
    return copy.deepcopy(_head)


@pytest.fixture
def levels():
    """Strides 4, 8, 16, 32 of a 64 x 96 image."""
    shapes = [(2, c, 16 >> k, 24 >> k) for k, c in enumerate(IN_CHANNELS)]
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


def unit(x, module, padding=0):
    """conv, batch norm, ReLU."""
    bn = module.bn
    x = F.conv2d(x, module.conv.weight, padding=padding)
    return F.relu(F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=1e-5))


def resize(x, like):
    return F.interpolate(x, like.shape[2:], mode='bilinear', align_corners=False)


def pyramid(head, x1, x2, x3, x4):
    """UPerNet: PPM on the last level, FPN down to the first."""
    pooled = [
        resize(unit(F.adaptive_avg_pool2d(x4, scale), head.ppm[i][1]), x4)
        for i, scale in enumerate((1, 2))
    ]
    f4 = unit(torch.cat([x4, *pooled], 1), head.ppm_conv, padding=1)
    t3 = unit(x3, head.laterals[2]) + resize(f4, x3)
    t2 = unit(x2, head.laterals[1]) + resize(t3, x2)
    t1 = unit(x1, head.laterals[0]) + resize(t2, x1)
    lower = [unit(t, conv, padding=1) for t, conv in zip((t1, t2, t3), head.fpn_convs, strict=True)]
    return [*lower, f4]


def dwf(x, v_g, module, dilation):
    out = []
    for sample, global_vector in zip(x, v_g, strict=True):
        v_c = sample.mean((1, 2))
        fc = module.attention
        a = (fc.weight @ torch.cat([v_c, global_vector]) + fc.bias).sigmoid()
        d_opt = sum(a[i] * module.filters[i] for i in range(4))
        filtered = F.conv2d(
            sample[None], d_opt[:, None], padding=dilation, dilation=dilation, groups=len(d_opt)
        )
        out.append(filtered)
    return unit(torch.cat(out), module.pointwise)


def reference(head, levels):
    f1, f2, f3, f4 = pyramid(head, *levels)
    v_g = f4.mean((2, 3))
    p_co = F.conv2d(f1, head.coarse_seg.weight, head.coarse_seg.bias)
    f_co = unit(unit(p_co, head.coarse_cnn[0], padding=1), head.coarse_cnn[1], padding=1)
    everything = [f1, resize(f2, f1), resize(f3, f1), resize(f4, f1), f_co]
    f_cat = unit(torch.cat(everything, 1), head.reduce)
    f_dw = [dwf(f_cat, v_g, head.parallel[i], n) for i, n in enumerate((2, 3, 6))]
    average = f_cat.mean((2, 3), keepdim=True) * torch.ones_like(f_cat)
    x = unit(torch.cat([average, *f_dw, f_cat], 1), head.merge)
    x = dwf(dwf(x, v_g, head.serial[0], 2), v_g, head.serial[1], 2)
    return F.conv2d(x, head.conv_seg.weight, head.conv_seg.bias), p_co


def test_decode_equals_reference(head, levels):
    for result, expected in zip(head.decode(levels), reference(head, levels), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-12)


def test_forward_is_p_dwd(head, levels):
    logits = head(levels)
    assert logits.shape == (2, 2, 16, 24)
    assert torch.equal(logits, head.decode(levels)[0])


def test_gradients_equal_reference(head, levels):
    """Of both predictions, to every weight and every level."""
    wanted = [*head.parameters(), *(level.requires_grad_() for level in levels)]
    both = head.decode(levels), reference(head, levels)
    seeds = [torch.randn_like(p) for p in both[0]]
    gradients = (torch.autograd.grad(p, wanted, seeds) for p in both)
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-10)


@torch.no_grad()
def test_layout_is_kept(head, levels):
    """A map in planes among the others would be transposed again and again."""
    layouts = []
    for module in [*head.laterals, *head.fpn_convs, *head.parallel, *head.serial]:
        module.register_forward_pre_hook(lambda _, inputs: layouts.append(inputs[0]))
    head([x.contiguous(memory_format=torch.channels_last) for x in levels])
    assert len(layouts) == 3 + 3 + 3 + 2
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in layouts)


def test_channels_last_equals_planes(head, levels):
    channels_last = [x.contiguous(memory_format=torch.channels_last) for x in levels]
    torch.testing.assert_close(head(channels_last), head(levels))


@torch.no_grad()
def test_after_fusion_of_the_norms(head, levels):
    expected = head(levels)
    torch.testing.assert_close(fuse_conv_bn(head)(levels), expected)


def test_other_inputs_are_not_looked_at(head, levels):
    assert torch.equal(head([*levels, None, torch.zeros(2)]), head(levels))


def test_in_index(levels):
    head = make(in_index=[4, 0, 1, 2])
    torch.testing.assert_close(
        head([*levels[1:], None, levels[0]]), reference(head, levels)[0], rtol=1e-9, atol=1e-12
    )


def test_samples_are_independent(head, levels):
    alone = torch.cat([head([x[b : b + 1] for x in levels]) for b in range(2)])
    torch.testing.assert_close(head(levels), alone)


@pytest.fixture
def samples(make_sample):
    """At the image's size; one authentic with a border to ignore, one all tampered."""
    authentic, tampered = np.zeros((64, 96)), np.ones((64, 96))
    authentic[:, 80:] = 255
    return [make_sample(authentic), make_sample(tampered)]


def labels_of(samples):
    return np.stack([sample.gt_sem_seg.data[0].numpy() for sample in samples])


def test_loss_equals_reference(head, levels, samples):
    """``L_DWD = CE(P_DWD, L) + CE(P_co, L)``, over the pixels that are not ignored."""
    losses = head.loss(levels, samples, {})
    labels = labels_of(samples)
    expected = [cross_entropy(bilinear(array(p), 64, 96), labels) for p in reference(head, levels)]
    assert losses['loss_ce'].item() == pytest.approx(expected[0], rel=1e-9)
    assert losses['coarse_loss_ce'].item() == pytest.approx(expected[1], rel=1e-9)
    assert sum('loss' in name for name in losses) == 2


def test_ignored_pixels_do_not_matter(head, levels, samples, make_sample):
    expected = head.loss(levels, samples, {})
    everything = [make_sample(np.full((64, 96), 255)) for _ in samples]
    assert head.loss(levels, everything, {})['loss_ce'] == 0
    everything[1] = samples[1]
    only_second = head.loss(levels, everything, {})['loss_ce']
    first = head.loss([x[:1] for x in levels], samples[:1], {})['loss_ce']
    pixels = [64 * 80, 64 * 96]
    mean = (pixels[0] * first + pixels[1] * only_second) / sum(pixels)
    torch.testing.assert_close(mean, expected['loss_ce'], rtol=1e-5, atol=0)


@pytest.mark.parametrize('sampler', [None, dict(type='OHEMPixelSampler', thresh=0.5, min_kept=50)])
def test_losses_and_accuracy_are_those_of_mmseg(levels, samples, sampler):
    two = [CE, dict(**CE, loss_weight=0.5)]  # of one name: added
    head = make(loss_decode=two, sampler=sampler)
    p_dwd, p_co = head.decode(levels)
    expected = BaseDecodeHead.loss_by_feat(head, p_dwd, samples)
    coarse = BaseDecodeHead.loss_by_feat(head, p_co, samples)
    found = head.loss(levels, samples, {})
    assert found.pop('acc_seg').item() == pytest.approx(expected.pop('acc_seg').item())
    expected['coarse_loss_ce'] = coarse['loss_ce']
    torch.testing.assert_close(found, expected)


def test_loss_of_a_subclass(levels, samples):
    class Own(DynamicWeightDecoder):
        def loss_by_feat(self, seg_logits, batch_data_samples):
            return {'loss_own': seg_logits.mean()}

    head = randomise(Own(IN_CHANNELS, channels=C, coarse_channels=3, pool_scales=(1, 2)))
    p_dwd, p_co = head.decode(levels)
    found = head.loss(levels, samples, {})
    torch.testing.assert_close(
        found, {'loss_own': p_dwd.mean(), 'coarse_loss_own': p_co.mean()}
    )


def test_accuracy_without_a_pixel_that_counts(head, levels, make_sample):
    nothing = [make_sample(np.full((64, 96), 255)) for _ in range(2)]
    assert head.loss(levels, nothing, {})['acc_seg'] == 100


def total(losses):
    return sum(value for name, value in losses.items() if name.startswith('loss')).item()


@pytest.mark.parametrize(
    ('loss_decode', 'factor'),
    [
        (dict(**CE, loss_weight=0.5), 0.5),
        (dict(**CE, loss_name='loss_mask'), 1),
        ([CE, dict(**CE, loss_weight=0.5, loss_name='loss_mask')], 1.5),
    ],
    ids=['weight', 'name', 'two losses'],
)
def test_loss_decode_of_the_host(head, levels, samples, loss_decode, factor):
    """As in any mmseg head it is the config's choice; it holds for both predictions."""
    other = make(loss_decode=loss_decode)
    other.load_state_dict(head.state_dict())
    expected = factor * total(head.loss(levels, samples, {}))
    assert total(other.loss(levels, samples, {})) == pytest.approx(expected, rel=1e-9)


def test_sizes_of_the_paper():
    head = DynamicWeightDecoder(IN_CHANNELS)
    assert head.channels == 512
    assert [dwf.dilation for dwf in head.parallel] == [2, 3, 6]
    assert [dwf.dilation for dwf in head.serial] == [2, 2]
    assert head.reduce.conv.weight.shape == (512, 4 * 512 + 64, 1, 1)
    assert head.merge.conv.weight.shape == (512, 5 * 512, 1, 1)
    assert head.conv_seg.weight.shape == (2, 512, 1, 1)


def test_static_filters(levels):
    """Ablation *w.o. DW*: the same filters for every input."""
    head = make(dynamic=False)
    filters = [module for module in head.modules() if hasattr(module, 'filters')]
    assert len(filters) == 5
    assert all(module.attention is None for module in filters)
    assert head(levels).isfinite().all()


@pytest.mark.parametrize('dynamic', [True, False])
def test_every_parameter_receives_a_gradient(levels, samples, dynamic):
    head = make(dynamic=dynamic).train()
    losses = head.loss(levels, samples, {})
    (losses['loss_ce'] + losses['coarse_loss_ce']).backward()
    assert [n for n, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_out_channels_may_be_said_and_are_those_of_the_coarse_prediction():
    assert make(out_channels=2).out_channels == 2
    with pytest.raises(ValueError, match=r'out_channels must equal num_classes=2.*got 1'):
        make(out_channels=1)
