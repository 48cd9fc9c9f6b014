#!/usr/bin/env python3
"""Make the virtual environment of a checkout; ``make env`` calls this.

The steps are those of pip, in the one order that works: mmcv compiles its operators only where
torch, ninja and setuptools are installed already and pip's build isolation is off; otherwise it
builds silently without them. Every step can be repeated, so an interrupted run is simply started
again. Standard library only, since it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
HEARTBEAT = 30  # seconds between two signs of life where no terminal can show a running clock
VERSION = '{}.{}'.format(*sys.version_info)
STOP_PATIENCE = 10  # seconds a command has to clean up when it is interrupted
LOG_TAIL = 25  # lines of the log shown when a step fails


class Stack(NamedTuple):
    """The packages of one environment, in the versions the tests were seen to pass with."""

    build: tuple[str, ...]
    torch: str = ''  # empty: neither torch nor OpenMMLab
    host: tuple[str, ...] = ()
    mmcv: str = ''
    extras: str = 'dev,docs'


# The linters are fixed because new ones find new faults; ftfy and regex are imports of mmseg.
TOOLS = ('mypy==2.4.1', 'ruff==0.17.5')
STACKS = {
    'onedl': Stack(
        build=('pip>=23.1', 'setuptools<81', 'wheel', 'ninja', 'psutil'),
        torch='torch==2.13.0',
        host=(
            'onedl-mmengine==0.10.12',
            'onedl-mmsegmentation==1.4.2',
            'onedl-mmdetection==3.5.1',
            'ftfy',
            'regex',
            *TOOLS,
        ),
        mmcv='onedl-mmcv==2.3.6',
    ),
    'openmmlab': Stack(
        build=('pip>=23.1', 'setuptools<70', 'wheel', 'ninja', 'psutil'),
        torch='torch==2.1.2',
        host=(
            'mmengine==0.10.7',
            'mmsegmentation==1.2.2',
            'mmdet==3.3.0',
            'numpy<2',
            'opencv-python<4.11',  # the newer ones need NumPy 2
            'opencv-python-headless<4.11',
            'ftfy',
            'regex',
            *TOOLS,
        ),
        mmcv='mmcv==2.1.0',
    ),
    # What `pip install mmomni` brings, what reads more kinds of files, and pytest.
    'light': Stack(
        build=('pip>=23.1', 'setuptools<81', 'wheel'), extras='c2pa,heif,lmdb,pdf,test'
    ),
}

# Runs an operator, because a library built for another torch may import and still fail. Where CUDA
# can be compiled, a wheel without it (from pip's cache) counts as broken.
CHECK_OPS = """
import torch
from mmcv.ops import get_compiling_cuda_version, nms
from torch.utils.cpp_extension import CUDA_HOME
boxes = torch.tensor([[0., 0., 8., 8.], [0., 0., 8., 7.], [9., 9., 12., 12.]])
assert nms(boxes, torch.tensor([3., 2., 1.]), 0.5)[1].tolist() == [0, 2], 'nms is wrong'
if torch.cuda.is_available() and CUDA_HOME:
    assert get_compiling_cuda_version() != 'not available', 'mmcv was built without CUDA'
"""
CHECK_NVCC = """
import torch
from torch.utils.cpp_extension import CUDA_HOME
assert CUDA_HOME or not torch.cuda.is_available(), 'a GPU, but no nvcc'
"""
CHECK_IMPORTS = """
import jpeglib, mmcv.ops, mmdet, mmengine, mmomni, mmseg, tensorboard, torch
torch.zeros(1).numpy()  # torch is imported with a NumPy that it was not built for, too
"""
CHECK_LIGHT = """
import cv2, jpeglib, mmomni, onnxruntime
from mmomni.utils.needed import HOST, missing
assert missing() == HOST, f'expected an environment without {HOST}'
"""

NO_NVCC = (
    'This machine has a GPU but no nvcc: the operators of mmcv are built for the CPU only, and box '
    'supervision cannot train on the GPU. To change that, install the CUDA toolkit of the version '
    'torch was built with, remove {stamp} and run `make env` again.'
)
OTHER_VENV = 'remove it, or choose another folder, `make env VENV=...`'
COMPILE_HINT = (
    'Usual causes: no C++ compiler (g++), no Python headers (python3-dev), or an nvcc of another '
    'CUDA version than the one torch was built with.'
)


class MakeEnvError(Exception):
    """The environment cannot be made; the message says why and what to do."""


class StepError(MakeEnvError):
    """A command ended with an error; what it said is at the end of the log."""


class Console:
    """Shows one line a step; its clock runs on a terminal and ticks now and then elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.title = ''
        self.started = self.shown = 0.0

    def start(self, title: str) -> None:
        """Begin a step."""
        self.title = title
        self.started = self.shown = time.monotonic()
        if self.live:
            self._show(end='')
        else:
            self.say(title)

    def tick(self, detail: str) -> None:
        """Say that the step is still moving."""
        if self.live:
            self._show(detail, end='')
        elif time.monotonic() - self.shown >= HEARTBEAT:
            self.shown = time.monotonic()
            self._show(detail)

    def finish(self) -> None:
        """End the step: its line keeps the time it took."""
        if self.live:
            self._show()

    def say(self, text: str) -> None:
        """Print a line of its own and go on with the step below it."""
        print(('\r\x1b[K' if self.live else '') + text, flush=True)

    def _show(self, detail: str = '', end: str = '\n') -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        line = f'{self.title:<48} {minutes}:{seconds:02d}  {detail}'.rstrip()
        if self.live:  # a line that wraps cannot be overwritten
            line = '\r\x1b[K' + line[: shutil.get_terminal_size().columns - 1]
        print(line, end=end, flush=True)


