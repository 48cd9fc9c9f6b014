"""What a config's test-time augmentation says of the pipelines of its sets."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmomni.datasets.configured import sets_of
from mmomni.engine.test_time import augment_tests

DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'


@pytest.fixture
def cfg():
    return Config.fromfile(DEMO)


def resized(cfg):
    """With a step more in ``test_pipeline``, which ``tta_pipeline`` knows nothing of."""
    load, *rest = cfg.test_pipeline
    cfg.test_pipeline = [load, dict(type='Resize', scale=(64, 64)), *rest]
    for entry in cfg.test_dataloader.dataset.datasets:
        entry.pipeline = cfg.test_pipeline
    return cfg


def test_views_of_every_set(cfg, log):
    augment_tests(cfg)
    pipelines = [entry['pipeline'] for entry in sets_of(cfg, 'test_dataloader')]
    assert [pipeline[-1]['type'] for pipeline in pipelines] == ['TestTimeAug'] * 3
    assert not log


def test_a_step_that_the_views_lack_is_named(cfg, log):
    augment_tests(resized(cfg))
    (line,) = log
    assert 'tta_pipeline lacks steps of test_pipeline, Resize' in line


def test_a_step_of_the_views_themselves_is_none_that_they_lack(cfg, log):
    resized(cfg)
    cfg.tta_pipeline[-1].transforms.insert(0, [cfg.test_pipeline[1]])
    augment_tests(cfg)
    assert not log
