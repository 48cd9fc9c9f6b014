"""``tools/analysis_tools/robustness.py`` as a person runs it, and the grids behind it."""

import copy
import csv
import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from PIL import Image

from mmomni.engine.hooks import ModalGateHook, ScoreCurvesHook
from mmomni.evaluation.robustness import (
    GRIDS,
    Point,
    fingerprint,
    grid_points,
    perturbed,
    read_results,
    score_lines,
    write_result,
)

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py'
PAPER = ROOT / 'configs/_base_/datasets/omni-iml.py'
SIZE = (40, 56)

CONFIG = """
_base_ = [{base!r}]
domains = ['natural', 'document']
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain, data_root={root!r} + domain,
                pipeline=_base_.test_pipeline, test_mode=True,
            )
            for domain in domains
        ],
    ),
)
"""

# ---- grids -----------------------------------------------------------------------------------


def types(dataset):
    return [step['type'] for step in dataset['pipeline']]


@pytest.fixture(scope='module')
def paper():
    return Config.fromfile(PAPER)


@pytest.fixture
def demo():
    return Config.fromfile(DEMO)


def test_grids_of_the_field(paper):
    points = grid_points(paper, None)
    expected = {('jpeg', q) for q in (50, 60, 70, 80, 90, 100)}
    expected |= {(kind, x) for kind in ('blur', 'noise') for x in (3, 7, 11, 15, 19, 23)}
    expected |= {('resize', x) for x in (0.5, 0.75, 1.25)}
    expected |= {('shared', x) for x in (60, 70, 80, 90)}
    expected |= {('doctamper', q) for q in (75, 80, 85, 90)} | {('original', None)}
    assert set(points) == expected
    assert len(points) == len(expected)


def test_sets_of_doctamper_have_their_own_grid(demo):
    assert 'doctamper' not in {point.kind for point in grid_points(demo, None)}
    with pytest.raises(ValueError, match='noise, resize, shared, not doctamper'):
        grid_points(demo, ['jpeg', 'doctamper'])


def test_perturbation_comes_right_after_loading(demo):
    before = demo.test_dataloader.to_dict()
    loader = perturbed(demo.test_dataloader, Point('blur', 7))
    assert len(loader['dataset']['datasets']) == 3
    for dataset in loader['dataset']['datasets']:
        assert types(dataset)[:4] == [
            'mmomni.LoadOriginalImage', 'mmomni.LoadManipulationMask', 'mmomni.Perturb',
            'mmomni.ExtractDCT',
        ]  # fmt: skip
        assert dataset['pipeline'][2] == dict(type='mmomni.Perturb', kind='blur', value=7)
    assert demo.test_dataloader.to_dict() == before


def test_original_images_are_not_perturbed(demo):
    for dataset in perturbed(demo.test_dataloader, Point('original', None))['dataset']['datasets']:
        assert 'mmomni.Perturb' not in types(dataset)


def test_sets_of_doctamper_are_left_out_of_other_grids(paper):
    names = [
        dataset['name']
        for dataset in perturbed(paper.test_dataloader, Point('jpeg', 50))['dataset']['datasets']
    ]
    assert len(names) == 7
    assert not any('DocTamper' in name for name in names)


def resized_config(demo):
    """Images are resized before their masks are loaded."""
    cfg = demo
    load_image, load_mask, *rest = cfg.test_pipeline
    pipeline = [load_image, dict(type='Resize', scale=(64, 64)), load_mask, *rest]
    for dataset in cfg.test_dataloader.dataset.datasets:
        dataset.pipeline = pipeline
    return cfg


def test_images_are_perturbed_before_the_config_resizes_them(demo):
    loader = perturbed(resized_config(demo).test_dataloader, Point('noise', 3))
    assert types(loader['dataset']['datasets'][0])[:3] == [
        'mmomni.LoadOriginalImage', 'mmomni.Perturb', 'Resize'
    ]  # fmt: skip


def test_no_resizing_where_the_mask_is_loaded_later(demo):
    cfg = resized_config(demo)
    assert not {'resize', 'shared'} & {point.kind for point in grid_points(cfg, None)}
    with pytest.raises(ValueError, match=r'not resize, shared: .*right after'):
        grid_points(cfg, ['resize', 'shared'])


