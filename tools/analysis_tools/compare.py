"""Table 3 of the paper: models of the field at equal budget, and what each of them costs.

    python tools/analysis_tools/compare.py configs/comparators/*.py \
        configs/omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py
    python tools/analysis_tools/compare.py configs/comparators/lite/*.py --seeds 0 1
    python tools/analysis_tools/compare.py CONFIG ... --checkpoints evp_mit-b4=evp.safetensors

Trains every config with every seed, or takes its checkpoint, tests all on the same sets, and prints
their scores beside the paper's, with parameters, multiply-adds and latency, measured in one run in
which the models take turns. What is finished already is not done again; an interrupted one goes on
where it was; one that fails is named, and the others go on.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from ablation_table import cell
from lite_benchmark import figures as figures_of_selection
from lite_benchmark import run
from mmengine.config import Config, DictAction

import mmomni  # noqa: F401  (lets configs say _base_ = 'mmomni::...')
from mmomni.engine.launch import config_path, override, read_config
from mmomni.evaluation.published import TOTAL, paper_figures
from mmomni.utils.files import file_sha256, replacing, write_durably
from mmomni.utils.tables import markdown_table
from model_profiling.operations import operations_of
from model_profiling.subjects import (
    Case,
    Failures,
    inference,
    load_subject,
    parameters_of,
    short_name,
)
from model_profiling.timing import interleaved

ROWS = {
    'evp': 'EVP', 'hifi-net': 'HiFi-Net', 'dtd': 'DTD', 'tifdm': 'TIFDM', 'apscnet': 'APSC-Net',
    'omni-iml': 'Omni-IML',
}  # fmt: skip
"""Rows of the paper by the first word of our configs, those of other sizes, too."""
SAME = ('train_dataloader', 'test_dataloader', 'train_cfg', 'param_scheduler')
"""What must be equal for a comparison to mean anything."""
SCORES = ('IoU', 'F1')
SUBJECT = 'subject.json'
"""What a folder's results are of: digests of the config and of the checkpoint, if one was given."""


class Model(NamedTuple):
    """A config, by the name it has in tables, and what it was tested with if not trained here."""

    name: str
    path: Path
    config: Config
    checkpoint: Path | None


def refuse_unequal(models: Sequence[Model]) -> None:
    """End with what differs, if data, budget or test sets of the models do."""
    first, *others = models
    for model in others:
        for key in SAME:
            if model.checkpoint and first.checkpoint and key != 'test_dataloader':
                continue  # how somebody else trained it is not in a config
            if model.config.get(key) != first.config.get(key):
                raise SystemExit(
                    f'{model.path} differs from {first.path} in {key}, expected the same for all; '
                    'compare configs of one folder, or set it for all with --cfg-options'
                )


def folder_of(model: Model, seed: int, parent: Path) -> Path:
    """Where a model is trained and tested, or tested alone."""
    return parent / (f'{model.name}_seed{seed}' if not model.checkpoint else model.name)


def claim(work_dir: Path, model: Model) -> None:
    """End if a folder holds what another recipe or checkpoint gave: it would be taken for these."""
    recipe = sha256(repr(model.config.to_dict()).encode()).hexdigest()
    of = dict(recipe=recipe, checkpoint=model.checkpoint and file_sha256(model.checkpoint))
    note = work_dir / SUBJECT
    if note.is_file() and json.loads(note.read_text(encoding='utf-8')) != of:
        raise SystemExit(
            f'{work_dir} is of another recipe or checkpoint; remove it, or give another --work-dir'
        )
    work_dir.mkdir(parents=True, exist_ok=True)
    write_durably(note, json.dumps(of).encode())


def train_and_test(model: Model, seed: int, work_dir: Path, options: Sequence[str]) -> Path:
    """``results.json`` of a model with a seed, made if it is not there."""
    results = work_dir / 'results.json'
    if not results.is_file():
        changes = ['--cfg-options', f'randomness.seed={seed}', *options]
        checkpoint = model.checkpoint
        if checkpoint is None:
            run('tools/train.py', model.path, '--work-dir', work_dir, '--resume', *changes)
            checkpoint = Path((work_dir / 'last_checkpoint').read_text().strip())
        run('tools/test.py', model.path, checkpoint, '--work-dir', work_dir, *changes)
    return results


def scores_of(results: Path) -> tuple[dict[str, float], list[str]]:
    """The columns of one run, and notes on averages that lack sets.

    Averages of its tables, or, of a run that was validated only, what ``SelectionMetric`` says.
    """
    content = json.loads(results.read_text(encoding='utf-8'))
    averages = [
        row for table in content.get('tables', ()) for row in table['rows']
        if row['is_average'] and row['name'] in (row['domain'], TOTAL)
    ]  # fmt: skip
    if not averages:
        return figures_of_selection(results), []
    columns = {
        f'{row["name"]} {score}': row['scores'][score]
        for row in averages for score in SCORES if score in row['scores']
    }  # fmt: skip
    notes = [f'{results.parent.name}: {r["name"]} {r["note"]}' for r in averages if r['note']]
    return columns, notes


