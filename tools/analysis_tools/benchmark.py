"""What the models cost, side by side: operations, time, memory, synchronisations.

    python tools/analysis_tools/benchmark.py [--models CONFIG ...] [--out FOLDER]

The models live in one process and take turns, round by round; the table shows medians, and
ratios to the first model within the same round. Weights are random; nothing is downloaded. What
fails (a broken config, lack of memory) is named in the table, and the rest goes on. Writes
`results.json`, `table.md` and `ratios.png`; what the columns mean is in docs/performance.md.
"""

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

import mmomni  # noqa: F401  (lets configs say _base_ = 'mmomni::...')
from mmomni.utils.allocator import keep_freed_memory
from model_profiling.arguments import TRAINING_FORMS, add_case_options, check_args
from model_profiling.memory import peak_memory
from model_profiling.operations import limits, macs_by_module, operations_of
from model_profiling.report import Row, case_of, draw, markdown, rows_of
from model_profiling.subjects import (
    Case,
    Failures,
    Subject,
    graph_breaks,
    inference,
    load_subject,
    parameters_of,
    short_name,
)
from model_profiling.synchronisations import OURS, listing, summary, synchronisations
from model_profiling.timing import (
    Prepare,
    describe,
    interleaved,
    peak_bandwidth,
    peak_flops,
)
from model_profiling.training import build_optimiser, shares_of, training_step

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
RECIPE = '8xb2-370k_iml-512x512.py'
MODELS = [
    CONFIGS / folder / f'{name}_{RECIPE}'
    for folder, name in (
        ('ablations', 'upernet_convnext-base'),
        ('omni_iml', 'omni-iml_convnext-base'),
        ('omni_iml', 'omni-iml_convnext-small'),
        ('omni_iml', 'omni-iml_convnext-large'),
        ('ablations', 'omni-iml-wo-mg_convnext-base'),
        ('ablations', 'omni-iml-wo-mg-star_convnext-base'),
        ('ablations', 'omni-iml-wo-ae_convnext-base'),
        ('ablations', 'omni-iml-wo-dw_convnext-base'),
        ('ablations', 'omni-iml-wo-dwd_convnext-base'),
        ('baselines', 'segformer_mit-b5'),
    )
]
MEASURES = ('latency', 'training')
MODULE_DEPTH = 2


def load_all(paths: Sequence[Path], device: torch.device, failures: Failures) -> list[Subject]:
    subjects = []
    for path in paths:
        with failures.naming(short_name(path), 'config'):
            subjects.append(load_subject(path, device))
    return subjects


@dataclass
class Bench:
    """What every measurement needs."""

    subjects: Sequence[Subject]
    baseline: str
    machine: dict[str, Any]
    rounds: int
    device: torch.device
    failures: Failures

    def rows(self, prepare: Prepare, cases: Sequence[Case]) -> list[Row]:
        readings = interleaved(
            prepare, self.subjects, cases, self.rounds, self.device, self.failures
        )
        return rows_of(readings, self.baseline)

    def named(self, name: str) -> Subject:
        return next(subject for subject in self.subjects if subject.name == name)

    def count(self, subject: Subject, run: Callable[[], object], precision: str) -> Row:
        """Multiply-adds and bytes of one run, and the machine's limits for it."""
        operations = operations_of(subject.model, run)
        return dict(
            macs=sum(each.macs for each in operations),
            bytes=sum(each.bytes for each in operations),
            limits=limits(operations, self.machine['flops'][precision], self.machine['bandwidth']),
        )


def describe_models(bench: Bench, size: int) -> dict[str, Row]:
    """Parameters, and multiply-adds of one image by module."""
    models: dict[str, Row] = {}
    for subject in bench.subjects:
        model = models[subject.name] = dict(
            config=str(subject.path), parameters=parameters_of(subject.model), macs={}
        )
        with bench.failures.naming(subject.name, 'multiply-adds'):
            run = inference(subject, Case(size, 1), bench.device)
            model['macs'] = macs_by_module(operations_of(subject.model, run), MODULE_DEPTH)
    return models


def measure_inference(bench: Bench, cases: Sequence[Case]) -> list[Row]:
    rows = bench.rows(inference, cases)
    if len({case[3:] for case in cases}) > 1:  # form, layout, frequency head
        add_differences(bench, rows, cases[0].form)
    for row in rows:
        subject, case = bench.named(row['model']), case_of(row)
        with bench.failures.naming(subject.name, f'memory and limits, {describe(case)}'):
            row['memory'] = peak_memory(inference(subject, case, bench.device), bench.device)
            # What is compiled or fused has the operations of eager, which can be counted.
            counted = case if case.form == 'plain' else case._replace(form='eager')
            run = inference(subject, counted, bench.device)
            row.update(bench.count(subject, run, case.precision))
    for row in rows:  # last, because it forgets what was compiled
        if row['form'] == 'compile':
            subject, case = bench.named(row['model']), case_of(row)
            with bench.failures.naming(subject.name, 'graph breaks'):
                row['graph_breaks'] = graph_breaks(subject, case, bench.device)
    return rows


