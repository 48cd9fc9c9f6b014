from typing import ClassVar

import pytest
import torch

from mmomni.models.backbones import ConvNeXt
from mmomni.models.comparators import DTDEncoder
from mmomni.models.comparators.swin_v2 import START

from .contract import ComparatorTester


class TestDTD(ComparatorTester):
    paper = 'dtd_convnext-swinv2-small'
    lite = 'dtd_efficientnet-lite0-swinv2'
    parameters = 66.92
    multiply_adds = 122.2
    losses: ClassVar = {'decode.loss_ce', 'decode.loss_dice'}
    stride = 2
    sees_frequencies = True


BACKBONE = dict(type='mmomni.ConvNeXt', arch='atto')
SMALL = dict(
    frequency_head=dict(hidden_channels=4, embed_channels=2, out_channels=16, num_blocks=1),
    depths=(1, 2, 1), channels=(48, 64), window_size=4, channels_per_head=8,
)  # fmt: skip


def names_of_mmpretrain(encoder):
    """Weights as mmpretrain's ``SwinTransformerV2`` holds them, all of another value than ours."""
    weights = {
        'patch_embed.projection.weight': torch.zeros(1),
        'stages.0.blocks.0.norm1.weight': torch.zeros(1),
        'stages.1.downsample.reduction.weight': torch.zeros(1),
        'stages.1.downsample.norm.weight': torch.zeros(1),
        'stages.1.blocks.0.attn.w_msa.relative_coords_table': torch.zeros(1),
        'stages.3.blocks.0.attn.w_msa.relative_position_index': torch.zeros(1),
        'norm3.weight': torch.zeros(1),
    }
    for name, tensor in encoder.swin.state_dict().items():
        number, rest = name.split('.', 1)
        rest = rest.replace('last_norm', 'norm')
        weights[f'stages.{int(number) + 1}.{rest}'] = tensor + 1
    return {f'backbone.{name}': tensor for name, tensor in weights.items()} | {
        'head.fc.weight': torch.zeros(1)
    }


def test_it_starts_from_parts_of_two_pretrained_networks(tmp_path):
    whole = ConvNeXt('atto')
    torch.save(whole.state_dict(), tmp_path / 'convnext.pth')
    torch.save(names_of_mmpretrain(DTDEncoder(BACKBONE, **SMALL)), tmp_path / 'swin.pth')
    first, second = (
        dict(type='Pretrained', checkpoint=str(tmp_path / f'{name}.pth'))
        for name in ('convnext', 'swin')
    )
    encoder = DTDEncoder({**BACKBONE, 'init_cfg': first}, swin_init_cfg=second, **SMALL)
    encoder.init_weights()
    weights = whole.state_dict()
    stem = 'downsample_layers.0.0.weight'
    for name, tensor in encoder.backbone.body.state_dict().items():
        if name == stem:
            assert torch.equal(tensor[:, :3], weights[name])
            assert not tensor[:, 3:].any()
        elif not name.startswith('norm1.'):
            assert torch.equal(tensor, weights[name]), name
    assert encoder.swin[1].downsample.last_norm.weight.eq(2).all()
    assert encoder.swin[2].blocks[0].norm1.weight.eq(START + 1).all()


def test_swin_of_another_size_is_refused(tmp_path):
    other = DTDEncoder(BACKBONE, **{**SMALL, 'channels': (48, 72)})
    torch.save(names_of_mmpretrain(other), tmp_path / 'swin.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'swin.pth'))
    with pytest.raises(ValueError, match='does not fit'):
        DTDEncoder(BACKBONE, swin_init_cfg=init_cfg, **SMALL).init_weights()


def test_a_backbone_that_cannot_be_cut_is_refused():
    with pytest.raises(TypeError, match='expected a backbone of type'):
        DTDEncoder(dict(type='mmseg.ResNet', depth=18))