def test_pipelines_that_load_otherwise_are_refused(demo):
    cfg = demo
    cfg.test_dataloader.dataset.datasets[0].pipeline = [dict(type='LoadImageFromFile')]
    with pytest.raises(ValueError, match=r'demo/data/test/natural: expected mmomni\.LoadOriginal'):
        grid_points(cfg, None)


def test_a_single_set_needs_no_concatenation(demo):
    dataset = demo.test_dataloader.dataset.datasets[0]
    cfg = Config(dict(test_dataloader=dict(dataset=dataset)))
    assert len(grid_points(cfg, ['resize'])) == 4
    assert 'mmomni.Perturb' in types(perturbed(cfg.test_dataloader, Point('jpeg', 50))['dataset'])


@pytest.fixture
def doctamper(tmp_path):
    def make(factors):
        pipeline = [
            dict(type='mmomni.LoadOriginalImage'),
            dict(type='mmomni.DocTamperJPEG', schedule='official', factors=factors),
        ]
        return dict(dataset=dict(name='FCD', pipeline=pipeline))

    return make


def test_doctamper_takes_the_factors_of_its_lowest_quality(doctamper, tmp_path):
    (tmp_path / 'FCD_80.pk').write_bytes(b'')
    loader = perturbed(doctamper(str(tmp_path / 'FCD_75.pk')), Point('doctamper', 80))
    assert loader['dataset']['pipeline'][1]['factors'] == str(tmp_path / 'FCD_80.pk')


def test_missing_factors_are_named(doctamper, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'FCD: .*FCD_85\.pk'):
        perturbed(doctamper(str(tmp_path / 'FCD_75.pk')), Point('doctamper', 85))


@pytest.mark.parametrize('factors', [None, 'other.pk'])
def test_factors_that_are_not_recorded_by_lowest_quality(factors, doctamper):
    with pytest.raises(ValueError, match=f'FCD: expected recorded quality factors, .*{factors}'):
        perturbed(doctamper(factors), Point('doctamper', 80))


# ---- results ---------------------------------------------------------------------------------


def test_results_come_back(tmp_path):
    inputs = dict(config='a', checkpoint='b')
    write_result(tmp_path, Point('blur', 3), {'x/average/IoU': 0.5, 'y': math.nan}, inputs)
    write_result(tmp_path, Point('original', None), {'y': 1.0}, inputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['blur_3.json', 'original.json']
    assert read_results(tmp_path, inputs) == {
        Point('blur', 3): {'x/average/IoU': 0.5, 'y': None},
        Point('original', None): {'y': 1.0},
    }


def test_two_processes_may_finish_one_test_at_once(tmp_path, monkeypatch):
    point, replace = Point('blur', 3), os.replace

    def replace_after_the_other(*paths):
        monkeypatch.setattr(os, 'replace', replace)
        monkeypatch.setattr(os, 'getpid', lambda: -1)
        write_result(tmp_path, point, {'y': 2.0}, {})
        replace(*paths)

    monkeypatch.setattr(os, 'replace', replace_after_the_other)
    write_result(tmp_path, point, {'y': 1.0}, {})
    assert [path.name for path in tmp_path.iterdir()] == ['blur_3.json']
    assert read_results(tmp_path, {}) == {point: {'y': 1.0}}


@pytest.mark.parametrize('changed', ['config', 'checkpoint'])
def test_results_of_other_inputs_are_refused(changed, tmp_path):
    inputs = dict(config='a', checkpoint='b')
    write_result(tmp_path, Point('blur', 3), {}, inputs)
    with pytest.raises(ValueError, match=f'blur_3.json is of another {changed}; delete'):
        read_results(tmp_path, inputs | {changed: 'c'})


def test_fingerprint_knows_what_changes_results(demo, tmp_path):
    checkpoint = tmp_path / 'a.pth'
    checkpoint.write_bytes(b'weights')
    first = fingerprint(demo, checkpoint)
    cfg = copy.deepcopy(demo)
    cfg.merge_from_dict({'test_dataloader.num_workers': 7, 'train_cfg.max_iters': 1})
    assert fingerprint(cfg, checkpoint) == first
    cfg.merge_from_dict({'test_dataloader.dataset.datasets.0.data_root': 'other'})
    assert fingerprint(cfg, checkpoint)['config'] != first['config']
    checkpoint.write_bytes(b'other')
    assert fingerprint(demo, checkpoint)['checkpoint'] != first['checkpoint']


def test_scores_are_told_apart():
    metrics = {
        'per_image/datasets/face/a/b/IoU': 0.1,
        'per_image/domains/face/F1': 0.2,
        'per_image/average/IoU': None,
        'per_image/average/tampered': 3,
        'image_level/max/average/F1': 0.4,
        'gate/average/IoU_rgb': 0.5,
    }
    found = {tuple(line): (score, value) for line, score, value in score_lines(metrics)}
    assert found.pop(('per_image', 'average', 'average'))[0] == 'IoU'
    assert found == {
        ('per_image', 'face', 'a/b'): ('IoU', 0.1),
        ('per_image', 'face', 'average'): ('F1', 0.2),
        ('image_level/max', 'average', 'average'): ('F1', 0.4),
    }


# ---- the tool --------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """Two images of two domains, a config, random weights."""
    folder = tmp_path_factory.mktemp('robustness')
    rng = np.random.default_rng(0)
    for domain in ('natural', 'document'):
        for part in ('images', 'masks'):
            (folder / 'data' / domain / part).mkdir(parents=True)
        for number in range(2):
            pixels = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            mask = np.zeros(SIZE, np.uint8)
            mask[8:24, 16:40] = 255
            Image.fromarray(pixels).save(folder / f'data/{domain}/images/{number}.jpg')
            Image.fromarray(mask).save(folder / f'data/{domain}/masks/{number}.png')
    (folder / 'tiny.py').write_text(CONFIG.format(base=str(DEMO), root=f'{folder}/data/'))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(folder / 'tiny.py').model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'random.pth')
    return folder


