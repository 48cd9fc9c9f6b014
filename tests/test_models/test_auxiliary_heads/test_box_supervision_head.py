import copy
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS as DET_MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmomni.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
NAMES = {f'loss_{part}_{term}' for part in ('rpn', 'roi') for term in ('cls', 'bbox')}
CHANNELS = 8


@pytest.fixture(scope='module')
def cfg():
    """The base config's head with fewer channels."""
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/omni-iml_convnext.py').box_supervision_head
    cfg.in_index = (0, 1)
    for fpn, in_channels in zip(cfg.fpns, ([6, 10], [CHANNELS] * 5), strict=True):
        fpn.update(in_channels=in_channels, out_channels=CHANNELS)
        fpn.norm_cfg.num_groups = CHANNELS // 2
    cfg.rpn_head.update(in_channels=CHANNELS, feat_channels=CHANNELS)
    cfg.roi_head.bbox_roi_extractor.update(out_channels=CHANNELS)
    cfg.roi_head.bbox_head.update(in_channels=CHANNELS, fc_out_channels=16)
    return cfg


@pytest.fixture
def head(cfg):
    with DefaultScope.overwrite_default_scope('mmseg'):
        head = MODELS.build(cfg)
        head.init_weights()
    return head


@pytest.fixture
def maps():
    """``Fa`` and ``Fb`` of two 64 x 96 images."""
    return [torch.randn(2, 6, 8, 12), torch.randn(2, 10, 4, 6)]


@pytest.fixture
def tampered(make_sample):
    return make_sample(torch.zeros(64, 96), [[8, 8, 40, 40], [50, 20, 90, 60]])


@pytest.fixture
def authentic(make_sample):
    return make_sample(torch.zeros(64, 96))


def total(loss):
    return sum(loss) if isinstance(loss, list) else loss


def losses_of(head, maps, samples, seed=0):
    torch.manual_seed(seed)
    losses = head.loss(maps, copy.deepcopy(samples), {})
    return {name: total(loss) for name, loss in losses.items()}


def test_four_terms(head, maps, tampered, authentic):
    losses = losses_of(head, maps, [tampered, authentic])
    assert set(losses) == NAMES
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())


