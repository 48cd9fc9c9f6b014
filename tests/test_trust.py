"""Whatever opens a checkpoint: what a file hides does not run, and one's own needs no flag."""

import _codecs
import contextlib
import gzip
import io
import os
import pickle
import shutil
import sys
import tarfile
import threading
import tracemalloc
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file
from torch import nn

from mmomni.checkpoints import average_files, publish, read_checkpoint
from mmomni.checkpoints.reading import read_training_checkpoint
from mmomni.cli import tools
from mmomni.engine.hooks.resuming_hooks import ResumedBatchHook
from mmomni.models.pretrained import harmless, load_pretrained
from mmomni.models.pretrained.harmless import read_torch_file
from mmomni.models.pretrained.trusting import reading_by_trust
from mmomni.utils import allocator
from mmomni.utils.digests import UnusableFileError

CONFIG = """
default_scope = 'mmengine'
model = dict(type='OneWeight'{init_cfg})
data = dict(
    dataset=dict(type='ThreeNumbers'), batch_size=1, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
train_dataloader = dict(data, sampler=dict(type='InfiniteSampler'))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.1))
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False)]
test_dataloader = data
test_cfg = dict()
test_evaluator = dict(type='Nothing')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1))
"""
NUMBERS = count()


@MODELS.register_module(force=True)
class OneWeight(BaseModel):
    def __init__(self, width=1, is_faulty=False, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        if width != 1:
            raise ValueError(f'expected a width of 1,\ngot {width}')
        self.is_faulty = is_faulty
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if self.is_faulty:
            raise ValueError('a fault of the code')
        out = self.layer(torch.stack(inputs))
        return dict(loss=out.mean()) if mode == 'loss' else [out]


@DATASETS.register_module(force=True)
class ThreeNumbers(torch.utils.data.Dataset):
    metainfo = dict(classes=('a',), scale=np.float64(0.5), table=np.arange(3))

    def __init__(self, first=0):
        if first != 0:
            raise ValueError(f'expected 0,\ngot {first}')

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return dict(inputs=torch.full((1,), float(index)))


@METRICS.register_module(force=True)
class Nothing:
    dataset_meta = None

    def __init__(self, **_):
        pass

    def process(self, *_):
        pass

    def evaluate(self, size):
        return dict(size=size)


class Touch:
    """Unpickled, it creates a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.makedirs, (self.path, 0o777, True)


def weights():
    return {'layer.weight': torch.ones(1, 1), 'layer.bias': torch.ones(1)}


@pytest.fixture
def trace(tmp_path):
    return tmp_path / 'trace'


@pytest.fixture
def evil(trace, tmp_path):
    """A checkpoint of a training that hides a program."""
    path = tmp_path / 'evil.pth'
    meta = dict(cfg='model = dict(type="EncoderDecoder")', iter=1, epoch=0, of=Touch(trace))
    hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    torch.save(dict(state_dict=weights(), meta=meta, message_hub=hub), path)
    return path


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """Run a command of ours in this process."""
    monkeypatch.setattr(allocator, 'keep_freed_memory', lambda: None)

    def run(command, *arguments, init_cfg=''):
        config = tmp_path / 'config.py'
        # mmengine keeps what it made for a name, for good.
        name = f'experiment_name = "trust{next(NUMBERS)}"\n'
        config.write_text(name + CONFIG.format(init_cfg=init_cfg))
        # The config comes first, then a checkpoint, if there is one.
        folder = '--output-dir' if command == 'browse' else '--work-dir'
        given = [config, *arguments, folder, tmp_path / 'work']
        return tools.run(command, [*map(str, given)])

    return run


# ---- whatever opens a checkpoint -------------------------------------------------------------


def start(tool, evil, flag):
    options = ['--cfg-options', f'load_from={evil}']
    tool('train', *options, *flag)


def resume(tool, evil, flag):
    work = evil.parent / 'work'
    work.mkdir(exist_ok=True)
    (work / 'last_checkpoint').write_text(str(evil))
    tool('train', '--resume', *flag)


def initial(tool, evil, flag):
    """By mmengine's own ``init_cfg``, of any module."""
    init_cfg = f", init_cfg=dict(type='Pretrained', checkpoint={str(evil)!r})"
    tool('train', *flag, init_cfg=init_cfg)


def examine(tool, evil, flag):
    tool('test', evil, *flag)


ENTRIES = {each.__name__: each for each in (start, resume, initial, examine)}


@pytest.mark.parametrize('entry', ENTRIES)
@pytest.mark.parametrize('flag', [[], ['--trust-checkpoint']], ids=['untrusted', 'trusted'])
def test_train_and_test_run_nothing_that_is_not_trusted(entry, flag, tool, evil, trace):
    if flag:
        ENTRIES[entry](tool, evil, flag)
        assert trace.exists()
        return
    with pytest.raises(SystemExit) as ended:
        ENTRIES[entry](tool, evil, flag)
    told = str(ended.value)
    assert '\n' not in told
    assert f'{evil} holds more than weights' in told
    assert 'os.makedirs' in told
    assert '--trust-checkpoint' in told
    assert not trace.exists()


def test_trust_may_stand_in_the_config(tool, evil, trace):
    tool('train', '--cfg-options', f'load_from={evil}', 'trust_checkpoint=True')
    assert trace.exists()
    with pytest.raises(SystemExit, match='trust_checkpoint: expected True or False, got 3'):
        tool('train', '--cfg-options', 'trust_checkpoint=3')


@pytest.mark.parametrize('command', ['train', 'test', 'browse'])
def test_what_a_constructor_refuses_ends_a_tool_in_one_line(command, tool, monkeypatch, tmp_path):
    torch.save(dict(state_dict=weights()), tmp_path / 'a.pth')
    given = [tmp_path / 'a.pth'] * (command == 'test')
    option, told = 'model.width=3', 'model: OneWeight cannot be built: expected a width of 1, got 3'
    if command == 'browse':
        monkeypatch.chdir(tmp_path)
        option = 'train_dataloader.dataset.first=3'
        told = 'train_dataloader.dataset: ThreeNumbers cannot be built: expected 0, got 3'
    with pytest.raises(SystemExit) as ended:
        tool(command, *given, '--cfg-options', option)
    assert str(ended.value).partition(' (traceback: ')[0] == f'mmomni {command}: {told}'


def test_a_fault_of_the_code_keeps_its_traceback(tool):
    with pytest.raises(ValueError, match='a fault of the code'):
        tool('train', '--cfg-options', 'model.is_faulty=True')


@pytest.fixture
def robustness(load_tool, monkeypatch, tmp_path):
    """The tool with one test that only loads what it is to test."""
    module = load_tool('analysis_tools/robustness.py')
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(init_cfg=''))
    for name, value in dict(grid_points=['one'], fingerprint={}, read_results={}, draw=[]).items():
        monkeypatch.setattr(module, name, lambda *_, value=value: value)
    monkeypatch.setattr(
        module, 'run_tests', lambda cfg, *_: CheckpointLoader.load_checkpoint(cfg.load_from)
    )

    def run(path, trust):
        work = ['--work-dir', str(tmp_path / 'work')]
        flag = ['--trust-checkpoint'] if trust else []
        (tmp_path / 'work').mkdir(exist_ok=True)
        monkeypatch.setattr('sys.argv', ['robustness.py', str(config), str(path), *work, *flag])
        module.main()

    return run


