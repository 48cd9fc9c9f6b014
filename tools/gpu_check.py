"""Everything that only a GPU can show, in one command and one file of results (``make gpu``).

    python tools/gpu_check.py [--out work_dirs/gpu.json] [--minutes 9]

The tests marked ``gpu``, two short trainings on synthesised pages and the benchmark, in processes
of their own: what fails, dies or takes too long is named, and the rest goes on. Exit status: 0 all
went well, 1 not, 2 there is no GPU. See docs/performance.md.
"""

import argparse
import importlib.util
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

import torch

from mmomni.utils.files import replacing

ROOT = Path(__file__).resolve().parents[1]
DEMO = 'configs/demo/omni-iml_convnext-atto_demo.py'
PAPER = 'convnext-base_8xb2-370k_iml-512x512.py'
PACKAGES = ('mm', 'onedl', 'numpy', 'opencv', 'jpeglib', 'triton', 'onnx', 'timm', 'nvidia')
"""How the names of those begin whose versions matter."""
LOST = 70
"""Of pytest: CUDA answers no more in that process (tests/gpu/conftest.py)."""


class Size(NamedTuple):
    """How much is measured."""

    benchmark: tuple[object, ...]
    images: int
    batch: int
    iterations: int
    precisions: tuple[str, ...]


SIZES = {
    'cuda': Size(
        ('--models', f'configs/ablations/upernet_{PAPER}', f'configs/omni_iml/omni-iml_{PAPER}',
         '--sizes', 512, '--batch-sizes', 1, 8, '--precisions', 'fp32', 'bf16',
         '--forms', 'eager', 'fused', 'channels_last', 'compile', '--rounds', 5),
        images=256, batch=16, iterations=100, precisions=('fp32', 'bf16'),
    ),
    'cpu': Size(
        ('--models', DEMO, '--sizes', 64, '--batch-sizes', 1, '--precisions', 'fp32',
         '--forms', 'eager', '--rounds', 1),
        # mmengine's AmpOptimWrapper refuses a CPU
        images=4, batch=2, iterations=2, precisions=('fp32',),
    ),
}  # fmt: skip
BFLOAT16 = ('type=AmpOptimWrapper', 'dtype=bfloat16', 'loss_scale.enabled=False')


class Ended(NamedTuple):
    """How a process did: its exit status (``None``: time was up), and what it said last."""

    status: int | None
    last: list[str]

    @property
    def result(self) -> dict[str, Any]:
        """The beginning of a part's results."""
        if self.status == 0:
            return dict(passed=True, status=0)
        fault = dict(fault='time was up (--minutes)') if self.status is None else {}
        return dict(passed=False, status=self.status, output=self.last, **fault)


