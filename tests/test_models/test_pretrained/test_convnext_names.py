"""ConvNeXt's weights by the names of each of their publishers, through ``init_cfg``."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmomni.models.backbones import ConvNeXt
from mmomni.registry import MODELS
from test_models.references import randomise

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
PAPER = CONFIGS / 'omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'
BASELINE = CONFIGS / 'ablations/upernet_convnext-base_8xb2-370k_iml-512x512.py'
STEM = 'downsample_layers.0.0.weight'


def facebook(name):
    return name.replace('depthwise_conv', 'dwconv').replace('pointwise_conv', 'pwconv')


def timm(name):
    for pattern, replacement in (
        (r'^downsample_layers\.0\.', 'stem.'),
        (r'^stages\.(\d)\.', r'stages.\1.blocks.'),
        (r'^downsample_layers\.(\d)\.', r'stages.\1.downsample.'),
        ('depthwise_conv', 'conv_dw'),
        ('pointwise_conv', 'mlp.fc'),
    ):
        name = re.sub(pattern, replacement, name)
    return name


def segmentor(weights, names):
    """All four norms, behind a prefix, and heads."""
    named = {f'backbone.{names(name)}': tensor for name, tensor in weights.items()}
    return dict(state_dict=named | {'decode_head.conv_seg.bias': torch.zeros(150)})


def classifier(weights, names, norm, head):
    """The last norm only, and a linear layer."""
    named = {names(n): t for n, t in weights.items() if not n.startswith('norm')}
    named |= {norm + kind: weights[f'norm3.{kind}'] for kind in ('weight', 'bias')}
    return named | {f'{head}.weight': torch.zeros(1000, 320), f'{head}.bias': torch.zeros(1000)}


def convolutional(weights):
    """timm's small sizes have 1x1 convolutions for linear layers."""
    return {
        name: tensor[..., None, None] if re.search(r'mlp\.fc\d\.weight', name) else tensor
        for name, tensor in weights.items()
    }


def same(name):
    return name


FILES = {
    'facebook segmentor': lambda w: segmentor(w, facebook),
    'facebook classifier': lambda w: dict(model=classifier(w, facebook, 'norm.', 'head')),
    'openmmlab segmentor': lambda w: segmentor(w, same),
    'openmmlab classifier': lambda w: dict(
        state_dict={
            n if n.startswith('head') else f'backbone.{n}': t
            for n, t in classifier(w, same, 'norm3.', 'head.fc').items()
        }
    ),
    'timm': lambda w: classifier(w, timm, 'head.norm.', 'head.fc'),
    'timm, convolutions': lambda w: convolutional(classifier(w, timm, 'head.norm.', 'head.fc')),
    'timm, features only': lambda w: {
        re.sub(r'^(stem|stages)\.', r'\1_', timm(n)): t
        for n, t in w.items()
        if not n.startswith('norm')
    },
    'parallel training': lambda w: {f'module.{n}': t for n, t in w.items()},
}


@pytest.fixture(scope='module')
def weights():
    torch.manual_seed(0)
    return randomise(ConvNeXt('atto')).float().state_dict()


def encoder(config, path, arch='atto'):
    """That of a config, which is told another file and another size only."""
    backbone = Config.fromfile(config).model.backbone
    backbone.backbone.arch = arch
    backbone.backbone.init_cfg.checkpoint = str(path)
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(backbone)


@pytest.mark.parametrize('names', FILES)
@pytest.mark.parametrize('config', [PAPER, BASELINE], ids=['encoder', 'rgb'])
def test_every_weight_arrives(config, names, weights, tmp_path):
    file = FILES[names](weights)
    torch.save(file, tmp_path / 'convnext.pth')
    model = encoder(config, tmp_path / 'convnext.pth')
    model.init_weights()
    body = model.backbone.body if config is PAPER else model.backbone
    loaded = body.state_dict()
    norms = () if 'segmentor' in names or 'parallel' in names else ('norm0', 'norm1', 'norm2')
    norms += ('norm3',) if 'features' in names else ()
    norms += ('norm1',) if config is PAPER else ()
    for name, tensor in weights.items():
        if name.startswith(norms):
            tensor = torch.full_like(tensor, name.endswith('weight'))  # noqa: PLW2901
        found = loaded[name][:, :3] if name == STEM else loaded[name]
        assert torch.equal(found, tensor), name
    assert not loaded[STEM][:, 3:].any()


@pytest.mark.parametrize('names', FILES)
@pytest.mark.parametrize('config', [PAPER, BASELINE], ids=['encoder', 'rgb'])
def test_another_size_is_refused(config, names, weights, tmp_path):
    torch.save(FILES[names](weights), tmp_path / 'convnext.pth')
    model = encoder(config, tmp_path / 'convnext.pth', arch='femto')
    expected = r'convnext\.pth does not fit ConvNeXt: of another shape: downsample_layers\.0\.0.*'
    with pytest.raises(ValueError, match=expected + r'\(40, 3, 4, 4\) instead of \(48,'):
        model.init_weights()


def test_another_depth_is_refused(weights, tmp_path):
    deeper = {n.replace('stages.3.1.', 'stages.3.2.'): t for n, t in weights.items()}
    torch.save(deeper, tmp_path / 'convnext.pth')
    model = encoder(PAPER, tmp_path / 'convnext.pth')
    expected = r'missing: stages\.3\.1\.gamma.*; unexpected: stages\.3\.2\.'
    with pytest.raises(ValueError, match=expected):
        model.init_weights()


def test_classifier_of_another_kind(tmp_path):
    torch.save(nn.Sequential(nn.Conv2d(3, 8, 3)).state_dict(), tmp_path / 'convnext.pth')
    with pytest.raises(ValueError, match=r'missing: .* more; unexpected: 0\.weight, 0\.bias'):
        encoder(PAPER, tmp_path / 'convnext.pth').init_weights()
