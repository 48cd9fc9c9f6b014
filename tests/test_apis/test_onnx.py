"""ONNX export against torch.

What runs exported files needs `pip install onnx onnxruntime` and is skipped without them.
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmomni.apis.onnx_export import (
    ExportableCoordinates,
    ExportableFilter,
    ExportablePool,
    export_onnx,
)
from mmomni.apis.onnx_network import OnnxNetwork
from mmomni.apis.torch_network import TorchNetwork
from mmomni.checkpoints import (
    Checkpoint,
    build_model,
    inference_config,
    publish,
    read_checkpoint,
)
from mmomni.models.layers import DynamicFilter, add_coordinates
from mmomni.utils.arrays import sigmoid
from model_profiling.subjects import random_planes

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
DEMO = CONFIGS / 'demo/omni-iml_convnext-atto_demo.py'
CARD = dict(name='demo')
CALIBRATION = dict(threshold=0.5, fpr=0.01, pooling='max')
SHAPES = [(1, 64, 96), (3, 64, 96), (3, 32, 32), (1, 160, 224), (2, 320, 96)]


@pytest.fixture(scope='session')
def packages():
    pytest.importorskip('onnx', reason='needs `pip install onnx`')
    pytest.importorskip('onnxruntime', reason='needs `pip install onnxruntime`')


needs_packages = pytest.mark.usefixtures('packages')


def checkpoint_of(config, **backbone):
    """Weights drawn so that no layer hides behind a 0 or a 1, and the map is not flat."""
    torch.manual_seed(0)
    config = inference_config(Config.fromfile(config))
    config.model.backbone.update(backbone)
    model = build_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.5, 1.2)
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(std=0.3)
                layer.running_var.uniform_(0.5, 2)
        log_odds = TorchNetwork(model.eval())(numpy_planes(1, 64)).log_odds
        last = model.decode_head.conv_seg
        last.bias[1] -= float(log_odds.mean())
        for parameter in last.parameters():
            parameter.div_(float(log_odds.std()))
    return Checkpoint(model.state_dict(), config, (CALIBRATION,), CARD)


def torch_network(checkpoint):
    model = build_model(checkpoint.config)
    model.load_state_dict(checkpoint.state_dict)
    return TorchNetwork(model.eval())


def numpy_planes(batch, size):
    return random_planes(batch, size).byte().numpy()


def probability(output):
    return sigmoid(output.log_odds)


@pytest.fixture(scope='module')
@torch.no_grad()
def demo():
    """Of ``random_planes(4, 64)`` its gate chooses vision for some."""
    checkpoint = checkpoint_of(DEMO)
    gate = torch_network(checkpoint)(numpy_planes(4, 64)).gate
    checkpoint.state_dict['backbone.gate.linear.bias'] -= float(np.sort(gate)[1]) + 1e-3
    return checkpoint


@pytest.fixture(scope='module')
def exported(demo, packages, tmp_path_factory):
    path = tmp_path_factory.mktemp('onnx') / 'demo.onnx'
    before = copy.deepcopy(demo.state_dict)
    export_onnx(demo, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in demo.state_dict.items())
    return path


@pytest.fixture
def planes(make_planes):
    return lambda batch, *size: torch.stack([make_planes(*size) for _ in range(batch)]).numpy()


# ---- whole networks --------------------------------------------------------------------------


@pytest.mark.parametrize('shape', SHAPES, ids=str)
@torch.no_grad()
def test_equals_torch_for_any_batch_and_size(shape, demo, exported, planes):
    inputs = planes(*shape)
    expected, got = torch_network(demo)(inputs), OnnxNetwork(exported)(inputs)
    assert got.log_odds.shape == shape
    assert probability(expected).std() > 1e-3
    np.testing.assert_allclose(probability(got), probability(expected), atol=1e-4, rtol=0)
    np.testing.assert_allclose(got.gate, expected.gate, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_gate_chooses_for_each_sample(demo, exported):
    inputs = numpy_planes(4, 64)
    expected, got = torch_network(demo)(inputs), OnnxNetwork(exported)(inputs)
    assert 0 < (expected.gate > 0).sum() < 4
    assert np.array_equal(got.gate > 0, expected.gate > 0)
    np.testing.assert_allclose(probability(got), probability(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize('name', ['wo-mg', 'wo-mg-star', 'wo-dw'])
@needs_packages
def test_ablations_can_be_exported(name, planes, tmp_path):
    checkpoint = checkpoint_of(CONFIGS / f'mini/omni-iml-{name}_convnext-atto_mini.py')
    parity = export_onnx(checkpoint, tmp_path / 'x.onnx')
    assert 0 < parity.mean <= parity.maximum <= 1e-4
    gate = OnnxNetwork(tmp_path / 'x.onnx')(planes(1, 64, 64)).gate
    assert (gate is None) is name.startswith('wo-mg')


@needs_packages
def test_network_that_keeps_its_size_is_refused(tmp_path):
    checkpoint = checkpoint_of(CONFIGS / 'mini/dtd-like_convnext-swin-atto_mini.py')
    with pytest.raises(ValueError, match=r'cannot be exported: a layer keeps the size'):
        export_onnx(checkpoint, tmp_path / 'x.onnx')
    assert not list(tmp_path.iterdir())


def test_file_describes_itself(demo, exported):
    config, calibrations, card = OnnxNetwork(exported).description
    assert config.to_dict() == demo.config.to_dict()
    assert (calibrations, card) == ((CALIBRATION,), CARD)


@needs_packages
def test_tool(load_tool, monkeypatch, capsys, tmp_path):
    training = tmp_path / 'iter_1.pth'
    checkpoint = checkpoint_of(DEMO)
    torch.save(dict(state_dict=checkpoint.state_dict), training)
    source = publish(training, tmp_path / 'demo.pth', config=DEMO)
    out = tmp_path / 'demo.onnx'
    tool = load_tool('deployment/pytorch2onnx.py')
    monkeypatch.setattr('sys.argv', ['pytorch2onnx.py', str(source), str(out)])
    assert tool.main() == 0
    assert 'probabilities differ from torch by' in capsys.readouterr().out
    assert OnnxNetwork(out).description.card == read_checkpoint(source).card
    monkeypatch.setattr('sys.argv', ['pytorch2onnx.py', str(training), str(out)])
    assert tool.main() == 1
    assert 'was not published' in capsys.readouterr().err


# ---- what cannot be used ---------------------------------------------------------------------


@needs_packages
def test_checkpoint_without_config(demo, tmp_path):
    with pytest.raises(ValueError, match='expected a checkpoint with its config'):
        export_onnx(demo._replace(config=None), tmp_path / 'x.onnx')


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none: .*x\.onnx'):
        OnnxNetwork(tmp_path / 'x.onnx')


@needs_packages
def test_damaged_file(tmp_path):
    path = tmp_path / 'x.onnx'
    path.write_bytes(b'garbage')
    with pytest.raises(ValueError, match=r'x\.onnx is damaged, or no ONNX file'):
        OnnxNetwork(path)


def test_file_of_another_maker(exported, tmp_path):
    import onnx

    file = onnx.load(exported)
    onnx.helper.set_model_props(file, {})
    onnx.save(file, tmp_path / 'x.onnx')
    with pytest.raises(ValueError, match=r'does not tell its config; .*pytorch2onnx\.py'):
        OnnxNetwork(tmp_path / 'x.onnx')


def test_config_inside_is_checked(exported, tmp_path):
    import onnx

    text = json.dumps(
        dict(format=1, config=dict(model=dict(type='os.system')), calibrations=[], card={})
    )
    file = onnx.load(exported)
    onnx.helper.set_model_props(file, {'mmomni': text})
    onnx.save(file, tmp_path / 'x.onnx')
    with pytest.raises(ValueError, match=r"names the type 'os\.system'"):
        OnnxNetwork(tmp_path / 'x.onnx')


@pytest.mark.filterwarnings('ignore:Specified provider')  # onnxruntime's own, less clear
def test_device_that_onnxruntime_lacks(exported):
    with pytest.raises(ValueError, match='onnxruntime cannot run on meta here'):
        OnnxNetwork(exported, 'meta')


def test_missing_onnx_is_named(demo, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ImportError, match='onnx is not installed: pip install'):
        export_onnx(demo, tmp_path / 'x.onnx')


def test_missing_onnxruntime_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    (tmp_path / 'x.onnx').touch()
    with pytest.raises(ImportError, match='onnxruntime is not installed: pip install'):
        OnnxNetwork(tmp_path / 'x.onnx')


# ---- layers that stand in for others ---------------------------------------------------------


@pytest.mark.parametrize('bins', [2, 3, 6, (2, 5)], ids=str)
@pytest.mark.parametrize('size', [(7, 12), (1, 4), (6, 5)], ids=str)
def test_pool_equals_adaptive_average_pooling(bins, size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    pool = nn.AdaptiveAvgPool2d(bins)
    torch.testing.assert_close(ExportablePool(pool)(x), pool(x))


@pytest.mark.parametrize('size', [(8, 40), (33, 2)], ids=str)
def test_coordinates_equal_linspace(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(ExportableCoordinates()(x), add_coordinates(x))


@pytest.mark.parametrize('dynamic', [True, False])
@pytest.mark.parametrize('dilation', [2, 6])
def test_filter_equals_grouped_convolution(dilation, dynamic):
    dwf = DynamicFilter(4, 5, dilation, dict(type='BN'), dynamic=dynamic).double().eval()
    x, v_g = (torch.randn(*shape, dtype=torch.float64) for shape in ((3, 4, 9, 7), (3, 5)))
    torch.testing.assert_close(ExportableFilter(dwf)(x, v_g), dwf(x, v_g))