@pytest.fixture(scope='module')
def tool(place, load_tool):
    """``main`` of the tool with arguments, in this process."""
    module = load_tool('analysis_tools/robustness.py')

    def run(*arguments, config='tiny.py'):
        with pytest.MonkeyPatch.context() as patch, DefaultScope.overwrite_default_scope('mmseg'):
            command = ['robustness.py', place / config, place / 'random.pth', *arguments]
            patch.setattr(sys, 'argv', list(map(str, command)))
            patch.chdir(place)
            module.main()

    run.module = module
    return run


@pytest.fixture(scope='module')
def first_run(tool, place):
    tool('--grids', 'resize', '--work-dir', place / 'out')
    return place / 'out'


def test_every_point_has_its_file(first_run):
    names = {path.name for path in (first_run / 'points').iterdir()}
    assert names == {'resize_0.5.json', 'resize_0.75.json', 'original.json', 'resize_1.25.json'}


def test_table_has_all_points_of_the_grid(first_run):
    with (first_run / 'robustness.csv').open() as file:
        rows = list(csv.DictReader(file))
    lines = [('natural', 'natural'), ('document', 'document'), ('natural', 'average')]
    lines += [('document', 'average'), ('average', 'average')]
    assert [(row['value'], row['domain'], row['dataset']) for row in rows] == [
        (value, *line) for value in ('0.5', '0.75', '1', '1.25') for line in lines
    ]
    assert {row['perturbation'] for row in rows} == {'resize'}
    assert {row['protocol'] for row in rows} == {'per_image'}
    stored = json.loads((first_run / 'points/resize_0.5.json').read_text())['metrics']
    assert float(rows[0]['IoU']) == pytest.approx(
        stored['per_image/datasets/natural/natural/IoU'], abs=1e-6
    )


def test_pictures_of_the_config_are_not_drawn(first_run):
    assert not list(first_run.rglob('gallery.png'))


def test_picture_has_two_rows(first_run):
    with Image.open(first_run / 'robustness_per_image.png') as picture:
        assert picture.format == 'PNG'
        assert picture.height > picture.width


def test_second_run_computes_nothing_and_draws_again(first_run, tool, capsys, monkeypatch):
    monkeypatch.setattr(tool.module, 'run_tests', lambda *_: pytest.fail('computed again'))
    (first_run / 'robustness.csv').unlink()
    tool('--grids', 'resize', '--work-dir', first_run)
    assert '4 tests, 4 of them finished before' in capsys.readouterr().out
    assert (first_run / 'robustness.csv').is_file()


