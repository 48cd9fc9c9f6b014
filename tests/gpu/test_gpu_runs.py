"""``tools/train.py`` on a GPU, as a person runs it: resumed, and by a launcher."""

import json
import math
import signal

import pytest
from test_tools import CONFIG, MAX_ITERS, ROOT, SPIES, Run, load, make_data

pytestmark = pytest.mark.usefixtures('operators')
RESUMED = 0.1
"""How far a resumed run may end from the uninterrupted one, relative to what both learn after the
checkpoint. Other batches, another seed or a lost optimiser are about 1; on a GPU sums of
another order are some per cent, because Adam gives weights without a gradient a full step."""
TIMEOUT = 600
"""Seconds of a run; the first on a GPU loads its libraries and tries their kernels."""
CPU_RANKS = ['env_cfg.dist_cfg.backend=gloo']
GPU_RANKS = ['sync_bn=torch']


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp('gpu')
    make_data(folder / 'work_dirs/demo/data')
    base = ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py'
    (folder / 'tiny.py').write_text(CONFIG.format(base=str(base), max_iters=MAX_ITERS))
    (folder / 'spies.py').write_text(SPIES)
    return folder


def train(place, name, *arguments, launcher=(), **environment):
    tool, work_dir = ROOT / 'tools/train.py', place / 'work_dirs' / name.split('-')[0]
    return Run(
        place, name, *launcher, tool, 'tiny.py', '--work-dir', work_dir, *arguments, **environment
    )


def weights(place, run, iteration=MAX_ITERS):
    """Those that are trained, of a run with averaged ones."""
    saved = load(place / f'work_dirs/{run}/iter_{iteration}.pth')['ema_state_dict']
    return {name: x.float() for name, x in saved.items() if x.is_floating_point()}


def distance(first, second):
    return math.sqrt(sum(float((first[n] - x).square().sum()) for n, x in second.items()))


def losses(place, run):
    (path,) = (place / 'work_dirs' / run).glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line['loss'] for line in lines if 'loss' in line]


def test_resumed_run_ends_as_the_uninterrupted_one(place, device, record_property):
    keep = ['--cfg-options', 'default_hooks.checkpoint.max_keep_ckpts=9']
    killed = train(place, 'resumed-killed', *keep, DIE_AFTER='5')
    whole = train(place, 'whole', *keep)
    killed.wait(-signal.SIGKILL, TIMEOUT)
    whole.wait(timeout=TIMEOUT)
    again = train(place, 'resumed-again', '--resume', *keep).wait(timeout=TIMEOUT)
    assert 'resumed epoch: 0, iter: 4' in again.log
    assert ('  memory: ' in again.log) == (device.type == 'cuda')  # which mmengine logs there
    end = weights(place, 'whole')
    learned = distance(end, weights(place, 'whole', 4))
    share = distance(end, weights(place, 'resumed')) / learned
    record_property('share', share)
    assert learned > 0
    assert share < RESUMED
    assert all(map(math.isfinite, losses(place, 'whole')))


def launched(place, count, device):
    """The config's own backend, norms synchronised, validation gathered on the devices."""
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', count]
    options = GPU_RANKS if device.type == 'cuda' else CPU_RANKS
    name = f'ranks{count}'
    train(
        place, name, '--launcher', 'pytorch', '--cfg-options', 'train_cfg.max_iters=2',
        'train_cfg.val_interval=2', 'val_evaluator.collect_device=gpu', *options,
        launcher=launcher,
    ).wait(timeout=TIMEOUT)  # fmt: skip
    assert len(losses(place, name)) == 2
    assert all(map(math.isfinite, losses(place, name)))
    after = [load(place / f'work_dirs/{name}/after_{rank}.pth') for rank in range(count)]
    assert all(distance(each, after[0]) == 0 for each in after)


def test_launcher_with_one_rank(place, device):
    launched(place, 1, device)


@pytest.mark.usefixtures('two_devices')
def test_launcher_with_two_ranks(place, device):
    launched(place, 2, device)