def run(command: Iterable[object], log: Path, seconds: float, **environment: str) -> Ended:
    """A Python program, which is ended with all that it started when its time is up."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])])
    env = {**os.environ, 'PYTHONPATH': path, **environment}
    with log.open('ab') as file:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            status: int | None = process.wait(max(1.0, seconds))
        except subprocess.TimeoutExpired:
            status = None
            os.killpg(process.pid, signal.SIGINT)  # pytest ends what its tests have started
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return Ended(status, lines[-40:])


def run_tests(folder: Path, deadline: float, args: argparse.Namespace) -> dict[str, Any]:
    """All tests of GPUs; behind one that ends its process, the others go on in a new one."""
    if importlib.util.find_spec('pytest') is None:
        return dict(passed=False, fault='pytest is not installed: pip install pytest')
    lines = folder / 'tests.jsonl'
    lines.unlink(missing_ok=True)
    environment = {'MMOMNI_GPU_RESULTS': str(lines)}
    if args.device == 'cpu':
        environment['MMOMNI_GPU_TESTS_ON'] = 'cpu'
    command = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-m', 'gpu', 'tests/gpu']
    if args.tests:
        command += ['-k', args.tests]
    done: list[str] = []
    while True:
        behind = [f'--deselect={name}' for name in done]
        left = deadline - time.monotonic()
        ended = run([*command, *behind], folder / 'tests.log', left, **environment)
        tests = results_of(lines)
        begun = [test['name'] for test in tests]
        died = ended.status is not None and (ended.status == LOST or ended.status < 0)
        if not died or len(begun) == len(done):
            break
        done = begun
    counts = Counter(test['outcome'] for test in tests)
    # 5: what was left behind a test that died was nothing
    passed = set(counts) <= {'passed', 'skipped'} and counts['passed'] and ended.status in (0, 5)
    return ended.result | dict(passed=bool(passed), counts=counts, tests=tests)


def results_of(lines: Path) -> list[dict[str, Any]]:
    """Each test that began: its outcome, seconds, figures that it measured, and why it failed."""
    tests: dict[str, dict[str, Any]] = {}
    if not lines.exists():
        return []
    for line in map(json.loads, lines.read_text(encoding='utf-8').splitlines()):
        test = tests.setdefault(line['test'], dict(name=line['test'], outcome='died', seconds=0.0))
        if line['phase'] == 'start':
            continue
        test['seconds'] = round(test['seconds'] + line['seconds'], 3)
        test |= dict(figures=line['figures']) if line['figures'] else {}
        if line['outcome'] != 'passed' and test['outcome'] == 'died':
            error = line['outcome'] == 'failed' and line['phase'] != 'call'
            test['outcome'] = 'error' if error else line['outcome']
            test['message'] = line['message'][-4000:]
        elif line['phase'] == 'teardown' and test['outcome'] == 'died':
            test['outcome'] = 'passed'
    return list(tests.values())


def run_benchmark(folder: Path, deadline: float, args: argparse.Namespace) -> dict[str, Any]:
    """The benchmark's own results, as far as it came."""
    out = folder / 'benchmark'
    (out / 'results.json').unlink(missing_ok=True)
    command = [
        'tools/analysis_tools/benchmark.py', '--device', args.device, '--out', out,
        *SIZES[args.device].benchmark,
    ]  # fmt: skip
    ended = run(command, folder / 'benchmark.log', deadline - time.monotonic())
    path = out / 'results.json'
    results = json.loads(path.read_text(encoding='utf-8')) if path.exists() else {}
    return ended.result | dict(results=results)


def run_training(folder: Path, deadline: float, args: argparse.Namespace) -> dict[str, Any]:
    """The demo's model in float32 and in bfloat16, on pages that are made here."""
    size, data = SIZES[args.device], folder / 'pages'
    workers = min(8, os.cpu_count() or 1)
    making = run(
        ['-m', 'mmomni.cli', 'synthesize', 'rendered', data, '--domain', 'document', '--num',
         size.images, '--max-side', 384, '--seed', 1, '--workers', workers, '--resume'],
        folder / 'synthesize.log', deadline - time.monotonic(),
    )  # fmt: skip
    if making.status != 0:
        return making.result | dict(fault='no training images could be made')
    found: dict[str, Any] = {}
    for number, precision in enumerate(size.precisions):
        share = (deadline - time.monotonic()) / (len(size.precisions) - number)
        found[precision] = train(folder, data, size, precision, workers, share)
    return dict(passed=all(each['passed'] for each in found.values()), **found)


