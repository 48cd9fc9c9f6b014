"""Published checkpoints: what they hold, what they do not, and what happens with other files."""

import copy
import hashlib
import json
import math
import os
import pickle
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmseg.apis import init_model
from mmseg.registry import MODELS as MMSEG_MODELS
from safetensors.torch import save_file

from mmomni.checkpoints import (
    Checkpoint,
    Description,
    build_model,
    demand_fit,
    description_text,
    inference_config,
    load_weights,
    publish,
    read_checkpoint,
)
from mmomni.checkpoints.description import TYPES
from mmomni.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
DEMO = CONFIGS / 'demo/omni-iml_convnext-atto_demo.py'
SAFE_CONFIG = dict(default_scope='mmseg', model=dict(type='EncoderDecoder'))


@pytest.fixture(scope='module')
def trained():
    """The demo's model with its training-only heads."""
    torch.manual_seed(0)
    return build_model(Config.fromfile(DEMO)).eval()


@pytest.fixture(scope='module')
def source(trained, tmp_path_factory):
    """A checkpoint as mmengine's runner writes it."""
    path = tmp_path_factory.mktemp('training') / 'iter_150.pth'
    content = dict(
        meta=dict(cfg=Config.fromfile(DEMO).pretty_text, iter=120),  # stopped before its 150
        state_dict=trained.state_dict(),
        message_hub=dict(log_scalars={'train/loss': HistoryBuffer([1.0], [1])}),
        optimizer=dict(state={0: dict(exp_avg=torch.zeros(9))}),
    )
    torch.save(content, path)
    return path


@pytest.fixture(scope='module')
def published(source, tmp_path_factory):
    return publish(source, tmp_path_factory.mktemp('published') / 'demo.pth')


@pytest.fixture
def calibration(source, tmp_path):
    """Write a file as ``mmomni calibrate`` does."""

    def write(name='calibration.json', **changes):
        content = dict(
            threshold=0.9, pooling='top_k_mean', fpr=0.01, expected_fpr=0.009,
            expected_fpr_std=0.003, num_images=998, unreadable={'/home/me/a.jpg': 'empty'},
            source='/home/me/photos', config='demo.py', checkpoint='iter_150.pth',
            checkpoint_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        )  # fmt: skip
        path = tmp_path / name
        path.write_text(json.dumps(content | changes))
        return path

    return write


def description(**changes):
    fields = dict(format=1, config=SAFE_CONFIG, calibrations=[], card={})
    return json.dumps(fields | changes)


def write_published(path, text, state_dict=None):
    torch.save(dict(meta=dict(mmomni=text), state_dict=state_dict or {}), path)
    return path


# ---- publishing ------------------------------------------------------------------------------


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_published_model_predicts_what_the_trained_one_does(
    suffix, source, trained, make_planes, tmp_path
):
    checkpoint = read_checkpoint(publish(source, tmp_path / f'demo{suffix}'))
    model = build_model(checkpoint.config).eval()
    report = load_weights(model, checkpoint)
    assert report.new == report.unused == report.inflated == ()
    planes = make_planes(64, 96)[None].float()
    with torch.no_grad():
        assert torch.equal(model(planes), trained(planes))


def test_nothing_of_the_training_is_left(published, trained):
    content = torch.load(published, weights_only=True)
    assert set(content) == {'meta', 'state_dict'}
    left = {name for name in trained.state_dict() if not name.startswith('auxiliary_head.')}
    assert set(content['state_dict']) == left
    assert len(left) < len(trained.state_dict())
    config = json.loads(content['meta']['mmomni'])['config']
    assert set(config) == {'default_scope', 'model'}
    assert 'loss_decode' not in config['model']['decode_head']
    assert 'auxiliary_head' not in config['model']
    assert 'init_cfg' not in json.dumps(config)


