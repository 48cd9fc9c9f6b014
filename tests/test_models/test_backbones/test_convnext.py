import numpy as np
import pytest
import torch

from mmomni.models.backbones import ConvNeXt
from mmomni.models.backbones.convnext import ConvNeXtBlock
from test_models.references import array, conv, gelu, layer_norm, linear, randomise

PUBLISHED_MILLIONS = {'tiny': 27.8, 'small': 49.5, 'base': 87.6, 'large': 196.2}
DEPTHS_AND_CHANNELS = {
    'atto': ([2, 2, 6, 2], [40, 80, 160, 320]),
    'femto': ([2, 2, 6, 2], [48, 96, 192, 384]),
    'pico': ([2, 2, 6, 2], [64, 128, 256, 512]),
    'nano': ([2, 2, 8, 2], [80, 160, 320, 640]),
    'tiny': ([3, 3, 9, 3], [96, 192, 384, 768]),
}


def channels_last(x):
    return x.transpose(0, 2, 3, 1)


def channels_first(x):
    return x.transpose(0, 3, 1, 2)


def norm(x, layer):
    return channels_first(layer_norm(channels_last(x), layer, eps=1e-6))


def block_reference(x, block):
    depthwise = block.depthwise_conv
    y = conv(x, depthwise.weight, depthwise.bias, padding=3, groups=x.shape[1])
    y = layer_norm(channels_last(y), block.norm, eps=1e-6)
    y = linear(gelu(linear(y, block.pointwise_conv1)), block.pointwise_conv2)
    return x + channels_first(array(block.gamma) * y)


@pytest.fixture(scope='module')
def atto():
    return randomise(ConvNeXt('atto'), scale=0.1)


def test_block_equals_reference():
    block = randomise(ConvNeXtBlock(4, 0.0, 1.0))
    x = torch.randn(2, 4, 9, 8, dtype=torch.float64)
    np.testing.assert_allclose(array(block(x)), block_reference(array(x), block), rtol=1e-9)


def test_stem_and_downsampling_equal_reference(atto):
    x = torch.randn(1, 3, 16, 8, dtype=torch.float64)
    stem, stem_norm = atto.downsample_layers[0]
    y = norm(conv(array(x), stem.weight, stem.bias, stride=4), stem_norm)
    np.testing.assert_allclose(array(atto.downsample_layers[0](x)), y, rtol=1e-9, atol=1e-12)
    before, down = atto.downsample_layers[1]
    expected = conv(norm(y, before), down.weight, down.bias, stride=2)
    y = atto.downsample_layers[1](torch.from_numpy(y))
    np.testing.assert_allclose(array(y), expected, rtol=1e-9, atol=1e-12)


def test_levels_are_normalised_stages(atto):
    x = torch.randn(1, 3, 32, 64, dtype=torch.float64)
    levels = atto(x)
    for index, level in enumerate(levels):
        x = atto.stages[index](atto.downsample_layers[index](x))
        expected = norm(array(x), getattr(atto, f'norm{index}'))
        np.testing.assert_allclose(array(level), expected, rtol=1e-9, atol=1e-12)


def test_strides(atto):
    shapes = [level.shape for level in atto(torch.zeros(1, 3, 64, 96, dtype=torch.float64))]
    assert shapes == [(1, 40, 16, 24), (1, 80, 8, 12), (1, 160, 4, 6), (1, 320, 2, 3)]


def mmpretrain_names(depths):
    """As ``mmpretrain.ConvNeXt(out_indices=(0, 1, 2, 3))`` has them."""
    layers = [f'norm{i}' for i in range(4)]
    layers += [f'downsample_layers.{i}.{j}' for i in range(4) for j in range(2)]
    parts = ['depthwise_conv', 'norm', 'pointwise_conv1', 'pointwise_conv2']
    blocks = [f'stages.{i}.{j}' for i in range(4) for j in range(depths[i])]
    layers += [f'{block}.{part}' for block in blocks for part in parts]
    names = {f'{layer}.{kind}' for layer in layers for kind in ('weight', 'bias')}
    return names | {f'{block}.gamma' for block in blocks}


def test_parameter_names_of_mmpretrain(atto):
    assert set(atto.state_dict()) == mmpretrain_names([2, 2, 6, 2])


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('downsample_layers.0.0.weight', (40, 3, 4, 4)),
        ('downsample_layers.0.1.weight', (40,)),
        ('downsample_layers.1.0.weight', (40,)),
        ('downsample_layers.1.1.weight', (80, 40, 2, 2)),
        ('stages.0.0.depthwise_conv.weight', (40, 1, 7, 7)),
        ('stages.0.0.pointwise_conv1.weight', (160, 40)),
        ('stages.0.0.gamma', (40,)),
        ('norm3.weight', (320,)),
    ],
)
def test_parameter_shapes_of_mmpretrain(atto, name, shape):
    assert atto.state_dict()[name].shape == shape


@pytest.mark.parametrize('arch', DEPTHS_AND_CHANNELS)
def test_depths_and_channels(arch):
    model = ConvNeXt(arch)
    depths, channels = DEPTHS_AND_CHANNELS[arch]
    assert [len(stage) for stage in model.stages] == depths
    assert [getattr(model, f'norm{i}').weight.numel() for i in range(4)] == channels


@pytest.mark.parametrize('arch', PUBLISHED_MILLIONS)
def test_parameters_of_published_sizes(arch):
    millions = sum(p.numel() for p in ConvNeXt(arch).parameters()) / 1e6
    assert millions == pytest.approx(PUBLISHED_MILLIONS[arch], rel=0.01)


def test_stochastic_depth_grows_linearly():
    model = ConvNeXt('atto', drop_path_rate=0.11)
    rates = [block.drop_path.drop_prob for stage in model.stages for block in stage]
    assert rates == pytest.approx([0.01 * i for i in range(12)], abs=1e-6)


def test_layer_scale_and_initial_weights():
    model = ConvNeXt('atto', layer_scale_init_value=0.5)
    model.init_weights()
    block = model.stages[2][5]
    assert (block.gamma == 0.5).all()
    assert block.pointwise_conv1.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not block.pointwise_conv1.bias.any()


def test_every_parameter_receives_a_gradient():
    model = ConvNeXt('atto', in_channels=6, layer_scale_init_value=1.0)
    sum(level.square().sum() for level in model(torch.randn(2, 6, 64, 64))).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_unknown_arch():
    with pytest.raises(ValueError, match=r"arch must be one of \['atto', .*got 'huge'"):
        ConvNeXt('huge')


def test_checkpoints_of_activations_change_nothing():
    models = [ConvNeXt('atto', drop_path_rate=0.5, with_cp=with_cp) for with_cp in (False, True)]
    models[1].load_state_dict(models[0].state_dict())
    x = torch.randn(2, 3, 32, 32)
    gradients = []
    for model in models:
        torch.manual_seed(0)
        outputs = model.train()(x)
        gradients.append(torch.autograd.grad(sum(y.sum() for y in outputs), [*model.parameters()]))
    torch.testing.assert_close(*gradients)


def test_checkpoints_of_activations_keep_less():
    def kept(with_cp):
        sizes = []

        def pack(tensor):
            sizes.append(tensor.numel())
            return tensor

        model = ConvNeXt('atto', with_cp=with_cp)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(torch.randn(1, 3, 64, 64))
        weights = sum(p.numel() for p in model.parameters())
        return sum(sizes) - weights

    assert kept(with_cp=True) < 0.5 * kept(with_cp=False)
