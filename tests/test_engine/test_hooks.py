import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from mmomni.engine.hooks import (
    GalleryHook,
    ModalGateHook,
    ResumedBatchHook,
    ResumedValidationHook,
    StepSeedHook,
    gallery_hooks,
)
from mmomni.models.layers import ModalGate

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / 'configs' / 'demo' / 'omni-iml_convnext-atto_demo.py'


def modules_with_hooks(model):
    return [name for name, module in model.named_modules() if module._forward_hooks]


# ---- the gate's choice -----------------------------------------------------------------------


def build(gate='learned', slide=False):
    """The demo's network without its heads of training."""
    cfg = Config.fromfile(DEMO).model
    cfg.auxiliary_head = None
    cfg.backbone.gate = gate
    if slide:
        cfg.test_cfg = dict(mode='slide', crop_size=(64, 64), stride=(64, 64))
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(cfg).eval()


@pytest.fixture(scope='module')
def whole():
    return build()


@pytest.fixture(scope='module')
def sliding():
    return build(slide=True)


@pytest.fixture
def script():
    """Let the gate answer what a list of logits says, one entry a forward pass."""
    handles = []

    def let_gate_say(model, logits):
        answers = iter(logits)
        (gate,) = (module for module in model.modules() if isinstance(module, ModalGate))
        hook = gate.register_forward_hook(lambda *_: torch.tensor(next(answers)))
        handles.append(hook)

    yield let_gate_say
    for handle in handles:
        handle.remove()


def batch(number=2, height=64, width=64):
    shape = dict(ori_shape=(height, width), img_shape=(height, width))
    return dict(
        inputs=[torch.zeros(5, height, width, dtype=torch.uint8) for _ in range(number)],
        data_samples=[SegDataSample(metainfo=dict(shape)) for _ in range(number)],
    )


def choices(model, data, hook=None, phase='test'):
    hook = hook or ModalGateHook()
    runner = SimpleNamespace(model=model)
    getattr(hook, f'before_{phase}')(runner)
    with torch.no_grad():
        outputs = (model.module if hasattr(model, 'module') else model).test_step(data)
    getattr(hook, f'after_{phase}')(runner)
    return [sample.p_modal for sample in outputs]


@pytest.mark.parametrize('phase', ['test', 'val'])
def test_choice_of_each_image(phase, whole, script):
    script(whole, [[0.1, -0.1, 5.0]])
    assert choices(whole, batch(3), phase=phase) == [1.0, 0.0, 1.0]