def faster_rcnn(cfg, head, maps, samples):
    """What mmdet's ``TwoStageDetector.loss`` does after its backbone, by mmdet's own modules."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        fpns = [DET_MODELS.build(fpn) for fpn in cfg.fpns]
        rpn_head, roi_head = DET_MODELS.build(cfg.rpn_head), DET_MODELS.build(cfg.roi_head)
    own = [*head.fpns, head.rpn_head, head.roi_head]
    for module, same in zip([*fpns, rpn_head, roi_head], own, strict=True):
        module.load_state_dict(same.state_dict())
    torch.manual_seed(0)
    for fpn in fpns:
        maps = fpn(maps)
    rpn_losses, proposals = rpn_head.loss_and_predict(
        maps, copy.deepcopy(samples), proposal_cfg=cfg.proposal_cfg
    )
    roi_losses = roi_head.loss(maps, proposals, copy.deepcopy(samples))
    return {
        'loss_rpn_cls': total(rpn_losses['loss_rpn_cls']),
        'loss_rpn_bbox': total(rpn_losses['loss_rpn_bbox']),
        'loss_roi_cls': roi_losses['loss_cls'],
        'loss_roi_bbox': roi_losses['loss_bbox'],
    }


def test_losses_equal_those_of_faster_rcnn(cfg, head, maps, tampered, authentic):
    samples = [tampered, authentic]
    expected = faster_rcnn(cfg, head, maps, samples)
    assert losses_of(head, maps, samples) == expected


def test_losses_depend_on_the_boxes(head, maps, tampered, authentic, make_sample):
    elsewhere = make_sample(torch.zeros(64, 96), [[0, 0, 20, 64]])
    losses = losses_of(head, maps, [tampered, authentic])
    moved = losses_of(head, maps, [elsewhere, authentic])
    assert all(losses[name] != moved[name] for name in NAMES - {'loss_roi_cls'})


def test_authentic_only_batch_trains_the_negatives(head, maps, authentic):
    losses = losses_of(head, maps, [authentic, authentic])
    assert losses['loss_rpn_bbox'] == losses['loss_roi_bbox'] == 0
    for name in ('loss_rpn_cls', 'loss_roi_cls'):
        assert losses[name] > 0
    sum(losses.values()).backward()
    assert head.rpn_head.rpn_cls.weight.grad.any()
    assert head.roi_head.bbox_head.fc_cls.weight.grad.any()
    assert head.fpns[0].fpn_convs[0].conv.weight.grad.any()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


def test_all_tampered_batch_gives_every_parameter_a_gradient(head, maps, tampered):
    sum(losses_of(head, maps, [tampered, tampered]).values()).backward()
    assert [n for n, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_gradients_reach_the_features(head, maps, tampered, authentic):
    maps = [x.requires_grad_() for x in maps]
    sum(losses_of(head, maps, [tampered, authentic]).values()).backward()
    assert all(x.grad[sample].any() for x in maps for sample in range(2))


def test_box_larger_than_the_image_trains(head, maps, make_sample):
    whole = make_sample(torch.zeros(64, 96), [[0, 0, 96, 64]])
    assert all(loss.isfinite() for loss in losses_of(head, maps, [whole, whole]).values())


def test_losses_do_not_grow_with_the_features(head, maps, tampered, authentic):
    """``Fa`` and ``Fb`` are unbounded; without norms the box loss outgrew all others."""
    losses = losses_of(head, maps, [tampered, authentic])
    larger = losses_of(head, [100 * x for x in maps], [tampered, authentic])
    for name in NAMES:
        assert total(larger[name]) < 2 * total(losses[name]) + 0.1


def test_two_cascaded_fpns(head, maps):
    first = head.fpns[0](maps)
    assert [tuple(x.shape[1:]) for x in first[:3]] == [(8, 8, 12), (8, 4, 6), (8, 2, 3)]
    assert len(head.fpns) == 2
    assert len(head.fpns[1](first)) == 5


def test_float32_under_autocast(head, maps, tampered, authentic):
    expected = losses_of(head, maps, [tampered, authentic])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = losses_of(head, maps, [tampered, authentic])
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert losses == expected


def test_half_precision_features(head, maps, tampered):
    rounded = [x.bfloat16() for x in maps]
    losses = losses_of(head, rounded, [tampered, tampered])
    assert losses == losses_of(head, [x.float() for x in rounded], [tampered, tampered])


def test_samples_without_boxes(head, maps, tampered):
    bare = copy.deepcopy(tampered)
    del bare.gt_instances
    with pytest.raises(ValueError, match=r'gt_instances in every .*; put mmomni.MaskToBoxes'):
        head.loss(maps, [tampered, bare], {})


def test_picks_its_maps(cfg, maps, tampered):
    with DefaultScope.overwrite_default_scope('mmseg'):
        head = MODELS.build({**cfg, 'in_index': (3, 1)})
    inputs = [None, maps[1], None, maps[0]]
    expected = losses_of(head, inputs, [tampered, tampered])
    head.in_index = (0, 1)
    assert losses_of(head, maps, [tampered, tampered]) == expected


@pytest.mark.parametrize('size', [(4, 4), (8, 8), (10, 14), (24, 10), (18, 18), (200, 300)])
def test_every_target_has_a_positive_anchor(size, mmseg_scope):
    """Words and digits of a few pixels must not be trained as background."""
    base = Config.fromfile(ROOT / 'configs/_base_/models/omni-iml_convnext.py')
    rpn = MODELS.build(base.box_supervision_head.rpn_head)
    sizes = [(512 // s, 512 // s) for s in base.box_strides]
    anchors = torch.cat(rpn.prior_generator.grid_priors(sizes, device='cpu'))
    for corner in torch.randint(0, 200, (10, 2)).tolist():
        box = torch.tensor([[*corner, corner[0] + size[0], corner[1] + size[1]]]).float()
        truth = InstanceData(bboxes=box, labels=torch.zeros(1, dtype=torch.long))
        assigned = rpn.assigner.assign(InstanceData(priors=anchors), truth)
        assert 0 < (assigned.gt_inds > 0).sum() < 300


def test_without_the_neck_is_refused(cfg, make_sample):
    head = MODELS.build(dict(cfg, in_index=(7, 8)))
    with pytest.raises(ValueError, match=r'got 7 inputs; add the neck mmomni\.AnomalyEnhancement'):
        head.loss([None] * 7, [make_sample([[0]])], {})


def test_layout_of_the_maps_does_not_matter(head, maps, tampered, authentic):
    """The neck's are channels-last, which mmcv's RoIAlign would take for planes."""
    samples, parameters = [tampered, authentic], [p for p in head.parameters() if p.requires_grad]
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        inputs = [x.contiguous(memory_format=layout).requires_grad_() for x in maps]
        losses = losses_of(head, inputs, samples)
        gradients = torch.autograd.grad(sum(losses.values()), [*inputs, *parameters])
        results.append((losses, gradients))
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-4)
