"""``tools/train.py`` and ``tools/test.py`` as a person runs them, on a tiny set of forged images.

Every run is a process of its own and starts with some seconds of imports, so all tests here look
at the same few runs, two at a time.
"""

import contextlib
import csv
import json
import os
import pickle
import platform
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from PIL import Image

from mmomni.checkpoints import publish, read_checkpoint
from mmomni.engine import mixed_precision

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = ('natural', 'document', 'face')
MAX_ITERS = 6
TRUNCATED = {'train': 'natural', 'test': 'face'}

CONFIG = """
_base_ = [{base!r}]
custom_imports = dict(imports=['spies'])
train_dataloader = _base_.train_dataloader
train_dataloader['batch_size'] = 3
train_dataloader['dataset']['datasets'] = [
    dict(
        each,
        pipeline=[
            dict(step, crop_size=(64, 64)) if 'crop_size' in step else step
            for step in each['pipeline']
        ],
    )
    for each in train_dataloader['dataset']['datasets']
]
model = dict(data_preprocessor=dict(size=(64, 64)))
train_cfg = dict(max_iters={max_iters}, val_interval=3)
val_dataloader = dict(_base_.test_dataloader, num_workers=0, persistent_workers=False)
val_evaluator = dict(type='mmomni.SelectionMetric')
val_cfg = dict(type='ValLoop')
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(interval=2, save_best='selection/average/AUC', rule='greater'),
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=0.3, gamma=10,
        update_buffers=True,
    ),
    dict(type='SpyHook'),
]
"""

SPIES = '''
"""Die at a given iteration; leave behind what every rank starts from and what it learns."""
import gc
import os
import resource
import signal
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class SpyHook(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == int(os.environ.get('DIE_AFTER', 0)):
            os.kill(os.getpid(), signal.SIGKILL)

    def before_train(self, runner):
        self.save(runner, 'before')

    def after_train(self, runner):
        self.save(runner, 'after')
        self.look_at_memory(runner)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.save(runner, 'tested')

    def after_test(self, runner):
        self.look_at_memory(runner)

    def look_at_memory(self, runner):
        """Pages that the system makes for 64 MiB that were free before, at best; frozen objects."""
        counts = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            torch.empty(2**26, dtype=torch.uint8).fill_(1)  # numpy asks for huge pages
            counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        with open(os.path.join(runner.work_dir, f'memory_{runner.rank}.txt'), 'w') as file:
            file.write(f'{min(counts)} {gc.get_freeze_count()}')

    def save(self, runner, when):
        weights = {
            name.removeprefix('module.'): value.detach()
            for name, value in runner.model.named_parameters()
        }
        torch.save(weights, os.path.join(runner.work_dir, f'{when}_{runner.rank}.pth'))
'''


PAPER = 'configs/omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512'
PRESENT = ('CASIAv1', 'SACP')  # of the paper's sets, and DocTamper-FCD


# ---- the data and the runs -------------------------------------------------------------------


def forge(folder, number, rng):
    """A smooth JPEG with a noisy rectangle, and its mask; the last one of a set is authentic."""
    y, x, _ = np.mgrid[:72, :80, :1] / 11.0
    image = 127 + 60 * np.sin(y * rng.uniform(0.5, 1.5) + [0, 1, 2]) * np.cos(x)
    top, left = rng.integers(0, 40, 2)
    image[top : top + 24, left : left + 32] += rng.normal(0, 40, (24, 32, 3))
    mask = np.zeros((72, 80), dtype=np.uint8)
    mask[top : top + 24, left : left + 32] = 255
    for part in ('images', 'masks'):
        (folder / part).mkdir(parents=True, exist_ok=True)
    pixels = image.clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f'images/{number}.jpg', quality=int(rng.integers(60, 95)))
    Image.fromarray(mask).save(folder / f'masks/{number}.png')


