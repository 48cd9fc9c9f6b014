from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine import Config
from mmengine.registry import DefaultScope

from mmomni.checkpoints import publish
from mmomni.registry import MODELS

DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'


@pytest.fixture(scope='session')
def training_checkpoint(tmp_path_factory):
    """The demo's network with random weights, as mmengine saves it."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(DEMO).model)
    with torch.no_grad():
        model.decode_head.conv_seg.weight *= 1e-3  # else random weights are sure of everything
    path = tmp_path_factory.mktemp('training') / 'iter_1.pth'
    text = Config.fromfile(DEMO).pretty_text
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=text)), path)
    return path


@pytest.fixture(scope='session')
def published(training_checkpoint):
    return publish(training_checkpoint, training_checkpoint.with_name('tiny.pth'))


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
