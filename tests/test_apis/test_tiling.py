from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.cnn import ContextBlock, NonLocal2d
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from toy_network import InNumPy, Toy

from mmomni.apis.tiling import predict_maps
from mmomni.apis.torch_network import TorchNetwork
from mmomni.apis.windows import plan_windows
from mmomni.models.backbones import ConvNeXt
from mmomni.utils.arrays import sigmoid

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
WINDOWS = dict(window=256, overlap=160)


@pytest.fixture
def toy():
    return InNumPy(Toy().double().eval())


@pytest.fixture
def image(make_planes):
    """Darker to the right, so that windows differ from each other and from the whole."""

    def make(height, width):
        planes = make_planes(height, width)
        planes[:3] = (planes[:3] * torch.linspace(1, 0.2, width)).byte()
        return planes.numpy()

    return make


def whole(network, planes):
    """Log-odds and gate of the image in one piece, padded as mmseg's data preprocessor does."""
    height, width = planes.shape[1:]
    output = network(np.pad(planes, ((0, 0), (0, -height % 32), (0, -width % 32)))[None])
    log_odds = output.log_odds[0, :height, :width]
    return log_odds, None if output.gate is None else output.gate.item()


@pytest.mark.parametrize('size', [(300, 500), (200, 801), (1, 3000), (257, 256)], ids=str)
def test_equals_the_whole(toy, image, size):
    planes = image(*size)
    expected, gate = whole(toy, planes)
    (found,) = predict_maps(toy, [planes], **WINDOWS)
    (own,) = predict_maps(toy, [planes], **WINDOWS, max_passes=1)
    assert found.windows > 1
    assert found.log_odds.dtype == np.float32
    assert found.log_odds.shape == size
    assert found.warnings == ()
    error = np.abs(found.log_odds - expected).mean()
    assert error < 1e-3
    assert np.abs(own.log_odds - expected).mean() > 10 * error
    assert found.gate == pytest.approx(gate, abs=1e-3)


def test_equals_the_whole_to_the_last_digit(toy, image, monkeypatch):
    """As soon as there were as many passes as operations that depend on each other."""
    monkeypatch.setattr('mmomni.apis.tiling.TOLERANCE', 1e-12)
    planes = image(300, 500)
    expected, gate = whole(toy, planes)
    (found,) = predict_maps(toy, [planes], **WINDOWS)
    assert found.passes == 5  # four operations in a row, and one pass in which nothing changes
    np.testing.assert_allclose(found.log_odds, expected, rtol=1e-5, atol=1e-6)
    assert found.gate == pytest.approx(gate, rel=1e-9)


def test_windows_only_are_held(toy, image):
    predict_maps(toy, [image(300, 500)], **WINDOWS)
    assert max(height * width for _, _, height, width in toy.module.sizes) <= 256 * 256


@pytest.mark.parametrize('size', [(1, 1), (7, 9), (33, 47), (256, 256), (40, 1000)], ids=str)
def test_images_no_larger_than_a_window_pass_whole(toy, image, size):
    planes = image(*size)
    expected, gate = whole(toy, planes)
    (found,) = predict_maps(toy, [planes], **WINDOWS)
    np.testing.assert_allclose(found.log_odds, expected)
    assert (found.windows, found.passes, found.gate) == (1, 1, pytest.approx(gate))


def test_small_images_pass_together(toy, image):
    images = [image(40, 50), image(40, 50)]
    found = predict_maps(toy, images)
    assert toy.module.sizes == {(2, 5, 64, 64)}
    for result, planes in zip(found, images, strict=True):
        expected, gate = whole(toy, planes)
        np.testing.assert_allclose(result.log_odds, expected)
        assert result.gate == pytest.approx(gate)


def test_large_images_keep_apart(toy, image):
    images = [image(300, 500), 255 - image(300, 500)]
    for result, planes in zip(predict_maps(toy, images, **WINDOWS), images, strict=True):
        (alone,) = predict_maps(toy, [planes], **WINDOWS)
        assert np.array_equal(result.log_odds, alone.log_odds)
        assert result.gate == alone.gate


