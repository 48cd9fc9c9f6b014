"""What a person waits for: `mmomni predict` from the shell, by ONNX Runtime beside torch.

    python tools/analysis_tools/benchmark_predict.py [PHOTO] [--images 5] [--rounds 3] [--one-core]

Each backend is started anew for one photo and for several copies of it; backends take turns, round
by round, and medians are printed: seconds from the shell to the answer, images a second after the
first, most memory held.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import cv2
import numpy as np

BACKENDS = ('onnx', 'torch')
SIDE = 1000
"""Of the photo that is made where none is given: a megapixel."""


class Run(NamedTuple):
    """Of one command: seconds, and the most MB of memory that it held."""

    seconds: float
    memory: float


class Row(NamedTuple):
    """Of a backend."""

    backend: str
    first: float
    rate: float
    memory: float

    def __str__(self) -> str:
        return f'{self.backend:8}{self.first:10.2f}{self.rate:14.2f}{self.memory:12,.0f}'


HEADER = f'{"backend":8}{"first, s":>10}{"images/s then":>14}{"memory, MB":>12}'


def make_photo(path: Path) -> None:
    """Smooth noise, as a JPEG."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.GaussianBlur(noise, (9, 9), 0), [cv2.IMWRITE_JPEG_QUALITY, 90])


def predict(inputs: Path, out: Path, backend: str, checkpoint: Path | None) -> Run:
    """Run the command, in a process of its own.

    Raises:
        SystemExit: It failed, with its own words.
    """
    command = [sys.executable, '-m', 'mmomni', 'predict', str(inputs), '--out', str(out)]
    command += ['--backend', backend, '--device', 'cpu']
    command += [] if checkpoint is None else ['--checkpoint', str(checkpoint)]
    out.parent.mkdir(exist_ok=True)
    log = out.with_suffix('.log')
    with log.open('wb') as file:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f'{" ".join(command)}\n{log.read_text(encoding="utf-8")}')
    return Run(seconds, usage.ru_maxrss / 1024)


def measure(args: argparse.Namespace) -> list[Row]:
    firsts: dict[str, list[Run]] = {backend: [] for backend in args.backends}
    lasts: dict[str, list[Run]] = {backend: [] for backend in args.backends}
    with TemporaryDirectory() as name:
        folder = Path(name)
        one, many = folder / 'one', folder / 'many'
        one.mkdir()
        many.mkdir()
        photo = args.photo or folder / 'photo.jpg'
        if args.photo is None:
            make_photo(photo)
        shutil.copy(photo, one)
        for number in range(args.images):
            shutil.copy(photo, many / f'{number}{photo.suffix}')
        for turn in range(args.rounds):
            for backend in args.backends:
                out = folder / f'{turn}_{backend}'
                firsts[backend].append(predict(one, out / 'one', backend, args.checkpoint))
                lasts[backend].append(predict(many, out / 'many', backend, args.checkpoint))
    return [_row(each, firsts[each], lasts[each], args.images) for each in args.backends]


def _row(backend: str, firsts: Sequence[Run], lasts: Sequence[Run], images: int) -> Row:
    more = [many.seconds - one.seconds for one, many in zip(firsts, lasts, strict=True)]
    return Row(
        backend,
        statistics.median(run.seconds for run in firsts),
        (images - 1) / max(statistics.median(more), 1e-9),
        max(run.memory for run in (*firsts, *lasts)),
    )


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Time `mmomni predict`, by backends in turn')
    parser.add_argument(
        'photo', nargs='?', type=Path, help='default: a JPEG of a megapixel that is made for it'
    )
    parser.add_argument('--checkpoint', type=Path, help='default: the weights of the package')
    parser.add_argument('--backends', nargs='+', choices=BACKENDS, default=BACKENDS)
    parser.add_argument('--images', type=int, default=5, help='copies of the photo (default: 5)')
    parser.add_argument('--rounds', type=int, default=3, help='(default: 3)')
    parser.add_argument('--one-core', action='store_true', help='on one processor alone')
    args = parser.parse_args(arguments)
    if args.images < 2 or args.rounds < 1:
        parser.error('expected --images of at least 2 and --rounds of at least 1')
    if args.photo is not None and not args.photo.is_file():
        parser.error(f'expected a photo, found no file {args.photo}')
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_args(arguments)
    if args.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(HEADER)
    for row in measure(args):
        print(row)
    return 0


if __name__ == '__main__':
    sys.exit(main())