def test_robustness_runs_nothing_that_is_not_trusted(robustness, evil, trace):
    with pytest.raises(SystemExit, match=r'evil\.pth holds more than .*--trust-checkpoint'):
        robustness(evil, trust=False)
    assert not trace.exists()
    robustness(evil, trust=True)
    assert trace.exists()


@pytest.mark.parametrize('name', ['publish_model', 'average_checkpoints', 'convnext2mmomni'])
def test_converters_run_nothing_that_is_not_trusted(
    name, load_tool, monkeypatch, capsys, evil, trace, tmp_path
):
    out = tmp_path / 'out.pth'
    given = {
        'publish_model': [evil, out],
        'average_checkpoints': [out, evil],
        'convnext2mmomni': [evil, out, tmp_path / 'config.py'],
    }[name]
    module = load_tool(f'model_converters/{name}.py')
    monkeypatch.setattr('sys.argv', [name, *map(str, given)])
    assert module.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert 'evil.pth holds more than weights' in line
    assert '--trust-checkpoint' in line
    assert not trace.exists()
    monkeypatch.setattr('sys.argv', [name, *map(str, given), '--trust-checkpoint'])
    module.main()  # what it makes of it does not matter here
    assert trace.exists()


def test_pretrained_weights_run_nothing_that_is_not_trusted(evil, trace):
    init_cfg = dict(type='Pretrained', checkpoint=str(evil))
    with pytest.raises(UnusableFileError, match=r'evil\.pth holds more than weights'):
        load_pretrained(OneWeight(), init_cfg)
    assert not trace.exists()
    with reading_by_trust(True):
        load_pretrained(OneWeight(), init_cfg)
    assert trace.exists()


