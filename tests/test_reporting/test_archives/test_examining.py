import io
import json

import numpy as np
import pytest
from archive_models import SETTINGS, opened
from PIL import Image

from mmomni.reporting.archives import Options, Shard, ShardExaminer, listed_files
from mmomni.reporting.archives import examiner as examiner_module
from mmomni.reporting.archives import shards as shards_module
from mmomni.reporting.archives.begun import MOST_DEATHS
from mmomni.reporting.archives.examiner import MOST_UNEXPECTED

pytest.importorskip('pyarrow', reason='needs Ray and pyarrow: the extra ray')


def test_every_file_is_in_one_of_three_places(run, rows, tmp_path):
    account = run(most=1)
    assert account.text() == '6 files: 1 predicted, 1 failed, 4 not looked at'
    assert (account.shards, account.shards_done, account.repeated) == (3, 1, 1)
    account = run()
    assert account.text() == '6 files: 4 predicted, 2 failed, 0 not looked at'
    assert account.flagged == 4
    assert json.loads((tmp_path / 'out/account.json').read_text()) == account._asdict()
    lines = map(json.loads, (tmp_path / 'out/failures.jsonl').read_text().splitlines())
    reasons = {line['path'].rpartition('/')[2]: line['reason'] for line in lines}
    assert reasons.keys() == {'broken.png', 'gone.png'}
    assert reasons['gone.png'].startswith('does not exist')
    found = {row['image']: row for row in rows('records')}
    assert {name for name, row in found.items() if row['status'] == 'failed'} == reasons.keys()
    assert not list((tmp_path / 'out/begun').iterdir())


def test_what_is_done_is_not_done_again(run, model):
    run(most=2)
    seen = list(model.seen)
    assert seen == ['0.png', 'broken.png', '1.png', '2.png']
    run()
    assert model.seen[len(seen) :] == ['3.png']  # the other does not exist
    run()
    assert len(model.seen) == 5


def test_records_and_pictures_fit_together(run, rows):
    run()
    pictures = rows('pictures')
    for row in rows('records'):
        if row['status'] == 'predicted':
            record = json.loads(row['record'])
            assert (record['path'], record['score']) == (row['path'], row['score'])
            mine = {p['file']: p['content'] for p in pictures if p['path'] == row['path']}
            assert record['output_bytes'] == {file: len(data) for file, data in mine.items()}
            mask = np.array(Image.open(io.BytesIO(mine[record['files']['mask']])))
            assert (mask[4:20, 8:24] == 255).all()
            assert (mask > 0).sum() == 256


def test_pictures_are_written_as_they_come(run, rows, monkeypatch):
    monkeypatch.setattr(shards_module, 'BUFFERED', 1)
    run()
    assert len({row['path'] for row in rows('pictures')}) == 4


@pytest.mark.parametrize('kind', ['records', 'pictures'])
def test_a_shard_that_is_not_as_it_was_written_is_done_again(run, tmp_path, model, kind):
    run()
    path = getattr(Shard(tmp_path / 'out', 1), kind)
    path.write_bytes(path.read_bytes()[:-20])
    model.seen.clear()
    assert run().not_looked_at == 0
    assert model.seen == ['1.png', '2.png']
    path.unlink()
    assert Shard(tmp_path / 'out', 1).counted() is None


def test_a_worker_that_dies_leaves_nothing_half_done(run, model, tmp_path):
    def die(source):
        raise KeyboardInterrupt

    model.acts['2.png'] = die
    for _ in range(MOST_DEATHS):
        with pytest.raises(KeyboardInterrupt):
            run()
        assert '[1]' in Shard(tmp_path / 'out', 1).begun.read_text()
        assert len(list((tmp_path / 'out/records').iterdir())) == 1
        assert len(list((tmp_path / 'out/pictures').iterdir())) == 1
    assert run().text() == '6 files: 3 predicted, 3 failed, 0 not looked at'
    assert '3 processes in a row' in (tmp_path / 'out/failures.jsonl').read_text()


def test_an_error_of_one_image_is_its_own(run, model, tmp_path):
    def fail(source):
        raise ZeroDivisionError('odd')

    model.acts['1.png'] = fail
    assert run(batch_size=2).text() == '6 files: 3 predicted, 3 failed, 0 not looked at'
    assert 'ended with ZeroDivisionError: odd' in (tmp_path / 'out/failures.jsonl').read_text()


def test_errors_of_all_images_are_not(examiner, archive, model, photos):
    def fail(source):
        raise ZeroDivisionError('odd')

    path = photos / 'many.txt'
    data = (photos / '0.png').read_bytes()
    for number in range(MOST_UNEXPECTED):
        (photos / f'm{number}.png').write_bytes(data)
        model.acts[f'm{number}.png'] = fail
    path.write_text(''.join(f'm{number}.png\n' for number in range(MOST_UNEXPECTED)))
    with archive(shard_size=99, lists=[path]), pytest.raises(ZeroDivisionError):
        examiner().examine(0)


def test_a_file_whose_pictures_cannot_be_listed_is_its_own_failure(run, monkeypatch, tmp_path):
    def fail(path, name):
        if path.name == '1.png':
            raise RecursionError('odd')
        return pictures_as_sources(path, name)

    pictures_as_sources = examiner_module.pictures_as_sources
    monkeypatch.setattr(examiner_module, 'pictures_as_sources', fail)
    assert run().text() == '6 files: 3 predicted, 3 failed, 0 not looked at'
    assert 'ended with RecursionError: odd' in (tmp_path / 'out/failures.jsonl').read_text()


def test_who_reads_a_folder_passes_over_what_is_unfinished(archive, tmp_path):
    from pyarrow import dataset

    with archive(), shards_module.ShardWriter(Shard(tmp_path / 'out', 0)) as writer:
        assert list((tmp_path / 'out/pictures').iterdir())
        assert dataset.dataset(tmp_path / 'out/pictures').files == []
        writer.close(0)
    assert len(dataset.dataset(tmp_path / 'out/pictures').files) == 1


def test_a_worker_with_another_model_is_refused(tmp_path, model):
    other = SETTINGS | dict(precision='bf16')
    with pytest.raises(ValueError, match="workers with one precision, 'bf16', got None"):
        ShardExaminer(tmp_path, lambda: opened(model), other, Options())


def test_a_batch_of_shards_gives_columns(archive, examiner):
    with archive():
        batch = examiner()(dict(shard=np.array([0, 2])))
    assert batch['shard'].tolist() == [0, 2]
    assert batch['predicted'].tolist() == [1, 1]
    assert batch['failed'].tolist() == [1, 1]


def test_names_of_files_are_bytes(run, photos, names, rows, tmp_path):
    odd = b'\xff.png'.decode(errors='surrogateescape')
    (photos / odd).write_bytes((photos / '0.png').read_bytes())
    (photos / 'list.txt').write_bytes(b'\xff.png\n')
    assert run().predicted == 1
    (row,) = rows('records')
    assert row['image'] == r'\udcff.png'
    assert json.loads(row['record'])['image'] == odd


def test_failures_are_a_list_of_files_whatever_their_names_are(run, photos, tmp_path):
    odd = photos / b'\xff.png'.decode(errors='surrogateescape')
    odd.write_bytes(b'no image')
    (photos / 'list.txt').write_bytes(b'\xff.png\n')
    assert run().failed == 1
    files, _ = listed_files([tmp_path / 'out/failures.jsonl'])
    assert [file.path for file in files] == [odd]