def test_views_do_not_take_their_storage_along(tmp_path):
    source = tmp_path / 'training.pth'
    meta = dict(cfg='model = dict(type="EncoderDecoder")')
    torch.save(dict(meta=meta, state_dict={'a': torch.zeros(1_000_000)[:10]}), source)
    assert source.stat().st_size > 4_000_000
    assert publish(source, tmp_path / 'a.pth').stat().st_size < 20_000


def test_name_ends_with_the_hash(published):
    digits = hashlib.sha256(published.read_bytes()).hexdigest()[:8]
    assert published.name == f'demo-{digits}.pth'
    assert [path.name for path in published.parent.iterdir()] == [published.name]


def test_card_tells_where_it_comes_from(source, tmp_path):
    path = publish(source, tmp_path / 'x.pth', name='Demo', licence='CC0-1.0')
    card = read_checkpoint(path).card
    assert (card['name'], card['licence'], card['source']) == ('Demo', 'CC0-1.0', 'iter_150.pth')
    assert card['source_sha256'] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert card['training']['sets'] == ['natural/natural', 'document/document', 'face/face']
    assert (card['training']['iterations'], card['training']['batch_size']) == (120, 8)
    assert (card['training']['started_from'], card['training']['averaged']) == (None, [])


def test_card_names_the_weights_that_a_training_started_from(source, published, tmp_path):
    path = publish(source, tmp_path / 'x.pth', started_from=published)
    training = read_checkpoint(path).card['training']
    assert training['started_from'] == published.name
    assert training['started_from_sha256'] == hashlib.sha256(published.read_bytes()).hexdigest()
    assert 'started_from_sha256' not in read_checkpoint(published).card['training']


def test_thresholds_travel_without_paths_of_their_maker(source, calibration, tmp_path):
    files = [calibration(), calibration('second.json', fpr=0.1, threshold=0.7)]
    checkpoint = read_checkpoint(publish(source, tmp_path / 'x.pth', calibrations=files))
    found = [(each['fpr'], each['threshold']) for each in checkpoint.calibrations]
    assert found == [(0.01, 0.9), (0.1, 0.7)]
    assert '/home/me' not in json.dumps(checkpoint.calibrations)


def test_threshold_of_another_checkpoint_is_refused(source, calibration, tmp_path):
    path = calibration(checkpoint_sha256='0' * 64)
    with pytest.raises(ValueError, match=r'made with another checkpoint \(00000000\.\.\.\)'):
        publish(source, tmp_path / 'out' / 'x.pth', calibrations=[path])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('text', ['{"threshold": 0.5}', '[]', 'no json'])
def test_file_that_is_no_calibration_is_refused(text, source, tmp_path):
    path = tmp_path / 'c.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'c\.json: expected a '):
        publish(source, tmp_path / 'x.pth', calibrations=[path])


def results(checkpoint):
    row = dict(
        name='CASIAv1', domain='natural', protocol='per_image', test_input='native',
        scores={'IoU': 0.5}, counts={'tampered': 7, 'authentic': 2, 'unreadable': 1}, paper={},
    )  # fmt: skip
    missing = row | dict(name='NIST16', scores={})
    return dict(checkpoint=checkpoint, tables=[dict(title='Sets', rows=[row, missing])])


def test_metrics_come_from_the_results_of_the_test(source, tmp_path):
    path = tmp_path / 'results.json'
    path.write_text(json.dumps(results('work_dirs/x/iter_150.pth')))
    card = read_checkpoint(publish(source, tmp_path / 'x.pth', results=path)).card
    assert card['metrics'] == [
        dict(
            name='CASIAv1', domain='natural', protocol='per_image', test_input='native',
            scores={'IoU': 0.5}, images=9,
        )
    ]  # fmt: skip