def test_what_is_downloaded_runs_nothing_either(evil, trace, monkeypatch):
    """It is kept where torch looks first."""
    monkeypatch.setenv('TORCH_HOME', str(evil.parent))
    kept = evil.parent / 'hub/checkpoints/evil.pth'
    kept.parent.mkdir(parents=True)
    shutil.copy(evil, kept)
    address = 'https://example.org/evil.pth'
    original = torch.load
    with pytest.raises(UnusableFileError, match='holds more than weights'), reading_by_trust():
        CheckpointLoader.load_checkpoint(address)
    assert torch.load is original
    assert not trace.exists()
    with reading_by_trust(True):
        CheckpointLoader.load_checkpoint(address)
    assert trace.exists()


def test_other_projects_keep_their_loaders():
    before = dict(CheckpointLoader._schemes)
    with contextlib.suppress(KeyError), reading_by_trust():
        assert CheckpointLoader._schemes[''] is not before['']
        with reading_by_trust(True):  # the outer one decides
            pass
        assert CheckpointLoader._schemes[''] is not before['']
        raise KeyError
    assert dict(CheckpointLoader._schemes) == before
    assert list(CheckpointLoader._schemes) == list(before)


def test_each_thread_trusts_by_itself(evil, trace):
    before = dict(CheckpointLoader._schemes)
    inside, done = threading.Event(), threading.Event()

    def trusts():
        with reading_by_trust(True):
            inside.set()
            done.wait(60)

    thread = threading.Thread(target=trusts)
    thread.start()
    assert inside.wait(60)
    with reading_by_trust():
        with pytest.raises(UnusableFileError, match='holds more than weights'):
            CheckpointLoader.load_checkpoint(str(evil))
        assert not trace.exists()
        done.set()
        thread.join(60)
    assert dict(CheckpointLoader._schemes) == before


