"""What a config's test-time augmentation says of the pipelines of its sets."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmomni.datasets import ReproducibleConcatDataset
from mmomni.datasets.configured import sets_of
from mmomni.engine.test_time import augment_tests

SAVE = dict(type='mmomni.RandomJPEGCompress', quality=(80, 80), times=(1, 1))
DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'


@pytest.fixture
def cfg():
    return Config.fromfile(DEMO)


def recompressed(cfg):
    """With a step more in ``test_pipeline``, which ``tta_pipeline`` knows nothing of."""
    load, *rest = cfg.test_pipeline
    cfg.test_pipeline = [load, SAVE, *rest]
    for entry in cfg.test_dataloader.dataset.datasets:
        entry.pipeline = cfg.test_pipeline
    return cfg


def test_views_of_every_set(cfg, log):
    augment_tests(cfg)
    pipelines = [entry['pipeline'] for entry in sets_of(cfg, 'test_dataloader')]
    assert [pipeline[-1]['type'] for pipeline in pipelines] == ['TestTimeAug'] * 3
    assert not log


def test_a_step_that_the_views_lack_is_named(cfg, log):
    augment_tests(recompressed(cfg))
    (line,) = log
    assert 'tta_pipeline lacks steps of test_pipeline, RandomJPEGCompress' in line


def test_a_step_of_the_views_themselves_is_none_that_they_lack(cfg, log):
    recompressed(cfg)
    cfg.tta_pipeline[-1].transforms.insert(0, [cfg.test_pipeline[1]])
    augment_tests(cfg)
    assert not log


def test_the_hosts_own_tool_gives_the_pipeline_to_the_sets_together(cfg, tmp_path):
    """mmseg's ``tools/test.py --tta``: it knows of one data set, which has sets in it."""
    pipelines = [cfg.test_pipeline, recompressed(cfg).test_pipeline]
    entries = []
    for name, pipeline in zip('ab', pipelines, strict=True):
        (tmp_path / name / 'images').mkdir(parents=True)
        Image.fromarray(np.zeros((16, 24, 3), np.uint8)).save(tmp_path / name / 'images/0.png')
        entries.append(dict(
            type='mmomni.ManipulationDataset', domain='face', data_root=str(tmp_path / name),
            pipeline=pipeline, test_mode=True, data_prefix=dict(img_path='images'),
        ))  # fmt: skip
    with DefaultScope.overwrite_default_scope('mmseg'):
        whole = ReproducibleConcatDataset(entries, cfg.tta_pipeline)
    views = [whole[index]['data_samples'] for index in range(2)]
    assert [[view.flip for view in each] for each in views] == [[False, True]] * 2
    assert [each[1].dct_source for each in views] == ['transcoded', 'recompressed']
    assert [entry['pipeline'] for entry in entries] == pipelines
