"""ONNX export against torch, whole images and windows.

What exports needs `pip install onnx onnxruntime` and is skipped without them.
"""

import copy
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn
from toy_network import InNumPy

import mmomni
from mmomni.apis import onnx_export, onnx_network
from mmomni.apis.network import DeviceError
from mmomni.apis.onnx_export import Parity, export_onnx
from mmomni.apis.onnx_network import OnnxNetwork
from mmomni.apis.torch_network import Logits, TorchNetwork
from mmomni.apis.windows import Side, Window
from mmomni.checkpoints import (
    Checkpoint,
    build_model,
    inference_config,
    publish,
    read_checkpoint,
)
from mmomni.utils.arrays import sigmoid
from mmomni.utils.files import file_sha256
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


def checkpoint_of(config):
    """Weights drawn so that no layer hides behind a 0 or a 1, and the map is not flat."""
    torch.manual_seed(0)
    config = inference_config(Config.fromfile(config))
    model = build_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.5, 1.2)
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(std=0.3)
                layer.running_var.uniform_(0.5, 2)
        log_odds = TorchNetwork(model.eval())(random_planes(1, 64).numpy()).log_odds
        last = model.decode_head.conv_seg
        last.bias[1] -= float(log_odds.mean())
        for parameter in last.parameters():
            parameter.div_(float(log_odds.std()))
    return Checkpoint(model.state_dict(), config, (CALIBRATION,), CARD)


def torch_network(checkpoint):
    model = build_model(checkpoint.config)
    model.load_state_dict(checkpoint.state_dict)
    return TorchNetwork(model.eval())


def probability(output):
    return sigmoid(output.log_odds)


@pytest.fixture(scope='module')
def demo():
    """Of ``random_planes(4, 64)`` its gate chooses vision for some."""
    checkpoint = checkpoint_of(DEMO)
    gate = torch_network(checkpoint)(random_planes(4, 64).numpy()).gate
    checkpoint.state_dict['backbone.gate.linear.bias'] -= float(np.sort(gate)[1]) + 1e-3
    return checkpoint


@pytest.fixture(scope='module')
def exported(demo, packages, once):
    def export(folder):
        before = copy.deepcopy(demo.state_dict)
        export_onnx(demo, folder / 'demo.onnx')
        assert all(torch.equal(tensor, before[name]) for name, tensor in demo.state_dict.items())

    return once('demo', export)


@pytest.fixture
def planes(make_planes):
    return lambda batch, *size: np.stack([make_planes(*size).numpy() for _ in range(batch)])


# ---- whole networks --------------------------------------------------------------------------


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_equals_torch_for_any_batch_and_size(shape, demo, exported, planes):
    inputs = planes(*shape)
    expected, got = torch_network(demo)(inputs), OnnxNetwork(exported)(inputs)
    assert got.log_odds.shape == shape
    assert got.log_odds.dtype == got.gate.dtype == np.float32
    assert probability(expected).std() > 1e-3
    np.testing.assert_allclose(probability(got), probability(expected), atol=1e-4, rtol=0)
    np.testing.assert_allclose(got.gate, expected.gate, atol=1e-3, rtol=1e-3)


def test_gate_chooses_for_each_sample(demo, exported):
    inputs = random_planes(4, 64).numpy()
    expected, got = torch_network(demo)(inputs), OnnxNetwork(exported)(inputs)
    assert 0 < (expected.gate > 0).sum() < 4
    assert np.array_equal(got.gate > 0, expected.gate > 0)
    np.testing.assert_allclose(probability(got), probability(expected), atol=1e-4, rtol=0)


def test_after_an_image_in_windows_the_next_one_is_on_its_own(exported, planes):
    network, image = OnnxNetwork(exported), planes(1, 96, 160)
    expected = network(image)
    with pytest.raises(RuntimeError, match='stop'), network.sharing():
        raise RuntimeError('stop')
    assert np.array_equal(network(image).log_odds, expected.log_odds)


class Failing:
    """A session that cannot run."""

    def __init__(self, error):
        self.error = error

    def run(self, *_):
        raise self.error


@pytest.mark.parametrize('name', ['Fail', 'InvalidArgument', 'RuntimeException'])
@pytest.mark.parametrize('reason', ['no such size', 'bad allocation'])
def test_memory_that_is_not_given_back_costs_no_result_and_is_told(exported, caplog, name, reason):
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    network = OnnxNetwork(exported)
    with network.sharing():
        network._session = Failing(getattr(state, name)(reason))
    (record,) = caplog.records
    assert record.getMessage() == f'ONNX Runtime keeps the memory of a large image: {reason}'


def test_any_other_failure_to_give_memory_back_is_raised(exported):
    network = OnnxNetwork(exported)
    with pytest.raises(TypeError, match='a fault of ours'), network.sharing():
        network._session = Failing(TypeError('a fault of ours'))


