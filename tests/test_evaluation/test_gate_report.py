"""What the gate chose, against its label; hand-computed cases and direct calls of a model."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmomni.engine.hooks import ModalGateHook
from mmomni.evaluation.metrics import GateReport
from mmomni.registry import METRICS

DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'
WIDTH = 12
VISION, FREQUENCY = 1.0, 0.0


def strip(number):
    """1 x 12 pixels, the first ``number`` tampered."""
    return torch.tensor([[[1] * number + [0] * (WIDTH - number)]])


def sample(target, rgb, fused=None, p_modal=None, dataset='a', domain='natural', **meta):
    """A tested image; ``target``, ``rgb`` and ``fused`` say how many pixels are tampered."""
    data = SegDataSample(metainfo=dict(img_path='x', dataset_name=dataset, domain=domain) | meta)
    data.gt_sem_seg = PixelData(data=strip(target).to(torch.uint8))
    data.coarse_rgb = PixelData(data=strip(rgb))
    if fused is not None:
        data.coarse_fused = PixelData(data=strip(fused))
    if p_modal is not None:
        data.coarse_chosen = PixelData(data=strip(rgb if p_modal == VISION else fused))
        data.set_field(p_modal, 'p_modal', dtype=float)
    return data


def evaluate(samples, **options):
    evaluator = Evaluator(GateReport(**options))
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


def scores(found, group='average'):
    start = f'gate/{group}/'
    return {key[len(start) :]: value for key, value in found.items() if key.startswith(start)}


# ---- one image -------------------------------------------------------------------------------


def test_a_choice_that_is_nan_is_no_choice(log):
    found = scores(evaluate([sample(10, 10, 8, VISION), sample(10, 8, 10, math.nan, img_path='y')]))
    assert (found['vision_share'], found['failed']) == (1, 1)
    assert 'rank 0, y: ' in log[-1]


@pytest.mark.parametrize(
    ('target', 'rgb', 'fused', 'label'),
    [
        (10, 10, 8, 1),  # 1 > 0.8 + 0.1
        (10, 8, 10, 0),
        (10, 10, 9, 0),  # 1 > 0.9 + 0.1 is false: the margin itself is not enough
        (10, 10, 10, 0),
        (10, 0, 0, 0),
    ],
)
@pytest.mark.parametrize('choice', [VISION, FREQUENCY])
def test_choice_is_right_where_it_agrees_with_the_label(target, rgb, fused, label, choice):
    found = scores(evaluate([sample(target, rgb, fused, choice)]))
    assert found['label_vision_share'] == label
    assert found['accuracy'] == float(choice == label)
    assert (found['vision_share'], found['frequency_share']) == (choice, 1 - choice)


@pytest.mark.parametrize(('rgb', 'fused'), [(0, 1), (1, 0), (0, 0)])
def test_authentic_images_have_no_label(rgb, fused):
    """A single false pixel would decide."""
    tampered, authentic = sample(4, 4, 1, FREQUENCY), sample(0, rgb, fused, VISION)
    both, alone = scores(evaluate([tampered, authentic])), scores(evaluate([authentic]))
    assert (both['label_vision_share'], both['accuracy'], both['vision_share']) == (1, 0, 1 / 2)
    assert math.isnan(alone['label_vision_share'])
    assert math.isnan(alone['accuracy'])


def test_margin_is_an_argument():
    found = scores(evaluate([sample(10, 8, 5, VISION)], margin=0.4))
    assert found['label_vision_share'] == 0


@pytest.mark.parametrize(('p_modal', 'vision'), [(0.5, 1), (0.75, 1), (0.25, 0)])
def test_windows_choose_by_majority(p_modal, vision):
    assert scores(evaluate([sample(4, 4, 4, p_modal)]))['vision_share'] == vision


@pytest.mark.parametrize('choice', [VISION, FREQUENCY])
def test_iou_of_both_of_the_choice_and_of_the_better(choice):
    found = scores(evaluate([sample(4, 2, 3, choice)]))
    assert found['IoU_rgb'] == pytest.approx(2 / 4)
    assert found['IoU_fused'] == pytest.approx(3 / 4)
    assert found['IoU_best'] == pytest.approx(3 / 4)
    assert found['IoU_chosen'] == pytest.approx(2 / 4 if choice == VISION else 3 / 4)


def test_ignored_pixels_do_not_count():
    data = sample(4, 6, 4, VISION)
    data.gt_sem_seg.data[..., 4:6] = 255
    assert scores(evaluate([data]))['IoU_rgb'] == 1


# ---- many ------------------------------------------------------------------------------------


def test_images_then_datasets_then_domains():
    """By hand.

    ======= ======= === ===== ======= ===== ====== ====
    set     choice  rgb fused chosen  best  label  right
    ======= ======= === ===== ======= ===== ====== ====
    a       vision  1   1/2   1       1     1      yes
    a       freq.   1   1/4   1/4     1     1      no
    b       freq.   1/2 1     1       1     0      yes
    c       vision  1/4 1/2   1/4     1/2   0      no
    ======= ======= === ===== ======= ===== ====== ====
    """
    samples = [
        sample(4, 4, 2, VISION),
        sample(4, 4, 1, FREQUENCY),
        sample(4, 2, 4, FREQUENCY, dataset='b'),
        sample(4, 1, 2, VISION, dataset='c', domain='face'),
    ]
    found = evaluate(samples)
    expected = {
        'datasets/natural/a': (1, 3 / 8, 5 / 8, 1, 1 / 2, 1, 1 / 2),
        'datasets/natural/b': (1 / 2, 1, 1, 1, 0, 0, 1),
        'domains/natural': (3 / 4, 11 / 16, 13 / 16, 1, 1 / 4, 1 / 2, 3 / 4),
        'domains/face': (1 / 4, 1 / 2, 1 / 4, 1 / 2, 1, 0, 0),
        'average': (1 / 2, 19 / 32, 17 / 32, 3 / 4, 5 / 8, 1 / 4, 3 / 8),
    }
    names = ('IoU_rgb', 'IoU_fused', 'IoU_chosen', 'IoU_best', 'vision_share',
             'label_vision_share', 'accuracy')  # fmt: skip
    for group, values in expected.items():
        row = scores(found, group)
        assert [row[name] for name in names] == pytest.approx(values), group
        assert row['frequency_share'] == pytest.approx(1 - row['vision_share'])


def test_averages_are_over_what_defines_the_score():
    """A set or a domain of authentic images does not make the others undefined."""
    samples = [
        sample(4, 4, 1, FREQUENCY),
        sample(0, 0, 0, VISION, dataset='camera'),
        sample(0, 0, 1, FREQUENCY, dataset='scans', domain='document'),
    ]
    found = evaluate(samples)
    for group in ('datasets/natural/camera', 'domains/document'):
        row = scores(found, group)
        assert math.isnan(row['label_vision_share'])
        assert math.isnan(row['accuracy'])
    for group in ('domains/natural', 'average'):
        row = scores(found, group)
        assert (row['label_vision_share'], row['accuracy']) == (1, 0)
    assert scores(found)['vision_share'] == (1 / 2 + 0) / 2


def test_images_are_counted():
    samples = [sample(4, 4, 4, VISION), sample(0, 0, 0, VISION), sample(4, 4, 4, unreadable='x')]
    row = scores(evaluate(samples))
    assert (row['tampered'], row['authentic'], row['unreadable']) == (1, 1, 1)


def test_unreadable_images_are_not_scored():
    samples = [sample(4, 4, 2, VISION), sample(4, 0, 0, FREQUENCY, unreadable='broken')]
    row = scores(evaluate(samples))
    assert (row['IoU_rgb'], row['vision_share']) == (1, 1)


def test_set_of_unreadable_images_only_has_no_score():
    samples = [sample(4, 4, 2, VISION), sample(4, 4, 2, VISION, dataset='b', unreadable='broken')]
    row = scores(evaluate(samples), 'datasets/natural/b')
    assert all(math.isnan(row[name]) for name in ('IoU_rgb', 'accuracy'))
    assert row['unreadable'] == 1


# ---- models without some of the parts ----------------------------------------------------------


def test_without_a_learned_gate_there_are_no_choices():
    row = scores(evaluate([sample(4, 4, 2)]))
    assert set(row) == {
        'IoU_rgb', 'IoU_fused', 'IoU_best', 'label_vision_share',
        'tampered', 'authentic', 'unreadable',
    }  # fmt: skip
    assert row['label_vision_share'] == 1


def test_vision_alone_has_one_score():
    row = scores(evaluate([sample(4, 3)]))
    assert set(row) == {'IoU_rgb', 'tampered', 'authentic', 'unreadable'}
    assert row['IoU_rgb'] == pytest.approx(3 / 4)


def test_without_the_encoder_nothing_is_reported_and_the_log_says_why(log):
    data = sample(4, 4)
    del data.coarse_rgb
    assert evaluate([data]) == {}
    assert any('mmomni.ModalGateHook in custom_hooks' in line for line in log)


# ---- contract with mmengine --------------------------------------------------------------------


def test_one_entry_a_sample():
    """Distributed samplers repeat samples; mmengine cuts to the size of the set."""
    metric = GateReport()
    samples = [sample(4, 4, 2, VISION), sample(4, 0, 0, FREQUENCY, unreadable='broken')]
    metric.process(None, [each.to_dict() for each in samples])
    assert len(metric.results) == 2
    assert metric.evaluate(1)['gate/average/accuracy'] == 1


def test_table_holds_every_row_and_number(log):
    evaluate([sample(4, 3, 2, VISION), sample(4, 1, 4, VISION, dataset='b', domain='face')])
    (table,) = [line for line in log if 'IoU_best' in line]
    for part in ('a', '= natural', 'b', '= face', '= average', '0.750', '0.250', '1.000'):
        assert part in table


def test_is_built_from_a_config():
    metric = METRICS.build(dict(type='mmomni.GateReport', margin=0.3))
    assert metric.margin == 0.3


def test_unknown_argument_is_refused():
    with pytest.raises(TypeError, match='margn'):
        METRICS.build(dict(type='mmomni.GateReport', margn=0.3))


# ---- a model -----------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def model():
    """The demo's network; untrained, but its coarse predictions and its choices vary."""
    cfg = Config.fromfile(DEMO).model
    cfg.auxiliary_head = None
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg).eval()
    for head in (model.backbone.aux_rgb, model.backbone.aux_fused):
        nn.init.normal_(head[-1].weight)
    with torch.no_grad():
        colours = torch.randint(0, 256, (16, 3, 64, 96))
        planes = torch.cat([colours, torch.randint(0, 21, (16, 2, 64, 96))], dim=1).float()
        model.backbone.gate.linear.bias -= model.backbone(planes)[-1].median()
    return model