def test_only_what_is_missing_is_computed_and_equals_the_first(
    first_run, tool, capsys, monkeypatch
):
    path = first_run / 'points/resize_0.75.json'
    before = json.loads(path.read_text())
    path.unlink()
    asked = []
    compute = tool.module.run_tests
    monkeypatch.setattr(
        tool.module, 'run_tests', lambda cfg, points, *rest: (asked.extend(points),
                                                              compute(cfg, points, *rest)),
    )  # fmt: skip
    tool('--grids', 'resize', '--work-dir', first_run)
    assert asked == [Point('resize', 0.75)]
    assert json.loads(path.read_text()) == before


def test_changed_config_is_refused(first_run, tool, place):
    options = ['--cfg-options', 'model.test_cfg.mode=slide']
    with pytest.raises(SystemExit, match='is of another config; delete'):
        tool('--grids', 'resize', '--work-dir', first_run, *options)


def test_grid_that_does_not_fit_ends_in_one_line(tool, place):
    with pytest.raises(SystemExit, match=r'^robustness\.py: these test sets fit'):
        tool('--grids', 'doctamper', '--work-dir', place / 'other')


def test_absent_sets_end_in_one_line(tool, place):
    (place / 'absent.py').write_text(
        CONFIG.format(base=str(DEMO), root='absent/').replace(
            'domain=domain,', "domain='natural', name='CASIAv1',"
        )
    )
    with pytest.raises(SystemExit, match=r'^robustness\.py: not one of the test sets is there'):
        tool('--work-dir', place / 'other', config='absent.py')


def test_every_grid_but_one_is_a_kind_of_perturbation(mmseg_scope):
    from mmomni.datasets.transforms import Perturb

    for kind in set(GRIDS) - {'doctamper'}:
        for value in GRIDS[kind]:
            if value is not None:
                assert Perturb(kind, value).kind == kind


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    (tmp_path / 'b.py').touch()
    monkeypatch.setattr(sys, 'argv', ['robustness.py', str(tmp_path / 'b.py'), 'c.pth'])


def test_default_work_dir(tool, arguments):
    args = tool.module.parse_args()
    assert tool.module.merge_args(Config({}), args).work_dir == 'work_dirs/b/robustness'
    assert tool.module.merge_args(Config(dict(work_dir='w')), args).work_dir == 'w/robustness'


def test_hooks_that_draw_are_left_out_by_name_or_class(tool, arguments):
    hooks = [dict(type=kind) for kind in ('mmomni.GalleryHook', ScoreCurvesHook, ModalGateHook)]
    cfg = tool.module.merge_args(Config(dict(custom_hooks=hooks)), tool.module.parse_args())
    assert [hook['type'] for hook in cfg.custom_hooks] == [ModalGateHook]


# ---- what is not complete --------------------------------------------------------------------


@pytest.fixture
def ended(load_tool, monkeypatch, tmp_path):
    """Runs the tool with two points, of which one was tested before, and a stub for the other."""
    module = load_tool('analysis_tools/robustness.py')
    (tmp_path / 'config.py').write_text('test_dataloader = dict()')
    metrics = {'per_image/average/IoU': 0.5, 'selection/average/failed': 2}
    before = {Point('original', None): metrics}
    stubs = dict(
        grid_points=[*before, Point('jpeg', 70)], fingerprint={}, read_results=before, draw=[],
        write_table=None,
    )  # fmt: skip
    for name, value in stubs.items():
        monkeypatch.setattr(module, name, lambda *_, value=value: value)

    def run(run_tests):
        monkeypatch.setattr(module, 'run_tests', run_tests)
        given = [tmp_path / 'config.py', 'a.pth', '--work-dir', tmp_path]
        monkeypatch.setattr('sys.argv', ['robustness.py', *map(str, given)])
        module.main()

    return run


def test_images_that_were_not_scored_are_told(ended):
    """Also where they were left out by a run before."""
    with pytest.raises(SystemExit, match=r'robustness\.py: not all .*; left out of original: 2$'):
        ended(lambda *_: None)


def test_a_fault_of_the_code_keeps_its_traceback(ended):
    def fail(*_):
        raise ValueError('operands could not be broadcast')

    with pytest.raises(ValueError, match='broadcast'):
        ended(fail)


def test_a_set_that_is_absent_is_one_line(ended):
    def fail(*_):
        raise FileNotFoundError('no list')

    with pytest.raises(SystemExit, match=r'robustness\.py: no list'):
        ended(fail)