def test_metrics_of_a_selection_come_along(source, tmp_path):
    content = dict(
        checkpoint=source.name, test_input='native', tables=[],
        selection=dict(
            datasets=dict(
                real=dict(mine=dict(IoU=0.5, AUC=0.9, false_area=None, tampered=3, authentic=1,
                                    unreadable=0))
            ),
            average=dict(IoU=0.5, threshold=0.35),
        ),
    )  # fmt: skip
    path = tmp_path / 'results.json'
    path.write_text(json.dumps(content))
    card = read_checkpoint(publish(source, tmp_path / 'x.pth', results=path)).card
    assert card['metrics'] == [
        dict(name='mine', domain='real', protocol='selection', test_input='native',
             scores=dict(IoU=0.5, AUC=0.9, threshold=0.35), images=4)
    ]  # fmt: skip


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_half_precision_halves_the_file_and_keeps_what_it_would_change(
    suffix, published, trained, source, tmp_path
):
    content = torch.load(source, weights_only=False)
    channels = len(content['state_dict']['decode_head.ppm_conv.bn.running_var'])
    kept = {
        'decode_head.conv_seg.bias': torch.tensor([7e4, 1.0]),
        'decode_head.ppm_conv.bn.running_var': torch.full((channels,), 1e-9),
    }
    tiny = 'decode_head.conv_seg.weight'  # among larger ones it changes nothing
    content['state_dict'] = content['state_dict'] | kept
    content['state_dict'][tiny] = torch.full_like(content['state_dict'][tiny], 1e-9)
    torch.save(content, tmp_path / 'iter_150.pth')
    path = publish(tmp_path / 'iter_150.pth', tmp_path / f'half{suffix}', half=True)
    assert path.stat().st_size < 0.6 * published.stat().st_size
    checkpoint = read_checkpoint(path)
    weights = checkpoint.state_dict
    assert all(torch.equal(weights[name], tensor) for name, tensor in kept.items())
    assert weights[tiny].dtype == torch.half
    model = build_model(checkpoint.config)
    assert not load_weights(model, checkpoint).new
    for name, tensor in model.state_dict().items():
        assert tensor.dtype != torch.half
        if tensor.is_floating_point() and name not in {*kept, tiny}:
            torch.testing.assert_close(tensor, trained.state_dict()[name], rtol=1e-2, atol=1e-7)
            assert weights[name].dtype == torch.half or tensor.ndim == 1


def test_results_of_another_checkpoint_are_refused(source, tmp_path):
    path = tmp_path / 'results.json'
    path.write_text(json.dumps(results('work_dirs/x/iter_100.pth')))
    with pytest.raises(ValueError, match=r'results of iter_150\.pth, got those of iter_100\.pth'):
        publish(source, tmp_path / 'x.pth', results=path)


def test_config_can_be_given(source, tmp_path):
    bare = tmp_path / 'bare.pth'
    torch.save(torch.load(source, weights_only=False)['state_dict'], bare)
    with pytest.raises(ValueError, match=r'bare\.pth does not hold its config; .* --config'):
        publish(bare, tmp_path / 'x.pth')
    checkpoint = read_checkpoint(publish(bare, tmp_path / 'x.pth', config=DEMO))
    assert checkpoint.config.model.backbone.type == 'mmomni.ModalGateEncoder'


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('[a-z]*/*.py')), ids=lambda path: path.stem)
def test_every_config_can_be_published(path):
    config = inference_config(Config.fromfile(path))
    text = description_text(Description(config.to_dict(), (), {}))
    assert json.loads(text)['config']['model']['type'] == 'EncoderDecoder'


