"""Two processes test together and something fails in one of them: neither waits for ever.

All cases share the same two processes, as each start costs seconds of imports.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from torch import multiprocessing, nn

from mmomni.engine.hooks import (
    AreaPlotHook,
    ExtremesHook,
    GalleryHook,
    SavePredictionsHook,
    ScoreCurvesHook,
)
from mmomni.engine.hooks.results_hook import ResultsHook
from mmomni.evaluation.metrics import ManipulationMetric, SelectionMetric

GUARD = 400
"""Seconds after which processes that wait for ever are ended."""
IMAGES = 6
BAD = 3  # of rank 1
PLOTS = ('ScoreCurvesHook', 'AreaPlotHook', 'ExtremesHook')
HOOKS = (*PLOTS, 'GalleryHook', 'SavePredictionsHook')


class Model(nn.Module):
    """Its answers are its inputs."""

    def test_step(self, data):
        return data


def image(number, folder):
    """The right half is tampered, all of it found; there is a file of it."""
    path = Path(folder, f'{number}.png')
    mask = torch.zeros(1, 8, 8, dtype=torch.uint8)
    mask[..., 4:] = 1
    sample = SegDataSample(
        metainfo=dict(img_path=str(path), domain='natural', dataset_name='set')
    )
    sample.gt_sem_seg = PixelData(data=mask)
    sample.seg_logits = PixelData(data=torch.cat([1.0 - mask, mask.float()]))
    sample.pred_sem_seg = PixelData(data=mask.long())
    return sample


class Report:
    """Writes the scores."""

    def __init__(self, path):
        self.path = path

    def write(self, metrics):
        self.path.write_text(json.dumps(metrics))


class FullDisk(Report):
    def write(self, metrics):
        raise OSError(28, 'No space left on device', str(self.path))


def run_test(runner, hooks, samples, evaluator):
    """In the order of the loop of mmengine's."""
    for hook in hooks:
        hook.before_test(runner)
    for number in range(runner.rank, IMAGES, 2):
        evaluator.process([samples[number]])
        for hook in hooks:
            hook.after_test_iter(runner, number, outputs=[samples[number]])
    metrics = evaluator.evaluate(IMAGES)
    for hook in hooks:
        hook.after_test_epoch(runner, metrics)
    for hook in hooks:
        hook.after_test(runner)


# ---- what fails --------------------------------------------------------------------------------


def nothing(rank, hook, samples):
    """Neither."""


def nan_map(rank, hook, samples):
    samples[BAD].seg_logits.data[:, 0, 0] = torch.nan


def look(rank, hook, samples):
    usual = hook.look

    def fail(sample, index):
        if index == BAD:
            raise MemoryError('look')
        usual(sample, index)

    hook.look = fail


def share(rank, hook, samples):
    def fail():
        raise KeyError('share')

    hook.share = fail if rank == 1 else hook.share


def draw(rank, hook, samples):
    """Fonts, disk, matplotlib."""

    def fail(runner, shares):
        assert json.loads(Path(runner.work_dir, 'results.json').read_text())
        raise OSError(28, 'No space left on device')

    hook.draw = fail


def vanished(rank, hook, samples):
    """The file of an image, between the test and its picture."""
    for number in range(IMAGES):
        Path(samples[number].img_path).unlink(missing_ok=True)


def metric(rank, hook, samples):
    samples[BAD].gt_sem_seg = PixelData(data=torch.zeros(1, 3, 3))


CASES = {
    **{f'{name}-{fault.__name__}': (name, fault) for name in HOOKS for fault in (nan_map, look)},
    **{f'{name}-{fault.__name__}': (name, fault) for name in PLOTS for fault in (share, draw)},
    'ExtremesHook-vanished': ('ExtremesHook', vanished),
    'AreaPlotHook-metric': ('AreaPlotHook', metric),
    'AreaPlotHook-nothing': ('AreaPlotHook', nothing),
}


def build(name, folder):
    kinds = (AreaPlotHook, ExtremesHook, GalleryHook, ScoreCurvesHook)
    if name == 'SavePredictionsHook':
        return SavePredictionsHook(str(folder / 'predictions'))
    return {kind.__name__: kind for kind in kinds}[name]()


def runner_of(rank, folder, samples):
    loader = SimpleNamespace(dataset=samples, collate_fn=lambda batch: batch)
    return SimpleNamespace(
        work_dir=str(folder), rank=rank, world_size=2, test_dataloader=loader, model=Model(),
        test_loop=SimpleNamespace(fp16=False),
    )  # fmt: skip


def run_case(rank, folder, name, fault, report=Report):
    folder.mkdir(exist_ok=True)
    samples = [image(number, folder.parent / 'images') for number in range(IMAGES)]
    hook = build(name, folder)
    fault(rank, hook, samples)
    results = ResultsHook(report(folder / 'results.json'))
    hooks = [results, hook]  # by its priority
    evaluator = Evaluator([ManipulationMetric(), SelectionMetric()])
    run_test(runner_of(rank, folder, samples), hooks, samples, evaluator)
    return dict(complete=hook.is_complete, results=repr(results.error))


