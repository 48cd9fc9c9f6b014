"""Five planes go to the device as bytes and become ``float32`` there: a quarter of the copy.

``meta`` stands for the device, and every copy from the host to it is noted.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.apis.tiling import predict_maps
from mmomni.apis.torch_network import Segmentor, TorchNetwork
from mmomni.datasets.transforms import PackManipulationInputs
from mmomni.datasets.transforms.pixels import sign

DEMO = next((Path(__file__).resolve().parents[2] / 'configs/demo').glob('*.py'))
DEVICE = torch.device('meta')


class Copies(TorchDispatchMode):
    """Notes dimensions and types, before and after, of what is copied from the host."""

    def __init__(self):
        super().__init__()
        self.noted = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        first = args[0] if args else None
        # the second within torch.inference_mode
        if function._schema.name not in ('aten::_to_copy', 'aten::to'):
            return out
        if first.device.type == 'cpu' and out.device == DEVICE and first.dim():
            self.noted.append((tuple(first.shape), first.dtype, out.dtype))
        return out


def planes_of(copies):
    """Those of images, not masks and boxes."""
    return [copy for copy in copies.noted if 5 in copy[0]]


def build(part=None):
    cfg = Config.fromfile(DEMO).model
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(cfg if part is None else cfg[part])


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_of_the_network(make_planes, dtype):
    network = Segmentor(build().eval()).to(DEVICE)
    with torch.no_grad(), Copies() as copies:
        output = network(make_planes(64, 96)[None].to(dtype))
    assert planes_of(copies) == [((1, 5, 64, 96), dtype, dtype)]
    assert (output.logits.device, output.logits.dtype) == (DEVICE, torch.float32)


@pytest.mark.parametrize(('size', 'windows'), [((40, 50), 1), ((128, 224), 3)])
def test_of_prediction(make_planes, size, windows, monkeypatch):
    """Also in windows."""

    def backbone(planes):
        seen.add((planes.device, planes.dtype, planes.shape[2:]))
        return [planes]

    def decide(features, *_):
        return torch.zeros(len(features[0]), 2, *features[0].shape[2:])

    seen = set()
    network = TorchNetwork(build().eval())
    network.segmentor.to(DEVICE)
    monkeypatch.setattr(network.segmentor.model.backbone, 'forward', backbone)
    monkeypatch.setattr(network.segmentor.model.decode_head, 'predict', decide)
    network.segmentor.model.neck = None
    with Copies() as copies:
        (found,) = predict_maps(network, [make_planes(*size).numpy()], window=128, overlap=64)
    assert [copy[1:] for copy in planes_of(copies)] == [(torch.uint8, torch.uint8)] * windows
    assert {each[:2] for each in seen} == {(DEVICE, torch.float32)}
    assert found.windows == windows


@pytest.mark.parametrize('training', [True, False])
def test_of_training_and_testing(training):
    """mmengine's ``cast_data`` copies first; what we pack must be bytes, and so it arrives."""
    results = dict(
        img=np.zeros((64, 64, 3), np.uint8), dct=np.zeros((64, 64), np.uint8),
        qtable=np.ones((8, 8), np.uint8), gt_seg_map=np.zeros((64, 64), np.uint8),
        ori_shape=(64, 64), img_shape=(64, 64),
    )  # fmt: skip
    sign(results)
    packed = PackManipulationInputs()(results)
    preprocessor = build('data_preprocessor').to(DEVICE)
    with Copies() as copies:
        data = preprocessor(
            dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]), training
        )
    assert planes_of(copies) == [((5, 64, 64), torch.uint8, torch.uint8)]
    assert data['inputs'].device == DEVICE
    assert data['inputs'].dtype == torch.float32


def test_equal_to_the_last_bit(make_planes):
    network = TorchNetwork(build().eval())
    planes = make_planes(64, 96)
    with torch.no_grad():
        expected = network.segmentor(planes[None].float())
    (found,) = predict_maps(network, [planes.numpy()])
    log_odds = expected.logits[0, 1] - expected.logits[0, 0]
    np.testing.assert_array_equal(found.log_odds, log_odds)
    assert found.gate == expected.gate.item()
