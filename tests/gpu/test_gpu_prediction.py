"""Prediction on a GPU: maps in one piece and in windows, 12 megapixels, through ONNX."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from networks import BASE, CPU, DEMO, subject_of

from mmomni.apis import ManipulationInferencer
from mmomni.apis.onnx_network import OnnxNetwork
from mmomni.apis.tiling import WINDOW, predict_maps
from mmomni.apis.torch_network import TorchNetwork, fuse_norms
from mmomni.checkpoints import publish, read_checkpoint
from mmomni.utils.arrays import sigmoid
from model_profiling.memory import peak_memory
from model_profiling.subjects import random_planes
from model_profiling.synchronisations import OURS, listing, synchronisations

NEAR = 5e-3
"""Mean difference of a probability to the CPU's; half precision would need as much."""
MIB = 2**20
CEILING = 4096
"""MiB of Omni-IML-B beyond its weights for an image of any size. On a CPU it is 1,100 in a window
of 1024 px (docs/performance.md), and ours have 2.4 times the pixels; no card has shown it yet."""
PHOTO = (3000, 4000)


@pytest.fixture(scope='module')
def subject():
    found = subject_of(DEMO)
    found.model.decode_head.conv_seg.weight.data *= 0.1  # else random weights are sure of all
    return found


def network_on(subject, device):
    model = copy.deepcopy(subject.model)
    del model.auxiliary_head
    fuse_norms(model)
    return TorchNetwork(model.to(device).eval())


def image(height, width, seed=0):
    """Planes (5, H, W) that are not alike everywhere."""
    side = max(height, width)
    noise = np.random.default_rng(seed).integers(0, 256, (3, height // 8 + 1, width // 8 + 1))
    planes = random_planes(1, -(-side // 8) * 8)[0, :, :height, :width].byte().numpy()
    planes[:3] = noise.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    return planes


def assert_near(found, expected):
    difference = np.abs(sigmoid(found.log_odds) - sigmoid(expected.log_odds))
    assert difference.mean() < NEAR
    assert (found.gate > 0) == (expected.gate > 0)


@pytest.mark.parametrize('size', [(64, 96), (50, 70), (1, 1)], ids=str)
def test_map_is_that_of_the_cpu(subject, size, device):
    images = [image(*size, seed) for seed in (0, 1)]
    expected = predict_maps(network_on(subject, CPU), images)
    found = predict_maps(network_on(subject, device), images)
    for one, other in zip(found, expected, strict=True):
        assert_near(one, other)


def test_windows_share_their_context_as_on_the_cpu(subject, device):
    planes = image(200, 150)
    expected, found = (
        predict_maps(network_on(subject, place), [planes], window=96, overlap=32)[0]
        for place in (CPU, device)
    )
    assert found.windows == expected.windows > 4
    assert_near(found, expected)


def test_twelve_megapixels(subject, device, record_property, enough_memory):
    """In bounded memory, whatever the size of the image."""
    is_card = device.type == 'cuda'
    size, window = (PHOTO, WINDOW) if is_card else ((96, 128), 64)
    enough_memory((CEILING + 2048) * MIB)
    network = network_on(subject_of(BASE) if is_card else subject, device)
    planes, maps = image(*size), []

    def run():
        maps.extend(predict_maps(network, [planes], window))

    used = peak_memory(run, device) / MIB
    record_property('peak_mib', round(used))
    record_property('ceiling_mib', CEILING)
    record_property('windows', maps[0].windows)
    record_property('passes', maps[0].passes)
    assert maps[0].log_odds.shape == size
    assert np.isfinite(maps[0].log_odds).all()
    assert maps[0].windows > 4
    assert 0 < used < CEILING


def test_no_line_of_ours_waits_for_the_device(subject, device):
    network = network_on(subject, device).segmentor
    planes = random_planes(1, 64).float().to(device)
    with torch.inference_mode():
        network(planes)
        places = synchronisations(lambda: network(planes), device)
    assert listing(places, [OURS]) == []


@pytest.fixture(scope='module')
def published(subject, tmp_path_factory):
    path = tmp_path_factory.mktemp('published') / 'iter_1.pth'
    text = Config.fromfile(DEMO).pretty_text
    torch.save(dict(state_dict=subject.model.state_dict(), meta=dict(cfg=text)), path)
    return publish(path, path.with_name('tiny.pth'))


def test_inferencer_takes_the_device_by_itself(published, device):
    pixels = image(64, 80)[:3].transpose(1, 2, 0).astype(np.uint8).copy()
    by_itself = ManipulationInferencer(weights=published, show_progress=False)
    assert by_itself.model.device.type == device.type
    on_cpu = ManipulationInferencer(weights=published, device='cpu', show_progress=False)
    (found,), (expected,) = (each(pixels)['predictions'] for each in (by_itself, on_cpu))
    assert np.abs(found.probability - expected.probability).mean() < NEAR
    assert found.score == pytest.approx(expected.score, abs=0.05)


def test_onnx_on_the_device(published, device, tmp_path):
    pytest.importorskip('onnx', reason='needs `pip install onnx`')
    runtime = pytest.importorskip('onnxruntime', reason='needs `pip install onnxruntime-gpu`')
    if device.type == 'cuda' and 'CUDAExecutionProvider' not in runtime.get_available_providers():
        pytest.skip('onnxruntime has no CUDAExecutionProvider: needs `pip install onnxruntime-gpu`')
    from mmomni.apis.onnx_export import export_onnx

    export_onnx(read_checkpoint(published), tmp_path / 'tiny.onnx')
    planes = image(64, 96)
    on_device = predict_maps(OnnxNetwork(tmp_path / 'tiny.onnx', str(device)), [planes])
    on_cpu = predict_maps(OnnxNetwork(tmp_path / 'tiny.onnx', 'cpu'), [planes])
    assert_near(on_device[0], on_cpu[0])
