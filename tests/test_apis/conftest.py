import fcntl
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'


@pytest.fixture(scope='session')
def once(tmp_path_factory):
    """Makes a file, what takes seconds, for all workers of pytest's that want it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if 'PYTEST_XDIST_WORKER' in os.environ else root

    def once(name, make):
        """``make(folder)`` writes the file."""
        with (root / f'{name}.lock').open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (root / name).exists():
                folder = tmp_path_factory.mktemp(name)
                make(folder)
                folder.rename(root / name)
        (path,) = (root / name).iterdir()
        return path

    return once


@pytest.fixture(scope='session')
def training_checkpoint(once):
    """The demo's network with random weights, as mmengine saves it."""
    return once('training', _train)


def _train(folder):
    import torch
    from mmengine import Config
    from mmengine.registry import DefaultScope

    from mmomni.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(DEMO).model)
    with torch.no_grad():
        model.decode_head.conv_seg.weight *= 1e-3  # else random weights are sure of everything
    text = Config.fromfile(DEMO).pretty_text
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=text)), folder / 'iter_1.pth')


@pytest.fixture(scope='session')
def published(once, training_checkpoint):
    from mmomni.checkpoints import publish

    return once('published', lambda folder: publish(training_checkpoint, folder / 'tiny.pth'))


@pytest.fixture
def photos(tmp_path):
    """Three JPEGs, two of one size, and a PNG."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number, (name, size) in enumerate(
        [('a.jpg', (48, 64)), ('b.jpg', (48, 64)), ('c.png', (48, 64)), ('d.jpg', (50, 70))]
    ):
        noise = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / name), cv2.GaussianBlur(noise, (5, 5), 0))
    return folder
