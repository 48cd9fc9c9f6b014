"""Which checkpoint is resumed, where some are torn."""

import os
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

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
        (dict(out_dir='w/run', filename_tmpl='{}.pth'), ('w/run', '{}.pth')),
    ],
)
def test_where_a_config_saves(hook, place):
    cfg = Config(dict(work_dir='w/run', default_hooks=dict(checkpoint=hook)))
    assert saved_by(cfg) == ('w/run', *place)


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


def test_the_tool_ends_in_one_line_where_losses_are_no_numbers(load_tool, monkeypatch):
    def train():
        raise DivergedError('the first was loss_b')

    tool = load_tool('train.py')
    runner = SimpleNamespace(model=torch.nn.Identity(), train=train)
    monkeypatch.setattr(tool, 'Runner', SimpleNamespace(from_cfg=lambda cfg: runner))
    for check in ('check_batches', 'check_validation', 'guard_outputs'):
        monkeypatch.setattr(tool, check, lambda runner: None)
    with pytest.raises(SystemExit, match=': the first was loss_b'):
        tool.train(Config())
