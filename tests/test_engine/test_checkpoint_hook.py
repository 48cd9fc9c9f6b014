"""Checkpoints that are never lost: whole files, in an order that leaves one at any time."""

import errno
import os
from pathlib import Path

import pytest
import torch
from mmengine.fileio import LocalBackend, register_backend
from toy_runs import toy_runner

from mmomni.engine import durable
from mmomni.engine.durable import remove_unfinished
from mmomni.engine.finite import DivergedError
from mmomni.utils.torn_files import torn

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.fixture(autouse=True)
def one_home_of_messages(mmseg_scope):
    """The scope that every config sets."""


def saved(folder):
    return sorted(path.name for path in Path(folder).glob('*.p*') if path.suffix != '.py')


def last(folder):
    return Path((Path(folder) / 'last_checkpoint').read_text())


def load(path):
    return torch.load(path, map_location='cpu', weights_only=False)


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(checkpoint=dict(max_keep_ckpts=2, save_best=None, rule=None)),
        dict(checkpoint=dict(max_keep_ckpts=-1, save_last=False, interval=4)),
        dict(by_epoch=True),
        dict(checkpoint=dict(published_keys=['meta', 'state_dict'])),
    ],
    ids=str,
)
def test_the_files_are_mmengines_and_one_is_whole_at_any_time(options, tmp_path, monkeypatch):
    stock = {**options, 'checkpoint': dict(options.get('checkpoint', {}), type='CheckpointHook')}
    toy_runner(tmp_path / 'stock', **stock).train()
    note, problems = tmp_path / 'ours/last_checkpoint', []

    for name in ('replace', 'remove'):
        function = getattr(os, name)

        def watched(*arguments, function=function, **more):
            function(*arguments, **more)
            if note.exists() and (reason := torn(Path(note.read_text()))):
                problems.append((arguments, reason))

        monkeypatch.setattr(os, name, watched)
    toy_runner(tmp_path / 'ours', **options).train()
    assert problems == []
    ours, theirs = (
        [name.split('-')[0] for name in saved(tmp_path / place)] for place in ('ours', 'stock')
    )
    assert ours == theirs
    assert last(tmp_path / 'ours').name == last(tmp_path / 'stock').name
    for name in (name for name in saved(tmp_path / 'ours') if '-' not in name):
        first, second = (load(tmp_path / place / name) for place in ('ours', 'stock'))
        torch.testing.assert_close(first['state_dict'], second['state_dict'], rtol=0, atol=0)
    for published in (tmp_path / 'ours').glob('*-*.pth'):
        assert sorted(load(published)) == ['meta', 'state_dict']


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    runner = toy_runner(tmp_path, max_iters=4, checkpoint=dict(save_best=None, rule=None))

    def fill(function=os.fsync):
        def full(file):
            if (tmp_path / 'iter_2.pth').exists() and (tmp_path / 'last_checkpoint').exists():
                raise OSError(errno.ENOSPC, 'No space left on device')
            return function(file)

        return full

    monkeypatch.setattr(os, 'fsync', fill())
    with pytest.raises(OSError, match='No space left'):
        runner.train()
    assert saved(tmp_path)[0] == 'iter_2.pth'
    assert torn(last(tmp_path)) == ''


def test_resumed_run_counts_on_and_removes_what_was_left(tmp_path):
    # A best one would be followed by the same checkpoint once more, with nothing to remove.
    options = dict(checkpoint=dict(save_best=None, rule=None))
    toy_runner(tmp_path, max_iters=4, **options).train()
    # as if it had been killed after the note and before it removed
    torch.save({}, tmp_path / 'iter_2.pth')
    torch.save({}, tmp_path / 'iter_1.pth')  # a person's
    toy_runner(tmp_path, max_iters=6, resume=True, **options).train()
    assert saved(tmp_path) == ['iter_1.pth', 'iter_6.pth']


def test_torn_checkpoint_is_passed_over(tmp_path, capsys):
    toy_runner(tmp_path, max_iters=4, checkpoint=dict(max_keep_ckpts=2)).train()
    (tmp_path / 'iter_4.pth').write_bytes((tmp_path / 'iter_4.pth').read_bytes()[:700])
    runner = toy_runner(tmp_path, max_iters=6, resume=True, checkpoint=dict(max_keep_ckpts=2))
    runner.train()
    assert runner.iter == 6
    assert f'{tmp_path}/iter_4.pth is cut short' in capsys.readouterr().out
    assert [name for name in saved(tmp_path) if name.startswith('iter')] == [
        'iter_4.pth', 'iter_6.pth',
    ]  # fmt: skip
    assert not torn(tmp_path / 'iter_4.pth')


def test_another_runs_best_checkpoint_stays(tmp_path):
    """mmengine removes it, when it has a better one."""
    toy_runner(tmp_path / 'a', max_iters=2).train()
    before = saved(tmp_path / 'a')
    toy_runner(
        tmp_path / 'b', max_iters=6, resume=True, load_from=str(tmp_path / 'a/iter_2.pth')
    ).train()
    assert saved(tmp_path / 'a') == before


