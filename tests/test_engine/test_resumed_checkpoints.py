"""Which checkpoint is resumed, where some are torn."""

import os
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from toy_runs import toy_config

from mmomni.engine import training
from mmomni.engine.finite import DivergedError
from mmomni.engine.resuming import (
    Saved,
    choose_checkpoint,
    demand_resumable,
    has_saved,
    resume_whole,
    saved_by,
)


@pytest.fixture
def folder(tmp_path):
    """A function that saves: whole files and torn ones, one a second, and the note."""

    def save(*names, torn=(), note=None):
        for second, name in enumerate(names):
            torch.save(dict(a=torch.ones(50)), tmp_path / name)
            if name in torn:
                (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:300])
            os.utime(tmp_path / name, (second, second))
        if note is not None:
            (tmp_path / 'last_checkpoint').write_text(note and str(tmp_path / note))
        return Saved(str(tmp_path), str(tmp_path), 'iter_{}.pth')

    return save


@pytest.mark.parametrize(
    ('names', 'torn', 'note', 'chosen', 'skipped'),
    [
        (['iter_2.pth', 'iter_4.pth'], [], 'iter_4.pth', 'iter_4.pth', []),
        # killed before the note was written, or a person went back
        (['iter_2.pth', 'iter_4.pth'], [], 'iter_2.pth', 'iter_2.pth', []),
        (['iter_2.pth', 'iter_4.pth'], ['iter_4.pth'], 'iter_4.pth', 'iter_2.pth', ['iter_4.pth']),
        # mmengine was killed after it had removed iter_2
        (['iter_4.pth'], [], 'iter_2.pth', 'iter_4.pth', ['iter_2.pth']),
        (['iter_8.pth', 'iter_10.pth'], [], None, 'iter_10.pth', []),
        (['iter_8.pth', 'iter_10.pth'], [], '', 'iter_10.pth', []),
        # the one written last, even if an earlier training came further
        (['iter_90.pth', 'iter_2.pth', 'iter_4.pth'], ['iter_4.pth'], 'iter_4.pth', 'iter_2.pth',
         ['iter_4.pth']),
        (['best_x_iter_2.pth', 'iter_4.pth.7.part', 'iter_x.pth'], [], None, None, []),
        ([], [], None, None, []),
    ],
)  # fmt: skip
def test_the_last_whole_one_is_chosen(names, torn, note, chosen, skipped, folder):
    saved = folder(*names, torn=torn, note=note)
    found = choose_checkpoint(saved)
    assert found.path == (chosen and os.path.join(saved.folder, chosen))
    assert [line.split()[0] for line in found.skipped] == [
        os.path.join(saved.folder, name) for name in skipped
    ]
    assert has_saved(saved) == (chosen is not None)


@pytest.mark.parametrize(
    ('names', 'note'), [(['iter_2.pth', 'iter_4.pth'], 'iter_4.pth'), ([], 'iter_2.pth')]
)
def test_none_is_whole(names, note, folder):
    """A fresh start would take no notice of days of training."""
    saved = folder(*names, torn=names, note=note)
    with pytest.raises(ValueError, match='no checkpoint is whole') as error:
        choose_checkpoint(saved)
    assert all(name in str(error.value) for name in [*names, note, 'load_from=FILE'])
    assert has_saved(saved)
    with pytest.raises(ValueError, match='no checkpoint is whole'):
        demand_resumable(Config(dict(work_dir=saved.work_dir, resume=True, load_from=None)))


def test_not_asked_for_is_not_looked_at(folder):
    saved = folder('iter_2.pth', torn=['iter_2.pth'], note='iter_2.pth')
    demand_resumable(Config(dict(work_dir=saved.work_dir, resume=False)))
    demand_resumable(Config(dict(work_dir=saved.work_dir, resume=True, load_from='a.pth')))


def test_checkpoints_elsewhere_are_believed(folder, tmp_path):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/iter_2.pth')
    assert choose_checkpoint(folder()).path == 's3://bucket/iter_2.pth'