def iou_of(predicted, tampered):
    """Of two sets of pixels."""
    first, second = (set(map(tuple, each.nonzero().tolist())) for each in (predicted, tampered))
    return len(first & second) / len(first | second) if first | second else 1.0


def coarse_of(model, batch):
    """Booleans of P_rgb and P_fused (B, 40, 72) and the choices, by a call of the encoder."""
    planes = torch.stack([F.pad(each, (0, 24, 0, 24)) for each in batch['inputs']]).float()
    *_, p_rgb, p_fused, p_cls = model.backbone(planes)
    upsampled = [F.interpolate(p, scale_factor=8, mode='bilinear') for p in (p_rgb, p_fused)]
    rgb, fused = (p.softmax(dim=1)[:, 1, :40, :72] > 0.5 for p in upsampled)
    return rgb, fused, p_cls.sigmoid() > 0.5


def make_batch(model, make_planes):
    """Three images of 40 x 72 pixels; the masks favour P_rgb, P_fused and neither."""
    meta = dict(img_path='x', ori_shape=(40, 72), img_shape=(40, 72))
    samples = [SegDataSample(metainfo=dict(meta)) for _ in range(3)]
    batch = dict(inputs=[make_planes(40, 72) for _ in samples], data_samples=samples)
    rgb, fused, _ = coarse_of(model, batch)
    for sample, mask in zip(samples, (rgb[0], fused[1], torch.rand(40, 72) > 0.5), strict=True):
        sample.gt_sem_seg = PixelData(data=mask[None].to(torch.uint8))
    return batch


