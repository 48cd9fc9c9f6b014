"""Batch norms that learn but do not count."""

import torch
from toy_runs import toy_runner


def trained_norm(work_dir, *hooks):
    runner = toy_runner(work_dir, custom_hooks=[dict(type=hook) for hook in hooks])
    runner.train()
    return runner.model.layers[1]


def test_statistics_stay_and_weights_learn(tmp_path, mmseg_scope):
    norm = trained_norm(tmp_path / 'frozen', 'mmomni.FrozenStatisticsHook')
    assert norm.num_batches_tracked == 0
    assert torch.equal(norm.running_mean, torch.zeros(8))
    assert not torch.equal(norm.weight, torch.ones(8))
    counting = trained_norm(tmp_path / 'usual')
    assert counting.num_batches_tracked == 6