def test_images_of_two_sizes(toy, image):
    with pytest.raises(ValueError, match=r'one size.*\(5, 8, 8\), \(5, 8, 9\)'):
        predict_maps(toy, [image(8, 9), image(8, 8)])


@pytest.mark.parametrize('max_passes', [0, -1])
def test_no_passes(toy, image, max_passes):
    with pytest.raises(ValueError, match='at least 1'):
        predict_maps(toy, [image(8, 8)], max_passes=max_passes)


def test_too_few_passes(toy, image):
    (found,) = predict_maps(toy, [image(300, 500)], **WINDOWS, max_passes=1)
    assert found.passes == 1
    assert 'did not come to agree' in found.warnings[0]


def test_each_window_is_told_before_it_passes(toy, image):
    told = []

    def on_window(number_of_pass, windows, number):
        told.append((number_of_pass, windows, number))

    (found,) = predict_maps(toy, [image(300, 500)], **WINDOWS, on_window=on_window)
    numbers = range(1, found.windows + 1)
    assert told == [(p, found.windows, n) for p in range(1, found.passes + 1) for n in numbers]
    assert found.windows > 1 < found.passes
    told.clear()
    predict_maps(toy, [image(40, 50)], on_window=on_window)
    assert told == []


class NothingShared:
    shares, complete = False, False

    def begin(self, window):
        pass

    def end_pass(self):
        pass


def test_network_that_cannot_share(toy, image):
    """One pass, the gate's mean over the area, and a warning."""
    gates = []

    class Alone(InNumPy):
        def sharing(self):
            return nullcontext(NothingShared())

        def __call__(self, planes):
            output = super().__call__(planes)
            gates.append(output.gate.item())
            return output

    (found,) = predict_maps(Alone(toy.module), [image(320, 480)], **WINDOWS)
    assert (found.passes, found.windows) == (1, len(gates))
    assert 'without knowing of each other' in found.warnings[0]
    shares = [window.share for window in plan_windows(320, 480, **WINDOWS)]
    assert found.gate == pytest.approx(np.dot(gates, shares), rel=1e-9)
    assert np.ptp(gates) > 1e-3


def randomise(model):
    """Draw parameters and running statistics, so that nothing hides behind a 0 or a 1."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, _BatchNorm):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


CHANNELS = [16, 24, 32, 48]


@pytest.fixture
def build(monkeypatch):
    """A model of a config, with one small block a stage."""
    monkeypatch.setitem(ConvNeXt.ARCHITECTURES, 'atto', ((1, 1, 1, 1), CHANNELS))

    def make(path):
        config = Config.fromfile(CONFIGS / path).model
        config.auxiliary_head = None
        config.decode_head.in_channels = CHANNELS
        if config.neck:
            config.neck.in_channels = CHANNELS[1:3]
        with DefaultScope.overwrite_default_scope('mmseg'):
            model = MODELS.build(config).eval()
        randomise(model)
        return TorchNetwork(model)

    return make


@pytest.mark.parametrize(
    'path', ['demo/omni-iml_convnext-atto_demo.py', 'mini/upernet_convnext-atto_mini.py']
)
def test_model_equals_itself_in_one_piece(path, build, image):
    """The mean absolute difference in probability, which without the context is much larger."""
    network = build(path)
    planes = image(256, 512)
    planes[:, :, 200:] = planes[:, :1, :1]
    expected, gate = whole(network, planes)
    found, own = (
        predict_maps(network, [planes], window=320, overlap=256, max_passes=passes)[0]
        for passes in (8, 1)
    )
    error, without = (
        np.abs(sigmoid(result.log_odds) - sigmoid(expected)).mean() for result in (found, own)
    )
    assert error < 1e-3
    assert without > 10 * error
    assert found.gate == (None if gate is None else pytest.approx(gate, abs=1e-4))


@pytest.mark.parametrize(
    'layer', [nn.GroupNorm(2, 8), nn.InstanceNorm2d(8), NonLocal2d(8), ContextBlock(8, 0.5)]
)
def test_layers_that_cannot_share_are_told(toy, image, layer):
    toy.module.stem = nn.Sequential(toy.module.stem, layer).double()
    (found,) = predict_maps(toy, [image(300, 500)], **WINDOWS)
    assert 'cannot be told of the whole' in found.warnings[-1]