def test_config_with_code_is_not_published(source, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("model = dict(type='EncoderDecoder', backbone=dict(type='R', norm=print))")
    with pytest.raises(ValueError, match=r'model\.backbone\.norm: expected text, a number'):
        publish(source, tmp_path / 'x.pth', config=config)


def test_kind_of_file_must_be_known(source, tmp_path):
    with pytest.raises(ValueError, match=r'x\.bin: expected a name ending with'):
        publish(source, tmp_path / 'x.bin')


def test_published_checkpoint_is_not_published_again(published, tmp_path):
    with pytest.raises(ValueError, match='expected a checkpoint of a training, got a published'):
        publish(published, tmp_path / 'x.pth')


def test_tool(source, calibration, load_tool, monkeypatch, capsys, tmp_path):
    tool = load_tool('model_converters/publish_model.py')
    arguments = [str(source), str(tmp_path / 'x.pth'), '--calibration', str(calibration())]
    monkeypatch.setattr('sys.argv', ['publish_model.py', *arguments])
    assert tool.main() == 0
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert len(read_checkpoint(path).calibrations) == 1
    monkeypatch.setattr('sys.argv', ['publish_model.py', 'none.pth', str(tmp_path / 'x.pth')])
    assert tool.main() == 1
    assert 'found no file none.pth' in capsys.readouterr().err


def test_mmseg_loads_it_too(published, tmp_path):
    config = tmp_path / 'config.json'
    config.write_text(json.dumps(read_checkpoint(published).config.to_dict()))
    model = init_model(str(config), str(published), device='cpu')
    assert model.dataset_meta['classes'] == ('authentic', 'tampered')
    weights = torch.load(published, weights_only=True)['state_dict']
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


# ---- reading ---------------------------------------------------------------------------------


def test_training_checkpoint_is_read_only_if_trusted(source):
    with pytest.raises(ValueError, match=r'publish_model\.py.*--trust-checkpoint'):
        read_checkpoint(source)
    checkpoint = read_checkpoint(source, trust=True)
    assert (checkpoint.calibrations, checkpoint.card) == ((), {})
    assert 'auxiliary_head' not in checkpoint.config.model
    assert load_weights(build_model(checkpoint.config), checkpoint).unused == ()


def test_harmless_file_that_was_not_published_is_refused_too(tmp_path):
    """Its config would be a program."""
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict={'a': torch.zeros(1)}, meta=dict(cfg='model = dict()')), path)
    with pytest.raises(ValueError, match='was not published'):
        read_checkpoint(path)