class Environment:
    """A virtual environment in the making.

    Args:
        path: Folder of the environment.
        stack: What goes in.
        torch: What pip is given for torch: a requirement, perhaps followed by options.
    """

    def __init__(self, path: Path, stack: Stack, torch: str) -> None:
        self.path = path
        self.stack = stack
        self.torch = torch
        self.python = path / 'bin' / 'python'
        self.log = path / 'make_env.log'
        self.stamp = path / 'make_env.stamp'
        self.lock_file = path / 'make_env.lock'
        self.console = Console()
        self.digest = self._digest()  # now: the sources may change while the steps run
        self.lock = -1
        self.ours = False

    def is_ready(self) -> bool:
        """Whether a run with the same inputs came to its end here."""
        return (
            os.access(self.python, os.X_OK)
            and self.stamp.is_file()
            and self.stamp.read_text() == self.digest
        )

    def make(self) -> None:
        """Run every step; one whose work is done already takes a few seconds."""
        self._take_lock()
        if self.is_ready():
            return
        self.stamp.unlink(missing_ok=True)
        self.log.write_text('')
        torch = self.torch.split(' ')[0]
        host = [
            (torch, lambda: self._pip(*shlex.split(self.torch))),
            ('the Python packages of OpenMMLab', lambda: self._pip(*self.stack.host)),
            (f'{self.stack.mmcv} and its operators', self._make_mmcv),
        ]
        own = f'{ROOT}[{self.stack.extras}]'
        steps = [
            (f'virtual environment, Python {VERSION}', self._make_venv),
            ('build tools', lambda: self._pip(*self.stack.build)),
            *(host if torch else []),
            # The stack's once more: what we need must not exchange them, NumPy for instance.
            ('mmomni', lambda: self._pip('--no-build-isolation', '-e', own, *self.stack.host)),
            ('check', self._check),
        ]
        self.console.say(f'Making {self.path}; what the tools say goes to {self.log}')
        for number, (title, work) in enumerate(steps, 1):
            self.console.start(f'[{number}/{len(steps)}] {title}')
            work()
            self.console.finish()
        self.stamp.write_text(self.digest)

    def _digest(self) -> str:
        # Of pyproject.toml only what pip reads: settings of the linters change nothing here.
        metadata = (ROOT / 'pyproject.toml').read_text().partition('[tool.pytest')[0]
        sources = [metadata, *(path.read_text() for path in (Path(__file__), ROOT / 'setup.py'))]
        inputs = [*sources, str(ROOT), str(self.path), VERSION, repr(self.stack), self.torch]
        return hashlib.sha256('\0'.join(inputs).encode()).hexdigest()

    def _take_lock(self) -> None:
        """Let one run at a time work in the folder.

        The commands inherit the lock: if this script is killed, the next run waits for what it
        left behind instead of installing beside it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.ours = self.lock_file.exists() or not any(self.path.iterdir())
        self.lock = os.open(self.lock_file, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.console.say(f'Another run is at work in {self.path}; waiting for it')
            fcntl.flock(self.lock, fcntl.LOCK_EX)

    def _make_venv(self) -> None:
        """Make the bare environment; one that was left half-made is emptied first."""
        if self._succeeds(self.python, '-m', 'pip', '--version'):
            if not (self.path / 'lib' / f'python{VERSION}').is_dir():
                raise MakeEnvError(f'{self.path} is not of Python {VERSION}: {OTHER_VENV}')
            return
        if not self.ours:
            self.log.unlink()
            self.lock_file.unlink()  # or the next run would take the folder for ours
            raise MakeEnvError(f'{self.path} has no working pip and is not ours: {OTHER_VENV}')
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif not entry.name.startswith('make_env.'):
                entry.unlink()
        # This script may run on the very interpreter that was just removed.
        base = getattr(sys, '_base_executable', sys.executable)
        self._run(base, '-m', 'venv', self.path)

    def _make_mmcv(self) -> None:
        """Install mmcv with operators that work with this torch."""
        env = {'MMCV_WITH_OPS': '1'}
        for name in ('CFLAGS', 'CXXFLAGS'):  # without debug symbols it takes 40 % less time
            env[name] = f'{os.environ.get(name, "")} -g0'.strip()
        if not self._succeeds(self.python, '-c', CHECK_NVCC):
            env['CUDA_VISIBLE_DEVICES'] = ''
            self.console.say(NO_NVCC.format(stamp=self.stamp))
        install = ('--verbose', '--no-build-isolation', self.stack.mmcv)
        try:
            if not self._succeeds(self.python, '-c', CHECK_OPS):
                self.console.say('Compiling mmcv takes about ten minutes, if pip has no wheel yet')
            self._pip(*install, **env)
            if not self._succeeds(self.python, '-c', CHECK_OPS):
                self.console.say('That mmcv has no operators for this torch: compiling it anew')
                self._pip('--no-cache-dir', '--force-reinstall', '--no-deps', *install, **env)
            self._run(self.python, '-c', CHECK_OPS)
        except StepError as error:
            raise StepError(f'{error}\n{COMPILE_HINT}') from error

    def _check(self) -> None:
        self._run(self.python, '-c', CHECK_IMPORTS if self.torch else CHECK_LIGHT)
        self._run(self.python, '-m', 'pip', 'check')

    def _pip(self, *arguments: str, **env: str) -> None:
        self._run(self.python, '-m', 'pip', 'install', *arguments, **env)

    def _succeeds(self, *command: str | Path) -> bool:
        try:
            self._run(*command)
        except (StepError, OSError):  # OSError: no such interpreter, or one that cannot run
            return False
        return True

    def _run(self, *command: str | Path, **env: str) -> None:
        """Run a command into the log while the clock runs."""
        words = [str(word) for word in command]
        with self.log.open('a') as log:
            print('\n$', shlex.join(words), file=log, flush=True)
            process = subprocess.Popen(
                words,
                cwd=ROOT,
                env=self._environ() | env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that all of it can be stopped together
                pass_fds=(self.lock,),
            )
            try:
                self._wait(process, log.tell())
            except BaseException:
                stop(process)
                raise
        if process.returncode:
            raise StepError(f'{self.console.title}: this ended with an error, see {self.log}')

    def _environ(self) -> dict[str, str]:
        # torch finds ninja by the PATH; without it the compile is not parallel.
        path = os.pathsep.join([str(self.python.parent), os.environ.get('PATH', os.defpath)])
        pip = {'PIP_DISABLE_PIP_VERSION_CHECK': '1', 'PIP_PROGRESS_BAR': 'off', 'PIP_NO_INPUT': '1'}
        return {**os.environ, **pip, 'PATH': path, 'PYTHONUNBUFFERED': '1'}

    def _wait(self, process: subprocess.Popen[bytes], start: int) -> None:
        while process.poll() is None:
            with self.log.open('rb') as log:
                log.seek(start)
                self.console.tick(compiled(log.read().decode(errors='replace')))
            time.sleep(0.2)


def compiled(output: str) -> str:
    """How far a compile is, read from the ``[12/78]`` that ninja puts before each command."""
    counts = re.findall(r'^\s*\[(\d+)/(\d+)\] ', output, flags=re.MULTILINE)
    return '{} of {} files compiled'.format(*counts[-1]) if counts else ''


def stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a command and all that it started, and wait until they are gone."""
    for request in (signal.SIGINT, signal.SIGKILL):
        deadline = time.monotonic() + STOP_PATIENCE
        try:
            os.killpg(process.pid, request)
            while time.monotonic() < deadline:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.1)
        except ProcessLookupError:
            return


def interrupt(*_: object) -> None:
    """Treat a request to end like Ctrl-C."""
    raise KeyboardInterrupt


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Make the virtual environment of a checkout')
    parser.add_argument('--stack', choices=STACKS, default='onedl', help='light: no OpenMMLab')
    parser.add_argument('--venv', type=Path, default=Path('.venv'), help='folder to make')
    parser.add_argument('--torch', default='', help='what pip gets for torch')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    stack = STACKS[args.stack]
    environment = Environment(ROOT / args.venv, stack, args.torch or stack.torch)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        if not environment.is_ready():
            environment.make()
    except KeyboardInterrupt:
        print('\nInterrupted; the same command goes on from here', file=sys.stderr)
        return 130
    except StepError as error:
        lines = environment.log.read_text(errors='replace').splitlines()
        print('', *lines[-LOG_TAIL:], '', error, sep='\n', file=sys.stderr)
        return 1
    except MakeEnvError as error:
        print(error, file=sys.stderr)
        return 1
    print(f'Ready: {args.venv}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
