"""Runs that are killed, also while they save, and resumed: they end as one that was not."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_runs import MAX_ITERS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACES = {
    'while it writes': dict(at='byte', byte=3000, save=4),
    'before it renames': dict(at='replace', target='iter_4.pth', when='before'),
    'before the note': dict(at='replace', target='last_checkpoint', when='before', count=3),
    'before it removes': dict(at='remove', target='iter_2.pth', when='before'),
    'before it validates': dict(at='replace', target='last_checkpoint', when='after', count=5),
}
"""Within the save of the second checkpoint, of which one is kept, and behind that of the last."""


def run_all(folder, plans):
    """All plans by one process that forks, and how each of their trainings ended."""
    (folder / 'plans.json').write_text(json.dumps(plans))
    path = os.pathsep.join([str(ROOT), str(HERE), str(HERE.parent), str(folder)])
    done = subprocess.run(
        [sys.executable, HERE / 'killed_runs.py', folder / 'plans.json'],
        cwd=folder, capture_output=True, text=True, timeout=9000, check=False,
        env={**os.environ, 'PYTHONPATH': path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["/')]
    return {Path(name).name: codes for name, codes in answers}


def load(path):
    return torch.load(path, map_location='cpu', weights_only=False)


def assert_equal(first, second, path=''):
    """Bit for bit, however nested."""
    assert type(first) is type(second), path
    if isinstance(first, dict):
        assert list(first) == list(second), path
        for key in first:
            assert_equal(first[key], second[key], f'{path}/{key}')
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), path
        for number, pair in enumerate(zip(first, second, strict=True)):
            assert_equal(*pair, f'{path}/{number}')
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    else:
        assert first == second, path


def checkpoints(folder):
    return sorted(path.name for path in folder.iterdir() if '.p' in path.name and
                  not path.name.endswith('.py') and 'after_' not in path.name
                  and 'before_' not in path.name)  # fmt: skip


def losses_by_step(folder):
    """Every loss that was logged for a step, by whichever process."""
    found = {}
    for path in folder.glob('*/vis_data/scalars.json'):
        for text in path.read_text().splitlines(keepends=True):
            if text.endswith('\n') and 'loss' in (line := json.loads(text)):
                losses = {key: value for key, value in line.items() if 'loss' in key}
                found.setdefault(line['step'], []).append(losses)
    return found


def assert_ends_alike(whole, other, max_iters):
    """Files, weights, averages, optimiser, schedule, best score and the log of the losses."""
    assert checkpoints(other) == checkpoints(whole)
    last = f'iter_{max_iters}.pth'
    assert (other / 'last_checkpoint').read_text() == str(other / last)
    for name in checkpoints(whole):
        expected, found = load(whole / name), load(other / name)
        for part in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
            assert (part in expected) == (part in found)
            assert_equal(expected.get(part), found.get(part), f'{name}/{part}')
        hubs = [each['message_hub']['runtime_info'] for each in (expected, found)]
        for key in ('best_score', 'keep_ckpt_ids', 'replaced_checkpoints'):
            assert hubs[0].get(key) == hubs[1].get(key), key
    expected, found = losses_by_step(whole), losses_by_step(other)
    assert list(expected) == list(range(1, max_iters + 1)) == sorted(found)
    for step, logged in found.items():
        assert all(losses == expected[step][0] for losses in logged), step


@pytest.fixture(scope='module')
def toys(tmp_path_factory):
    folder = tmp_path_factory.mktemp('toys')
    plans = [dict(folder=str(folder / 'whole'), kill=None)]
    plans += [dict(folder=str(folder / name), kill=kill) for name, kill in PLACES.items()]
    return folder, run_all(folder, plans)


@pytest.mark.parametrize('place', PLACES)
def test_killed_and_resumed_it_ends_as_an_uninterrupted_run(place, toys):
    folder, codes = toys
    log = (folder / f'{place}.log').read_text()
    assert codes['whole'] == [0], (folder / 'whole.log').read_text()
    assert codes[place][0] < 0
    assert codes[place][1] == 0, log
    left = json.loads((folder / f'{place}.left.json').read_text())
    assert any(name.startswith('iter_') and name.endswith('.pth') for name in left)
    is_unfinished = any(name.endswith('.part') for name in left)
    assert is_unfinished == (place in ('while it writes', 'before it renames', 'before the note'))
    assert_ends_alike(folder / 'whole', folder / place, MAX_ITERS)


# ---- 20 of 20 -----------------------------------------------------------------------------------

INSIDE = [
    dict(at='byte', byte=0, save=1),
    dict(at='byte', byte=1, save=3),
    dict(at='byte', byte=3000, save=4),
    dict(at='byte', byte=8000, save=6),
    dict(at='replace', target='iter_2.pth', when='before'),
    dict(at='replace', target='iter_3.pth', when='after', count=2),
    dict(at='replace', target='last_checkpoint', when='after', count=2),
    dict(at='replace', target='last_checkpoint', when='before', count=4),
    dict(at='remove', target='iter_4.pth', when='before'),
    dict(at='remove', target='iter_1.pth', when='after'),
]
"""Of every iteration a checkpoint is saved; of the third the best one, and itself once more."""


def plans_of(kind, folder):
    """How to train: a toy, or the whole method on tiny images by ``tools/train.py``."""
    if kind == 'toy':
        return dict(changes=dict(checkpoint=dict(interval=1), val_interval=3))
    from test_tools import CONFIG, SPIES, make_data

    make_data(folder / 'work_dirs/demo/data')
    base = ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py'
    config = CONFIG.format(base=str(base), max_iters=MAX_ITERS)
    (folder / 'tiny.py').write_text(config.replace('interval=2,', 'interval=1,'))
    (folder / 'spies.py').write_text(SPIES)
    return dict(tool=str(ROOT / 'tools/train.py'), arguments=[str(folder / 'tiny.py')])


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['toy', 'whole method'])
def test_twenty_of_twenty(kind, tmp_path):
    """Killed at 10 places of a save, and at 10 moments drawn at random."""
    rng = random.Random(0)
    moments = [dict(at='time', fraction=rng.uniform(0.1, 0.95)) for _ in range(10)]
    kills = {'whole': None} | {f'run{n}': kill for n, kill in enumerate([*INSIDE, *moments])}
    training = plans_of(kind, tmp_path)
    codes = run_all(
        tmp_path,
        [dict(training, folder=str(tmp_path / name), kill=kill) for name, kill in kills.items()],
    )
    assert codes.pop('whole') == [0], (tmp_path / 'whole.log').read_text()
    assert len(codes) == 20
    for name, (killed, resumed) in codes.items():
        log = (tmp_path / f'{name}.log').read_text()
        assert killed < 0, (name, kills[name], log)
        assert resumed == 0, (name, kills[name], log)
        assert_ends_alike(tmp_path / 'whole', tmp_path / name, MAX_ITERS)