def make_data(root):
    """Three images a domain for training, three for testing; one of each is cut short."""
    rng = np.random.default_rng(0)
    for split in ('train', 'test'):
        for domain in DOMAINS:
            for number in range(3):
                forge(root / split / domain, number, rng)
        (root / split / 'document/masks/2.png').unlink()  # authentic
        broken = root / split / TRUNCATED[split] / 'images/1.jpg'
        broken.write_bytes(broken.read_bytes()[:600])


def make_sets_of_the_paper(root):
    """Two images of each set that is there; NIST16 lacks its list file, the others everything."""
    rng = np.random.default_rng(1)
    for name in (*PRESENT, 'NIST16'):
        for number in range(2):
            forge(root / name, number, rng)
        lines = [f'images/{number}.jpg\tmasks/{number}.png\n' for number in range(2)]
        if name in PRESENT:
            (root / name / 'test.txt').write_text(''.join(lines))
    make_doctamper(root / 'DocTamper')


def make_doctamper(root):
    """The subset FCD: the images of SACP once more, in its published form."""
    lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    folder = root / 'DocTamperV1-FCD'
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 22) as env, env.begin(write=True) as transaction:
        transaction.put(b'num-samples', b'2')
        for number in range(2):
            for key, file in (('image', f'images/{number}.jpg'), ('label', f'masks/{number}.png')):
                data = (root.parent / 'SACP' / file).read_bytes()
                transaction.put(f'{key}-{number:09d}'.encode(), data)
    (root / 'pks').mkdir()
    (root / 'pks/DocTamperV1-FCD_75.pk').write_bytes(pickle.dumps([[80], [75, 90]]))