def test_choice_of_windows_is_averaged_per_image(sliding, script):
    """Four windows of two images."""
    script(sliding, [[1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [1.0, -1.0]])
    assert choices(sliding, batch(2, 128, 128)) == [1.0, 0.25]


def test_the_choice_written_is_the_gates_own(whole):
    logits = []
    (gate,) = (module for module in whole.modules() if isinstance(module, ModalGate))
    handle = gate.register_forward_hook(lambda module, inputs, output: logits.append(output))
    found = choices(whole, batch(2))
    handle.remove()
    assert found == (logits[0] > 0).float().tolist()


def test_the_segmentor_inside_of_test_time_augmentation_is_heard(whole, script):
    with DefaultScope.overwrite_default_scope('mmseg'):
        wrapped = MODELS.build(dict(type='SegTTAModel', module=whole))
    script(whole, [[1.0], [-1.0, 1.0]])
    assert choices(wrapped, batch(1)) == [1.0]
    assert choices(whole, batch(2)) == [0.0, 1.0]


@pytest.mark.parametrize(('key', 'size'), [('stride', (42, 64)), ('crop_size', (64, 63))])
def test_windows_off_the_block_grid_are_refused(key, size, sliding, monkeypatch):
    monkeypatch.setitem(sliding.test_cfg, key, size)
    with pytest.raises(ValueError, match=rf'test_cfg\.{key} must be multiples of 8'):
        ModalGateHook().before_test(SimpleNamespace(model=sliding))


def test_windows_at_the_edge_lie_on_the_grid(sliding, monkeypatch):
    """A height of 100 and windows of 64 would put the last one at row 36."""
    monkeypatch.setattr(sliding.data_preprocessor, 'test_cfg', None)
    with pytest.raises(ValueError, match='got size_divisor=1, use data_preprocessor'):
        ModalGateHook().before_test(SimpleNamespace(model=sliding))


def test_one_batch_does_not_leak_into_the_next(whole, script):
    script(whole, [[1.0], [-1.0]])
    hook = ModalGateHook()
    assert choices(whole, batch(1), hook) == [1.0]
    assert choices(whole, batch(1), hook) == [0.0]


def test_model_in_a_wrapper(whole, script):
    script(whole, [[1.0]])
    assert choices(nn.DataParallel(whole), batch(1)) == [1.0]


def test_no_hook_stays_behind(whole):
    assert modules_with_hooks(whole) == []
    choices(whole, batch(1))
    assert modules_with_hooks(whole) == []


@pytest.mark.parametrize('gate', ['fused', 'vision'])
def test_models_without_a_learned_gate_have_no_choice(gate):
    model = build(gate)
    (sample,) = outputs_of(model, batch(1))
    assert 'p_modal' not in sample
    assert 'coarse_chosen' not in sample
    assert ('coarse_fused' in sample) == (gate == 'fused')
    assert sample.coarse_rgb.shape == (64, 64)
    assert modules_with_hooks(model) == []


def test_models_without_the_encoder_are_left_alone():
    cfg = ConfigDict(
        type='EncoderDecoder',
        data_preprocessor=dict(type='SegDataPreProcessor'),
        backbone=dict(type='mmomni.ConvNeXt', arch='atto', in_channels=5),
        decode_head=dict(
            type='FCNHead', in_channels=320, in_index=3, channels=8, num_convs=1, num_classes=2,
        ),
        test_cfg=dict(mode='whole'),
    )  # fmt: skip
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg).eval()
    (sample,) = outputs_of(model, batch(1))
    assert not [key for key in sample.keys() if key == 'p_modal' or 'coarse' in key]  # noqa: SIM118


# ---- the coarse predictions --------------------------------------------------------------------


@pytest.fixture(scope='module')
def overlapping():
    """Windows of 64 x 64 at every 48 pixels."""
    model = build(slide=True)
    model.test_cfg['stride'] = (48, 48)
    return model


def scatter(model):
    """Let the coarse predictions of an untrained model show both classes, in small regions."""
    for head in (model.backbone.aux_rgb, model.backbone.aux_fused):
        nn.init.normal_(head[-1].weight)


def random_batch(make_planes, number=2, height=64, width=64, ori_shape=None):
    data = batch(number, height, width)
    data['inputs'] = [make_planes(height, width) for _ in range(number)]
    for sample in data['data_samples']:
        sample.set_metainfo(dict(ori_shape=ori_shape or (height, width)))
    return data


def outputs_of(model, data):
    hook = ModalGateHook()
    hook.before_test(SimpleNamespace(model=model))
    with torch.no_grad():
        outputs = model.test_step(data)
    hook.after_test(SimpleNamespace(model=model))
    return outputs


def encoded(model, planes):
    """P_rgb, P_fused (upsampled to the image) and P_cls of the encoder, called directly."""
    with torch.no_grad():
        *_, p_rgb, p_fused, p_cls = model.backbone(planes)
    size = planes.shape[2:]
    up = [F.interpolate(p, size, mode='bilinear', align_corners=False) for p in (p_rgb, p_fused)]
    return [*up, p_cls]


def assert_coarse(samples, part, expected):
    """Predictions equal the larger class of the ``expected`` logits (B, 2, H, W)."""
    for sample, logits in zip(samples, expected, strict=True):
        prediction = sample.get(f'coarse_{part}').data
        assert 0 < prediction.float().mean() < 1, 'a map of one class shows nothing'
        torch.testing.assert_close(prediction, (logits[1] > logits[0]).long()[None])


@pytest.mark.parametrize('number', [1, 3])
def test_coarse_predictions_of_whole_images(number, whole, make_planes, script):
    scatter(whole)
    data = random_batch(make_planes, number)
    logits = [1.0, -1.0, 1.0][:number]
    script(whole, [logits, logits])
    samples = outputs_of(whole, data)
    p_rgb, p_fused, _ = encoded(whole, torch.stack(data['inputs']).float())
    assert_coarse(samples, 'rgb', p_rgb)
    assert_coarse(samples, 'fused', p_fused)
    vision = torch.tensor(logits).view(-1, 1, 1, 1) > 0
    assert_coarse(samples, 'chosen', torch.where(vision, p_rgb, p_fused))


