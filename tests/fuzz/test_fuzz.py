"""Whatever lies in a folder of images: each file gets one answer, and no file ends the run.

``make test TESTS=0 ARGS='-m slow -s tests/fuzz'`` reads all of them and prints the figures.
"""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

CHILD = Path(__file__).with_name('child.py')
NUMBER_OF_FILES = 10_000
SECONDS_A_FILE = 10
"""Of work: the same on a busy machine."""
SECONDS_TO_START = 120
SECONDS_ASLEEP = 600
LARGEST_GROWTH = 64 * 2**20
"""Bytes between the second quarter of the files and the last."""
MOST_OPEN_FILES = 64
REMEDIES = (
    'replace|remove|save the image again|raise the limit|cut it|convert it|shrink or tile|take '
)


class Run:
    """What came of all files, by their numbers.

    Attributes:
        reasons: ``None`` for a good file.
        flaws: Of answers.
        deaths: How a file ended the process, or stopped it.
        seconds: Of work from one message to the next, while this file was the last one begun.
        memory: Bytes in use after a file, list by list for each process.
        open_files: Likewise.
    """

    def __init__(self):
        self.reasons, self.flaws, self.deaths = {}, {}, {}
        self.seconds = defaultdict(float)  # None: before the first file
        self.memory, self.open_files = [], []

    @property
    def growth(self):
        """Of the last process."""
        quarters = np.array_split(self.memory[-1], 4)
        return int(np.median(quarters[3]) - np.median(quarters[1]))

    def __str__(self):
        bad = sum(reason is not None for reason in self.reasons.values())
        slowest = max(self.seconds.keys() - {None}, key=self.seconds.get)
        return (
            f'{len(self.reasons)} files: {len(self.reasons) - bad} good, {bad} bad; '
            f'{len(self.deaths)} crashes and hangs; slowest {self.seconds[slowest]:.1f} s (file '
            f'{slowest}); memory {np.median(self.memory[-1]) / 2**20:.0f} MiB, grew by '
            f'{self.growth / 2**20:.1f} MiB; at most {max(self.open_files)} open files'
        )

    def take(self, message, begun):
        """A message of a child; returns the number of the file that was begun last."""
        self.seconds[begun] += message['seconds']
        if 'begin' in message:
            return message['number']
        self.reasons[message['number']] = message['reason']
        if message['flaw'] is not None:
            self.flaws[message['number']] = message['flaw']
        self.memory[-1].append(message['memory'])
        self.open_files.append(message['files'])
        return begun


def read_all(target, folder, numbers):
    """Child after child: when a file kills one, the next goes on behind it."""
    run, rest = Run(), numbers
    while rest:
        run.memory.append([])
        last, death = read_until_death(target, folder, rest, run)
        if death is None:
            break
        run.deaths[last] = death
        rest = range(last + 1, numbers.stop)
    return run


def read_until_death(target, folder, numbers, run):
    """Which file was begun last, and how it ended the child (``None``: it did not)."""
    pipe, its_pipe = os.pipe()
    command = [sys.executable, CHILD, target, folder, numbers.start, numbers.stop, its_pipe]
    log = folder / f'log_{target}_{numbers.start}.txt'
    begun, death = None, None
    # torch keeps code for each of the last thousand sizes of images, which would look like a leak.
    env = os.environ | {'ONEDNN_PRIMITIVE_CACHE_CAPACITY': '16'}
    with log.open('wb') as out:
        child = subprocess.Popen(
            map(str, command), stdout=out, stderr=out, pass_fds=[its_pipe], env=env
        )
    os.close(its_pipe)
    try:
        for line in lines_of(pipe, child.pid):
            begun = run.take(json.loads(line), begun)
        if child.wait() != 0:
            death = f'exit code {child.returncode}'
    except TimeoutError as error:
        death = str(error)
    finally:
        os.close(pipe)
        child.kill()
        child.wait()
    if death is not None:
        death = f'{death}\n{log.read_text(errors="replace")[-2000:]}'
        if begun is None:
            raise RuntimeError(f'the child did not start: {death}')
    return begun, death


def lines_of(pipe, pid):
    """Lines as they come; ``TimeoutError`` when a process works or sleeps for too long."""
    rest, most_work = b'', SECONDS_TO_START
    while True:
        work, since = seconds_of_work(pid), time.monotonic()
        while not select.select([pipe], [], [], 1)[0]:
            more, asleep = seconds_of_work(pid) - work, time.monotonic() - since
            if more > most_work or asleep > SECONDS_ASLEEP:
                raise TimeoutError(f'no answer in {asleep:.0f} s with {more:.0f} s of work')
        data = os.read(pipe, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b'\n')
        yield from lines
        most_work = SECONDS_A_FILE


def seconds_of_work(pid):
    """Processor time of a process."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf('SC_CLK_TCK')


def assert_each_file_has_its_answer(run, numbers):
    assert run.deaths == {}
    assert run.flaws == {}
    assert list(run.reasons) == list(numbers)
    unclear = {number: reason for number, reason in run.reasons.items() if not is_clear(reason)}
    assert unclear == {}


def is_clear(reason):
    """What was expected, or cannot be done, and what to do."""
    return reason is None or bool(
        re.search('expected|cannot read', reason) and re.search('; (?:' + REMEDIES + ')', reason)
    )


DEADLY_CHILD = """
import json, os, sys
_, _, first, stop, pipe = sys.argv[1:]
out = os.fdopen(int(pipe), 'w', buffering=1)
for number in range(int(first), int(stop)):
    print(json.dumps(dict(number=number, begin='', seconds=0)), file=out)
    if number == 1:
        {deed}
    result = dict(reason=None, flaw=None, memory=0, files=0, seconds=0)
    print(json.dumps(dict(result, number=number)), file=out)
"""


@pytest.mark.parametrize(
    ('deed', 'death'),
    [
        ('os.kill(os.getpid(), 11)', 'exit code -11'),
        ('sys.exit(1)', 'exit code 1'),
        ('while True: pass', 'no answer in '),
    ],
    ids=['crash', 'exit', 'hang'],
)
def test_a_deadly_file_is_found_and_the_next_is_read(tmp_path, monkeypatch, deed, death):
    child = tmp_path / 'child.py'
    child.write_text(DEADLY_CHILD.format(deed=deed))
    monkeypatch.setattr('test_fuzz.CHILD', child)
    monkeypatch.setattr('test_fuzz.SECONDS_A_FILE', 1)
    run = read_all('any', tmp_path, range(3))
    assert list(run.deaths) == [1]
    assert run.deaths[1].startswith(death)
    assert list(run.reasons) == [0, 2]


def test_some_files_of_every_kind(tmp_path):
    numbers = range(200)
    run = read_all('inferencer', tmp_path, numbers)
    assert_each_file_has_its_answer(run, numbers)
    bad = sum(reason is not None for reason in run.reasons.values())
    assert 40 < bad < 160  # else these files test nothing


@pytest.mark.slow
@pytest.mark.parametrize('target', ['loader', 'inferencer'])
def test_ten_thousand_files(target, tmp_path):
    numbers = range(NUMBER_OF_FILES)
    run = read_all(target, tmp_path, numbers)
    print(f'\n{target}: {run}')  # noqa: T201  (the figures are what it is run for)
    assert_each_file_has_its_answer(run, numbers)
    assert run.growth < LARGEST_GROWTH
    assert max(run.open_files) < MOST_OPEN_FILES