def paper_config(place, model, suffix=''):
    """A reading of the paper's test as it is published, with a smaller network."""
    cfg = Config.fromfile(ROOT / f'{PAPER}{suffix}.py')
    cfg.model, cfg.sync_bn = model, None  # torch's SyncBN wants GPUs
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.dump(place / f'paper{suffix}.py')


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A working directory with data, a config and the spying hook."""
    folder = tmp_path_factory.mktemp('tools')
    make_data(folder / 'work_dirs/demo/data')
    base = ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py'
    (folder / 'tiny.py').write_text(CONFIG.format(base=str(base), max_iters=MAX_ITERS))
    (folder / 'spies.py').write_text(SPIES)
    return folder


class Run:
    """A tool in a process of its own; the log goes to a file, as orphans may hold a pipe open."""

    def __init__(self, place, name, *command, **environment):
        self.log_file = place / f'{name}.log'
        # Packages may be on the path alone.
        installed = filter(None, [os.environ.get('PYTHONPATH')])
        path = os.pathsep.join([str(ROOT), str(place), *installed])
        env = {**os.environ, 'PYTHONPATH': path, **environment}
        with self.log_file.open('w') as log:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=place, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def wait(self, expected=0, timeout=150):
        try:
            code = self.process.wait(timeout)
        finally:
            self._end_group()
        assert code == expected, self.log
        return self

    def _end_group(self):
        """Loader workers of a killed run, and a run that hangs."""
        if self.process.poll() is None:  # torchrun ends its ranks, which are in groups of their own
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def log(self):
        return self.log_file.read_text()


def train(place, name, *arguments, **environment):
    tool = ROOT / 'tools/train.py'
    work_dir = place / 'work_dirs' / name.split('-')[0]
    return Run(place, name, tool, 'tiny.py', '--work-dir', work_dir, *arguments, **environment)


@pytest.fixture(scope='module')
def runs(place):
    """All processes, two at a time."""
    work_dirs = place / 'work_dirs'
    # The other run validates more often: which must not change what either learns.
    often = ['--cfg-options', 'train_cfg.val_interval=2']
    killed = train(place, 'resumed-killed', *often, DIE_AFTER='5')
    whole = train(place, 'whole')
    killed.wait(expected=-signal.SIGKILL)
    kept = sorted(path.name for path in (work_dirs / 'resumed').glob('iter_*.pth'))
    resumed = train(place, 'resumed-again', '--resume', *often)
    whole.wait()
    checkpoint = work_dirs / f'whole/iter_{MAX_ITERS}.pth'
    test = Run(
        place, 'test', ROOT / 'tools/test.py', 'tiny.py', checkpoint,
        '--work-dir', work_dirs / 'test', '--cfg-options', 'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    )  # fmt: skip
    resumed.wait()
    test.wait()
    return dict(whole=whole, killed=killed, kept=kept, resumed=resumed, test=test)


@pytest.fixture(scope='module')
def two_ranks(place):
    """Two processes on the CPU."""
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2']
    run = Run(
        place, 'ranks', *launcher, ROOT / 'tools/train.py', 'tiny.py', '--launcher', 'pytorch',
        '--work-dir', place / 'work_dirs/ranks', '--cfg-options',
        'env_cfg.dist_cfg.backend=gloo', 'train_cfg.max_iters=2',
    )  # fmt: skip
    return run.wait()


@pytest.fixture(scope='module')
def paper(place):
    """Both readings of the paper's test, native by two processes; and a metric of mmseg's."""
    make_sets_of_the_paper(place / 'data')
    demo = Config.fromfile(ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py').model
    with DefaultScope.overwrite_default_scope('mmseg'):
        weights = MODELS.build(demo).state_dict()
    checkpoint = place / 'untrained.pth'
    torch.save(dict(state_dict=weights), checkpoint)
    for suffix in ('', '_resized-test'):
        paper_config(place, demo, suffix)
    tool = ROOT / 'tools/test.py'
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2']
    native = Run(
        place, 'native', *launcher, tool, 'paper.py', checkpoint, '--launcher', 'pytorch',
        '--cfg-options', 'env_cfg.dist_cfg.backend=gloo',
    ).wait()  # fmt: skip
    resized = Run(place, 'resized', tool, 'paper_resized-test.py', checkpoint)
    (place / 'stock.py').write_text(
        "_base_ = ['tiny.py']\n"
        "test_evaluator = dict(_delete_=True, type='IoUMetric', iou_metrics=['mIoU'])\n"
    )
    stock = Run(place, 'stock', tool, 'stock.py', checkpoint)
    return dict(native=native, resized=resized.wait(), stock=stock.wait())


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


# ---- training --------------------------------------------------------------------------------


def test_training_leaves_a_checkpoint_and_a_tensorboard_log(runs, place):
    folder = place / 'work_dirs/whole'
    assert (folder / f'iter_{MAX_ITERS}.pth').is_file()
    assert (folder / 'last_checkpoint').read_text().endswith(f'iter_{MAX_ITERS}.pth')
    assert list(folder.glob('*/vis_data/events.out.tfevents*'))


def test_every_loss_is_logged_and_finite(runs, place):
    (path,) = (place / 'work_dirs/whole').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = [line for line in lines if 'loss' in line]
    assert [line['step'] for line in steps] == list(range(1, MAX_ITERS + 1))
    losses = [key for key in steps[0] if 'loss' in key]
    assert len(losses) > 5
    assert all(np.isfinite(line[key]) for line in steps for key in losses)


def test_training_changes_every_part(runs, place):
    """Also the heads that only training has."""
    before, after = (load(place / f'work_dirs/whole/{when}_0.pth') for when in ('before', 'after'))
    changed = {name.split('.')[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {'backbone', 'neck', 'decode_head', 'auxiliary_head'}


def test_killed_run_kept_its_checkpoint_before_the_end(runs):
    assert runs['kept'] == ['iter_4.pth']


def test_resumed_run_starts_at_the_checkpoint(runs):
    assert 'resumed epoch: 0, iter: 4' in runs['resumed'].log
    assert f'Iter(train) [5/{MAX_ITERS}]' in runs['resumed'].log
    assert f'Iter(train) [4/{MAX_ITERS}]' not in runs['resumed'].log


def test_equal_batches_of_a_resumed_run_are_no_warning(runs, place):
    saved = load(place / f'work_dirs/whole/iter_{MAX_ITERS}.pth')
    assert saved['meta']['batch'] == dict(batch_size=3, processes=1)
    assert 'resumed at iteration' not in runs['resumed'].log


def test_resumed_run_validates_first_what_its_checkpoint_is_due(runs):
    """It was killed after iteration 5 and knows of no validation since its checkpoint."""
    validation, training = (
        runs['resumed'].log.index(f'Iter({phase}) [{place}]')
        for phase, place in (('val', '9/9'), ('train', f'5/{MAX_ITERS}'))
    )
    assert validation < training


@pytest.mark.parametrize('run', ['whole', 'resumed'])
def test_best_checkpoint_is_kept(run, runs, place):
    (best,) = (place / 'work_dirs' / run).glob('best_*.pth')
    last = load(place / f'work_dirs/{run}/iter_{MAX_ITERS}.pth')
    found = last['message_hub']['runtime_info']
    assert Path(found['best_ckpt']).name == best.name
    assert best.name.startswith('best_selection_average_AUC_iter_')
    assert 0 <= found['best_score'] <= 1


def test_validation_is_drawn_in_tensorboard_and_logged(runs, place):
    (path,) = (place / 'work_dirs/whole').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = [line['step'] for line in lines if 'selection/average/IoU_fixed' in line]
    assert steps == [3, MAX_ITERS]


# ---- averaged weights ------------------------------------------------------------------------


def averaged_and_trained(path):
    """mmengine's EMAHook exchanges the two when it saves."""
    saved = load(path)
    trained = {name.removeprefix('module.'): t for name, t in saved['ema_state_dict'].items()}
    return saved['state_dict'], trained


