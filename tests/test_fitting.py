"""Weights and config of a checkpoint are compared before memory is taken; errors are one line."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmomni.apis import ManipulationInferencer
from mmomni.checkpoints import (
    Checkpoint,
    build_fitting,
    build_model,
    fitting,
    inference_config,
    load_weights,
    read_checkpoint,
)
from mmomni.checkpoints.fitting import SPARE, _sizes_of
from mmomni.cli import main
from mmomni.utils.digests import UnusableFileError

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
DEMO = CONFIGS / 'demo/omni-iml_convnext-atto_demo.py'
NAME = 'decode_head.conv_seg.weight'
TERABYTES = 2**20
"""Channels; a kernel of 3 x 3 between so many has 40 TB."""


def demo(**changes):
    """The demo's inference config with other entries of its decode head."""
    config = inference_config(Config.fromfile(DEMO))
    config.model.decode_head.update(changes)
    return config


@pytest.fixture(scope='module')
def state_dict():
    return build_model(demo()).state_dict()


@pytest.fixture
def built(monkeypatch):
    """Models that were built, each with whether it took memory."""
    taken = []

    def build(config):
        model = build_model(config)
        taken.append(not next(model.parameters()).is_meta)
        return model

    monkeypatch.setattr(fitting, 'build_model', build)
    return taken


def checkpoint(state_dict, **changes):
    return Checkpoint(dict(state_dict) | changes, None, (), {})


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('[a-z]*/*.py')), ids=lambda path: path.stem)
def test_every_config_has_a_model_without_memory(path):
    model = _sizes_of(inference_config(Config.fromfile(path)), most=SPARE)
    # a number that a module was given, as mmcv's Scale, has no memory to speak of
    assert all(weight.is_meta or weight.ndim == 0 for weight in model.parameters())


def test_the_model_is_the_one_that_is_built_without_a_look(state_dict, make_planes, recwarn):
    planes = make_planes(64, 64)[None].float()
    plain = build_model(demo()).eval()
    load_weights(plain, checkpoint(state_dict))
    model = build_fitting(demo(), checkpoint(state_dict)).eval()
    assert not [each for each in recwarn if 'meta' in str(each.message)]
    with torch.no_grad():
        assert torch.equal(model(planes), plain(planes))


@pytest.mark.parametrize('channels', [TERABYTES, 2**40, 2**70, -3])
def test_a_config_that_asks_for_too_much_takes_no_memory(channels, state_dict, built):
    with pytest.raises(ValueError, match=r'shapes differ|decode_head: .* cannot be built: ') as no:
        build_fitting(demo(channels=channels), checkpoint(state_dict))
    assert '\n' not in str(no.value)
    assert True not in built


def test_a_config_that_asks_for_too_many_modules_ends_soon(state_dict, built):
    """Each takes time, even without memory."""
    config = demo()
    config.model.backbone.frequency_head.num_blocks = 10**9
    with pytest.raises(ValueError, match=r'model\.backbone.*more than [0-9,]+ tensors') as refused:
        build_fitting(config, checkpoint(state_dict))
    assert '\n' not in str(refused.value)


def test_weights_that_claim_more_than_the_file_holds_are_refused(state_dict, tmp_path):
    """Of one number, torch stores a kernel of any size."""
    kernel = torch.zeros(1).expand(TERABYTES, TERABYTES)
    config = demo(channels=TERABYTES).to_dict()
    text = json.dumps(dict(format=1, config=config, calibrations=[], card={}))
    torch.save(dict(meta=dict(mmomni=text), state_dict={NAME: kernel}), tmp_path / 'x.pth')
    with pytest.raises(UnusableFileError, match=r'x\.pth: its weights claim 4,398,046,511,104 by'):
        read_checkpoint(tmp_path / 'x.pth')


@pytest.mark.parametrize(
    'change',
    [
        torch.Tensor.double, torch.Tensor.char, torch.Tensor.bool, torch.Tensor.cfloat,
        torch.Tensor.to_sparse,
    ],
)  # fmt: skip
def test_numbers_of_another_kind_are_refused(change, state_dict, built):
    changed = change(state_dict[NAME])
    with pytest.raises(ValueError, match=f'another kind: {NAME} .* expected torch.float32, '):
        build_fitting(demo(), checkpoint(state_dict, **{NAME: changed}))
    assert built == [False]


