import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from PIL import Image

from mmomni.synthesis import folder as folder_module
from mmomni.synthesis import resuming as module
from mmomni.synthesis import synthesize_folder
from mmomni.synthesis.synthesizer import Synthesizer

NUM = 10
OPTIONS = dict(
    domain='natural', num=NUM, seed=4, max_side=200, post_probability=0.5, authentic=0.5
)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def alive(pid: int) -> bool:
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0]
    except OSError:
        return False
    return state != 'Z'


def children_of(pid: int) -> list[int]:
    """Its children and theirs."""
    parents = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(')', 1)[1].split()[1])
        except OSError:
            continue
    children = [child for child, parent in parents.items() if parent == pid]
    return children + [grand for child in children for grand in children_of(child)]


@pytest.fixture
def whole(folder, tmp_path):
    """An uninterrupted run by one process."""
    synthesize_folder([folder], tmp_path / 'whole', **OPTIONS)
    return contents(tmp_path / 'whole')


def test_four_workers_write_the_bytes_of_one(folder, whole, tmp_path):
    (folder / 'broken.jpg').write_bytes(b'no image')
    alone, shared = (
        synthesize_folder([folder], tmp_path / str(workers), **OPTIONS, workers=workers)
        for workers in (1, 4)
    )
    assert contents(tmp_path / '1') == contents(tmp_path / '4')
    assert (alone.num, alone.operations) == (shared.num, shared.operations)
    assert list(alone.unreadable) == list(shared.unreadable) == [str(folder / 'broken.jpg')]


def test_an_interrupted_run_is_resumed_to_the_same_bytes(folder, whole, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    make = Synthesizer.__call__

    def killed(self, index):
        if index == 6:
            raise KeyboardInterrupt
        return make(self, index)

    monkeypatch.setattr(Synthesizer, '__call__', killed)
    with pytest.raises(KeyboardInterrupt):
        synthesize_folder([folder], out, **OPTIONS)
    monkeypatch.undo()
    # And what a kill in the middle of writing leaves: a torn line and an image without one.
    with open(out / 'meta.jsonl', 'a') as lines:
        lines.write('{"file": "0000')
    for suffix in ('jpg', 'png'):
        (out / 'images' / f'000006.{suffix}').write_bytes(b'torn')
    calls = []
    summary = synthesize_folder(
        [folder], out, **OPTIONS, resume=True, progress=lambda *call: calls.append(call)
    )
    assert contents(out) == whole
    assert summary.num == sum(summary.operations.values()) == NUM
    assert calls == [(i, NUM) for i in range(7, NUM + 1)]


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='looks for processes in /proc')
def test_a_killed_run_leaves_no_process_and_is_resumed(folder, whole, tmp_path):
    out = tmp_path / 'out'
    code = (
        'from mmomni.synthesis import synthesize_folder\n'
        f'synthesize_folder([{str(folder)!r}], {str(out)!r}, workers=2, '
        f'**{OPTIONS | dict(num=500)!r})'
    )
    script = tmp_path / 'run.py'
    script.write_text("if __name__ == '__main__':\n    " + code.replace('\n', '\n    '))
    run = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 60
    while not (out / 'meta.jsonl').is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = children_of(run.pid)
    run.kill()
    run.wait()
    assert workers
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))
    made = len((out / 'meta.jsonl').read_bytes().splitlines())
    synthesize_folder([folder], out, **(OPTIONS | dict(num=max(NUM, made))), resume=True)
    resumed = contents(out)
    assert all(resumed[name] == data for name, data in whole.items() if name.endswith('g'))


def test_a_missing_file_is_made_again(folder, whole, tmp_path):
    out = tmp_path / 'whole'
    mask = sorted((out / 'masks').iterdir())[1]
    mask.unlink()
    synthesize_folder([folder], out, **OPTIONS, resume=True)
    assert contents(out) == whole


def test_a_finished_run_can_be_extended(folder, whole, tmp_path):
    out = tmp_path / 'whole'
    synthesize_folder([folder], out, **(OPTIONS | dict(num=NUM + 2)), resume=True)
    longer = contents(out)
    assert len(json.loads(f'[{",".join(longer["meta.jsonl"].decode().splitlines())}]')) == NUM + 2
    for name, data in whole.items():
        if name not in ('meta.jsonl', 'list.txt'):
            assert longer[name] == data
    with pytest.raises(ValueError, match='already holds 12 images'):
        synthesize_folder([folder], out, **OPTIONS, resume=True)


@pytest.mark.host
@pytest.mark.parametrize(
    ('name', 'change'),
    [
        ('seed', dict(seed=5)),
        ('domain', dict(domain='face')),
        ('post_probability', dict(post_probability=0.1)),
        ('authentic', dict(authentic=0.0)),
        ('second_quality', dict(second_quality=(90, 91))),
        ('sources', None),
    ],
)
def test_other_options_are_not_resumed(name, change, folder, tmp_path):
    out = tmp_path / 'out'
    synthesize_folder([folder], out, **(OPTIONS | dict(num=1)))
    before = contents(out)
    if change is None:
        shutil.copy(folder / 'a.png', folder / 'd.png')
    with pytest.raises(ValueError, match=f'its {name} is'):
        synthesize_folder([folder], out, **(OPTIONS | (change or {})), resume=True)
    assert contents(out) == before