def test_padding_is_removed_from_coarse_predictions(whole, make_planes):
    """40 x 72 pixels pass as 64 x 96."""
    scatter(whole)
    data = random_batch(make_planes, 2, 40, 72)
    samples = outputs_of(whole, data)
    padded = torch.stack([F.pad(planes, (0, 24, 0, 24)) for planes in data['inputs']]).float()
    p_rgb, p_fused, _ = encoded(whole, padded)
    assert_coarse(samples, 'rgb', p_rgb[..., :40, :72])
    assert_coarse(samples, 'fused', p_fused[..., :40, :72])


def test_coarse_predictions_of_a_resized_image_have_its_original_size(whole, make_planes):
    scatter(whole)
    data = random_batch(make_planes, ori_shape=(100, 50))
    samples = outputs_of(whole, data)
    p_rgb = encoded(whole, torch.stack(data['inputs']).float())[0]
    original = F.interpolate(p_rgb, (100, 50), mode='bilinear', align_corners=False)
    assert_coarse(samples, 'rgb', original)


def test_coarse_predictions_of_windows_are_averaged_where_they_overlap(
    overlapping, make_planes, script
):
    """96 x 160 pixels; windows begin at 0 and 32 from above, at 0, 48 and 96 from the left."""
    scatter(overlapping)
    data = random_batch(make_planes, 2, 96, 160)
    choices = torch.tensor([[1.0, -1.0], [-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]] + 2 * [[1.0, 1.0]])
    script(overlapping, 2 * choices.tolist())
    samples = outputs_of(overlapping, data)
    planes = torch.stack(data['inputs']).float()
    total = torch.zeros(3, 2, 2, 96, 160, dtype=torch.float64)
    count = torch.zeros(96, 160)
    for top, left in [(0, 0), (0, 48), (0, 96), (32, 0), (32, 48), (32, 96)]:
        place = (..., slice(top, top + 64), slice(left, left + 64))
        p_rgb, p_fused, p_cls = encoded(overlapping, planes[place])
        chosen = torch.where(p_cls.view(-1, 1, 1, 1) > 0, p_rgb, p_fused)
        total[place] += torch.stack([p_rgb, p_fused, chosen])
        count[place] += 1
    for part, expected in zip(('rgb', 'fused', 'chosen'), total / count, strict=True):
        assert_coarse(samples, part, expected)
    assert [sample.p_modal for sample in samples] == pytest.approx([5 / 6, 3 / 6])


def test_what_the_segmentor_predicts_stays_the_same(overlapping, make_planes):
    data = random_batch(make_planes, 1, 96, 96)
    with torch.no_grad():
        (before,) = overlapping.test_step(data)
    (after,) = outputs_of(overlapping, random_batch(lambda *_: data['inputs'][0], 1, 96, 96))
    torch.testing.assert_close(after.seg_logits.data, before.seg_logits.data)


# ---- seeds of training steps -------------------------------------------------------------------


def draws_at(step, seed=3):
    StepSeedHook().before_train_iter(SimpleNamespace(seed=seed, iter=step), batch_idx=0)
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_draws_depend_on_the_step_alone():
    first = draws_at(7)
    draws_at(8)
    random.random()
    torch.rand(100)
    assert draws_at(7) == first


def test_steps_seeds_and_ranks_draw_differently(monkeypatch):
    drawn = [draws_at(7), draws_at(8), draws_at(7, seed=4)]
    monkeypatch.setattr('mmomni.engine.hooks.resuming_hooks.get_rank', lambda: 1)
    drawn.append(draws_at(7))
    for generator in range(3):
        assert len({draw[generator] for draw in drawn}) == 4


# ---- gallery -----------------------------------------------------------------------------------