def test_a_changed_file_is_refused_when_it_was_downloaded(monkeypatch, tmp_path):
    path = published(tmp_path, '.pth')
    one_weight_changed(path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    kept = tmp_path / 'hub/checkpoints' / path.name
    kept.parent.mkdir(parents=True)
    path.rename(kept)
    with pytest.raises(UnusableFileError, match='damaged or changed'), reading_by_trust():
        CheckpointLoader.load_checkpoint(f'https://example.org/{path.name}')


# ---- what is harmless ------------------------------------------------------------------------


def test_ones_own_training_needs_no_flag(tool, tmp_path):
    """Optimiser, schedule and history come along, and the config without running it."""
    tool('train', '--cfg-options', 'train_cfg.max_iters=1')
    work = tmp_path / 'work'
    assert (work / 'last_checkpoint').read_text().endswith('iter_1.pth')
    tool('train', '--resume')
    content = read_torch_file(work / 'iter_2.pth')
    assert content['meta']['iter'] == 2
    assert isinstance(content['message_hub']['log_scalars']['train/loss'], HistoryBuffer)
    (state,) = {float(each['step']) for each in content['optimizer']['state'].values()}
    assert state == 2
    tool('test', work / 'iter_2.pth')
    average_files([work / 'iter_1.pth', work / 'iter_2.pth'], tmp_path / 'mean.pth')
    read = torch.load(work / 'iter_2.pth', weights_only=False)
    assert content['meta']['cfg'] == read['meta']['cfg']


@pytest.mark.parametrize('is_zip', [True, False])
def test_records_arrive_as_they_were(is_zip, tmp_path):
    kinds = (np.float64(0.1), np.int64(3), np.bool_(True), np.arange(4.0), np.zeros(2, np.uint8))
    content = dict(
        state_dict=dict(a=torch.ones(2), b=nn.Parameter(torch.ones(1)), c=torch.ones(1).half()),
        message_hub=dict(log_scalars=dict(x=HistoryBuffer([1.0, 2.0], [1, 1]))),
        kinds=kinds, dtype=torch.float32, size=torch.Size([1]), some={1, 2}, word='ä',
    )  # fmt: skip
    torch.save(content, tmp_path / 'x.pth', _use_new_zipfile_serialization=is_zip)
    read = read_torch_file(tmp_path / 'x.pth')
    assert torch.equal(read['state_dict']['a'], torch.ones(2))
    assert type(read['state_dict']['b']) is nn.Parameter
    assert read['message_hub']['log_scalars']['x'].mean() == 1.5
    assert all(map(np.array_equal, read['kinds'], kinds))
    assert (read['dtype'], read['size'], read['some'], read['word']) == (
        torch.float32, torch.Size([1]), {1, 2}, 'ä'
    )  # fmt: skip


class Asks:
    """``getattr``, by which a history names its methods, asked for something else."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return getattr, self.arguments


class Calls:
    """Something that is known, with arguments or a state of one's own."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


FIELDS = (3, '<', None, ('a',), dict(a=(np.dtype('f8'), 10**9)), -1, -1, 0)
HUGE = (3, '|', None, None, None, 10**9, 1, 0)


@pytest.mark.parametrize(
    ('foreign', 'name'),
    [
        (Path('x'), r'pathlib\.PosixPath'),
        (Asks(HistoryBuffer, '__init__'), r'HistoryBuffer\.__init__;'),
        (Asks(HistoryBuffer.mean, '__globals__'), r'builtins\.getattr'),
        (np.array([{}], dtype=object), r'numpy\.dtype:O8'),
        (np.zeros(1, [('a', object)]), r'numpy\.dtype:V8'),
        (Calls(_codecs.encode, ('a' * 99, 'hex')), r'_codecs\.encode:hex'),
        (Calls(np.dtype, ('f8', False, True), FIELDS), r'numpy\.dtype:<f8'),
        (Calls(np.dtype, ('S8', False, True), HUGE), r'numpy\.dtype:\|S8'),
        (sys.intern, 'intern'),
        (eval, 'eval'),
    ],
)
def test_the_first_thing_that_is_not_known_is_named(foreign, name, tmp_path):
    torch.save(dict(state_dict={}, meta=foreign), tmp_path / 'x.pth')
    with pytest.raises(UnusableFileError, match=rf'x\.pth holds more than weights .*{name}'):
        read_torch_file(tmp_path / 'x.pth')


@pytest.mark.parametrize('name', ['torch._utils._rebuild_tensor_v2', 'torch.nn.Parameter'])
def test_types_and_functions_keep_their_state(name):
    """It would outlive the file."""
    module, _, function = name.replace('torch.nn.', 'torch.nn.parameter.').rpartition('.')
    state = pickle.dumps((None, dict(planted=1)), protocol=2)[2:-1]
    text = b'\x80\x02c%s\n%s\n%sb.' % (module.encode(), function.encode(), state)
    with pytest.raises(pickle.UnpicklingError, match=f'GLOBAL state:{function}'):
        harmless._load(io.BytesIO(text))
    assert not hasattr(pickle.loads(text[: -len(state) - 2] + b'.'), 'planted')


def test_a_packed_tar_archive_is_not_unpacked(tmp_path):
    """A header may claim gigabytes, of a few kilobytes."""
    header = tarfile.TarInfo('x')
    header.type, header.size = tarfile.XHDTYPE, 50_000_000
    path = tmp_path / 'x.pth'
    with gzip.open(path, 'wb', compresslevel=1) as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT) + bytes(header.size))
    tracemalloc.start()
    with pytest.raises(UnusableFileError, match=r'x\.pth is damaged, or no checkpoint'):
        read_torch_file(path)
    assert tracemalloc.get_traced_memory()[1] < header.size / 2
    tracemalloc.stop()


def test_a_program_as_config_is_not_run(trace, tmp_path):
    """What mmengine writes is values; it runs whatever it reads."""
    text = f'import os\nos.mkdir({str(trace)!r})\nmodel = dict(type="EncoderDecoder")'
    torch.save(dict(state_dict={}, meta=dict(cfg=text)), tmp_path / 'x.pth')
    with pytest.raises(UnusableFileError, match=r'x\.pth: its config is no list of plain values'):
        publish(tmp_path / 'x.pth', tmp_path / 'out.pth')
    assert not trace.exists()
    publish(tmp_path / 'x.pth', tmp_path / 'out.pth', trust=True)
    assert trace.exists()