IN_A_WINDOW = """
import resource, sys
from pathlib import Path
import numpy as np
from mmomni.apis.onnx_network import OnnxNetwork
from mmomni.apis.windows import Side, Window

def resident():
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()

network, side = OnnxNetwork(sys.argv[1]), Side(0, 512, np.ones(512))
before = resident()
with network.sharing() as sharing:
    sharing.begin(Window(side, side))
    network(np.zeros((1, 5, 512, 512), np.uint8))
    print(resident() - before)
print(resident() - before)
"""


def test_after_an_image_in_windows_its_memory_goes_back(exported):
    """In a process of its own, in which nobody else takes it or gives it back."""
    command = [sys.executable, '-W', 'ignore', '-c', IN_A_WINDOW, str(exported)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    taken, kept = map(int, done.stdout.split())
    assert taken > 20e6
    assert kept < 0.5 * taken


@pytest.mark.parametrize(
    'name',
    ['wo-mg', *(pytest.param(each, marks=pytest.mark.slow) for each in ('wo-mg-star', 'wo-dw'))],
)
@needs_packages
def test_ablations_can_be_exported(name, planes, tmp_path):
    checkpoint = checkpoint_of(CONFIGS / f'mini/omni-iml-{name}_convnext-atto_mini.py')
    parity = export_onnx(checkpoint, tmp_path / 'x.onnx')
    assert 0 < parity.mean <= parity.maximum <= 1e-4
    network = OnnxNetwork(tmp_path / 'x.onnx')
    assert (network(planes(1, 64, 64)).gate is None) is name.startswith('wo-mg')
    assert network.graph.complete
    assert network.graph.length > 0


@pytest.mark.slow
@needs_packages
def test_attention_that_keeps_its_size_is_refused(tmp_path):
    checkpoint = checkpoint_of(CONFIGS / 'mini/dtd-like_convnext-swin-atto_mini.py')
    with pytest.raises(ValueError, match=r'cannot be exported: a layer keeps the size'):
        export_onnx(checkpoint, tmp_path / 'x.onnx')
    assert not list(tmp_path.iterdir())


@needs_packages
def test_network_that_keeps_its_size_is_refused(demo, monkeypatch, tmp_path):
    class Module(nn.Module):
        def forward(self, planes):
            pixels = planes[:, :2] / 255
            return Logits(pixels * torch.ones(*map(int, planes.shape[2:])), None)

    network = InNumPy(Module())
    network.segmentor = network.module
    monkeypatch.setattr(onnx_export, 'build_fitting', lambda *_: Module())
    monkeypatch.setattr(onnx_export, 'TorchNetwork', lambda _: network)
    message = r'cannot be exported: a layer keeps the size .* fails for \(160, 224\)'
    with pytest.raises(ValueError, match=message):
        export_onnx(demo, tmp_path / 'x.onnx')
    assert not list(tmp_path.iterdir())


def test_file_describes_itself(demo, exported):
    network = OnnxNetwork(exported)
    config, calibrations, card = network.description
    assert config == demo.config.to_dict()
    assert (calibrations, card) == ((CALIBRATION,), CARD)
    assert (network.graph.source, network.graph.source_sha256) == ('', '')


def test_file_has_no_operators_of_our_own(exported):
    import onnx

    file = onnx.load(exported)
    assert {each.domain for each in file.opset_import} == {''}
    assert {node.domain for node in file.graph.node} == {''}
    assert not file.functions


@pytest.fixture(scope='module')
def trained(packages, tmp_path_factory):
    """A checkpoint of a training."""
    path = tmp_path_factory.mktemp('training') / 'iter_1.pth'
    torch.save(dict(state_dict=checkpoint_of(DEMO).state_dict), path)
    return path


def test_tool(trained, load_tool, monkeypatch, capsys, tmp_path):
    """What is exported, and how, the other tool's test says."""
    source, calls = publish(trained, tmp_path / 'demo.pth', config=DEMO), []
    tool = load_tool('deployment/pytorch2onnx.py')

    def export(checkpoint, out, made_of):
        calls.append((checkpoint.card, out, made_of))
        return Parity(1e-6, 1e-8)

    monkeypatch.setattr(tool, 'export_onnx', export)
    out = tmp_path / 'demo.onnx'
    monkeypatch.setattr('sys.argv', ['pytorch2onnx.py', str(source), str(out)])
    assert tool.main() == 0
    assert 'probabilities differ from torch by' in capsys.readouterr().out
    assert calls == [(read_checkpoint(source).card, out, source)]
    monkeypatch.setattr('sys.argv', ['pytorch2onnx.py', str(trained), str(out)])
    assert tool.main() == 1
    assert 'was not published' in capsys.readouterr().err


def test_publishing_writes_both_forms(
    trained, load_tool, planes, monkeypatch, capsys, tmp_path
):
    """What half precision changes is the checkpoint's business: the other form adds nothing."""
    tool = load_tool('model_converters/publish_model.py')
    command = ['publish_model.py', str(trained), str(tmp_path / 'demo.safetensors'), '--half']
    monkeypatch.setattr('sys.argv', [*command, '--config', str(DEMO)])
    assert tool.main() == 0
    weights, exported = (next(tmp_path.glob(f'demo-*{end}')) for end in ('.safetensors', '.onnx'))
    assert f'{exported}: probabilities differ' in capsys.readouterr().out
    assert exported.stem.endswith(file_sha256(exported)[:8])
    network, inputs = OnnxNetwork(exported), planes(1, 64, 96)
    assert network.graph.source == weights.name
    assert network.graph.source_sha256 == file_sha256(weights)
    assert network.description.card == read_checkpoint(weights).card
    assert len(list(tmp_path.iterdir())) == 2
    assert exported.stat().st_size < 1.3 * weights.stat().st_size
    checkpoint = read_checkpoint(weights)
    halved = {name: tensor.float() for name, tensor in checkpoint.state_dict.items()}
    expected = torch_network(checkpoint._replace(state_dict=halved))(inputs)
    np.testing.assert_allclose(network(inputs).log_odds, expected.log_odds, atol=1e-4)


def test_publishing_what_cannot_be_exported(trained, load_tool, monkeypatch, capsys, tmp_path):
    tool = load_tool('model_converters/publish_model.py')

    def refuse(path):
        raise ValueError('this network cannot be exported: why')

    monkeypatch.setattr(tool, 'export_beside', refuse)
    command = ['publish_model.py', str(trained), str(tmp_path / 'demo.safetensors')]
    monkeypatch.setattr('sys.argv', [*command, '--config', str(DEMO)])
    assert tool.main() == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert 'no .onnx beside demo-' in line
    assert line.endswith('this network cannot be exported: why')
    monkeypatch.setattr('sys.argv', [*command, '--config', str(DEMO), '--no-onnx'])
    assert tool.main() == 0
    assert capsys.readouterr().err == ''


def test_packaged_weights_have_both_forms():
    """Else an install without torch would predict with other weights."""
    weights = sorted((Path(mmomni.__file__).parent / 'weights').glob('*.safetensors'))
    exported = {
        OnnxNetwork(path).graph.source_sha256: path for path in weights[0].parent.glob('*.onnx')
    }
    assert {file_sha256(path) for path in weights} == set(exported)
    for path in exported.values():
        assert path.stem.endswith(file_sha256(path)[:8])
        assert path.stat().st_size < 16e6


# ---- what cannot be used ---------------------------------------------------------------------


@needs_packages
def test_checkpoint_without_config(demo, tmp_path):
    with pytest.raises(ValueError, match='expected a checkpoint with its config'):
        export_onnx(demo._replace(config=None), tmp_path / 'x.onnx')


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none: .*x\.onnx'):
        OnnxNetwork(tmp_path / 'x.onnx')


def refusal(path):
    """One line, which names the file and says what to do."""
    with pytest.raises(ValueError, match=rf'^{re.escape(str(path))} ') as error:
        OnnxNetwork(path)
    (line,) = str(error.value).splitlines()
    return line


@pytest.mark.parametrize('content', [b'garbage', b'', b'{"a": 1}\n', b'zum Beispiel\n' * 99])
@needs_packages
def test_file_that_is_none(content, tmp_path):
    path = tmp_path / 'x.onnx'
    path.write_bytes(content)
    told = refusal(path)
    assert re.search(r'is damaged, or no ONNX file: .*; download it anew, or export', told)
    assert 'ONNXRuntimeError' not in told
    assert told.count(str(path)) == 1


def test_file_that_was_cut(exported, tmp_path):
    path = tmp_path / 'x.onnx'
    path.write_bytes(exported.read_bytes()[:-1000])
    assert 'is damaged, or no ONNX file' in refusal(path)


def test_file_that_was_changed(exported, tmp_path):
    path = tmp_path / 'x-01234567.onnx'
    path.write_bytes(exported.read_bytes())
    line = refusal(path)
    assert 'was damaged or changed after it was published: expected content whose SHA-256' in line
    assert 'download it anew' in line


def with_metadata(exported, path, **changes):
    """A copy; ``None`` leaves an entry out."""
    import onnx

    file = onnx.load(exported)
    metadata = {each.key: each.value for each in file.metadata_props} | changes
    del file.metadata_props[:]
    onnx.helper.set_model_props(file, {k: v for k, v in metadata.items() if v is not None})
    onnx.save(file, path)
    return path


def test_file_of_another_maker(exported, tmp_path):
    path = with_metadata(exported, tmp_path / 'x.onnx', mmomni=None, mmomni_graph=None)
    assert re.search(r'somebody else: .*config; export .*pytorch2onnx\.py', refusal(path))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'was exported in form 1, this mmomni runs form 2; export its checkpoint with'),
        ('{"form": 3}', 'was exported in form 3, this mmomni runs form 2; export its checkpoint'),
        ('{"form": 2}', 'is damaged: it says of its graph'),
        ('[2]', 'is damaged: it says of its graph'),
        ('text', 'is damaged: it says of its graph'),
        ('{"form": 2, "operands": [["shares", 0, 0]], "length": 9, "complete": true}', 'damaged'),
        ('{"form": 2, "operands": [], "length": -1, "complete": true}', 'damaged'),
        ('{"form": 2, "operands": [], "length": 9, "complete": 1}', 'damaged'),
        ('{"form": 2, "operands": [], "length": 9, "complete": true}', 'other inputs than it says'),
    ],
)
def test_file_of_another_form(text, message, exported, tmp_path):
    path = with_metadata(exported, tmp_path / 'x.onnx', mmomni_graph=text)
    assert message in refusal(path)


