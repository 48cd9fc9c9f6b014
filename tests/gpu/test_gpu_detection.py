"""mmcv's operators and box supervision on a GPU against the CPU."""

import copy

import pytest
import torch
from comparing import CPU, moved
from mmcv.ops import RoIAlign, nms
from mmengine.config import Config
from networks import CONFIGS
from parts import build, samples

from mmomni.models.fast.roi_align import SeparableRoIAlign

pytestmark = pytest.mark.usefixtures('operators')
RPN = dict(rtol=1e-3, atol=1e-5)
ROI = dict(rtol=0.05, atol=1e-3)
"""Scores that differ by a rounding error may order two boxes otherwise, and suppression then lets
another one of them through."""
CHANNELS = 8


@pytest.mark.parametrize('count', [1, 7, 1000])
def test_suppression(count, device):
    corners = torch.randint(0, 60, (count, 2)).float()
    boxes = torch.cat([corners, corners + torch.randint(3, 30, (count, 2))], dim=1)
    scores = torch.randperm(count).float() / count  # no two alike
    expected = nms(boxes, scores, 0.513)
    found = nms(boxes.to(device), scores.to(device), 0.513)
    assert torch.equal(found[1].cpu(), expected[1])
    assert torch.equal(found[0].cpu(), expected[0])


def test_suppression_of_nothing(device):
    found, kept = nms(torch.zeros(0, 4, device=device), torch.zeros(0, device=device), 0.5)
    assert found.shape == (0, 5)
    assert kept.shape == (0,)


@pytest.mark.parametrize('kind', [RoIAlign, SeparableRoIAlign])
@pytest.mark.parametrize('side', [8, 48], ids=['small map', 'large map'])
def test_regions(kind, side, device):
    """Small maps take another form on the CPU; regions beyond the border and empty ones."""
    layer = kind(7, 1 / 8, 0, 'avg', True, False)
    x = torch.randn(2, 3, side, side)
    corners = torch.rand(20, 2) * 8 * side - 20
    regions = torch.cat([corners, corners + torch.rand(20, 2) * 4 * side], dim=1)
    regions[-1, 2:] = regions[-1, :2]
    regions = torch.cat([torch.randint(0, 2, (20, 1)).float(), regions], dim=1)
    results = []
    for place in (CPU, device):
        here = moved(x, place)
        pooled = layer(here, regions.to(place))
        (gradient,) = torch.autograd.grad(pooled.square().sum(), [here])
        results.append((pooled.detach().cpu(), gradient.cpu()))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope='module')
def head():
    """The base config's with fewer channels; all anchors and proposals are looked at."""
    cfg = Config.fromfile(CONFIGS / '_base_/models/omni-iml_convnext.py').box_supervision_head
    cfg.in_index = (0, 1)
    for fpn, in_channels in zip(cfg.fpns, ([6, 10], [CHANNELS] * 5), strict=True):
        fpn.update(in_channels=in_channels, out_channels=CHANNELS)
        fpn.norm_cfg.num_groups = CHANNELS // 2
    cfg.rpn_head.update(in_channels=CHANNELS, feat_channels=CHANNELS)
    cfg.roi_head.bbox_roi_extractor.update(out_channels=CHANNELS)
    cfg.roi_head.bbox_head.update(in_channels=CHANNELS, fc_out_channels=16)
    for part in (cfg.rpn_head, cfg.roi_head):
        part.train_cfg.sampler.num = 10_000
    torch.manual_seed(0)
    return build(cfg)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last], ids=str)
def test_box_supervision(head, layout, device):
    maps = [torch.randn(2, 6, 8, 8), torch.randn(2, 10, 4, 4)]
    maps = [x.contiguous(memory_format=layout) for x in maps]
    results = []
    for place in (CPU, device):
        torch.manual_seed(0)
        module, here = copy.deepcopy(head).to(place), moved(maps, place)
        labels = torch.zeros(2, 64, 64, dtype=torch.long, device=place)
        losses = module.loss(here, samples(labels), {})
        losses = {name: sum(x) if isinstance(x, list) else x for name, x in losses.items()}
        rpn = losses['loss_rpn_cls'] + losses['loss_rpn_bbox']
        gradients = torch.autograd.grad(rpn, here, retain_graph=True)
        sum(losses.values()).backward()
        assert all(p.grad.isfinite().all() for p in module.parameters() if p.grad is not None)
        results.append((losses, [x.cpu() for x in gradients]))
    (expected, of_cpu), (found, of_device) = results
    for name, value in expected.items():
        tolerance = RPN if 'rpn' in name else ROI
        torch.testing.assert_close(found[name].detach().cpu(), value.detach(), **tolerance)
    torch.testing.assert_close(of_device, of_cpu, **RPN)
