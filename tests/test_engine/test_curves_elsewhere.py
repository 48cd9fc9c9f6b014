"""The backends that docs/training.md shows are mmengine's, with arguments that they take."""

import inspect
import re
import sys
from collections import OrderedDict
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from mmengine import Config
from mmengine.logging import MMLogger
from mmengine.registry import VISBACKENDS
from mmengine.visualization import MLflowVisBackend

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs').glob('*/*.py'))
BASE = ROOT / 'configs' / 'demo' / 'omni-iml_convnext-atto_demo.py'


@pytest.fixture
def cfg(tmp_path):
    page = (ROOT / 'docs' / 'training.md').read_text(encoding='utf-8')
    chapter = page.partition('## Curves elsewhere')[2].partition('\n## ')[0]
    (block,) = re.findall(r'^```python\n(.*?)^```', chapter, flags=re.MULTILINE | re.DOTALL)
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = [{str(BASE)!r}]\n{block}')
    cfg = Config.fromfile(path)
    cfg.work_dir = str(tmp_path)
    return cfg


def test_they_replace_those_of_the_config(cfg):
    assert cfg.visualizer.type == 'mmseg.SegLocalVisualizer'
    names = [backend.type.removesuffix('VisBackend') for backend in cfg.visualizer.vis_backends]
    assert names == ['Local', 'Tensorboard', 'Wandb', 'MLflow']


def test_arguments_are_theirs(cfg):
    for backend in cfg.visualizer.vis_backends:
        known = inspect.signature(VISBACKENDS.get(backend.type)).parameters
        assert set(backend) - {'type'} <= set(known)


@pytest.mark.parametrize(('kind', 'module'), [('Wandb', 'wandb'), ('MLflow', 'mlflow')])
def test_config_and_curves_reach_them(kind, module, cfg, tmp_path, monkeypatch):
    """A stand-in for the package: what is told it is what its users see."""
    # A logger of an earlier test writes to what is closed.
    monkeypatch.setattr(MMLogger, '_instance_dict', OrderedDict())
    package = MagicMock()
    package.MlflowException = Exception
    monkeypatch.setitem(sys.modules, module, package)
    entry = next(each for each in cfg.visualizer.vis_backends if each.type == f'{kind}VisBackend')
    backend = VISBACKENDS.build(dict(entry, save_dir=str(tmp_path)))
    backend.add_config(cfg)
    backend.add_scalars({'loss': 0.5}, step=3)
    if kind == 'Wandb':
        assert package.init.call_args.kwargs['mode'] == 'offline'
        assert package.config.update.call_args.args[0]['train_cfg'] == cfg.train_cfg.to_dict()
        assert package.log.call_args.args == ({'loss': 0.5},)
    else:
        assert package.log_params.call_args.args[0]['train_cfg.max_iters'] == 150
        assert package.log_metrics.call_args.args == ({'loss': 0.5}, 3)


def test_mlflow_can_take_every_config():
    """Lists of dicts beside numbers would end it: mmengine's way of flattening them."""
    backend = MLflowVisBackend.__new__(MLflowVisBackend)
    counts = [len(backend._flatten(Config.fromfile(path).to_dict())) for path in CONFIGS]
    assert len(counts) > 20
    assert max(counts) < 1000