@pytest.mark.parametrize('number', [-1, 1])
def test_file_that_shares_other_numbers_than_it_says(number, exported, tmp_path):
    text = OnnxNetwork(exported).graph
    text = text._replace(length=text.length + number).text()
    path = with_metadata(exported, tmp_path / 'x.onnx', mmomni_graph=text)
    assert 'other inputs than it says' in refusal(path)


def test_config_inside_is_checked(exported, tmp_path):
    text = json.dumps(
        dict(format=1, config=dict(model=dict(type='os.system')), calibrations=[], card={})
    )
    path = with_metadata(exported, tmp_path / 'x.onnx', mmomni=text)
    with pytest.raises(ValueError, match=r"names the type 'os\.system'"):
        OnnxNetwork(path)


@pytest.mark.parametrize('device', ['meta', 'cuda', 'cuda:1', 'cuda:x'])
def test_device_that_onnxruntime_lacks(device, exported, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [onnx_network.CPU])
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # it has one of its own, where the error says all
        with pytest.raises(DeviceError, match=f'onnxruntime cannot run on {device} here'):
            OnnxNetwork(exported, device)


def test_what_is_raised_is_not_printed_too(exported, planes, monkeypatch, capfd):
    """Here for a window that is smaller than its planes."""
    network, small = OnnxNetwork(exported), Side(0, 32, np.ones(32))
    monkeypatch.setattr(onnx_network, 'Window', lambda *_: Window(small, small))
    with pytest.raises(Exception, match='ONNXRuntimeError'):
        network(planes(1, 64, 96))
    assert capfd.readouterr() == ('', '')


