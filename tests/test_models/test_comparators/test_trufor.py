from typing import ClassVar

import pytest
import torch

from mmomni.models.comparators import TruForEncoder
from mmomni.models.comparators.trufor import noise_extractor

from .contract import ComparatorTester

LITE = dict(type='mmomni.EfficientNetLite', arch='lite0')


class TestTruFor(ComparatorTester):
    paper = 'trufor_mit-b2'
    lite = 'trufor_efficientnet-lite0'
    parameters = 67.12
    multiply_adds = 210.6
    losses: ClassVar = {'decode.loss_ce', 'decode.loss_dice'}
    shares = False


def test_extractor_is_that_of_noiseprint():
    """17 convolutions at full resolution; the layers of the public code have 557,249 weights."""
    extractor = noise_extractor(17, 64, dict(type='BN'))
    convolutions = [m for m in extractor.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 17
    assert sum(p.numel() for p in extractor.parameters()) == 557_249
    assert extractor.eval()(torch.zeros(1, 3, 9, 11)).shape == (1, 1, 9, 11)
    with pytest.raises(ValueError, match='of 2 convolutions or more, got 1'):
        noise_extractor(1, 64, dict(type='BN'))


def test_both_streams_start_from_the_same_weights(tmp_path):
    torch.manual_seed(0)
    backbone = TruForEncoder(LITE, (1, 2, 4, 8), 3, 8).backbone['rgb'].body
    torch.save(backbone.state_dict(), tmp_path / 'pretrained.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'pretrained.pth'))
    encoder = TruForEncoder({**LITE, 'init_cfg': init_cfg}, (1, 2, 4, 8), 3, 8)
    encoder.init_weights()
    for stream in encoder.backbone.values():
        torch.testing.assert_close(stream.body.state_dict(), backbone.state_dict())


@torch.no_grad()
def test_every_level_sees_both_streams(make_planes):
    encoder = TruForEncoder(LITE, (1, 2, 4, 8), 3, 8).eval()
    planes = make_planes(64, 64)[None].float()
    expected = encoder(planes)
    assert [x.shape[1] for x in expected] == [24, 40, 112, 320]
    for part in ('rgb', 'noise'):
        stem = encoder.backbone[part].stem.weight
        kept = stem.clone()
        stem.zero_()
        for found, level in zip(encoder(planes), expected, strict=True):
            assert not torch.allclose(found, level)
        stem.copy_(kept)