def test_checkpoint_holds_averaged_weights_as_those_of_the_model(runs, place):
    averaged, trained = averaged_and_trained(place / f'work_dirs/whole/iter_{MAX_ITERS}.pth')
    learned = load(place / 'work_dirs/whole/after_0.pth')
    assert_equal({name: trained[name] for name in learned}, learned)
    assert not torch.equal(averaged['decode_head.conv_seg.weight'],
                           learned['decode_head.conv_seg.weight'])  # fmt: skip
    name = next(name for name in averaged if name.endswith('running_var'))
    assert not torch.equal(averaged[name], trained[name])


def test_averaged_weights_are_tested_and_published(runs, place, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(place)  # whose spies the config of the checkpoint imports
    path = place / f'work_dirs/whole/iter_{MAX_ITERS}.pth'
    averaged, _ = averaged_and_trained(path)
    tested = load(place / 'work_dirs/test/tested_0.pth')
    assert_equal({name: averaged[name] for name in tested}, tested)
    kept = {name: t for name, t in averaged.items() if not name.startswith('auxiliary_head.')}
    assert_equal(read_checkpoint(path, trust=True).state_dict, kept)
    assert_equal(read_checkpoint(publish(path, tmp_path / 'a.pth')).state_dict, kept)


@pytest.mark.parametrize(
    'part', ['state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers']
)
def test_resumed_run_ends_as_the_uninterrupted_one(part, runs, place):
    name = f'iter_{MAX_ITERS}.pth'
    whole, resumed = (load(place / 'work_dirs' / run / name)[part] for run in ('whole', 'resumed'))
    assert_equal(whole, resumed, part)


def test_truncated_training_image_is_named(runs):
    assert 'unreadable: work_dirs/demo/data/train/natural/images/1.jpg' in runs['whole'].log


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='another C library')
@pytest.mark.skipif(torch.cuda.is_available(), reason='memory is kept on a CPU only')
@pytest.mark.parametrize('run', ['whole', 'test'])
def test_freed_memory_is_kept(run, runs, place):
    pages, _ = memory_of(place / 'work_dirs' / run)
    assert pages < 2**26 / resource.getpagesize() / 10


@pytest.mark.parametrize('run', ['whole', 'test'])
def test_garbage_is_not_looked_for_in_what_is_imported(run, runs, place):
    _, frozen = memory_of(place / 'work_dirs' / run)
    assert frozen > 100_000


