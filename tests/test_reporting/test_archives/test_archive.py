import shutil
from functools import partial

import pytest
from archive_models import ALL_SETTINGS

from mmomni.reporting.archives import Archive, listed_files
from mmomni.reporting.archives.archive import planned_files

pytest.importorskip('pyarrow', reason='needs Ray and pyarrow: the extra ray')


def test_the_plan_is_made_once(run, archive, text_list, tmp_path, names):
    run(most=1)
    text_list.unlink()
    with archive() as folder:
        assert folder.pending() == [1, 2]
    files = [file for number in range(3) for file in planned_files(tmp_path / 'out', number)]
    assert [str(file.relative) for file in files] == names


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(shard_size=3), 'shard_size 2, got 3'),
        (dict(threshold=0.6), 'threshold 0.5, got 0.6'),
    ],
)
def test_other_settings_are_refused(run, archive, changes, message):
    run(most=1)
    with pytest.raises(ValueError, match=message):
        archive(**changes)


def test_other_files_and_other_processes_are_refused(archive, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/theirs.txt').touch()
    with pytest.raises(FileExistsError, match='holds other files'):
        archive()
    (tmp_path / 'out/theirs.txt').unlink()
    with archive(), pytest.raises(OSError, match='another process is writing'):
        archive()


@pytest.mark.parametrize('folder', ['pictures', 'records', '.'])
def test_what_a_dead_process_left_is_removed(archive, tmp_path, folder):
    with archive():
        torn = tmp_path / 'out' / folder / '.part-00000.parquet.other-7.part'
        torn.parent.mkdir(exist_ok=True)
        torn.touch()
    with archive():
        assert not torn.exists()


def test_after_a_kill_while_files_are_listed_the_same_command_goes_on(text_list, tmp_path):
    def listed():
        shutil.copytree(tmp_path / 'out', tmp_path / 'killed', dirs_exist_ok=True)
        (tmp_path / 'killed/plan.parquet.7.part').touch()
        return listed_files([text_list])

    Archive(tmp_path / 'out', ALL_SETTINGS, listed, 2).__exit__()
    lists = partial(listed_files, [text_list])
    with Archive(tmp_path / 'killed', ALL_SETTINGS, lists, 2) as folder:
        assert folder.files == 6
    assert not (tmp_path / 'killed/plan.parquet.7.part').exists()


def test_lists_that_fail_leave_no_settings(archive, tmp_path):
    with pytest.raises(ValueError, match='got none'):
        archive(lists=())
    assert list((tmp_path / 'out').iterdir()) == []


def test_lists_without_files(archive):
    with pytest.raises(ValueError, match='got none that names a file'):
        archive(lists=())


def test_without_the_extra_the_command_is_named(monkeypatch):
    import sys

    from mmomni.reporting.archives.extra import imported

    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ModuleNotFoundError, match=r"ray is not installed: pip install 'mmomni"):
        imported('ray')