@pytest.mark.parametrize(
    ('hook', 'place'),
    [
        (None, ('w/run', 'epoch_{}.pth')),
        (dict(by_epoch=False), ('w/run', 'iter_{}.pth')),
        (dict(out_dir='o'), ('o/run', 'epoch_{}.pth')),
        (dict(out_dir='w/run', filename_tmpl='{}.pth'), ('w/run/run', '{}.pth')),
    ],
)
def test_where_a_config_saves(hook, place, tmp_path, monkeypatch, mmseg_scope):
    """As mmengine's hook does."""
    monkeypatch.chdir(tmp_path)
    cfg = Config(dict(work_dir='w/run', default_hooks=dict(checkpoint=hook)))
    work_dir, folder, template = saved_by(cfg)
    assert work_dir == os.path.abspath('w/run')
    assert os.path.abspath(folder) == os.path.abspath(place[0])
    stock = CheckpointHook(**(hook or {}))
    runner = SimpleNamespace(work_dir=work_dir, logger=MMLogger.get_current_instance())
    stock.before_train(runner)
    assert (folder, template) == (stock.out_dir, stock.filename_tmpl) == (folder, place[1])


def test_skipped_ones_are_named_in_the_log(folder, log):
    saved = folder('iter_2.pth', 'iter_4.pth', torn=['iter_4.pth'], note='iter_4.pth')
    runner = SimpleNamespace(_resume=True, _load_from=None)
    resume_whole(runner, saved)
    assert runner._load_from == os.path.join(saved.folder, 'iter_2.pth')
    (line,) = (line for line in log if line.endswith(': skipped'))
    assert line.startswith(f'{saved.folder}/iter_4.pth is cut short')


@pytest.mark.parametrize('asked', [dict(_resume=False, _load_from=None),
                                   dict(_resume=True, _load_from='a.pth')])  # fmt: skip
def test_what_a_person_named_stays(asked, folder):
    runner = SimpleNamespace(**asked)
    resume_whole(runner, folder('iter_2.pth', note='iter_2.pth'))
    assert vars(runner) == asked


def test_where_there_is_nothing_the_host_looks_no_further(folder, log):
    runner = SimpleNamespace(_resume=True, _load_from=None)
    for _ in range(2):
        resume_whole(runner, folder())
    assert not runner._resume
    assert len([line for line in log if 'starts anew' in line]) == 1


# ---- the tool -----------------------------------------------------------------------------------


@pytest.mark.parametrize('torn', [[], ['iter_2.pth']])
def test_the_tool_goes_on_from_its_own_rather_than_from_the_configs_start(torn, folder, load_tool):
    """Torn ones are the training's own, too: what to do about them is said later."""
    saved = folder('iter_2.pth', torn=torn)
    hooks = dict(checkpoint=dict(by_epoch=False))
    cfg = Config(dict(work_dir=saved.work_dir, load_from='a.pth', default_hooks=hooks))
    tool = load_tool('train.py')
    tool.resume_own(cfg)
    assert (cfg.resume, cfg.load_from) == (True, None)
    cfg = Config(dict(work_dir=f'{saved.work_dir}/new', load_from='a.pth', default_hooks=hooks))
    tool.resume_own(cfg)
    assert (cfg.resume, cfg.load_from) == (False, 'a.pth')


@pytest.mark.parametrize('kind', ['CheckpointHook', 'mmomni.SafeCheckpointHook'])
def test_the_tool_passes_over_torn_ones_of_any_checkpoint_hook(
    kind, tmp_path, load_tool, mmseg_scope, monkeypatch, capsys
):
    """The stock hook of a config of one's own knows nothing of them."""
    tool = load_tool('train.py')
    for check in ('demand_weights', 'check_batches', 'check_validation'):
        monkeypatch.setattr(training, check, lambda runner: None)
    monkeypatch.setattr(training, 'unread_entries', lambda cfg: [])
    options = dict(checkpoint=dict(type=kind, max_keep_ckpts=-1, save_best=None, rule=None))
    for iters, resume in ((4, False), (6, True)):
        cfg = toy_config(tmp_path, max_iters=iters, resume=resume, **options)
        cfg.experiment_name = f'{tmp_path}-{iters}'
        tool.train(cfg)
        if not resume:
            torn = tmp_path / 'iter_4.pth'
            torn.write_bytes(torn.read_bytes()[:700])
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if f'{torn} is cut short' in line]) == 1
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_6.pth')


def test_the_tool_ends_in_one_line_where_losses_are_no_numbers(load_tool, monkeypatch):
    def train():
        raise DivergedError('the first was loss_b')

    tool = load_tool('train.py')
    runner = SimpleNamespace(model=torch.nn.Identity(), train=train, _resume=False)
    monkeypatch.setattr(tool, 'Runner', SimpleNamespace(from_cfg=lambda cfg: runner))
    for check in ('check_batches', 'check_validation', 'guard_outputs'):
        monkeypatch.setattr(training, check, lambda runner: None)
    with pytest.raises(SystemExit, match=': the first was loss_b'):
        tool.train(Config(dict(work_dir='w')))