def expected_of(model, batch):
    """For each image: IoU of both, of the chosen, of the better; chose vision; was right."""
    samples = batch['data_samples']
    for rgb, fused, vision, sample in zip(*coarse_of(model, batch), samples, strict=True):
        ious = [iou_of(each, sample.gt_sem_seg.data[0]) for each in (rgb, fused)]
        right = (ious[0] > ious[1] + 0.1) == bool(vision)
        yield *ious, ious[0 if vision else 1], max(ious), float(vision), float(right)


@torch.no_grad()
def test_report_of_a_model_equals_direct_calls(model, make_planes):
    batches = [make_batch(model, make_planes) for _ in range(2)]
    expected = [row for batch in batches for row in expected_of(model, batch)]
    evaluator, hook = Evaluator(GateReport()), ModalGateHook()
    hook.before_test(SimpleNamespace(model=model))
    for batch in batches:
        evaluator.process(model.test_step(batch))
    hook.after_test(SimpleNamespace(model=model))
    row = scores(evaluator.evaluate(6))
    names = ('IoU_rgb', 'IoU_fused', 'IoU_chosen', 'IoU_best', 'vision_share', 'accuracy')
    means = torch.tensor(expected, dtype=torch.float64).mean(dim=0).tolist()
    assert 0 < row['vision_share'] < 1
    assert row['IoU_best'] > max(row['IoU_rgb'], row['IoU_fused'])
    assert [row[name] for name in names] == pytest.approx(means, abs=1e-6)