def memory_of(work_dir):
    """What the spy wrote of it."""
    (file,) = work_dir.rglob('memory_0.txt')
    return map(int, file.read_text().split())


def test_two_processes_learn_the_same_weights(two_ranks, place):
    ranks = [load(place / f'work_dirs/ranks/after_{rank}.pth') for rank in (0, 1)]
    assert_equal(*ranks)


def test_checkpoint_of_two_processes_holds_those_weights(two_ranks, place):
    _, saved = averaged_and_trained(place / 'work_dirs/ranks/iter_2.pth')
    ranks = load(place / 'work_dirs/ranks/after_0.pth')
    assert_equal({name: saved[name] for name in ranks}, ranks)


# ---- testing ---------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def results(runs, place):
    return json.loads((place / 'work_dirs/test/results.json').read_text())['per_image']


def test_results_hold_every_domain_and_the_average(results):
    assert set(results) == {'mIoU', 'datasets', 'domains', 'average'}
    assert results['mIoU'] == results['average']['IoU']
    assert set(results['domains']) == set(DOMAINS)
    scores = {'IoU', 'F1', 'precision', 'recall', 'tampered_area', 'frequency_share'}
    for row in (*results['domains'].values(), results['average']):
        assert set(row) == scores | {'tampered', 'authentic', 'unreadable', 'skipped'}
        assert all(0 <= row[key] <= 1 for key in scores)


def test_results_count_images(results):
    counts = {
        name: (row['tampered'], row['authentic'], row['unreadable'])
        for name, row in results['domains'].items()
    }
    assert counts == {'natural': (3, 0, 0), 'document': (2, 1, 0), 'face': (2, 0, 1)}


def test_tampered_area_is_that_of_the_masks(results):
    share = 24 * 32 / (72 * 80)
    assert results['domains']['natural']['tampered_area'] == pytest.approx(share)
    assert results['domains']['document']['tampered_area'] == pytest.approx(share * 2 / 3)


def test_truncated_test_image_is_named(runs):
    assert '1 unreadable images, not scored' in runs['test'].log
    assert 'test/face/images/1.jpg' in runs['test'].log


def test_gallery_shows_the_readable_images(runs, place):
    with Image.open(place / 'work_dirs/test/gallery.png') as picture:
        assert picture.format == 'PNG'
        assert picture.height == pytest.approx(8 * 2.6 * 80, abs=4)


def test_the_person_is_told_where_the_results_are(runs):
    assert 'work_dirs/test/results.json' in runs['test'].log


# ---- the paper's sets --------------------------------------------------------------------------


READINGS = {'native': ('paper', 'native'), 'resized': ('paper_resized-test', 'resized 512x512')}


@pytest.fixture(params=READINGS)
def reading(request, paper, place):
    """The log of one reading, its folder and what it calls its input."""
    name, test_input = READINGS[request.param]
    return paper[request.param].log, place / 'work_dirs' / name, test_input


def test_table_of_the_paper_scores_each_set_by_its_protocol(reading):
    _, folder, test_input = reading
    content = json.loads((folder / 'results.json').read_text())
    assert content['test_input'] == test_input
    (table,) = content['tables']
    rows = {row['name']: row for row in table['rows']}
    protocols = {'CASIAv1': 'per_image', 'SACP': 'per_image', 'DocTamper-FCD': 'doctamper'}
    domains = {'CASIAv1': 'natural', 'SACP': 'document', 'DocTamper-FCD': 'document'}
    for name, protocol in protocols.items():
        expected = content[protocol]['datasets'][domains[name]][name]
        row = rows[name]
        assert (row['protocol'], row['test_input']) == (protocol, test_input)
        assert row['scores']['IoU'] == expected['IoU']
        assert row['difference']['IoU'] == pytest.approx(expected['IoU'] - row['paper']['IoU'])
        assert row['counts']['tampered'] == 2
    ious = [rows[name]['scores']['IoU'] for name in ('SACP', 'DocTamper-FCD')]
    assert rows['document']['scores']['IoU'] == pytest.approx(sum(ious) / 2)
    assert rows['document']['note'] == 'over 2 of 4 sets'
    assert rows['document']['paper'] == {}


