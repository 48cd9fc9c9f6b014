import gc
import importlib.util
import logging
import os
import sys
from pathlib import Path

import numpy as np
import pytest

# Not mmengine, nor what imports it: at import it chooses a device for good, and `pytest_addoption`
# comes first.
from visible_devices import hide_gpus

pytest_plugins = ['light', 'skips']

IS_LIGHT = importlib.util.find_spec('torch') is None
if not IS_LIGHT:
    import torch


def pytest_addoption(parser, pluginmanager):
    """pytest calls this as soon as it has read this file, before it reads those of the folders."""
    # For pytest's workers and programs that tests start; see `one_thread`.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    hide_gpus(pluginmanager.getplugin('pytestconfig').known_args_namespace.markexpr)
    gc.disable()  # until `collected_once`: what is imported and collected makes no garbage


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    """What is tiny gains nothing from threads, and threads waiting for each other cost a lot."""
    if not IS_LIGHT:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope='session')
def collected_once():
    """Every dataset of mmengine's asks for a collection of garbage, which would look through all
    modules and collected tests each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def seed():
    if not IS_LIGHT:
        torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def no_scope_is_left():
    """A runner's default scope outlives it, and the tests after it would build by that."""
    yield
    if module := sys.modules.get('mmengine.registry'):
        module.DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def load_tool():
    """Import a program by its path below ``tools/``, where there are no packages."""

    def load(path):
        path = Path(__file__).resolve().parents[1] / 'tools' / path
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def mmseg_scope():
    """The default scope every config of ours sets; given back afterwards."""
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture
def make_sample():
    """A data sample as the pipelines pack it: mask (H, W), boxes [[x1, y1, x2, y2], ...]."""
    from mmengine.structures import InstanceData, PixelData
    from mmseg.structures import SegDataSample

    def make(mask, boxes=()):
        mask = torch.as_tensor(mask).long()
        shape = tuple(mask.shape)
        sample = SegDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, pad_shape=shape))
        sample.gt_sem_seg = PixelData(data=mask[None])
        boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        labels = torch.zeros(len(boxes), dtype=torch.long)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
        return sample

    return make


@pytest.fixture
def make_planes():
    """Five uint8 planes (5, H, W): RGB, ``|q|`` (0..20), an 8x8 table of steps tiled."""

    def make(height, width):
        rgb = torch.randint(0, 256, (3, height, width))
        coefficients = torch.randint(0, 21, (1, height, width))
        table = torch.randint(1, 100, (8, 8)).repeat(-(-height // 8), -(-width // 8))
        return torch.cat([rgb, coefficients, table[None, :height, :width]]).to(torch.uint8)

    return make


@pytest.fixture
def log():
    """Lines that mmengine logs as errors, by any logger of this process."""
    from mmengine.logging import MMLogger

    class Lines(logging.Handler):
        def __init__(self):
            super().__init__()
            self.lines = []

        def emit(self, record):
            self.lines.append(record.getMessage())

    handler = Lines()
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
