"""bfloat16 in prediction, forced on a CPU; that CUDA takes it by itself is known by its numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from PIL import Image
from torch import nn

from mmomni.apis import ManipulationInferencer
from mmomni.apis.calibration import calibrate
from mmomni.apis.shared_context import SharedContext
from mmomni.apis.tiling import predict_maps
from mmomni.apis.torch_network import TorchNetwork, _computing, precision_on
from mmomni.apis.windows import plan_windows
from mmomni.checkpoints import publish, read_checkpoint
from mmomni.cli import main
from mmomni.reporting import carried_threshold
from mmomni.utils.arrays import sigmoid
from mmomni.utils.cuda_math import EXACT, CudaMath, allowed, current
from mmomni.utils.files import file_sha256

DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'
CPU, CUDA = torch.device('cpu'), torch.device('cuda')
TOLERANCE = 0.02
"""Of probabilities, averaged over the pixels."""


@pytest.fixture
def network():
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build({**Config.fromfile(DEMO).model, 'auxiliary_head': None}).eval()
    with torch.no_grad():
        model.decode_head.conv_seg.weight *= 1e-2  # else random weights are sure of everything
    return TorchNetwork(model)


def difference(found, expected):
    """Of probabilities, averaged over the pixels."""
    return np.abs(sigmoid(found.log_odds) - sigmoid(expected.log_odds)).mean()


@pytest.mark.parametrize(
    ('device', 'capability', 'expected'),
    [
        (CPU, None, 'fp32'), (CUDA, (7, 5), 'fp32'), (CUDA, (8, 0), 'bf16'), (CUDA, (8, 9), 'bf16'),
        (CUDA, (10, 0), 'bf16'), (torch.device('mps'), None, 'fp32'),
    ],
    ids=str,
)  # fmt: skip
def test_auto(monkeypatch, device, capability, expected):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda _: capability)
    assert precision_on(device) == expected
    assert precision_on(device, 'fp32') == 'fp32'
    assert precision_on(device, 'bf16') == 'bf16'


def test_no_such_precision(published):
    with pytest.raises(ValueError, match=r"one of \('auto', 'fp32', 'bf16'\), got 'fp16'"):
        ManipulationInferencer(weights=published, precision='fp16')


def test_exported_networks_have_one(tmp_path):
    (tmp_path / 'x.onnx').touch()
    with pytest.raises(ValueError, match=r"precision='bf16' is for backend='torch'"):
        ManipulationInferencer(weights=tmp_path / 'x.onnx', backend='onnx', precision='bf16')


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_on_cuda_it_is_exact_whatever_was_allowed(precision):
    fast = CudaMath(True, True, True)
    with allowed(fast):
        with _computing(CPU, precision):
            assert current() == fast  # nothing there concerns a CPU
            assert torch.is_autocast_cpu_enabled() == (precision == 'bf16')
        if precision == 'fp32':  # torch would warn of autocast for a device that is not there
            with _computing(CUDA, precision):
                assert current() == EXACT
        assert current() == fast


def test_the_network_multiplies_halves_and_decides_in_single_precision(network, make_planes):
    planes = torch.stack([make_planes(64, 96) for _ in range(2)]).numpy()
    expected = network(planes)
    kinds = set()
    for module in network.segmentor.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(lambda _, __, out: kinds.add(out.dtype))
    network.precision = 'bf16'
    output = network(planes)
    assert kinds == {torch.bfloat16}
    assert {output.log_odds.dtype, output.gate.dtype} == {np.dtype(np.float32)}
    # what was enlarged was no half any more
    log_odds = torch.from_numpy(output.log_odds)
    assert (log_odds.bfloat16().float() != log_odds).float().mean() > 0.5
    assert 0 < difference(output, expected) < TOLERANCE
    np.testing.assert_allclose(output.gate, expected.gate, rtol=0.02, atol=0.02)


@torch.no_grad()
@pytest.mark.parametrize(('logit', 'vision'), [(0.004, True), (-0.004, False)])
def test_the_gate_decides_as_it_is_reported(network, make_planes, logit, vision):
    """The sigmoid of so small a half is a half of one."""
    encoder, seen = network.segmentor.model.backbone, []
    encoder.gate.forward = lambda *_: torch.full((1,), logit, dtype=torch.bfloat16)
    encoder.aux_rgb.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network.precision = 'bf16'
    encoded = encoder(make_planes(64, 64)[None].float())
    assert torch.equal(encoded.f2, seen[0]) == vision


def test_windows_in_bf16_agree_with_the_whole(network, make_planes):
    """What they share is added up in single precision."""
    network.precision = 'bf16'
    planes = make_planes(128, 288).numpy()
    (whole,) = predict_maps(network, [planes], window=256, overlap=64)
    (found,) = predict_maps(network, [planes], window=160, overlap=128)
    assert (whole.windows, found.warnings) == (1, ())
    assert found.windows > 1
    assert difference(whole, found) < TOLERANCE


def test_shared_means_are_not_of_halves():
    """Of maps that are halves under autocast; the mean over the image keeps its digits."""
    network = nn.Sequential(nn.Conv2d(5, 2, 1), nn.AdaptiveAvgPool2d(1))
    planes = torch.randint(0, 256, (1, 5, 64, 512)).float()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16), SharedContext(network) as context:
        x = network[0](planes)
        assert x.dtype == torch.bfloat16
        for window in plan_windows(64, 512, 96, 32):
            context.begin(window)
            rows, columns = window
            crop = planes[..., rows.start : rows.stop, columns.start : columns.stop]
            assert network(crop).dtype == torch.bfloat16
        context.end_pass()
    (mean,) = context._shared
    torch.testing.assert_close(mean, x.float().mean((2, 3), keepdim=True), rtol=1e-5, atol=1e-5)


# ---- what is said of it ------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / 'photos'
    path.mkdir()
    rng = np.random.default_rng(0)
    for name in ('a.png', 'b.png'):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path / name)
    return path


@pytest.fixture
def predict(tmp_path, folder, published):
    def run(*options, out='out'):
        arguments = ['predict', folder, '--checkpoint', published, '--out', tmp_path / out]
        status = main([*map(str, arguments), '--format', 'json', *map(str, options)])
        text = (tmp_path / out / 'predictions.jsonl').read_text() if status == 0 else ''
        return status, [json.loads(line) for line in text.splitlines()]

    return run


def test_results_say_so(published, folder):
    (path, _) = sorted(folder.iterdir())
    for precision, expected in (('auto', 'fp32'), ('fp32', 'fp32'), ('bf16', 'bf16')):
        inferencer = ManipulationInferencer(weights=published, device='cpu', precision=precision)
        (result,) = inferencer.stream(path)
        assert inferencer.precision == result.precision == expected
        assert result.probability.dtype == np.float32
    inferencer.precision = 'fp32'
    assert next(inferencer.stream(path)).precision == 'fp32'


def test_records_and_settings_say_so(predict, tmp_path, capsys):
    status, records = predict('--precision', 'bf16', '--device', 'cpu')
    assert status == 0
    assert [record['precision'] for record in records] == ['bf16', 'bf16']
    assert json.loads((tmp_path / 'out/settings.json').read_text())['precision'] == 'bf16'
    assert predict('--device', 'cpu')[0] == 1
    assert "holds results with precision 'bf16', got 'fp32'" in capsys.readouterr().err


def test_single_precision_is_not_told_in_records(predict, tmp_path, capsys):
    status, records = predict('--device', 'cpu')
    assert status == 0
    assert not [record for record in records if 'precision' in record]
    path = tmp_path / 'out/settings.json'
    settings = json.loads(path.read_text())
    assert settings.pop('precision') == 'fp32'
    path.write_text(json.dumps(settings))  # as earlier versions wrote it
    assert predict('--device', 'cpu')[0] == 0
    assert predict('--device', 'cpu', '--precision', 'bf16')[0] == 1
    assert "precision 'fp32', got 'bf16'" in capsys.readouterr().err


# ---- thresholds are of one precision -----------------------------------------------------------


def calibration(path, checkpoint, **changes):
    content = dict(
        threshold=0.0, pooling='max', fpr=0.5, expected_fpr=0.5, expected_fpr_std=0.1,
        num_images=1, checkpoint_sha256=file_sha256(checkpoint), **changes,
    )  # fmt: skip
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize('made', [{}, dict(precision='bf16')], ids=['fp32', 'bf16'])
def test_auto_is_that_of_the_threshold(predict, published, tmp_path, capsys, made):
    file = calibration(tmp_path / 'c.json', published, **made)
    status, records = predict('--calibration', file, '--device', 'cpu')
    assert status == 0
    assert {record.get('precision') for record in records} == {made.get('precision')}
    assert {record['verdict'] for record in records} == {'tampered'}
    own, other = ('bf16', 'fp32') if made else ('fp32', 'bf16')
    assert predict('--calibration', file, '--precision', own, out='own')[0] == 0
    assert predict('--calibration', file, '--precision', other, out='other')[0] == 1
    error = capsys.readouterr().err
    expected = f'--precision {own}, in which the threshold was calibrated, got {other}'
    assert expected in error
    assert f'mmomni calibrate --precision {other}' in error


@pytest.mark.parametrize(
    ('asked', 'value'), [('auto', 0.1), ('fp32', 0.1), ('bf16', 0.2), ('none', 0.1)]
)
def test_of_several_it_is_the_one_of_the_precision(asked, value):
    made = dict(pooling='max', fpr=0.01)
    carried = [dict(made, threshold=0.1), dict(made, threshold=0.2, precision='bf16')]
    assert carried_threshold(carried, 0.01, asked).value == value


def test_a_calibration_of_no_such_precision(predict, published, tmp_path, capsys):
    assert predict('--calibration', calibration(tmp_path / 'c.json', published, precision=16))[0]
    assert "expected precision 'fp32' or 'bf16', got 16" in capsys.readouterr().err


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_calibrations_say_so_and_are_published_so(
    training_checkpoint, folder, tmp_path, precision
):
    ((found,), _) = calibrate(
        str(DEMO), str(training_checkpoint), folder, [0.5], 'top_k_mean', lambda *_: None,
        trust_checkpoint=True, precision=precision, domain='face',
    )  # fmt: skip
    assert found.get('precision', 'fp32') == precision
    assert ('precision' in found) == (precision == 'bf16')
    file = tmp_path / 'c.json'
    file.write_text(json.dumps(found))
    out = publish(training_checkpoint, tmp_path / 'x.pth', calibrations=[file])
    (carried,) = read_checkpoint(out).calibrations
    assert carried.get('precision', 'fp32') == precision
    assert carried['domain'] == 'face'


def test_the_command_calibrates_in_it(training_checkpoint, folder, tmp_path):
    out = tmp_path / 'c.json'
    arguments = ['calibrate', DEMO, training_checkpoint, folder, '--out', out, '--fpr', 0.5]
    arguments += ['--trust-checkpoint', '--precision', 'bf16']
    assert main([*map(str, arguments)]) in (None, 0)
    assert json.loads(out.read_text())['precision'] == 'bf16'