def run(rank, folder):
    """One of two processes."""
    os.chdir(folder)
    torch.set_num_threads(1)
    store = f'file://{folder}/store'
    dist.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    logger = MMLogger.get_instance('ranks', log_file=f'{folder}/log.txt')
    found = {}
    for case, (name, fault) in CASES.items():
        if fault is vanished:
            dist.barrier()
        logger.info('case %s', case)
        found[case] = run_case(rank, Path(folder, case), name, fault)
    logger.info('case full')
    found['full'] = run_case(rank, Path(folder, 'full'), 'AreaPlotHook', nothing, FullDisk)
    Path(f'{rank}.json').write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def two(tmp_path_factory):
    """What both say, and the log of the first by case."""
    folder = tmp_path_factory.mktemp('ranks')
    (folder / 'images').mkdir()
    for number in range(IMAGES):
        Image.new('RGB', (8, 8), (40 * number, 90, 90)).save(folder / f'images/{number}.png')
    context = multiprocessing.spawn(run, (str(folder),), nprocs=2, join=False)
    end = time.monotonic() + GUARD
    try:
        while not context.join(timeout=1):
            assert time.monotonic() < end, 'a process waits for ever'
    finally:
        for process in context.processes:
            process.kill()
    _, *parts = (folder / 'log.txt').read_text().split(' - case ')
    logs = {part.split('\n')[0]: part for part in parts}
    return [json.loads((folder / f'{r}.json').read_text()) for r in (0, 1)], logs, folder


def errors_of(logs, case, start):
    return [line for line in logs[case].splitlines() if 'ERROR' in line and start in line]


@pytest.mark.parametrize('case', CASES)
def test_results_are_complete_whatever_fails(case, two):
    _, _, folder = two
    found = json.loads((folder / case / 'results.json').read_text())
    loses_one = case.endswith(('nan_map', 'metric'))
    assert found['per_image/average/tampered'] == IMAGES - loses_one
    assert found['per_image/average/IoU'] == pytest.approx(1)
    assert found.get('selection/average/failed', 0) == loses_one


@pytest.mark.parametrize('case', [case for case in CASES if not case.endswith('nothing')])
def test_what_failed_is_told_once_with_rank_and_reason(case, two):
    said, logs, _ = two
    name, fault = case.split('-')
    lines = errors_of(logs, case, f'{name}: not complete, ')
    assert len(lines) == 1
    assert not said[0][case]['complete']
    expected = {
        'nan_map': f'rank 1, {two[2]}/images/{BAD}.png: UndefinedPredictionError: expected finite',
        'look': f'rank 1, {two[2]}/images/{BAD}.png: MemoryError: look',
        'share': "rank 1, no picture: KeyError: 'share'",
        'draw': 'rank 0, no picture: OSError: [Errno 28] No space left on device',
        'vanished': 'rank 0, no picture of natural_set: ',
        'metric': f'rank 1, {two[2]}/images/{BAD}.png: ',
    }
    assert expected[fault] in lines[0]


def test_nothing_is_told_where_nothing_fails(two):
    said, logs, folder = two
    assert said[0]['AreaPlotHook-nothing'] == dict(complete=True, results='None')
    assert errors_of(logs, 'AreaPlotHook-nothing', '') == []
    assert (folder / 'AreaPlotHook-nothing/iou_by_area.png').is_file()


def test_an_image_that_fails_costs_no_other_its_files(two):
    _, _, folder = two
    for case in ('SavePredictionsHook-look', 'SavePredictionsHook-nan_map'):
        masks = list((folder / case / 'predictions/masks').iterdir())
        assert len(masks) == IMAGES - 1


def test_a_metric_names_rank_and_file(two):
    _, logs, folder = two
    line = f'rank 1, {folder}/images/{BAD}.png: ValueError: '
    assert line in logs['AreaPlotHook-metric']


@pytest.mark.parametrize(
    ('failed', 'complete', 'expected'),
    [
        (2, True, 'test.py: 2 images were not scored; the log says why'),
        (0, False, 'not all was drawn by AreaPlotHook; the log says why'),
        (1, False, '1 images were not scored and not all was drawn by AreaPlotHook; the log'),
    ],
)
def test_the_tool_ends_by_what_is_not_complete(failed, complete, expected, load_tool, monkeypatch):
    tool, hook = load_tool('test.py'), AreaPlotHook()
    monkeypatch.setattr(sys, 'argv', ['test.py'])
    if not complete:
        with hook.noting_failure('no picture'):
            raise ValueError('why')
    runner = SimpleNamespace(hooks=[hook], work_dir='work')
    metrics = {'per_image/average/failed': failed} if failed else {}
    with pytest.raises(SystemExit, match=re.escape(expected)) as ended:
        tool.demand_complete(runner, metrics)
    assert ended.value.code.endswith('work/results.json')


def test_the_tool_ends_well_where_all_is_complete(load_tool):
    runner = SimpleNamespace(hooks=[AreaPlotHook()], work_dir='work')
    load_tool('test.py').demand_complete(runner, {'per_image/average/IoU': 1.0})


def test_results_that_cannot_be_written_wait_for_the_end(two):
    said, _, folder = two
    assert 'No space left' in said[0]['full']['results']
    assert said[1]['full']['results'] == 'None'
    assert (folder / 'full/iou_by_area.png').is_file()
