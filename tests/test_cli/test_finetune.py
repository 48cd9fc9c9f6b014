"""``mmomni finetune``: from a folder to published weights that are better, by a tiny network."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmomni.apis.finetuning import Outcome, known, recipe, running
from mmomni.checkpoints import build_model, publish, read_checkpoint
from mmomni.cli import finetune, main
from mmomni.engine.finite import DivergedError
from mmomni.utils.files import file_sha256

ROOT = Path(__file__).resolve().parents[2]
SIDE = 64
TINY = """
_base_ = ['mmomni::finetune/omni-iml_efficientnet-lite2_finetune.py']
model = dict(data_preprocessor=dict(size=(64, 64)))
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(batch_size=4, **loader)
val_dataloader = loader
optim_wrapper = dict(optimizer=dict(lr=0.05))
"""
"""Learns at once that most is tampered, which the start weights call authentic."""


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """10 forgeries, 9 that are known, and published weights that find nothing."""
    place = tmp_path_factory.mktemp('finetune')
    for folder, first, number in (('mine', 0, 10), ('others', 50, 9)):
        for kind in ('images', 'masks'):
            (place / folder / kind).mkdir(parents=True)
        for k in range(number):
            small = np.random.default_rng(first + k).integers(0, 256, (6, 6, 3), dtype=np.uint8)
            image = Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            image.save(place / folder / f'images/{k}.jpg', quality=90)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[: SIDE * 3 // 4] = 255
            Image.fromarray(mask).save(place / folder / f'masks/{k}.png')
    config = Config.fromfile(ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py')
    torch.manual_seed(0)
    model = build_model(config)
    with torch.no_grad():
        model.decode_head.conv_seg.weight.zero_()
        model.decode_head.conv_seg.bias.copy_(torch.tensor([0.02, -0.02]))
    raw = place / 'iter_1.pth'
    torch.save(dict(meta=dict(cfg=config.pretty_text, iter=1), state_dict=model.state_dict()), raw)
    published = publish(raw, place / 'start.safetensors', licence='for a test')
    (place / 'tiny.py').write_text(TINY)
    return place, published


@pytest.fixture
def command(place, monkeypatch):
    """Run the command in miniature."""
    folder, start = place
    monkeypatch.setattr(recipe, 'CONFIG', str(folder / 'tiny.py'))
    monkeypatch.setattr(running, 'PASSES', 1.5)
    monkeypatch.setattr(running, 'CHECKS', 3)
    monkeypatch.setattr(running, 'TRIED_STEPS', 2)
    # What an export gives is tested elsewhere.
    monkeypatch.setattr(finetune, '_write_onnx', lambda path: path.with_suffix('.onnx').touch())

    def command(out, *more):
        mine, others = folder / 'mine', folder / 'others'
        return main(
            ['finetune', str(mine), '--known', str(others), '--out', str(out), '--workers', '1',
             '--checkpoint', str(start), *map(str, more)]
        )  # fmt: skip

    return command


def test_stopped_gone_on_with_and_published(place, command, tmp_path, monkeypatch, capsys):
    out, say = tmp_path / 'out', finetune._say

    def stop(line):
        say(line)
        if line.startswith('iteration 2 of 6'):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(finetune, '_say', stop)
        assert command(out) == 130
    printed = capsys.readouterr()
    assert 'own: 8 forgeries and 0 authentic images to train on, 2 and 0 held out' in printed.out
    assert 'known: 7 forgeries and 0 authentic images to train on, 2 and 0' in printed.out
    assert 'iteration 0 of 6: IoU of your own 0.000 > 0.000' in printed.out
    assert printed.err.splitlines()[-1].startswith('mmomni finetune: stopped; the same command')
    assert list(out.glob('best_*.pth'))

    assert command(out, '--seed', 1) == 1
    assert 'holds results with seed 0, got 1' in capsys.readouterr().err

    assert command(out) == 0
    printed = capsys.readouterr().out
    assert 'iteration 0 of' not in printed  # it went on
    assert 'iteration 6 of 6: IoU of your own 0.000 > ' in printed  # before, not since the stop
    assert 'your own 2 0.000 > 0.75' in ' '.join(printed.split())
    (path,) = out.glob('finetuned-*.safetensors')
    (exported,) = out.glob('*.onnx')
    exported.unlink()  # as if it had been stopped there
    assert f'mmomni predict photo.jpg --checkpoint {path}' in printed
    card = read_checkpoint(path).card
    assert card['licence'] == 'for a test'
    assert card['training']['started_from_sha256'] == file_sha256(place[1])
    assert card['training']['sets'] == ['own/own', 'general/known']
    assert {row['name']: row['images'] for row in card['metrics']} == dict(own=2, known=2)

    assert command(out) == 0  # over: it is told again
    printed = capsys.readouterr().out
    assert 'holds the outcome of this command already' in printed
    assert f'--checkpoint {path}' in printed
    assert exported.is_file()


def test_of_what_forgets_too_much_a_share_is_published(
    command, place, tmp_path, monkeypatch, capsys
):
    """As if each share lost as much: never little enough, so that it is the smallest one."""
    monkeypatch.setattr(Outcome, 'lost', property(lambda outcome: outcome.share))
    out, say = tmp_path / 'out', finetune._say

    def stop(line):
        say(line)
        if line.startswith('75%'):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(finetune, '_say', stop)
        assert command(out) == 130
    capsys.readouterr()
    assert command(out) == 0
    printed = capsys.readouterr().out
    assert 'iteration 1 of' not in printed  # what was tuned is not tuned further
    assert [line[:10] for line in printed.splitlines() if 'of it: IoU' in line] == [
        '75% of it:', '50% of it:'
    ]  # fmt: skip
    assert ', 50% of it): mmomni predict' in printed
    (path,) = out.glob('finetuned-*.safetensors')
    published = read_checkpoint(path)
    tuned = torch.load(next(out.glob('best_*.pth')), weights_only=False)['state_dict']
    start = read_checkpoint(place[1]).state_dict
    name = 'decode_head.conv_seg.bias'
    expected = (tuned[name] + start[name]) / 2
    torch.testing.assert_close(published.state_dict[name], expected)
    assert [part['share'] for part in published.card['training']['averaged']] == [0.5, 0.5]


def test_what_is_no_better_is_not_published(command, place, tmp_path, monkeypatch, capsys):
    rows = {domain: dict(IoU=0.4, tampered=2) for domain in ('own', 'general')}
    monkeypatch.setattr(finetune, '_trained', lambda *_: Outcome(rows, rows, 0, 'best.pth'))
    out = tmp_path / 'out'
    assert command(out) == 0
    printed = capsys.readouterr().out
    assert f'no better, so nothing is published: keep {place[1]}' in printed
    assert not list(out.glob('finetuned*'))
    assert json.loads((out / 'outcome.json').read_text())['published'] == ''


@pytest.mark.parametrize(('now', 'is_told'), [(0.5, False), (0.49, False), (0.4, True)])
def test_what_it_cost_is_told(now, is_told, place, command, tmp_path, monkeypatch, capsys):
    before, after = (
        dict(own=dict(IoU=own), general=dict(IoU=general))
        for own, general in ((0.1, 0.5), (0.3, now))
    )
    monkeypatch.setattr(finetune, '_trained', lambda *_: Outcome(before, after, 6, 'best.pth'))
    monkeypatch.setattr('mmomni.apis.finetuning.publish_best', lambda *_: place[1])
    assert command(tmp_path / 'out') == 0
    printed = capsys.readouterr().out
    assert ('what it knew lost 0.100 of IoU' in printed) is is_told
    better, last = printed.splitlines()[-2:]
    assert better.startswith('better (iteration 6): mmomni predict')
    assert last.endswith('mmomni calibrate finds new ones')


@pytest.mark.parametrize(('now', 'is_told'), [(0.014, False), (0.044, True)])
def test_more_false_alarms_are_told(now, is_told, place, command, tmp_path, monkeypatch, capsys):
    before, after = (
        dict(own=dict(IoU=own, false_area=area), general=dict(IoU=0.5))
        for own, area in ((0.1, 0.013), (0.3, now))
    )
    monkeypatch.setattr(finetune, '_trained', lambda *_: Outcome(before, after, 6, 'best.pth'))
    monkeypatch.setattr('mmomni.apis.finetuning.publish_best', lambda *_: place[1])
    assert command(tmp_path / 'out') == 0
    printed = capsys.readouterr().out
    assert ('3.1 % more of the authentic images held out is called tampered' in printed) is is_told


def test_losses_that_are_no_numbers_are_one_line(command, tmp_path, monkeypatch, capsys):
    def run(*_):
        raise DivergedError('the first was loss_b')

    monkeypatch.setattr('mmomni.apis.finetuning.schedule', lambda *_: running.Plan(6, 2))
    monkeypatch.setattr('mmomni.apis.finetuning.run', run)
    assert command(tmp_path / 'out') == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == 'mmomni finetune: the first was loss_b'


def test_without_known_ones_some_are_made(place, command, tmp_path, monkeypatch, capsys):
    folder, start = place
    monkeypatch.setattr(known, 'DOCUMENTS', (3, 1))
    rows = {domain: dict(IoU=0.4, tampered=2) for domain in ('own', 'general')}
    monkeypatch.setattr(finetune, '_trained', lambda *_: Outcome(rows, rows, 0, 'best.pth'))
    out = tmp_path / 'out'
    assert main(['finetune', str(folder / 'mine'), '--out', str(out), '--checkpoint', str(start),
                 '--workers', '1']) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert 'beside them: 4 rendered documents, forged here; --known with' in printed
    assert 'known: 3 forgeries and 0 authentic images to train on, 1 and 0 held out' in printed
    lines = (out / 'known_train.txt').read_text().splitlines()
    assert len(lines) == 3
    assert all(Path(name).is_file() for line in lines for name in line.split('\t'))


def test_data_with_errors_end_it(place, command, tmp_path, capsys):
    broken = tmp_path / 'broken'
    for kind in ('images', 'masks'):
        (broken / kind).mkdir(parents=True)
    (broken / 'images/a.jpg').write_bytes(b'no image')
    assert command(tmp_path / 'out', '--known', broken) == 2
    printed = capsys.readouterr()
    assert 'image cannot be read' in printed.out.lower()
    assert 'mmomni finetune: the data have errors' in printed.err
    assert not (tmp_path / 'out').exists()


def test_a_folder_of_something_else_is_left_alone(command, tmp_path, capsys):
    (tmp_path / 'letter.txt').write_text('Dear Sir')
    assert command(tmp_path) == 1
    assert 'expected a new or empty folder' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['letter.txt']


def test_what_training_needs_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr('mmomni.utils.needed.missing', lambda *_: ('torch',))
    assert main(['finetune', 'x']) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("pip install 'mmomni[train]'")


@pytest.mark.parametrize('option', ['--minutes', '--seed', '--workers'])
def test_numbers_that_mean_nothing_are_refused(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['finetune', 'x', option, '-1'])
    assert stopped.value.code == 1
    assert option in capsys.readouterr().err
