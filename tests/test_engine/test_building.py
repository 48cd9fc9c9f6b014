"""What cannot be built because of a name in the config is told with its entry, in one line."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS, LOOPS, OPTIMIZERS, PARAM_SCHEDULERS, DefaultScope
from mmengine.runner import Runner
from mmseg.registry import MODELS
from torch import nn

from mmomni.engine.building import check_names
from mmomni.engine.launch import config_at_fault

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def told(cfg, build):
    with pytest.raises(SystemExit) as ended, config_at_fault(Config(cfg)):
        build()
    (line,) = str(ended.value).splitlines()
    return line.partition(': ')[2].partition(' (traceback: ')[0]


def an_optimizer(**options):
    weights = nn.Linear(1, 1).parameters()
    return OPTIMIZERS.build(dict(options), default_args=dict(params=weights))


@MODELS.register_module(force=True)
class Thin(nn.Module):
    def __init__(self, width=3):
        super().__init__()


@MODELS.register_module(force=True)
class Passing(Thin):
    def __init__(self, depth=1, **kwargs):
        super().__init__(**kwargs)


@MODELS.register_module(force=True)
class Faulty(nn.Module):
    """Has faults of its own."""

    def __init__(self, kind):
        super().__init__()
        if kind == 'argument':
            Thin(kind=kind)
        raise {'type': TypeError, 'key': KeyError, 'runtime': RuntimeError}[kind](kind)


@MODELS.register_module(force=True)
class Refusing(nn.Module):
    def __init__(self, width, check='value'):
        super().__init__()
        if width % 2:
            reason = f'expected an even width,\n  got {width}'
            raise ValueError(reason) if check == 'value' else AssertionError(reason)


OPTIMIZER = dict(type='AdamW', lr=0.1, lrr=3)
LOOP = dict(type='IterBasedTrainLoop', max_iter=3)
HOOK = dict(type='LoggerHook', intervall=3)
SCHEDULER = dict(type='LinarLR', start_factor=0.1)
CASES = {
    'an optimiser': (
        dict(optim_wrapper=dict(type='OptimWrapper', optimizer=OPTIMIZER)),
        lambda: an_optimizer(**OPTIMIZER),
        'optim_wrapper.optimizer: AdamW takes no argument lrr; is it lr?',
    ),
    'a loop': (
        dict(train_cfg=LOOP), lambda: LOOPS.build(dict(LOOP, runner=None, dataloader=None)),
        'train_cfg: IterBasedTrainLoop takes no argument max_iter; is it max_iters?',
    ),
    'a hook': (
        dict(custom_hooks=[dict(type='OtherHook'), HOOK]), lambda: HOOKS.build(dict(HOOK)),
        'custom_hooks.1: LoggerHook takes no argument intervall; is it interval?',
    ),
    'an argument that is passed on': (
        dict(model=dict(type='Passing', wdth=1)),
        lambda: MODELS.build(dict(type='Passing', wdth=1)),
        'model: Passing takes no argument wdth; is it width?',
    ),
    'an argument like no other': (
        dict(model=dict(type='Thin', q=1)), lambda: MODELS.build(dict(type='Thin', q=1)),
        'model: Thin takes no argument q; expected some of width',
    ),
    'an argument that is lacking': (
        dict(model=dict(type='Faulty')), lambda: MODELS.build(dict(type='Faulty')),
        "model: Faulty is missing 1 required positional argument: 'kind'",
    ),
    'a type': (
        dict(param_scheduler=[SCHEDULER]),
        lambda: PARAM_SCHEDULERS.build(dict(SCHEDULER, optimizer=None)),
        'param_scheduler.0: the type LinarLR is in no registry; is it LinearLR?',
    ),
    'a type of ours without its scope': (
        dict(custom_hooks=[dict(type='GalleryHook')]),
        lambda: HOOKS.build(dict(type='GalleryHook')),
        'custom_hooks.0: the type GalleryHook is in no registry; is it mmomni.GalleryHook?',
    ),
    'a value that is refused': (
        dict(model=dict(type='Thin', width=dict(type='Refusing', width=3))),
        lambda: MODELS.build(dict(type='Refusing', width=3)),
        'model.width: Refusing cannot be built: expected an even width, got 3',
    ),
    'a failed assertion, among entries of one type': (
        dict(model=[dict(type='Refusing', width=k, check='assert') for k in (2, 3)]),
        lambda: MODELS.build(dict(type='Refusing', width=3, check='assert')),
        'model.1: Refusing cannot be built: expected an even width, got 3',
    ),
    'no entry of the config': (
        {}, lambda: HOOKS.build(dict(HOOK)),
        'LoggerHook: LoggerHook takes no argument intervall; is it interval?',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_the_entry_is_named(case):
    cfg, build, line = CASES[case]
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert told(cfg, build) == line


@pytest.mark.parametrize(
    ('loop', 'fault'),
    [
        (dict(by_epoch=True, max_epoch=1),
         'Epoch.* takes no argument max_epoch; is it max_epochs?'),
        (dict(by_epoch=False, max_iter=1), 'Iter.* takes no argument max_iter; is it max_iters?'),
        (dict(by_epoch=True), "Epoch.* is missing 1 required positional argument: 'max_epochs'"),
    ],
)  # fmt: skip
def test_a_loop_without_a_type_is_named(loop, fault):
    runner = object.__new__(Runner)
    runner._train_dataloader = None
    line = told(dict(train_cfg=loop), lambda: runner.build_train_loop(loop))
    name, fault = fault.split('.*')
    assert line == f'train_cfg: {name}BasedTrainLoop{fault}'


def test_where_a_value_is_refused_the_log_says_by_which_line(tmp_path):
    """It may be a fault of the code."""
    entry = dict(type='Refusing', width=3)
    MMLogger.get_instance('refusing', log_file=str(tmp_path / 'run.log'))
    try:
        with pytest.raises(SystemExit) as ended, config_at_fault(Config(dict(model=entry))):
            MODELS.build(entry)
    finally:
        MMLogger._instance_dict.pop('refusing')
    assert str(ended.value).endswith(f'(traceback: {tmp_path}/run.log)')
    assert 'raise ValueError(reason)' in (tmp_path / 'run.log').read_text()


@pytest.mark.parametrize('kind', ['argument', 'type', 'key', 'runtime'])
def test_faults_of_the_code_keep_their_traceback(kind):
    entry = dict(type='Faulty', kind=kind)
    cfg = Config(dict(model=entry))
    with pytest.raises((TypeError, KeyError, RuntimeError)), config_at_fault(cfg):
        MODELS.build(entry)


def test_what_is_raised_without_building_goes_on():
    with pytest.raises(KeyError), config_at_fault(Config({})):
        {}['a']


# ---- before anything is built -----------------------------------------------------------------


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('[!_]*/*.py')), ids=lambda path: path.stem)
def test_all_names_of_configs_of_the_package_are_known(path):
    check_names(Config.fromfile(path))


def test_all_unknown_arguments_of_what_is_built_last_are_named_at_once():
    cfg = dict(
        train_cfg=LOOP,
        val_cfg=dict(type='ValLoop', fp_16=True),
        optim_wrapper=dict(type='OptimWrapper', optimizer=OPTIMIZER, accumulativ=2),
        default_hooks=dict(logger=HOOK, none=None, absent=dict(type='absent.Hook', a=1)),
        custom_hooks=[dict(type='mmomni.GalleryHook', priority=49, q=1)],
    )
    with pytest.raises(ValueError, match='train_cfg') as caught:
        check_names(Config(cfg))
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[:4] == [
        'train_cfg: IterBasedTrainLoop takes no argument max_iter; is it max_iters?',
        'val_cfg: ValLoop takes no argument fp_16; is it fp16?',
        'optim_wrapper.optimizer: AdamW takes no argument lrr; is it lr?',
        'default_hooks.logger: LoggerHook takes no argument intervall; is it interval?',
    ]
    assert lines[4].startswith('custom_hooks.0: GalleryHook takes no argument q; expected some of')
    assert len(lines) == 5


def test_what_a_class_hands_on_is_left_to_it():
    @HOOKS.register_module(force=True)
    class Handing:
        def __init__(self, a, **kwargs):
            pass

    check_names(Config(dict(custom_hooks=[dict(type='mmengine.Handing', b=1)])))