def test_missing_sets_are_named_at_the_start_in_the_table_and_in_the_files(reading):
    log, folder, _ = reading
    content = json.loads((folder / 'results.json').read_text())
    expected = {each['name']: each['expected'] for each in content['missing']}
    assert expected['NIST16'] == 'data/NIST16/test.txt'
    assert expected['DocTamper-SCD'] == 'data/DocTamper/DocTamperV1-SCD/data.mdb'
    assert len(expected) == 7
    start, table, end = log.partition('= average')
    assert table
    for part in (start, end, (folder / 'results.md').read_text()):
        assert '7 of 10 test sets left out' in part
        assert 'natural/NIST16: expected data/NIST16/test.txt' in part
    with (folder / 'results.csv').open(newline='') as file:
        notes = {row['name']: row['note'] for row in csv.DictReader(file)}
    assert [name for name, note in notes.items() if note == 'missing'] == [
        'Coverage', 'CocoGlide', 'NIST16', 'IMD20',
        'DocTamper-TestingSet', 'DocTamper-SCD', 'FaceShifter',
    ]  # fmt: skip


def test_only_one_of_two_processes_prints(paper):
    assert paper['native'].log.count('paper: Omni-IML, test input: native') == 1
    assert paper['native'].log.count('results: ') == 1


def test_gate_is_reported(reading):
    _, folder, _ = reading
    gate = json.loads((folder / 'results.json').read_text())['gate']
    row = gate['datasets']['natural']['CASIAv1']
    assert row['vision_share'] + row['frequency_share'] == 1
    assert row['IoU_best'] >= max(row['IoU_rgb'], row['IoU_fused'])
    assert set(gate['domains']) == {'natural', 'document'}


def test_a_metric_of_mmseg_alone_still_works(paper, place):
    folder = place / 'work_dirs/stock'
    content = json.loads((folder / 'results.json').read_text())
    assert 0 <= content['mIoU'] <= 100
    assert content['tables'] == []
    assert not (folder / 'results.md').exists()


def test_samples_of_the_resized_reading(paper, place, monkeypatch):
    """512 x 512 planes, masks at their size, coefficients of one save in memory."""
    monkeypatch.chdir(place)
    cfg = Config.fromfile('paper_resized-test.py').test_dataloader.dataset
    entries = {each['name']: each for each in cfg.datasets}
    with DefaultScope.overwrite_default_scope('mmseg'):
        photo = DATASETS.build(entries['CASIAv1'])[0]
        tile = DATASETS.build(entries['DocTamper-FCD'])[0]
    for packed, source in ((photo, 'recompressed'), (tile, 'doctamper-official')):
        assert packed['inputs'].shape == (5, 512, 512)
        sample = packed['data_samples']
        assert sample.gt_sem_seg.shape == sample.ori_shape == (72, 80)
        assert sample.dct_source == source
    table = photo['inputs'][4, :8, :8]
    assert (table == 1).all(), 'quality 100'
    with Image.open(place / 'data/CASIAv1/images/0.jpg') as file:
        pixels = np.asarray(file.resize((512, 512), Image.Resampling.BILINEAR)).astype(int)
    difference = np.abs(pixels - photo['inputs'][:3].permute(1, 2, 0).numpy())
    assert np.median(difference) <= 1


# ---- arguments -------------------------------------------------------------------------------


@pytest.fixture
def merged(place, monkeypatch, load_tool):
    """The config as ``tools/<tool>.py`` makes it of its arguments."""

    def merge(tool, *arguments, extra=''):
        monkeypatch.setenv('LOCAL_RANK', '0')
        monkeypatch.syspath_prepend(str(place))
        module = load_tool(f'{tool}.py')
        config = place / 'other.py'
        config.write_text(f"_base_ = ['tiny.py']\n{extra}\n")
        monkeypatch.setattr(sys, 'argv', [f'{tool}.py', str(config), *arguments])
        args = module.parse_args()
        return module.merge_args(Config.fromfile(args.config, import_custom_modules=False), args)

    return merge


