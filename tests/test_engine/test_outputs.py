"""A log, curves or pictures that cannot be written end no training, and are said once."""

import logging
import os
import time
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger, print_log
from mmengine.structures import PixelData
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend, Visualizer
from mmseg.structures import SegDataSample
from PIL import Image

from mmomni.engine.hooks import VisualizationHook
from mmomni.engine.outputs import guard_outputs, keep_traceback

FULL = '/dev/full'
pytestmark = pytest.mark.skipif(not os.path.exists(FULL), reason='needs a device that is full')


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A guarded runner with one backend, as much of it as is written by."""
    names = []
    monkeypatch.setattr('threading.excepthook', __import__('threading').excepthook)

    def make(*backends, log_file=None):
        name = f'outputs_{len(names)}_{tmp_path.name}'
        names.append(name)
        logger = MMLogger.get_instance(name, logger_name=name, log_file=log_file)
        visualizer = Visualizer(vis_backends=list(backends), save_dir=str(tmp_path))
        runner = SimpleNamespace(visualizer=visualizer, logger=logger)
        guard_outputs(runner)
        return runner

    yield make
    for name in names:
        MMLogger._instance_dict.pop(name)


def said_of(output, what):
    return [line for line in output.splitlines() if 'cannot be written any more' in line
            and what in line]  # fmt: skip


def test_curves_in_a_file(run, tmp_path, capfd):
    backend = LocalVisBackend(str(tmp_path))
    backend.add_scalar('loss', 1.0)
    runner = run(backend)
    backend._scalar_save_file = FULL
    for step in range(3):
        runner.visualizer.add_scalars(dict(loss=1.0), step=step)
    out, _ = capfd.readouterr()
    (line,) = said_of(out, 'LocalVisBackend')
    assert 'OSError: [Errno 28] No space left on device' in line


def test_what_the_disk_takes_later_is_written(run, tmp_path):
    backend = LocalVisBackend(str(tmp_path))
    backend.add_scalar('loss', 1.0)
    runner, usual = run(backend), backend._scalar_save_file
    for step, file in enumerate((FULL, usual)):
        backend._scalar_save_file = file
        runner.visualizer.add_scalars(dict(loss=1.0), step=step)
    assert len((tmp_path / 'scalars.json').read_text().splitlines()) == 2


@pytest.mark.parametrize('pictures', [True, False])
def test_pictures_of_a_test_are_missed_by_the_hook_that_draws_them(pictures, tmp_path, log):
    backend = LocalVisBackend(str(tmp_path))
    backend._img_save_dir = f'{FULL}/none'
    visualizer = Visualizer(vis_backends=[backend])
    model, loader = torch.nn.Identity(), SimpleNamespace(dataset=[0])
    runner = SimpleNamespace(
        visualizer=visualizer, logger=logging.getLogger(), rank=0, world_size=1, model=model,
        test_dataloader=loader,
    )  # fmt: skip
    guard_outputs(runner, pictures=pictures)
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    sample = SegDataSample(metainfo=dict(img_path=str(tmp_path / 'a.png')))
    sample.pred_sem_seg = PixelData(data=torch.zeros(1, 8, 8))
    hook = VisualizationHook(draw=True)
    hook.before_test(runner)
    hook.after_test_iter(runner, 0, outputs=[sample])
    hook.after_test(runner)
    assert hook.is_complete == pictures  # of a training, whose end they are not
    assert len(said_of('\n'.join(log), 'LocalVisBackend')) == pictures


def test_the_thread_of_tensorboard(run, tmp_path, capfd):
    pytest.importorskip('tensorboard', reason='needs `pip install tensorboard`')
    backend = TensorboardVisBackend(str(tmp_path))
    runner = run(backend)
    runner.visualizer.add_scalars(dict(loss=1.0), step=0)
    thread = backend.experiment.file_writer.event_writer._async_writer._worker

    def write(data):
        raise OSError(28, 'No space left on device')

    thread._record_writer.write = write
    end = time.monotonic() + 60
    while thread.is_alive() and time.monotonic() < end:
        runner.visualizer.add_scalars(dict(loss=1.0), step=1)
    runner.visualizer.add_scalars(dict(loss=1.0), step=2)
    runner.visualizer.close()
    out, errors = capfd.readouterr()
    assert len(said_of(out, 'TensorboardVisBackend')) == 1
    assert 'Traceback' not in errors


def test_the_log_itself(run, capfd):
    run(log_file=FULL)
    for number in range(3):
        print_log(f'line {number}', logger='current')
    out, errors = capfd.readouterr()
    assert len(said_of(out, FULL)) == 1
    assert [f'line {number}' in out for number in range(3)] == [True] * 3
    assert 'Traceback' not in errors
    assert keep_traceback('lost') == ''


def test_tracebacks_of_ranks_without_a_log_have_a_file_of_their_own(run, tmp_path, monkeypatch):
    logger = run(log_file=str(tmp_path / 'run.log')).logger
    for handler in list(logger.handlers):
        if isinstance(handler, logging.FileHandler):
            logger.handlers.remove(handler)
    monkeypatch.setattr('mmomni.engine.outputs.get_rank', lambda: 3)
    path = keep_traceback('why')
    assert path == str(tmp_path / 'run_rank3.log')
    assert (tmp_path / 'run_rank3.log').read_text() == 'why\n'