def test_another_version_of_a_library_is_a_warning(folder, tmp_path, caplog, monkeypatch):
    out = tmp_path / 'out'
    synthesize_folder([folder], out, **(OPTIONS | dict(num=1)))
    monkeypatch.setattr(module.cv2, '__version__', '0.0')
    synthesize_folder([folder], out, **(OPTIONS | dict(num=2)), resume=True)
    assert 'bytes may differ' in caplog.text


def test_only_runs_of_ours_are_resumed(folder, tmp_path):
    with pytest.raises(FileExistsError, match='holds files'):
        synthesize_folder([folder], folder, **OPTIONS, resume=True)
    synthesize_folder([folder], tmp_path / 'new', **(OPTIONS | dict(num=1)), resume=True)
    with pytest.raises(FileExistsError, match='--resume'):
        synthesize_folder([folder], tmp_path / 'new', **OPTIONS)


def test_authentic_images_have_a_history_and_no_mask(folder, whole, tmp_path):
    metas = [json.loads(line) for line in whole['meta.jsonl'].decode().splitlines()]
    rows = dict(row.split('\t') for row in whole['list.txt'].decode().splitlines())
    authentic = [meta for meta in metas if meta['operation'] == 'authentic']
    assert 1 <= len(authentic) < NUM
    for meta in metas:
        mask = f'masks/{meta["file"][:6]}.png'
        forged = meta not in authentic
        assert (mask in whole) == forged == bool(meta['boxes'])
        assert rows[f'images/{meta["file"]}'] == (mask if forged else '-')
        assert len(meta['qualities']) >= 1 or meta['file'].endswith('.png')


def test_a_failing_worker_does_not_hang(tmp_path):
    flat = tmp_path / 'flat'
    flat.mkdir()
    Image.new('RGB', (300, 300), 'white').save(flat / 'blank.png')
    start = time.monotonic()
    with pytest.raises(ValueError, match='could not be forged'):
        synthesize_folder(flat, tmp_path / 'out', 'document', 40, 0, workers=2)
    assert time.monotonic() - start < 60
    assert not (tmp_path / 'out').exists()


class BrokenPool:
    """A pool whose worker is killed by the third image; the first two are made here."""

    def __init__(self, make):
        self.make, self.submitted, self.left = make, [], 0

    def submit(self, function, index):
        self.submitted.append(index)
        future = Future()
        if index < 2:
            future.set_result((self.make(index), {}))
        else:
            future.set_exception(BrokenProcessPool('a process in the pool was terminated'))
        return future

    def leave(self):
        self.left += 1


def test_a_killed_worker_is_told_and_what_is_made_is_kept(folder, tmp_path, monkeypatch):
    pools = []

    def worker_pool(workers, start, arguments):
        pools.append(BrokenPool(*arguments))
        return pools[0]

    monkeypatch.setattr(folder_module, 'worker_pool', worker_pool)
    out = tmp_path / 'out'
    with pytest.raises(OSError, match=r'one was killed \(out of memory\?\).*fewer.*--resume'):
        synthesize_folder([folder], out, **(OPTIONS | dict(num=40)), workers=2)
    assert pools[0].left == 1
    assert max(pools[0].submitted) < 2 * folder_module.AHEAD + 2, 'not all are given out at once'
    assert len((out / 'meta.jsonl').read_text().splitlines()) == 2


@pytest.mark.parametrize(('num', 'workers'), [(1, 4), (3, 1)])
def test_no_process_is_started_for_what_one_can_do(num, workers, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, 'worker_pool', None)
    options = OPTIONS | dict(num=num)
    assert synthesize_folder([folder], tmp_path / 'out', **options, workers=workers).num == num


def test_a_path_a_string_and_a_list_name_the_same_source(folder, tmp_path):
    found = []
    for index, source in enumerate((folder, str(folder), [folder])):
        synthesize_folder(source, tmp_path / str(index), **(OPTIONS | dict(num=2)))
        found.append(contents(tmp_path / str(index)))
    assert found[0] == found[1] == found[2]


@pytest.mark.host
def test_portraits_without_a_face_are_counted_over_all_runs(folder, tmp_path):
    options = OPTIONS | dict(domain='face', authentic=0.0)
    for num in (2, 4):
        summary = synthesize_folder(
            folder / 'a.png', tmp_path / 'out', **(options | dict(num=num)), resume=True
        )
        lines = (tmp_path / 'out/meta.jsonl').read_text().splitlines()
        centred = [json.loads(line).get('face_box') == 'centre' for line in lines]
        assert summary.unfound == sum(centred)
        assert summary.num == sum(summary.operations.values()) == len(lines) == num
    assert any(centred)