def train(
    folder: Path, data: Path, size: Size, precision: str, workers: int, seconds: float
) -> dict[str, Any]:
    """One training: its losses, and its speed without the first tenth of the iterations."""
    work_dir = folder / f'train_{precision}_{time.time_ns()}'
    command = [
        'tools/train.py', DEMO, '--work-dir', work_dir, '--cfg-options',
        *(f'train_dataloader.dataset.datasets.{i}.data_root={data}' for i in range(3)),
        f'train_dataloader.batch_size={size.batch}', f'train_dataloader.num_workers={workers}',
        f'train_cfg.max_iters={size.iterations}', 'default_hooks.logger.interval=1',
        'test_dataloader=None', 'test_evaluator=None', 'test_cfg=None',
        *(f'optim_wrapper.{each}' for each in BFLOAT16 if precision == 'bf16'),
    ]  # fmt: skip
    ended = run(command, folder / f'train_{precision}.log', seconds)
    lines = [
        json.loads(line)
        for path in work_dir.glob('*/vis_data/scalars.json')
        for line in path.read_text(encoding='utf-8').splitlines()
    ]
    steps = [line for line in lines if 'loss' in line]
    losses = [step['loss'] for step in steps]
    whole = len(steps) == size.iterations and all(map(math.isfinite, losses))
    # A number that JSON does not know is none.
    losses = [loss if math.isfinite(loss) else None for loss in losses]
    result = ended.result | dict(passed=ended.status == 0 and whole, losses=losses)
    if later := steps[len(steps) // 10 :]:
        for key in ('time', 'data_time'):  # of an iteration, and of it in wait for data
            result[key] = statistics.median(step[key] for step in later)
        result['images_a_second'] = size.batch / result['time']
        result['memory_mib'] = max(step.get('memory', 0) for step in steps)
    return result


PARTS: Mapping[str, tuple[Callable[..., dict[str, Any]], float]] = {
    'tests': (run_tests, 0.55),
    'training': (run_training, 0.4),
    'benchmark': (run_benchmark, 1.0),
}
"""Each with the share of the remaining time that it may take."""


def describe_machine() -> dict[str, Any]:
    """What the results are of."""
    found = {each.metadata['Name']: each.version for each in metadata.distributions()}
    # What pip left half removed has no name.
    versions = {n: found[n] for n in sorted(filter(None, found)) if n.startswith(PACKAGES)}
    return dict(
        python=platform.python_version(), system=platform.platform(), torch=torch.__version__,
        cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version(), driver=driver(),
        packages=versions, processors=os.cpu_count(),
        cards=[str(torch.cuda.get_device_properties(i)) for i in range(torch.cuda.device_count())],
    )  # fmt: skip


def driver() -> str | None:
    """The version of NVIDIA's driver, if its own tool can be asked."""
    command = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
        return next(iter(answer.stdout.split()), None)
    return None


def write(results: Mapping[str, Any], out: Path) -> None:
    with replacing(out) as unfinished:
        unfinished.write_text(json.dumps(results, indent=1), encoding='utf-8')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Check everything on a GPU')
    out = Path('work_dirs/gpu.json')
    parser.add_argument('--out', type=Path, default=out, help='results; logs in a folder beside')
    parser.add_argument('--minutes', type=float, default=9, help='of all (default: %(default)s)')
    parser.add_argument(
        '--device', choices=list(SIZES), default='cuda', help='cpu: a trial of this command itself'
    )
    parser.add_argument('--parts', nargs='+', choices=list(PARTS), default=list(PARTS))
    parser.add_argument('--tests', metavar='EXPRESSION', help="which tests, as pytest's -k")
    args = parser.parse_args(arguments)
    if not args.minutes > 0:
        parser.error(f'expected --minutes above 0, got {args.minutes:g}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        kind = f'torch {torch.__version__}, built for {torch.version.cuda or "CPUs alone"}'
        parser.exit(2, f'no CUDA device: torch.cuda.is_available() is False ({kind})\n')
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse_args(arguments)
    out, begin = args.out.resolve(), time.monotonic()
    folder = out.with_suffix('')
    folder.mkdir(parents=True, exist_ok=True)
    end = begin + 60 * args.minutes
    results: dict[str, Any] = dict(passed=False, device=args.device, machine=describe_machine())
    write(results, out)  # before the work
    for name in (name for name in PARTS if name in args.parts):
        part, share = PARTS[name]
        start = time.monotonic()
        print(f'{name} ...', flush=True)
        try:
            results[name] = part(folder, start + share * (end - start), args)
        except Exception as error:  # noqa: BLE001  (whatever it is, the other parts are not lost)
            results[name] = dict(passed=False, fault=f'{type(error).__name__}: {error}')
        results[name]['seconds'] = round(time.monotonic() - start, 1)
        print(name, 'passed' if results[name]['passed'] else 'FAILED', flush=True)
        results['passed'] = all(results[each]['passed'] for each in args.parts if each in results)
        write(results, out)
    print(f'results: {out}\nlogs:    {folder}')
    if not results['passed']:
        sys.exit(1)


if __name__ == '__main__':
    main()