def test_nor_is_it_when_a_training_looks_for_its_batches(trace):
    text = f'import os\nos.mkdir({str(trace)!r})\ntrain_dataloader = dict(batch_size=3)'
    hook = ResumedBatchHook()
    hook.after_load_checkpoint(None, dict(meta=dict(cfg=text)))
    assert not trace.exists()
    assert hook._before == {}
    hook.after_load_checkpoint(None, dict(meta=dict(cfg=text.splitlines()[-1])))
    assert hook._before == dict(batch_size=3)


@pytest.mark.parametrize(
    'name',
    [
        'lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192',
        'omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512',
    ],
)
def test_configs_are_read_as_they_were_written(name, tmp_path):
    config = Config.fromfile(Path(__file__).resolve().parents[1] / f'configs/{name}.py')
    meta = dict(cfg=config.pretty_text)
    torch.save(dict(state_dict=weights(), meta=meta), tmp_path / 'x.pth')
    assert read_training_checkpoint(tmp_path / 'x.pth').config.to_dict() == config.to_dict()


@pytest.mark.parametrize('call', ['dict(1)', 'dict([["a", 1]])', 'dict(**{})', 'a.dict()', 'f(1)'])
def test_calls_in_a_config_are_not_made(call, tmp_path):
    torch.save(dict(state_dict={}, meta=dict(cfg=f'a = {call}')), tmp_path / 'x.pth')
    with pytest.raises(UnusableFileError, match='line 1 calls something'):
        read_training_checkpoint(tmp_path / 'x.pth')


def test_a_program_for_mmengine_to_run_is_left_out(trace, tmp_path):
    """``Runner.resume`` runs the text ``meta['config']``."""
    path = tmp_path / 'x.pth'
    torch.save(dict(state_dict={}, meta=dict(config='import os', iter=1)), path)
    with reading_by_trust():
        assert CheckpointLoader.load_checkpoint(str(path))['meta'] == dict(iter=1)
    with reading_by_trust(True):
        assert 'config' in CheckpointLoader.load_checkpoint(str(path))['meta']


# ---- damaged or changed ----------------------------------------------------------------------


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'nothing of torch', bytes(600)])
def test_a_damaged_checkpoint_ends_training_in_one_line(content, tool, tmp_path):
    (tmp_path / 'torn.pth').write_bytes(content)
    with pytest.raises(SystemExit, match=r'torn\.pth ') as ended:
        tool('train', '--cfg-options', f'load_from={tmp_path / "torn.pth"}')
    assert '\n' not in str(ended.value)


@pytest.mark.parametrize('content', [[1], dict(state_dict=dict(a=1)), {1: torch.ones(1)}])
def test_what_is_no_checkpoint_is_not_tested(content, tool, tmp_path):
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(SystemExit, match=r'x\.pth: expected a dict of tensors') as ended:
        tool('test', tmp_path / 'x.pth')
    assert '\n' not in str(ended.value)


def published(folder, suffix, name='model'):
    source = folder / 'training.pth'
    meta = dict(cfg='model = dict(type="EncoderDecoder")')
    torch.save(dict(state_dict=weights(), meta=meta), source)
    return publish(source, folder / f'{name}{suffix}')


def one_weight_changed(path):
    """Still readable, as after a change by hand."""
    data = path.read_bytes()
    one = np.float32(1).tobytes()
    assert one in data
    path.write_bytes(data.replace(one, np.float32(2).tobytes()))


def by_host(path):
    with reading_by_trust():
        return CheckpointLoader.load_checkpoint(str(path), 'cpu')


@pytest.mark.parametrize('read', [read_checkpoint, by_host])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_published_file_that_was_changed_is_refused(suffix, read, tmp_path):
    path = published(tmp_path, suffix)
    read(path)
    one_weight_changed(path)
    digits = path.stem[-8:]
    message = f'damaged or changed .*{digits}.* got .*anew'
    with pytest.raises(UnusableFileError, match=message) as refused:
        read(path)
    assert '\n' not in str(refused.value)
    named = path.rename(path.with_name(f'mine{suffix}'))  # as the message says
    read(named)


@pytest.mark.parametrize('name', ['resnet50-0676ba61', 'upernet_20220101-3f2b1c00'])
def test_digits_of_other_projects_are_theirs(name, tmp_path):
    path = tmp_path / f'{name}.pth'
    torch.save(dict(meta={}, state_dict=weights()), path)
    by_host(path)
    save_file(weights(), path.with_suffix('.safetensors'))
    by_host(path.with_suffix('.safetensors'))
