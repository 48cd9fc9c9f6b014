"""What the machine does to a run: real errors of torch, the host and liblmdb, each in one line."""

import errno
import os
import signal

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import save_checkpoint
from torch.utils.data import DataLoader, Dataset

from mmomni.datasets.lmdb_files import lmdb_value
from mmomni.datasets.transforms import LoadOriginalImage
from mmomni.engine.faults import fault_of_run
from mmomni.engine.launch import run_at_fault

FULL = '/dev/full'
on_linux = pytest.mark.skipif(not os.path.exists(FULL), reason='needs a device that is always full')


@pytest.fixture
def cfg(tmp_path):
    loaders = dict(train_dataloader=dict(num_workers=4), val_dataloader=dict(num_workers=1))
    return Config(dict(work_dir=str(tmp_path), **loaders))


def caught(action, *arguments):
    with pytest.raises(Exception) as info:  # noqa: PT011  (of any kind)
        action(*arguments)
    return info.value


def told(error, cfg, is_training=True):
    fault = fault_of_run(error, cfg, is_training)
    assert fault is not None
    assert '\n' not in fault.text
    return fault.text


# ---- disks -------------------------------------------------------------------------------------


def save_in_place(path):
    torch.save(dict(weights=torch.zeros(300_000)), path)


def save_as_the_host(path):
    save_checkpoint(dict(weights=torch.zeros(300_000)), path)


def write_without_a_name(path):
    with open(path, 'w', buffering=1) as file:
        file.write('a line\n')


def raise_number(number):
    def write(path):
        raise OSError(number, os.strerror(number), path)

    return write


@on_linux
@pytest.mark.parametrize('write', [save_in_place, save_as_the_host])
def test_a_checkpoint_that_does_not_fit(write, cfg):
    text = told(caught(write, FULL), cfg)
    assert text.startswith(f'{FULL} could not be written: ')
    assert 'bytes are free in /dev' in text
    assert text.endswith('start it again (no whole checkpoint was saved)')


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_other_files_that_do_not_fit(number, cfg, tmp_path):
    path = str(tmp_path / 'results.json')
    text = told(caught(raise_number(number), path), cfg, is_training=False)
    assert text.startswith(f'{path} could not be written: {os.strerror(number)}')
    assert text.endswith('run it again')
    is_full = number in (errno.ENOSPC, errno.EDQUOT)
    assert ('make room' in text) == is_full  # which helps no disk that may not be written to


def test_where_to_go_on_from(cfg, tmp_path):
    for name in ('epoch_2.pth', 'epoch_4.pth'):
        torch.save({}, tmp_path / name)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_4.pth'))
    (tmp_path / 'epoch_4.pth').write_bytes(b'PK\x03\x04')  # torn: it is not what is gone on from
    text = told(caught(raise_number(errno.ENOSPC), 'x'), cfg)
    assert text.endswith(f'go on with --resume from {tmp_path / "epoch_2.pth"}')


def test_the_error_below_another_is_found(cfg):
    def fail():
        try:
            raise_number(errno.ENOSPC)('x.pth')
        except OSError as error:
            raise RuntimeError('unexpected pos 704 vs 598') from error

    assert told(caught(fail), cfg).startswith('x.pth could not be written')


# ---- data --------------------------------------------------------------------------------------


class Deadly(Dataset):
    """Ends the process that loads it."""

    def __init__(self, number):
        self.number = number

    def __len__(self):
        return 4

    def __getitem__(self, index):
        os.kill(os.getpid(), self.number)


def load(dataset):
    list(DataLoader(dataset, num_workers=1, multiprocessing_context='fork'))


def test_a_killed_loader_names_what_to_take_less_of(cfg):
    text = told(caught(load, Deadly(signal.SIGKILL)), cfg)
    assert 'for want of memory' in text
    assert '--cfg-options train_dataloader.num_workers=2 val_dataloader.num_workers=1' in text


def test_a_bus_error_is_that_of_shared_memory(cfg):
    text = told(caught(load, Deadly(signal.SIGBUS)), cfg)
    assert '--shm-size' in text
    assert 'bus error' in text


