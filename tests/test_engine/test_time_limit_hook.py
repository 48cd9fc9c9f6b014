"""Trainings that end when their time is over."""

import itertools

import pytest
from toy_runs import toy_runner

from mmomni.engine.hooks import TimeLimitHook, time_limit_hook
from mmomni.engine.hooks.time_limit_hook import SPENT


@pytest.fixture
def clock(monkeypatch):
    """Each look at the clock is 20 seconds later."""
    seconds = itertools.count(0, 20)
    monkeypatch.setattr(time_limit_hook, 'monotonic', lambda: next(seconds))


def trained(work_dir, minutes, **options):
    hooks = [
        dict(type='mmomni.TimeLimitHook', minutes=minutes),
        dict(type='mmomni.ResumedValidationHook'),
    ]
    runner = toy_runner(work_dir, custom_hooks=hooks, val_interval=100, **options)
    runner.train()
    validations = runner.message_hub.get_scalar('val/score').data[0]
    return runner.iter, len(validations)


def test_a_training_ends_with_a_validation_when_its_time_is_over(clock, tmp_path, mmseg_scope):
    assert trained(tmp_path, 1) == (3, 1)
    assert (tmp_path / 'best_score_iter_3.pth').is_file()


def test_a_training_with_time_enough_is_left_alone(clock, tmp_path, mmseg_scope):
    assert trained(tmp_path, 100) == (6, 1)


def test_what_was_spent_before_a_resume_counts(clock, tmp_path, mmseg_scope):
    trained(tmp_path, 100, max_iters=2)
    iteration, _ = trained(tmp_path, 1, resume=True)
    assert iteration == 3


def test_the_checkpoint_of_an_iteration_knows_its_time(clock, tmp_path, mmseg_scope):
    trained(tmp_path, 100, max_iters=2)
    runner = toy_runner(tmp_path, resume=True, custom_hooks=[])
    runner.load_or_resume()
    assert runner.message_hub.get_info(SPENT) == 40


@pytest.mark.parametrize('minutes', [0, -1])
def test_no_time_is_refused(minutes):
    with pytest.raises(ValueError, match=f'minutes above 0, got {minutes}'):
        TimeLimitHook(minutes)


def test_a_loop_of_epochs_is_refused(tmp_path, mmseg_scope):
    hooks = [dict(type='mmomni.TimeLimitHook', minutes=1)]
    runner = toy_runner(tmp_path, by_epoch=True, custom_hooks=hooks)
    with pytest.raises(ValueError, match='needs IterBasedTrainLoop'):
        runner.train()