@pytest.mark.parametrize(('extra', 'expected'), [('resume = True', True), ('', False)])
def test_resume_of_the_config_is_kept(extra, expected, merged):
    assert merged('train', extra=extra).resume is expected


def test_resume_of_the_command_line(merged):
    assert merged('train', '--resume').resume is True


START = "load_from = 'long/iter_40000.pth'"


@pytest.mark.parametrize(
    ('saved', 'extra', 'options', 'resume', 'load_from'),
    [
        (False, START, [], False, 'long/iter_40000.pth'),  # killed before its first checkpoint
        (True, START, [], True, None),
        (True, START, ['load_from=b.pth'], True, 'b.pth'),
        (True, '', [], True, None),
    ],
)
def test_what_was_interrupted_goes_on_where_it_was(
    saved, extra, options, resume, load_from, merged, tmp_path
):
    """Not where the training that it started from had ended."""
    if saved:
        (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_250.pth'))
    arguments = ['--cfg-options', *options] if options else []
    cfg = merged('train', '--resume', '--work-dir', str(tmp_path), *arguments, extra=extra)
    assert (cfg.resume, cfg.get('load_from')) == (resume, load_from)


CHECKPOINT = 'https://example.org/some.pth'
TOOLS = {'train': [], 'test': [CHECKPOINT]}


@pytest.mark.parametrize('tool', TOOLS)
def test_work_dir_of_the_command_line_beats_the_configs(tool, merged):
    arguments = [*TOOLS[tool], '--work-dir', 'there']
    assert merged(tool, *arguments, extra="work_dir = 'here'").work_dir == 'there'


@pytest.mark.parametrize('tool', TOOLS)
def test_work_dir_of_the_config_beats_the_default(tool, merged):
    assert merged(tool, *TOOLS[tool], extra="work_dir = 'here'").work_dir == 'here'


@pytest.mark.parametrize('tool', TOOLS)
def test_default_work_dir_is_named_after_the_config(tool, merged):
    assert merged(tool, *TOOLS[tool]).work_dir == os.path.join('work_dirs', 'other')


@pytest.mark.parametrize('tool', TOOLS)
def test_options_override_the_config(tool, merged):
    options = ['train_dataloader.batch_size=7', 'randomness.seed=9']
    cfg = merged(tool, *TOOLS[tool], '--cfg-options', *options)
    assert (cfg.train_dataloader.batch_size, cfg.randomness.seed) == (7, 9)
    assert cfg.train_dataloader.num_workers == 1


def test_checkpoint_is_loaded_by_the_test(merged):
    assert merged('test', CHECKPOINT).load_from == CHECKPOINT


def test_missing_checkpoint_is_refused_before_anything_is_built(merged, capsys):
    with pytest.raises(SystemExit):
        merged('test', 'nosuch.pth')
    assert 'expected a file, found none: nosuch.pth' in capsys.readouterr().err


@pytest.mark.parametrize('extra', ['', "optim_wrapper = dict(type='AmpOptimWrapper')"])
def test_amp(extra, merged, monkeypatch):
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: 'cuda')
    wrapper = merged('train', '--amp', extra=extra).optim_wrapper
    assert (wrapper.type, wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')
    assert wrapper.optimizer.type == 'AdamW'


def test_amp_keeps_a_loss_scale_of_the_config(merged, monkeypatch):
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: 'cuda')
    extra = 'optim_wrapper = dict(loss_scale=512.0)'
    assert merged('train', '--amp', extra=extra).optim_wrapper.loss_scale == 512.0


def test_launcher(merged):
    assert merged('train', '--launcher', 'slurm').launcher == 'slurm'
    assert merged('train').launcher == 'none'


def test_the_demo_takes_no_arguments_and_says_so(load_tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['demo.py', '--num', '3'])
    with pytest.raises(SystemExit):
        load_tool('demo.py').main()
    assert 'unrecognized arguments: --num 3' in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