@pytest.fixture
def tested(tmp_path):
    """An output of testing: 20 x 30 pixels, the right half tampered, found or not."""

    def make(domain='natural', found=True, p_modal=None, **meta):
        path = tmp_path / f'{domain}.png'
        Image.fromarray(np.full((20, 30, 3), 80, dtype=np.uint8)).save(path)
        sample = SegDataSample(metainfo=dict(img_path=str(path), domain=domain) | meta)
        mask = torch.zeros(1, 20, 30, dtype=torch.uint8)
        mask[..., 15:] = 1
        predicted = mask if found else 1 - mask
        sample.gt_sem_seg = PixelData(data=mask)
        sample.pred_sem_seg = PixelData(data=predicted)
        sample.seg_logits = PixelData(data=torch.cat([-3.0 * predicted, 3.0 * predicted]))
        if p_modal is not None:
            sample.set_field(p_modal, 'p_modal', dtype=float)
        return sample

    return make


def show(hook, samples, folder, rank=0):
    loader = SimpleNamespace(dataset=samples)
    runner = SimpleNamespace(
        work_dir=str(folder), rank=rank, world_size=1, test_dataloader=loader,
        model=torch.nn.Identity(),
    )  # fmt: skip
    hook.before_test(runner)
    for number, sample in enumerate(samples):
        hook.after_test_iter(runner, number, outputs=[sample])
    hook.after_test(runner)
    return folder / 'gallery.png'


@pytest.fixture
def drawn(monkeypatch):
    """The rows of every gallery, instead of pictures."""
    galleries = []
    monkeypatch.setattr(gallery_hooks, 'draw_gallery', lambda rows, path: galleries.append(rows))
    return galleries


def test_gallery_of_the_first_images_of_each_domain(tested, tmp_path):
    samples = [tested('natural') for _ in range(4)] + [tested('face')]
    with Image.open(show(GalleryHook(num_per_domain=2), samples, tmp_path)) as picture:
        assert picture.format == 'PNG'
        assert picture.height == pytest.approx(3 * 2.6 * 80, abs=2)
        assert picture.width == 880


@pytest.mark.parametrize(
    ('p_modal', 'gate'),
    [(1.0, 'gate: vision'), (0.0, 'gate: vision + frequency'), (0.75, 'gate: vision'), (None, '')],
)
def test_row_tells_score_and_choice(p_modal, gate, tested, tmp_path, drawn):
    show(GalleryHook(), [tested('face', p_modal=p_modal)], tmp_path)
    ((row,),) = drawn
    assert row.caption == f'IoU 1.00  {gate}'
    assert row.label == 'face\nface.png'


def test_row_holds_image_mask_and_probability(tested, tmp_path, drawn):
    show(GalleryHook(), [tested(found=False)], tmp_path)
    ((row,),) = drawn
    assert row.image.shape == (20, 30, 3)
    assert (row.image == 80).all()
    np.testing.assert_array_equal(row.mask[:, 15:], 1)
    np.testing.assert_allclose(row.heat[:, :15], 1 / (1 + np.exp(-6)), rtol=1e-5)
    np.testing.assert_allclose(row.heat[:, 15:], 0.5)
    assert row.caption.startswith('IoU 0.00')


def test_unreadable_images_are_not_shown(tested, tmp_path, drawn):
    show(GalleryHook(), [tested(unreadable='broken'), tested('face')], tmp_path)
    assert [row.label for row in drawn[0]] == ['face\nface.png']


def test_nothing_to_show_no_picture(tmp_path):
    assert not show(GalleryHook(), [], tmp_path).exists()


def test_other_ranks_draw_nothing(tested, tmp_path):
    assert not show(GalleryHook(), [tested()], tmp_path, rank=1).exists()


def test_second_test_starts_empty(tested, tmp_path, drawn):
    hook = GalleryHook()
    for _ in range(2):
        show(hook, [tested(), tested('face')], tmp_path)
    assert [len(rows) for rows in drawn] == [2, 2]


def test_a_resumed_run_whose_sampler_drew_another_seed_is_refused():
    def runner(sampler):
        return SimpleNamespace(seed=7, train_dataloader=SimpleNamespace(sampler=sampler))

    StepSeedHook().before_train(runner(SimpleNamespace(seed=7)))
    StepSeedHook().before_train(runner(SimpleNamespace()))
    with pytest.raises(ValueError, match=r'--cfg-options randomness\.seed=7'):
        StepSeedHook().before_train(runner(SimpleNamespace(seed=8)))