def test_trusted_weights_without_config(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save({'a': torch.ones(1)}, path)
    checkpoint = read_checkpoint(path, trust=True)
    assert checkpoint == Checkpoint({'a': torch.ones(1)}, None, (), {})


class Touch:
    """Unpickled, it creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize('is_zip', [True, False])
@pytest.mark.parametrize('place', ['meta', 'state_dict', 'mmomni'])
def test_code_in_a_checkpoint_does_not_run(place, is_zip, tmp_path):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    content = dict(meta=dict(mmomni=description()), state_dict={})
    if place == 'mmomni':
        content['meta']['mmomni'] = Touch(trace)
    else:
        content[place]['evil'] = Touch(trace)
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ValueError, match=r'evil\.pth'):
        read_checkpoint(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # it would have run


def test_what_is_no_record_of_a_training_is_named_before_what_is(tmp_path):
    path = tmp_path / 'evil.pth'
    records = dict(log_scalars={'train/loss': HistoryBuffer([1.0], [1])})
    torch.save(dict(state_dict={}, message_hub=records), path)
    with pytest.raises(ValueError, match=r'training do: .*HistoryBuffer; publish it'):
        read_checkpoint(path)
    torch.save(dict(state_dict={}, message_hub=records, meta=Touch(tmp_path / 'trace')), path)
    with pytest.raises(ValueError, match=r'training do: \S*\.mkdir; publish it'):
        read_checkpoint(path)
    assert not (tmp_path / 'trace').exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(model=dict(type='subprocess.Popen', args=['true'])), "the type 'subprocess.Popen'"),
        (dict(model=dict(type='mmengine.dump', obj=1)), "the type 'mmengine.dump'"),
        (dict(model=dict(type='mmseg.apis.init_model')), "the type 'mmseg.apis.init_model'"),
        (dict(model=dict(type='antigravity')), "the type 'antigravity'"),
        (dict(model=dict(type=['EncoderDecoder'])), "the type .'EncoderDecoder'"),
        (dict(model=dict(type='EncoderDecoder', neck=[dict(type='os.system')])), 'os.system'),
        (dict(model=dict(type='torch.nn.Linear')), "the type 'torch.nn.Linear'"),
        (dict(model=dict(init_cfg=dict(type='Pretrained', checkpoint='x'))), "entry 'init_cfg'"),
        (dict(model=dict(pretrained='https://example.org/x.pth')), "entry 'pretrained'"),
        (dict(model=dict(checkpoint_path='x.pth')), "entry checkpoint_path = 'x.pth'"),
        (dict(model=dict(type='mmseg.FCNHead')), "the type 'mmseg.FCNHead'"),
        (dict(model=dict(type='mmdet.KnowledgeDistillationSingleStageDetector')), 'the type'),
        (dict(model=dict(type='UPerHead')), 'may have here: EncoderDecoder'),
        (dict(model=dict(type='LoadImageFromFile')), "the type 'LoadImageFromFile'"),
        (dict(model=dict(a=dict(loss_decode=dict(type='BN')))), "entry 'loss_decode'"),
        (dict(model=dict(a=dict(sampler=dict(type='BN')))), "entry 'sampler'"),
        (dict(model=dict(weight='../w')), "weight = '../w'"),
        (dict(model=dict(weight=[[1, 'w.pkl']])), "weight = 'w.pkl'"),
        (dict(model=dict(weight=[dict(a='http://x')])), "a = 'http://x'"),
        (dict(model=dict(weight='a' * 65)), 'expected a word'),
        (dict(model=dict(weight='word\n')), 'expected a word'),
        (dict(model={}), 'the type None'),
        (dict(test_pipeline=[dict(type='LoadImageFromFile')]), 'expected a config of'),
        (dict(default_scope='mmdet'), "names the package 'mmdet'"),
        (dict(model=dict(_scope_='evil')), "names the package 'evil'"),
        (dict(default_scope='evil'), "names the package 'evil'"),
        (dict(custom_imports=dict(imports=['antigravity'])), 'expected a config of'),
        (dict(_base_='/etc/config.py'), 'expected a config of'),
        (dict(model='x'), 'expected a config of'),
    ],
)
def test_config_that_names_more_than_registered_modules_is_refused(change, message, tmp_path):
    text = description(config=SAFE_CONFIG | change)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(write_published(tmp_path / 'x.pth', text))


def test_file_that_a_constructor_would_load_is_not_loaded(tmp_path):
    """The loss of a head unpickles the file of its class weights."""
    trace, weights = tmp_path / 'trace', tmp_path / 'w.pkl'
    weights.write_bytes(pickle.dumps(Touch(trace)))
    config = inference_config(Config.fromfile(DEMO)).to_dict()
    loss = dict(type='CrossEntropyLoss', class_weight=str(weights))
    config['model']['decode_head']['loss_decode'] = loss
    path = write_published(tmp_path / 'x.pth', description(config=config))
    with pytest.raises(ValueError, match="entry 'loss_decode'"):
        build_model(read_checkpoint(path).config)
    assert not trace.exists()
    build_model(Config(config))
    assert trace.exists()  # it would have run


@pytest.mark.parametrize('name', sorted(TYPES))
def test_types_of_published_configs_are_registered(name):
    """Else mmengine would take the name as a path to import."""
    scope, _, key = name.rpartition('.')
    registry = MODELS if scope == 'mmomni' else MMSEG_MODELS
    registry.import_from_location()
    assert key in registry.module_dict or key in registry.parent.module_dict


@pytest.mark.parametrize('place', ['fpr', 'threshold', 'pooling'])
@pytest.mark.parametrize('value', [None, 'x', True, [1], math.nan, 2])
def test_calibration_in_a_file_is_checked(place, value, tmp_path):
    good = dict(threshold=0, fpr=0.01, pooling='max')
    path = write_published(tmp_path / 'x.pth', description(calibrations=[good]))
    assert read_checkpoint(path).calibrations == (good,)
    text = description(calibrations=[good, good | {place: value}])
    with pytest.raises(ValueError, match=r'expected calibrations with threshold .*, fpr .*pooling'):
        read_checkpoint(write_published(path, text))


def test_calibration_in_a_file_has_all_fields(tmp_path):
    path = write_published(tmp_path / 'x.pth', description(calibrations=[{'x': 1}]))
    with pytest.raises(ValueError, match=r'expected calibrations with threshold'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (description(format=2), 'format 1 expected, got 2'),
        ('{"format": 1}', "KeyError.'config'"),
        ('{', 'JSONDecodeError'),
        ('[' * 100_000, 'RecursionError'),
        ('3', 'TypeError'),
        (description(calibrations=3), 'TypeError'),
    ],
)
def test_description_that_cannot_be_used(text, message, tmp_path):
    with pytest.raises(ValueError, match=rf'x\.pth: its description cannot be used: .*{message}'):
        read_checkpoint(write_published(tmp_path / 'x.pth', text))


@pytest.fixture
def load(monkeypatch):
    """``torch.load``, which is not to be called."""
    load = Mock(wraps=torch.load)
    monkeypatch.setattr(torch, 'load', load)
    return load


def test_old_format_does_not_reach_torch(load, tmp_path):
    path = tmp_path / 'x.pth'
    content = dict(meta=dict(mmomni=description()), state_dict={})
    torch.save(content, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match='expected a checkpoint'):
        read_checkpoint(path)
    load.assert_not_called()


def test_torchscript_does_not_reach_torch(load, tmp_path):
    """Before torch 2.6 ``weights_only`` did not keep it from running."""
    path, program = tmp_path / 'x.pth', tmp_path / 'program.pt'
    torch.jit.save(torch.jit.trace(torch.nn.Identity(), torch.zeros(1)), program)
    with zipfile.ZipFile(program) as archive, zipfile.ZipFile(path, 'w') as unpacked:
        for name in archive.namelist():
            unpacked.writestr(name, archive.read(name))
    assert torch.jit.load(path)(torch.ones(1)) == 1
    with pytest.raises(ValueError, match=r'x\.pth .* it is a TorchScript program'):
        read_checkpoint(path)
    load.assert_not_called()


def test_compressed_records_do_not_reach_torch(load, published, tmp_path):
    path = tmp_path / 'x.pth'
    with zipfile.ZipFile(published) as archive, zipfile.ZipFile(path, 'w') as packed:
        for name in archive.namelist():
            kind = zipfile.ZIP_DEFLATED if name.endswith('/0') else zipfile.ZIP_STORED
            packed.writestr(name, archive.read(name), kind)
    with pytest.raises(ValueError, match=r'x\.pth .* are compressed or overlap'):
        read_checkpoint(path)
    load.assert_not_called()


def test_overlapping_records_do_not_reach_torch(load, published, tmp_path):
    path = tmp_path / 'x.pth'
    path.write_bytes(published.read_bytes())
    with zipfile.ZipFile(path, 'a') as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        for number in range(3):
            again = copy.copy(largest)
            again.filename = f'{largest.filename}{number}'
            archive.filelist.append(again)
        archive._didModify = True
    with pytest.raises(ValueError, match=r'x\.pth .* are compressed or overlap'):
        read_checkpoint(path)
    load.assert_not_called()


def test_trust_is_used_only_where_it_is_needed(load, published, source, tmp_path):
    """Without an unpickler of ours a file may run what it likes."""
    foreign = tmp_path / 'foreign.pth'
    torch.save(dict(state_dict={}, meta=dict(of=Path('x'))), foreign)
    for path in (published, source, foreign):
        read_checkpoint(path, trust=True)
    assert ['pickle_module' in call.kwargs for call in load.call_args_list] == [
        True, True, True, False
    ]  # fmt: skip


def test_damaged_files_are_named(published, tmp_path):
    data = published.read_bytes()
    contents = [data[: len(data) // 2], data[:1000], b'', b'\x89PNG', b'PK\x03\x04', bytes(999)]
    for number, content in enumerate(contents):
        path = tmp_path / f'{number}.pth'
        path.write_bytes(content)
        for trust in (False, True):
            with pytest.raises(ValueError, match=rf'{number}\.pth'):
                read_checkpoint(path, trust)


@pytest.mark.parametrize('content', [3, [1], {'a': 1}, {'state_dict': 3}])
def test_file_without_weights(content, tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(content, path)
    with pytest.raises(ValueError, match=r'x\.pth: expected a dict of tensors'):
        read_checkpoint(path, trust=True)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'found no file .*none\.pth'):
        read_checkpoint(tmp_path / 'none.pth')


def test_damaged_safetensors(tmp_path):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(bytes(100))
    with pytest.raises(ValueError, match=r'x\.safetensors is damaged'):
        read_checkpoint(path)


def test_safetensors_that_were_not_published(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_file({'a': torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r'was not published by .*publish_model\.py'):
        read_checkpoint(path)



# ---- loading ---------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(published):
    return read_checkpoint(published)


def test_missing_weights_are_an_error(checkpoint):
    del checkpoint.state_dict['neck.fusions.0.conv.weight']
    with pytest.raises(ValueError, match=r'it lacks 1, of neck\.fusions\.0\.conv'):
        load_weights(build_model(checkpoint.config), checkpoint)


def test_training_only_heads_may_be_missing(checkpoint, trained):
    assert load_weights(trained, checkpoint).new == ()


def test_weights_of_another_size_are_an_error(checkpoint):
    checkpoint.config.model.decode_head.channels = 32
    with pytest.raises(ValueError, match=r'another size of it: \d+ shapes differ, the first is'):
        load_weights(build_model(checkpoint.config), checkpoint)


def test_stem_of_fewer_planes_is_an_error(checkpoint):
    """Inflated, it is a start for a training, not a trained model."""
    name = 'backbone.backbone.body.downsample_layers.0.0.weight'
    checkpoint.state_dict[name] = checkpoint.state_dict[name][:, :3]
    with pytest.raises(ValueError, match=r'inflated: 1, of backbone\.backbone'):
        load_weights(build_model(checkpoint.config), checkpoint)


def test_unused_weights_are_reported(checkpoint):
    checkpoint.state_dict['neck.more.weight'] = torch.zeros(1)
    report = load_weights(build_model(checkpoint.config), checkpoint)
    assert report.unused == ('neck.more.weight',)
    assert len(report.matched) == len(checkpoint.state_dict) - 1
    assert 'unused: 1, of neck.more (1)' in str(report)


def test_weights_of_another_kind_of_model(checkpoint):
    other = checkpoint._replace(state_dict={'layer1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match=r'no name fits, .* the file has 1, of layer1\.weight'):
        load_weights(build_model(checkpoint.config), other)


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        (dict(weight=torch.zeros(2, 4), bias=torch.zeros(2)), '1 shapes differ, the first is'),
        (dict(weight=torch.zeros(2, 3)), 'does not fit the model: it lacks 1, of bias'),
        (dict(other=torch.zeros(2)), 'no name fits'),
    ],
)
def test_a_checkpoint_that_mmengine_would_only_log_is_refused(weights, message, tmp_path):
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict=weights), path)
    with pytest.raises(ValueError, match=f'{path}: .*{message}'):
        demand_fit(torch.nn.Linear(3, 2), str(path))


def test_a_checkpoint_that_fits_is_let_through(tmp_path):
    """Heads of training and the wrapper of several ranks do not matter."""
    weights = {f'module.{name}': x for name, x in torch.nn.Linear(3, 2).state_dict().items()}
    torch.save(dict(state_dict={**weights, 'auxiliary_head.x': torch.zeros(1)}), tmp_path / 'a.pth')
    demand_fit(torch.nn.Linear(3, 2), str(tmp_path / 'a.pth'))
