"""The command with a stand-in for the cluster, which examines in this process."""

import json
import os
import signal
from contextlib import suppress

import pytest
from archive_models import opened

import mmomni.reporting.archives
from mmomni.cli import main, predict, predict_archive
from mmomni.reporting.archives import Cluster, ShardExaminer

pytest.importorskip('pyarrow', reason='needs Ray and pyarrow: the extra ray')


class LocalJob:
    cluster = None

    def __init__(self, cluster):
        LocalJob.cluster = cluster

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, function):
        return function()

    def examine(self, shards, arguments):
        worker = ShardExaminer(**arguments)
        for number in shards:
            yield number, worker.examine(number)


@pytest.fixture
def command(tmp_path, text_list, model, monkeypatch):
    monkeypatch.setattr(mmomni.reporting.archives, 'RayJob', LocalJob)
    for module in (predict, predict_archive):
        monkeypatch.setattr(module, 'open_model', lambda args: opened(model))

    def command(*options, name='predict-archive', out='out'):
        arguments = [text_list, '--checkpoint', 'c.pth', '--out', tmp_path / out, *options]
        return main([name, *map(str, arguments)])

    return command


def test_it_tells_what_became_of_every_file(command, tmp_path, capsys):
    assert command('--shard-size', '2') == 3
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        'before: 6 files: 0 predicted, 0 failed, 6 not looked at',
        f'after: 6 files: 4 predicted, 2 failed, 0 not looked at; 4 results in {tmp_path}/out',
        f'why files failed: {tmp_path}/out/failures.jsonl',
    ]
    assert '1 name in the lists repeated' in captured.err
    assert 'predict-archive 6/6' in captured.err
    assert command('--shard-size', '2') == 3
    assert capsys.readouterr().out.startswith('before: 6 files: 4 predicted, 2 failed, 0 not')
    assert command('--shard-size', '3') == 1
    assert 'shard_size 2, got 3' in capsys.readouterr().err


def test_files_that_are_damaged_are_counted_and_it_is_said_where_they_are_named(
    command, tmp_path, capsys, monkeypatch, rows
):
    monkeypatch.setattr('archive_models.DAMAGED', {'1.png', '2.png'})
    assert command('--shard-size', '2') == 3
    told = capsys.readouterr().out.splitlines()
    text = '6 files: 4 predicted (2 of them damaged), 2 failed, 0 not looked at'
    assert told[1].startswith(f'after: {text}; 4 results')
    assert f'what is damaged: the column damage of {tmp_path}/out/records' in told
    assert json.loads((tmp_path / 'out/account.json').read_text())['damaged'] == 2
    damage = {os.path.basename(row['path']): row['damage'] for row in rows('records')}
    names = {name: texts for name, texts in damage.items() if texts}
    assert names == {'1.png': ['a part is missing'], '2.png': ['a part is missing']}
    assert command('--shard-size', '2') == 3
    assert capsys.readouterr().out.startswith(f'before: {text}')


def test_records_are_those_of_predict(command, tmp_path, rows):
    for name in ('predict', 'predict-archive'):
        assert command('--views', 'ela', name=name, out=f'out-{name}') == 3
    lines = (tmp_path / 'out-predict/predictions.jsonl').read_text().splitlines()
    (tmp_path / 'out-predict-archive').rename(tmp_path / 'out')
    found = [json.loads(row['record']) for row in rows('records') if row['record']]
    expected = [json.loads(line) for line in lines]
    assert len(found) == 4
    for record in (*found, *expected):
        del record['examined_at']
    assert found == expected
    contents = {row['file']: row['content'] for row in rows('pictures')}
    assert all((tmp_path / 'out-predict' / file).read_bytes() == contents[file]
               for record in found for file in record['output_bytes'])  # fmt: skip


def test_a_signal_leaves_an_account_and_the_same_command_goes_on(command, model, capsys):
    model.acts['2.png'] = lambda source: signal.raise_signal(signal.SIGTERM)
    assert command('--shard-size', '2') == 143
    *_, account, last = capsys.readouterr().out.splitlines()
    assert account.startswith('after: 6 files: 1 predicted, 1 failed, 4 not looked at')
    assert last == 'stopped; run the same command again to go on'
    model.acts.clear()
    assert command('--shard-size', '2') == 3
    assert model.seen.count('0.png') == 1


def test_an_error_leaves_an_account_too(command, tmp_path, capsys, monkeypatch):
    def examine(self, shards, arguments):
        yield shards[0], ShardExaminer(**arguments).examine(shards[0])
        raise RuntimeError('the cluster is gone')

    monkeypatch.setattr(LocalJob, 'examine', examine)
    with suppress(RuntimeError):
        assert command('--shard-size', '2') == 1
    account = json.loads((tmp_path / 'out/account.json').read_text())
    assert (account['predicted'], account['failed'], account['not_looked_at']) == (1, 1, 4)


def test_options_of_the_cluster(command):
    command('--address', 'auto', '--workers', '3', '--cpus-per-worker', '2')
    assert LocalJob.cluster == Cluster('auto', 3, 2.0, None)


def test_paths_of_the_model_hold_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c.pth').touch()
    from mmomni.cli import parse_args

    args = parse_args(['predict-archive', 'l.txt', '--checkpoint', 'c.pth', '--config', 'a::b.py'])
    (asked,) = predict_archive._opener(args).args
    assert asked.checkpoint == tmp_path / 'c.pth'
    assert asked.config == 'a::b.py'
    assert args.workers is None


def test_lists_are_read_first(command, text_list, capsys):
    text_list.unlink()
    assert command() == 1
    assert 'list.txt' in capsys.readouterr().err