def papers_of(name: str) -> dict[str, float]:
    """The paper's figures of a model by column, none of one that it does not have."""
    figures = paper_figures(ROWS.get(name.split('_', maxsplit=1)[0]))
    return {
        f'{average}{suffix}': figure.scores[score]
        for average, figure in figures.items()
        for score, suffix in (('IoU', ' IoU'), ('F1', ' F1'), ('IoU', ''))
        if score in figure.scores
    }


def costs(models: Sequence[Model], case: Case, rounds: int, failures: Failures) -> dict[str, dict]:
    """Parameters, multiply-adds and milliseconds of one image, by model."""
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    subjects = []
    for model in models:
        with failures.naming(model.name, 'costs'):
            subjects.append(load_subject(model.path, device, model.config.copy()))
    readings = interleaved(inference, subjects, [case], rounds, device, failures)
    found: dict[str, dict] = {}
    for subject in subjects:
        with failures.naming(subject.name, 'multiply-adds'):
            plain = inference(subject, case._replace(form='plain'), device)
            macs = sum(each.macs for each in operations_of(subject.model, plain))
            times = [reading.busy for reading in readings.get((subject.name, case), ())]
            found[subject.name] = {
                'M parameters': parameters_of(subject.model)['inference'] / 1e6,
                'G multiply-adds': macs / 1e9,
                'ms': 1e3 * float(np.median(times)) if times else math.nan,
            }
    return found


def table(
    runs: Mapping[str, Sequence[Mapping[str, float]]], cost: Mapping[str, Mapping[str, float]]
) -> str:
    """One line a model: scores (mean over seeds, the paper's in brackets), then what it costs."""
    every = [columns for seeds in runs.values() for columns in seeds]
    names = list(dict.fromkeys(name for columns in every for name in columns))
    prices = list(dict.fromkeys(name for columns in cost.values() for name in columns))
    lines = []
    for model, seeds in runs.items():
        paper = papers_of(model)
        values = {n: [c[n] for c in seeds if not math.isnan(c.get(n, math.nan))] for n in names}
        cells = [cell(values[name], paper.get(name)) for name in names]
        price = cost.get(model, {})
        cells += [f'{price[name]:.1f}' if name in price else '-' for name in prices]
        lines.append([model, *cells, str(len(seeds))])
    return '\n'.join(markdown_table(['model', *names, *prices, 'runs'], lines))


def named_checkpoint(text: str) -> tuple[str, Path]:
    """``NAME=FILE`` taken apart."""
    name, equals, file = text.partition('=')
    if not equals or not Path(file).is_file():
        told = f'expected NAME=FILE with a file that is there, got {text}'
        raise argparse.ArgumentTypeError(told)
    return name, Path(file)


def parse_args(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Compare models of the field at equal budget')
    parser.add_argument('configs', nargs='+', type=config_path)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument(
        '--checkpoints', nargs='+', type=named_checkpoint, default=[], metavar='NAME=FILE',
        help='tested instead of trained ones, by the name of the config up to its recipe',
    )  # fmt: skip
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare'))
    parser.add_argument('--size', type=int, default=512, help='of the image that is timed')
    parser.add_argument('--rounds', type=int, default=9, help='of timing; 0: no costs')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='for all configs')
    return parser.parse_args(words)


def read_models(args: argparse.Namespace) -> list[Model]:
    """The configs with their changes, each name once, and every checkpoint of one of them."""
    checkpoints = dict(args.checkpoints)
    models = []
    for path in map(Path, args.configs):
        config = read_config(str(path))
        override(config, _changes(args.cfg_options))
        name = short_name(path)
        models.append(Model(name, path, config, checkpoints.pop(name, None)))
    names = [model.name for model in models]
    if checkpoints or len(set(names)) < len(names):
        wrong = f'checkpoints of {sorted(checkpoints)}' if checkpoints else 'a name twice'
        raise SystemExit(f'expected one config for each checkpoint and name, got {wrong}: {names}')
    return models


def _changes(options: Sequence[str]) -> dict[str, Any]:
    """As every tool reads them."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *options] if options else []).cfg_options


def main(words: Sequence[str] | None = None) -> int:
    args = parse_args(words)
    models = read_models(args)
    refuse_unequal(models)
    failures = Failures()
    runs: dict[str, list[dict[str, float]]] = {}
    notes: list[str] = []
    todo = [
        (seed, model, folder_of(model, seed, args.work_dir))
        for seed in args.seeds for model in models
        if not model.checkpoint or seed == args.seeds[0]
    ]  # fmt: skip
    for _, model, work_dir in todo:
        claim(work_dir, model)
    for seed, model, work_dir in todo:
        with failures.naming(model.name, f'seed {seed}'):
            results = train_and_test(model, seed, work_dir, args.cfg_options)
            columns, missing = scores_of(results)
            runs.setdefault(model.name, []).append(columns)
            notes += missing
    cost = costs(models, Case(args.size, 1), args.rounds, failures) if args.rounds else {}
    ended = [f'{failure.name}, {failure.what}: {failure.error}' for failure in failures]
    text = '\n\n'.join(['\n'.join(part) for part in ([table(runs, cost)], notes, ended) if part])
    text += '\n\nIn brackets: the paper (Table 3).'
    print(text)
    args.work_dir.mkdir(parents=True, exist_ok=True)
    with replacing(args.work_dir / 'table.md') as unfinished:
        unfinished.write_text(text + '\n', encoding='utf-8')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