# ---- validation of a resumed run ---------------------------------------------------------------


def validations(
    iteration, loop_type=IterBasedTrainLoop, val_begin=1, val_loop=True, first=False
):
    """How often a run of 10 iterations validates before it goes on from one of them."""
    loop = object.__new__(loop_type)
    loop._iter, loop._max_iters, loop.val_interval, loop.val_begin = iteration, 10, 4, val_begin
    calls = []
    val = SimpleNamespace(run=lambda: calls.append(iteration)) if val_loop else None
    hook = ResumedValidationHook(first)
    hook.before_train(SimpleNamespace(train_loop=loop, val_loop=val))
    return len(calls)


@pytest.mark.parametrize('iteration', range(11))
def test_resumed_run_validates_what_is_due(iteration):
    assert validations(iteration) == (iteration in {4, 8, 10})


@pytest.mark.parametrize(
    'options', [dict(val_begin=5), dict(val_loop=False), dict(loop_type=EpochBasedTrainLoop)]
)
def test_resumed_run_validates_nothing_else(options):
    assert validations(4, **options) == 0


# ---- batches of a resumed run ------------------------------------------------------------------


def with_batches(size, processes, iteration=100, loop_type=IterBasedTrainLoop):
    loader, loop = DataLoader(range(8), batch_size=size), object.__new__(loop_type)
    return SimpleNamespace(
        train_dataloader=loader, world_size=processes, iter=iteration, train_loop=loop
    )


def resumed(before, now, iteration=100):
    """A run that saved its checkpoint with the first kind of batches goes on with the other."""
    checkpoint = dict(meta={})
    ResumedBatchHook().before_save_checkpoint(with_batches(*before), checkpoint)
    return going_on(checkpoint, now, iteration)


def going_on(checkpoint, now, iteration=100, loop_type=IterBasedTrainLoop):
    hook, runner = ResumedBatchHook(), with_batches(*now, iteration, loop_type)
    hook.after_load_checkpoint(runner, checkpoint)
    hook.before_train(runner)


@pytest.mark.parametrize(
    ('now', 'told'),
    [
        ((4, 2), 'goes on at sample 800, not 400: those between are left out'),
        ((1, 2), 'goes on at sample 200, not 400: those between are seen again'),
        ((2, 4), 'with 2 images a batch in each of 4 processes'),
        ((4, 1), 'the order of samples is no longer that of the run'),
    ],
)
def test_other_batches_than_the_checkpoints_are_a_warning_with_numbers(now, told, log):
    resumed((2, 2), now)
    (line,) = log
    assert line.startswith('resumed at iteration 100 with ')
    assert 'the checkpoint was trained with 2 images a batch in each of 2 processes' in line
    assert 'count iterations' in line
    assert told in line


def test_an_epoch_loop_starts_an_epoch_anew_and_passes_over_no_sample(log):
    going_on(dict(meta=dict(batch=dict(batch_size=2))), (4, 1), loop_type=EpochBasedTrainLoop)
    (line,) = log
    assert 'goes on at sample' not in line


def test_equal_batches_are_no_warning(log):
    resumed((2, 2), (2, 2))
    assert not log


def test_a_training_that_only_starts_from_a_checkpoint_has_batches_of_its_own(log):
    resumed((2, 2), (4, 1), iteration=0)
    ResumedBatchHook().before_train(with_batches(4, 1, iteration=0))
    assert not log


@pytest.mark.parametrize(('size', 'warnings'), [(4, 0), (6, 1)])
def test_of_older_checkpoints_the_config_tells_the_batch_size(size, warnings, log):
    text = 'train_dataloader = dict(batch_size=4)\n'
    going_on(dict(meta=dict(cfg=text, iter=100)), (size, 2))
    assert len(log) == warnings


@pytest.mark.parametrize('meta', [{}, dict(cfg='a = ('), dict(cfg='a = 1')])
def test_a_checkpoint_that_tells_nothing_does_not_end_the_run(meta, log):
    going_on(dict(meta=meta), (6, 2))
    assert not log


@pytest.mark.parametrize('iteration', range(11))
def test_the_start_is_validated_where_that_is_asked_for(iteration):
    assert validations(iteration, first=True) == (iteration in {0, 4, 8, 10})