@register_backend('toy_elsewhere', force=True)
class Elsewhere(LocalBackend):
    """What mmengine writes to by itself."""


def test_other_backends_are_written_as_mmengine_does(tmp_path, monkeypatch):
    monkeypatch.setattr(durable, 'write_durably', None)
    options = dict(backend_args=dict(backend='toy_elsewhere'), save_best=None, rule=None)
    toy_runner(tmp_path, max_iters=4, checkpoint=options).train()
    assert saved(tmp_path) == ['iter_4.pth']


# ---- leftovers ----------------------------------------------------------------------------------


def test_unfinished_files_are_removed_and_named(tmp_path, log):
    (tmp_path / 'iter_4.pth.4194305.part').touch()  # more than the number of any process
    (tmp_path / 'last_checkpoint.4194305.part').touch()
    (tmp_path / 'report.html.4194305.part').touch()  # nobody's here
    (tmp_path / f'iter_6.pth.{os.getppid()}.part').touch()
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f'iter_6.pth.{os.getppid()}.part', 'report.html.4194305.part',
    ]  # fmt: skip
    (line,) = (line for line in log if 'does another training save there?' in line)
    assert f'iter_6.pth.{os.getppid()}.part' in line


# ---- weights ------------------------------------------------------------------------------------


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    runner = toy_runner(tmp_path, model=dict(type='ToyModel', bad_from=3))
    with pytest.raises(DivergedError) as error:
        runner.train()
    told = str(error.value)
    assert 'weights are not finite any more: layers.0.weight' in told
    assert 'of the losses, the first was aux_0.loss_rpn_bbox, nan in iteration 3 (learn' in told
    assert f'{tmp_path}/iter_2.pth was saved before' in told
    assert saved(tmp_path) == ['best_score_iter_2.pth', 'iter_2.pth']
    # and what was saved goes on
    resumed = toy_runner(tmp_path, resume=True)
    resumed.train()
    assert resumed.iter == 6


def test_gradients_that_spoil_weights_without_a_loss(tmp_path):
    runner = toy_runner(tmp_path, max_iters=4, checkpoint=dict(interval=1))
    runner.model.layers[0].weight.register_hook(lambda grad: grad * float('inf'))
    with pytest.raises(DivergedError, match=r'gradients were not\. iter_1\.pth .*no checkpoint'):
        runner.train()
    assert saved(tmp_path) == []


def test_a_checkpoint_of_no_numbers_is_no_start(tmp_path):
    runner = toy_runner(tmp_path)
    runner.model.layers[3].bias.data.fill_(float('nan'))
    with pytest.raises(DivergedError, match=r'to start from are not finite: layers\.3\.bias'):
        runner.train()


def test_statistics_of_no_numbers_are_no_start(tmp_path):
    """In half precision they may be spoilt while the steps are passed over."""
    toy_runner(tmp_path, max_iters=2).train()
    content = load(tmp_path / 'iter_2.pth')
    content['state_dict']['layers.1.running_mean'][0] = float('nan')
    torch.save(content, tmp_path / 'iter_2.pth')
    runner = toy_runner(tmp_path, resume=True)
    with pytest.raises(DivergedError, match=r'to start from are not finite: layers\.1\.running_m'):
        runner.train()


def test_infinite_constants_of_a_layer_are_no_matter(tmp_path):
    runner = toy_runner(tmp_path, max_iters=2)
    runner.model.register_buffer('mask', torch.tensor(float('-inf')))
    runner.train()
    assert 'iter_2.pth' in saved(tmp_path)


@pytest.mark.parametrize('bad_until', [5, 7])
def test_nothing_is_saved_while_losses_are_not_finite(bad_until, tmp_path, capsys):
    """Their steps are passed over, as by ``GradScaler``, and weights stay finite."""
    model = dict(type='ToyModel', bad_from=4, bad_until=bad_until, detached=True)
    toy_runner(tmp_path, model=model, checkpoint=dict(max_keep_ckpts=-1)).train()
    lines = capsys.readouterr().out.splitlines()
    refused = [line for line in lines if 'is not saved, as losses are not finite' in line]
    kept = [name for name in saved(tmp_path) if name.startswith('iter')]
    assert kept == (['iter_2.pth', 'iter_6.pth'] if bad_until == 5 else ['iter_2.pth'])
    assert all('aux_0.loss_rpn_bbox, nan in iteration 4' in line for line in refused)
    assert len(refused) == (2 if bad_until == 5 else 4)  # and so many best ones


# ---- configs ------------------------------------------------------------------------------------


def test_every_config_saves_by_it():
    for path in CONFIGS.rglob('*.py'):
        assert "type='CheckpointHook'" not in path.read_text(), path
