"""What a config says that would be found out late or never, told before anything is built."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop
from mmseg.registry import MODELS
from torch import nn

from mmomni.engine.starting import check_config, merge_options, unread_entries

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
OURS = dict(type='mmomni.ManipulationDataset', data_root='data')
METRIC = dict(type='mmomni.SelectionMetric')
ITERATIONS = dict(type='IterBasedTrainLoop', max_iters=10)
ENDLESS = [
    'mmomni.DomainBalancedSampler', 'mmomni.ReproducibleSampler', 'InfiniteSampler',
    'mmengine.InfiniteSampler', 'mmdet.MultiSourceSampler', InfiniteSampler,
]  # fmt: skip


def config(sampler='DefaultSampler', train_cfg=ITERATIONS, **entries):
    entries.setdefault('model', dict(decode_head=dict(type='UPerHead', num_classes=2)))
    entries.setdefault('optim_wrapper', dict(type='OptimWrapper'))
    loader = dict(batch_size=2, sampler=dict(type=sampler), dataset=OURS)
    return Config(dict(train_dataloader=loader, train_cfg=train_cfg, **entries))


def problems(cfg):
    with pytest.raises(ValueError, match='cannot be trained with') as error:
        check_config(cfg)
    return str(error.value).splitlines()[1:]


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('[!_]*/*.py')), ids=lambda path: path.stem)
def test_configs_of_the_package_can_be_trained_with(path):
    cfg = Config.fromfile(path)
    check_config(cfg)
    assert unread_entries(cfg) == []


# ---- parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize('part', ['model', 'train_dataloader', 'train_cfg', 'optim_wrapper'])
@pytest.mark.parametrize('is_none', [False, True])
def test_what_training_needs_is_asked_for(part, is_none):
    entries = config().to_dict()
    entries[part] = None
    if not is_none:
        del entries[part]
    (line,) = problems(Config(entries))
    assert line.startswith(f'{part}: ')


@pytest.mark.parametrize(
    ('given', 'lacking'),
    [
        (dict(val_cfg=dict(type='ValLoop')), 'val_dataloader and val_evaluator'),
        (dict(val_cfg=dict(type='ValLoop'), val_evaluator=METRIC), 'val_dataloader'),
        (dict(val_dataloader=dict(batch_size=1, dataset=OURS), val_cfg=None, val_evaluator=METRIC),
         'val_cfg'),
    ],
)  # fmt: skip
def test_a_part_of_a_validation_wants_the_others(given, lacking):
    (line,) = problems(config(**given))
    assert line.startswith(f'{lacking}: expected all of')


def test_no_validation_is_accepted():
    check_config(config(val_dataloader=None, val_cfg=None, val_evaluator=None))


# ---- classes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('part', 'entry', 'told'),
    [
        ('decode_head', dict(type='mmomni.DynamicWeightDecoder', num_classes=3), 'num_classes=3'),
        ('decode_head', dict(type='mmomni.DynamicWeightDecoder', num_classes=1), 'num_classes=1'),
        ('decode_head', dict(type='UPerHead', num_classes=150), 'num_classes=150'),
        ('decode_head', dict(type='FCNHead', num_classes=2, out_channels=1), 'out_channels=1'),
        ('decode_head', [dict(type='FCNHead', num_classes=19)], 'num_classes=19'),
        ('auxiliary_head', dict(type='FCNHead', num_classes=19), 'num_classes=19'),
        ('backbone', dict(type='mmomni.ModalGateEncoder', num_classes=4), 'num_classes=4'),
    ],
)
def test_other_classes_than_two_are_refused(part, entry, told):
    model = {'decode_head': dict(type='UPerHead', num_classes=2), part: entry}
    (line,) = problems(config(model=model))
    assert line.startswith(f'model.{part}.{told}: ')
    assert 'expected 2' in line


@pytest.mark.parametrize(
    'model',
    [
        dict(decode_head=dict(type='mmomni.DynamicWeightDecoder')),
        dict(decode_head=dict(type='FCNHead', num_classes=2, out_channels=2), auxiliary_head=None),
        dict(
            decode_head=dict(type='FCNHead', num_classes=2),
            auxiliary_head=[dict(type='FCNHead', num_classes=1), dict(type='mmomni.ModalGateHead')],
        ),
    ],
)
def test_two_classes_are_accepted(model):
    check_config(config(model=model))


@MODELS.register_module(force=True)
class WhichDomain(nn.Module):
    """A task beside ours, with classes of its own."""


@pytest.mark.parametrize('kind', ['WhichDomain', WhichDomain])
def test_other_tasks_may_have_other_classes(kind):
    aux = dict(type=kind, num_classes=3, out_channels=64)
    head = dict(type='FCNHead', num_classes=2)
    check_config(config(model=dict(decode_head=head, auxiliary_head=[aux])))


def test_other_sets_may_have_other_classes():
    cfg = config(model=dict(decode_head=dict(type='FCNHead', num_classes=19)))
    cfg.train_dataloader.dataset = dict(type='CityscapesDataset')
    check_config(cfg)


# ---- loops -----------------------------------------------------------------------------------


@pytest.mark.parametrize('sampler', ENDLESS)
@pytest.mark.parametrize(
    'loop',
    [
        dict(type='EpochBasedTrainLoop', max_epochs=1),
        dict(type=EpochBasedTrainLoop, max_epochs=1),
        dict(by_epoch=True, max_epochs=1),
    ],
)
def test_an_epoch_that_never_ends_is_refused(sampler, loop):
    (line,) = problems(config(sampler, loop))
    assert line.startswith('train_dataloader.sampler=')
    assert 'IterBasedTrainLoop' in line
    assert 'DefaultSampler' in line


@pytest.mark.parametrize('sampler', [*ENDLESS, 'DefaultSampler'])
@pytest.mark.parametrize('loop', [ITERATIONS, dict(by_epoch=False, max_iters=1)])
def test_iterations_end_with_any_sampler(sampler, loop):
    check_config(config(sampler, loop))


def test_epochs_of_a_finite_sampler_are_accepted():
    check_config(config(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1)))


def test_a_validation_that_never_ends_is_refused():
    sampler = dict(type='mmomni.ReproducibleSampler')
    val = dict(val_dataloader=dict(batch_size=1, sampler=sampler, dataset=OURS))
    (line,) = problems(config(**val, val_cfg=dict(type='ValLoop'), val_evaluator=METRIC))
    assert line.startswith('val_dataloader.sampler=ReproducibleSampler')


# ---- the best checkpoint ---------------------------------------------------------------------


def with_best(kind='CheckpointHook', **options):
    return config(default_hooks=dict(checkpoint=dict(type=kind, **options)))


@pytest.mark.parametrize(
    ('key', 'right'),
    [
        ('selection/average/IoU', 'greater'),
        ('selection/average/F1_fixed', 'greater'),
        ('selection/domains/real/IoU', 'greater'),
        ('selection/domains/glossy/IoU', 'greater'),  # "loss": mmengine would take less
        ('selection/average/false_area', 'less'),
        ('selection/domains/laptops/false_area_fixed', 'less'),  # "top": mmengine would take more
        ('image_level/max/average/F1', 'greater'),
        ('image_level/top_k_mean/average/FPR', 'less'),
        ('gate/average/IoU_best', 'greater'),
    ],
)
@pytest.mark.parametrize('hook', ['CheckpointHook', 'mmomni.SafeCheckpointHook', 'stopping'])
def test_the_rule_of_a_score_is_asked_for_at_the_start(key, right, hook):
    def made(**rule):
        if hook != 'stopping':
            return with_best(hook, save_best=key, **rule)
        return config(custom_hooks=[dict(type='EarlyStoppingHook', monitor=key, **rule)])

    (line,) = problems(made())
    assert f"expected rule='{right}'" in line
    assert key in line
    wrong = {'greater': 'less', 'less': 'greater'}[right]
    (line,) = problems(made(rule=wrong))
    assert 'keep the worst' in line
    check_config(made(rule=right))


@pytest.mark.parametrize(
    'key', ['auto', 'selection/mIoU', 'trufor/mDice', 'image_level/max/AUC', 'mIoU', 'acc', 'loss']
)
def test_keys_that_mmengine_knows_need_no_rule(key):
    check_config(with_best(save_best=key))


def test_several_keys_have_rules_of_their_own():
    keys = ['selection/average/IoU', 'selection/average/false_area']
    check_config(with_best(save_best=keys, rule=['greater', 'less']))
    (line,) = problems(with_best(save_best=keys, rule='greater'))
    assert "'selection/average/false_area': expected rule='less'" in line


@pytest.mark.parametrize('rule', [None, 'more'])
def test_a_rule_that_is_unknown_for_other_scores_may_be_either(rule):
    (line,) = problems(with_best(save_best='other/boundary', rule=rule))
    assert "rule='greater' or rule='less'" in line


@pytest.mark.parametrize('rule', ['greater', 'less'])
def test_a_score_of_another_metric_in_a_group_may_have_either_rule(rule):
    check_config(with_best(save_best='calibration/average/ECE', rule=rule))


def test_more_words_can_be_given_to_mmengine():
    check_config(with_best(save_best='other/boundary', greater_keys=['boundary']))


def test_early_stopping_has_no_auto():
    (line,) = problems(config(custom_hooks=[dict(type='EarlyStoppingHook', monitor='auto')]))
    assert 'would never stop' in line
    check_config(config(custom_hooks=[dict(type='EarlyStoppingHook', monitor='selection/mIoU')]))


def test_hooks_that_are_built_or_off_are_left_alone():
    hooks = dict(checkpoint=None, other=CheckpointHook())
    assert config(default_hooks=hooks).default_hooks.checkpoint is None
    check_config(config(default_hooks=hooks))


def test_all_that_is_wrong_is_one_message():
    cfg = config('InfiniteSampler', dict(by_epoch=True, max_epochs=1))
    cfg.model.decode_head.num_classes = 5
    cfg.custom_hooks = [dict(type='EarlyStoppingHook', monitor='auto')]
    assert len(problems(cfg)) == 3


# ---- entries without effect ------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('default_hook', 'default_hooks'),
        ('train_dataloder', 'train_dataloader'),
        ('val_evaluators', 'val_evaluator'),
        ('load_form', 'load_from'),
    ],
)
def test_a_misspelt_entry_is_named_with_the_one_that_is_meant(name, meant):
    (line,) = unread_entries(Config({name: 1, 'data_root': 'a', 'norm_cfg': {}}))
    assert f'{name}; is it {meant}?' in line


@pytest.mark.parametrize(
    ('key', 'told'),
    [
        ('max_iters', 'max_iters is a variable of the config'),
        ('crop.size', 'crop is a variable of the config'),
        ('trian_cfg.max_iters', 'nothing reads trian_cfg; is it train_cfg?'),
        ('zzz', 'nothing reads zzz'),
        ('custom_hooks.1.type', 'Index 1 exceeds the length of list'),
        ('train_cfg.max_iters.0', 'max_iters'),
    ],
)
def test_options_without_effect_are_refused(key, told):
    cfg = Config(dict(
        max_iters=3, crop=dict(size=1), train_cfg=dict(max_iters=3),
        custom_hooks=[dict(type='mmomni.StepSeedHook')],
    ))  # fmt: skip
    with pytest.raises(ValueError, match='--cfg-options') as error:
        merge_options(cfg, {key: 4})
    assert told in str(error.value)


def test_options_that_own_code_may_read_are_merged_with_a_warning(log):
    cfg = Config(dict(strength=1, custom_imports=dict(imports=['mine'])))
    merge_options(cfg, {'strength': 2, 'other.one': 3})
    assert (cfg.strength, cfg.other.one) == (2, 3)
    first, second = log
    assert 'strength is a variable of the config' in first
    assert 'nothing reads other' in second
    with pytest.raises(ValueError, match=r'is it train_cfg\?'):
        merge_options(cfg, {'trian_cfg.max_iters': 4})


def test_options_with_an_effect_are_merged():
    cfg = Config(dict(train_cfg=dict(max_iters=3)))
    merge_options(cfg, {'train_cfg.max_iters': 4, 'val_dataloader': None, 'randomness.seed': 1})
    assert (cfg.train_cfg.max_iters, cfg.val_dataloader, cfg.randomness.seed) == (4, None, 1)