def add_differences(bench: Bench, rows: Sequence[Row], first: str) -> None:
    """How far logits are from those of the first form, in standard deviations of these.

    Of forms in several layouts, or with several of the frequency head, from those of the first.
    """
    references: dict[tuple[str, Case], Tensor] = {}
    layout, frequency = (rows[0][field] for field in ('layout', 'frequency'))
    for row in rows:
        subject, case = bench.named(row['model']), case_of(row)
        with bench.failures.naming(subject.name, f'logits, {describe(case)}'):
            logits = inference(subject, case, bench.device)().float().cpu()
            key = subject.name, case._replace(form=first, layout=layout, frequency=frequency)
            if key[1] == case:
                references[key] = logits
            if key in references:  # else it failed, and is named
                difference = (logits - references[key]).abs().max() / references[key].std()
                row['difference'] = difference.item()


def measure_training(bench: Bench, cases: Sequence[Case]) -> list[Row]:
    # One for each form: the state has the layout of the weights that it was made for.
    optimisers: dict[tuple[str, str], OptimWrapper] = {}

    def optimiser(subject: Subject, case: Case) -> OptimWrapper:
        key = (subject.name, case.form)
        if key not in optimisers:
            optimisers[key] = build_optimiser(subject)
        return optimisers[key]

    def step(subject: Subject, case: Case, device: torch.device) -> Callable[[], None]:
        return training_step(subject, optimiser(subject, case), case, device)

    rows = bench.rows(step, cases)
    for row in rows:
        subject, case = bench.named(row['model']), case_of(row)
        with bench.failures.naming(subject.name, f'shares and limits, {describe(case)}'):
            run = step(subject, case, bench.device)
            row['shares'] = shares_of(subject, optimiser(subject, case), run, bench.device)
            row['memory'] = peak_memory(run, bench.device)
            row.update(bench.count(subject, run, case.precision))
            if case == cases[0]:
                places = synchronisations(run, bench.device)
                row['synchronisations'] = summary(places)
                row['synchronisations_of_ours'] = listing(places, [OURS])
    return rows


def measure_machine(device: torch.device, precisions: Sequence[str]) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else _processor()
    return dict(
        device=name,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        binding=os.environ.get('OMP_PROC_BIND', 'unset'),
        flops={precision: peak_flops(precision, device) for precision in precisions},
        bandwidth=peak_bandwidth(device),
    )


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    lines = info.read_text(encoding='utf-8').splitlines() if info.exists() else []
    return next((line.split(':')[1].strip() for line in lines if 'model name' in line), 'CPU')


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    device, failures = torch.device(args.device), Failures()
    try:
        args.out.mkdir(parents=True, exist_ok=True)  # before the work
    except OSError as error:
        raise SystemExit(f'expected --out as a folder to write to: {error}') from error
    if device.type == 'cpu':  # as `mmomni predict` does
        keep_freed_memory()
    machine = measure_machine(device, args.precisions)
    subjects = load_all(args.models, device, failures)
    if not subjects:
        raise SystemExit('\n'.join(f'{f.name}: {f.error}' for f in failures))
    machine['load'] = [os.getloadavg()[0]]
    baseline = short_name(args.models[0])  # also where its config is broken: then no ratios
    bench = Bench(subjects, baseline, machine, args.rounds, device, failures)
    results: dict[str, Any] = dict(
        machine=machine,
        baseline=baseline,
        models=describe_models(bench, args.sizes[0]),
        failures=failures,
    )
    options = itertools.product(
        args.sizes, args.batch_sizes, args.precisions, args.forms, args.layouts,
        args.frequency_forms,
    )  # fmt: skip
    cases = [Case(*values) for values in options]
    if 'latency' in args.measure:
        results['latency'] = measure_inference(bench, cases)
        write(results, args.out)  # should what follows be killed
    if 'training' in args.measure:
        # The others are for prediction: detection losses break torch.compile's graph everywhere.
        training = [
            case._replace(batch=args.train_batch_size)
            for case in cases
            if case.form in TRAINING_FORMS
        ]
        results['training'] = measure_training(bench, list(dict.fromkeys(training)))
    machine['load'].append(os.getloadavg()[0])
    write(results, args.out)
    return results


def write(results: dict[str, Any], out: Path) -> None:
    (out / 'results.json').write_text(json.dumps(results, indent=1), encoding='utf-8')
    (out / 'table.md').write_text(markdown(results), encoding='utf-8')
    draw(results, out / 'ratios.png')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description='Benchmark models side by side')
    parser.add_argument(
        '--models', nargs='+', type=Path, default=MODELS,
        help='configs; the first is the baseline of all ratios (default: ConvNeXt-B + UPerNet, '
        'Omni-IML-B, S and L, the ablations of B, SegFormer-B5)',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/benchmark'), help='folder of the results'
    )
    parser.add_argument('--device', default='cuda' if cuda else 'cpu')
    parser.add_argument(
        '--measure', nargs='*', choices=MEASURES, default=MEASURES,
        help='predictions, training steps (default: both); nothing: counts only',
    )  # fmt: skip
    add_case_options(parser)
    parser.add_argument('--rounds', type=int, default=5, help='after a warm-up (default: 5)')
    args = parser.parse_args(arguments)
    check_args(parser, args)
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse_args(arguments)
    results = benchmark(args)
    print(markdown(results))
    if results['failures']:
        sys.exit(1)


if __name__ == '__main__':
    main()