def test_there_is_one_precision(exported):
    network = OnnxNetwork(exported)
    network.precision = 'fp32'
    with pytest.raises(ValueError, match="'bf16' is for backend='torch'"):
        network.precision = 'bf16'


def test_lack_of_memory_is_told_as_such(exported, planes, monkeypatch):
    network = OnnxNetwork(exported)

    def fail(*_):
        raise RuntimeError('[ONNXRuntimeError] : Failed to allocate memory for 9 bytes\nat: x')

    monkeypatch.setattr(network, '_session', SimpleNamespace(run=fail))
    with pytest.raises(MemoryError, match=r'allocate memory for 9 bytes$'):
        network(planes(1, 32, 32))


@pytest.mark.parametrize(
    ('value', 'threads'), [('3', 3), ('2,1', 2), ('0', 1), ('x', 7), (None, 7)]
)
def test_threads_are_those_that_the_user_says(value, threads, monkeypatch):
    monkeypatch.setattr(onnx_network, 'usable_processors', lambda: 7)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    if value is not None:
        monkeypatch.setenv('OMP_NUM_THREADS', value)
    assert onnx_network._threads() == threads


def test_missing_onnx_is_named(demo, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ImportError, match='onnx is not installed: pip install'):
        export_onnx(demo, tmp_path / 'x.onnx')


def test_missing_onnxruntime_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    (tmp_path / 'x.onnx').touch()
    with pytest.raises(ImportError, match='onnxruntime is not installed: pip install'):
        OnnxNetwork(tmp_path / 'x.onnx')


def test_running_needs_neither_torch_nor_openmmlab(exported):
    code = (
        'import sys; from mmomni.apis.onnx_network import OnnxNetwork; '
        f'OnnxNetwork({str(exported)!r}); '
        "print(sorted({'torch', 'mmcv', 'mmseg', 'safetensors'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == '[]'