def test_full_shared_memory(cfg):
    message = 'unable to write to file </torch_12_34_5>: No space left on device (28)'
    assert '--shm-size' in told(RuntimeError(message), cfg)


@pytest.fixture
def database(tmp_path):
    lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    folder = tmp_path / 'DocTamper'
    folder.mkdir()
    with lmdb.open(str(folder), map_size=1 << 22) as env, env.begin(write=True) as transaction:
        for number in range(20):
            transaction.put(f'image-{number:09d}'.encode(), bytes([number]) * 20_000)
    return folder


class Records(Dataset):
    """Reads a database, which is cut after the first record."""

    def __init__(self, folder):
        self.folder = folder

    def __len__(self):
        return 20

    def __getitem__(self, index):
        if index == 1:
            os.truncate(self.folder / 'data.mdb', 40_000)
        path = f'lmdb://{self.folder}/image-{index:09d}'
        return len(LoadOriginalImage().read(path)) if index else index


@pytest.mark.parametrize('workers', [0, 1])
def test_a_database_that_is_cut_while_it_is_read(workers, database, cfg):
    lmdb_value(str(database), 'image-000000000')  # it is open by now
    loader = DataLoader(Records(database), num_workers=workers)
    text = told(caught(list, loader), cfg)
    assert text.startswith(f'{database}/data.mdb: expected ')
    assert 'it is cut; copy or unpack it again' in text


def test_of_a_bus_error_the_database_that_is_cut_is_named(database, cfg):
    cfg.train_dataloader.dataset = dict(type='mmomni.DocTamperDataset', data_root=str(database))
    os.truncate(database / 'data.mdb', 40_000)
    text = told(caught(load, Deadly(signal.SIGBUS)), cfg)
    assert f'{database}/data.mdb' in text
    assert 'shm' not in text


# ---- processes, and all else -------------------------------------------------------------------


@pytest.mark.parametrize(
    'message',
    [
        '[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:42883.',
        '[gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:1: Connection reset by peer.',
        'Timed out waiting 1800000ms for recv operation to complete',
        'ncclRemoteError: A call failed possibly due to a network error or a remote process exited',
    ],
)
def test_a_process_that_has_gone_is_another_ones_fault(message, cfg):
    cfg.launcher = 'pytorch'
    fault = fault_of_run(RuntimeError(message), cfg, is_training=True)
    assert fault.is_elsewhere
    assert 'env_cfg.dist_cfg.timeout' in fault.text
    cfg.launcher = 'none'  # there is no other
    assert fault_of_run(RuntimeError(message), cfg, is_training=True) is None


class Unreachable(Dataset):
    """On a server that gives up."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise RuntimeError('s3: Connection reset by peer')


def test_what_loaders_say_is_no_other_process_of_the_run(cfg):
    cfg.launcher = 'pytorch'
    for error in (
        RuntimeError('DataLoader timed out after 30 seconds'), caught(load, Unreachable()),
    ):  # fmt: skip
        assert fault_of_run(error, cfg, is_training=True) is None


@pytest.mark.parametrize(
    'error',
    [
        ValueError('shape'),
        KeyError('a'),
        OSError(errno.ENOENT, 'none', 'x'),
        RuntimeError('mat1 and mat2 shapes cannot be multiplied'),
        RuntimeError('unable to open shared memory object </torch_1>: Too many open files'),
    ],
)
def test_bugs_keep_their_traceback(error, cfg):
    assert fault_of_run(error, cfg, is_training=True) is None
    with pytest.raises(type(error)), run_at_fault(cfg):
        raise error


def test_the_traceback_is_in_the_log_and_the_line_on_the_terminal(cfg, tmp_path):
    MMLogger.get_instance('faults', log_file=str(tmp_path / 'run.log'))
    try:
        with pytest.raises(SystemExit) as ended, run_at_fault(cfg, is_training=True):
            raise_number(errno.ENOSPC)('iter_7.pth')
    finally:
        MMLogger._instance_dict.pop('faults')
    assert '\n' not in ended.value.code
    assert ended.value.code.endswith(f'(traceback: {tmp_path}/run.log)')
    kept = (tmp_path / 'run.log').read_text()
    assert 'Traceback' in kept
    assert 'in write' in kept