def test_a_count_is_a_whole_number(state_dict):
    name = next(each for each in state_dict if each.endswith('num_batches_tracked'))
    with pytest.raises(ValueError, match=f'{name} of torch.float32 instead of torch.int64'):
        build_fitting(demo(), checkpoint(state_dict, **{name: torch.zeros(())}))


@pytest.mark.parametrize('change', [torch.Tensor.half, torch.Tensor.bfloat16])
def test_half_precision_is_accepted(change, state_dict):
    model = build_fitting(demo(), checkpoint(state_dict, **{NAME: change(state_dict[NAME])}))
    assert model.state_dict()[NAME].dtype == torch.float32


# ---- constructors ----------------------------------------------------------------------------

FAULTS = [
    (dict(chanels=3), r'model\.decode_head: DynamicWeightDecoder takes no argument chanels; is it'),
    (dict(channels='x'), r'model\.decode_head: .* cannot be built: TypeError: '),
    (dict(num_classes=3, out_channels=1), r'model\.decode_head: .* cannot be built: '),
    (dict(type='mmomni.DynamicWeigthDecoder'), r'model\.decode_head: .*; is it .*WeightDecoder'),
]


@pytest.mark.parametrize(('changes', 'message'), FAULTS)
def test_what_a_constructor_refuses_is_one_line_with_its_entry(changes, message, state_dict):
    with pytest.raises(ValueError, match=message) as refused:
        build_fitting(demo(**changes), checkpoint(state_dict))
    assert '\n' not in str(refused.value)


@pytest.fixture
def wrong(state_dict, tmp_path):
    """A config that cannot be built, and weights for it."""
    config = tmp_path / 'wrong.py'
    config.write_text(f'_base_ = [{str(DEMO)!r}]\nmodel = dict(decode_head=dict(chanels=3))\n')
    torch.save(state_dict, tmp_path / 'x.pth')
    (tmp_path / 'photos').mkdir()
    for name in 'abc':
        (tmp_path / f'photos/{name}.png').write_bytes(PNG)
    return config, tmp_path / 'x.pth'


PNG = bytes.fromhex(
    '89504e470d0a1a0a0000000d4948445200000001000000010800000000'
    '3a7e9b550000000a49444154789c636000000002000148afa4710000000049454e44ae426082'
)


@pytest.mark.parametrize('command', ['predict', 'serve', 'calibrate'])
def test_commands_end_in_one_line(command, wrong, tmp_path, capsys):
    config, weights = map(str, wrong)
    photos = str(tmp_path / 'photos')
    if command == 'calibrate':
        given = [config, weights, photos, '--fpr', '0.5']
    else:
        given = ['--config', config, '--checkpoint', weights, '--device', 'cpu']
        given += [photos, '--out', str(tmp_path / 'out')] * (command == 'predict')
    assert main([command, *given, '--trust-checkpoint']) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f'mmomni {command}: {weights} with {config}: model.decode_head: Dynamic')


def test_a_fault_of_the_code_keeps_its_traceback(state_dict, monkeypatch):
    """Whoever wrote the constructor has to see where."""
    monkeypatch.setattr(fitting, 'build_model', lambda config: config.no_such_entry())
    with pytest.raises(AttributeError):
        build_fitting(demo(), checkpoint(state_dict))


def test_the_inferencer_names_the_file_whose_config_it_is(state_dict, tmp_path):
    config = demo(channels=TERABYTES).to_dict()
    text = json.dumps(dict(format=1, config=config, calibrations=[], card={}))
    torch.save(dict(meta=dict(mmomni=text), state_dict=dict(state_dict)), tmp_path / 'x.pth')
    with pytest.raises(ValueError, match=r'x\.pth: the weights are of another model'):
        ManipulationInferencer(weights=tmp_path / 'x.pth', device='cpu')
