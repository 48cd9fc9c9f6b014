import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mmomni.utils.processors import usable_processors

from .parser import Commands, checked
from .progress import ProgressLine

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmomni.apis.finetuning import Outcome, OwnData, Start

OUT = 'finetuned'
TOO_MUCH = 0.02
"""IoU on what the weights knew, the loss of which is told."""
MORE_FALSE = 0.01
"""Share of the pixels of authentic images, likewise."""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'finetune',
        help="go on training with one's own forgeries",
        description='Tune weights to forgeries of your own, with others beside that they know '
        'already, keep the best of them by a fifth that is held out, and say what it gave. Exit '
        'status: 0, also where nothing was better, 1 wrong arguments, 2 errors in the data.',
    )
    parser.add_argument(
        'folder', metavar='FOLDER', help='a folder with images/ and masks/, or a list file'
    )
    _add_data_options(parser)
    _add_run_options(parser)
    parser.usage_status = 1  # 2 says that the data are bad
    parser.set_defaults(
        run=_run, parser=parser,
        after_stop='the same command goes on from the last validation; the best weights so far '
        'stay in {out}',
    )  # fmt: skip


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--out', type=Path, default=Path(OUT), metavar='OUT',
        help='a new or empty folder, or that of the same command, which goes on (default: '
        '%(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--checkpoint', type=Path, metavar='FILE',
        help='weights to start from (default: those of the package)',
    )  # fmt: skip
    parser.add_argument(
        '--known', nargs='+', default=[], metavar='SET',
        help='list files or folders of other forgeries that are not to be forgotten (default: '
        'some are made here)',
    )  # fmt: skip


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--minutes', default=25.0, metavar='N',
        type=checked(float, lambda n: 0 < n < 1e5, 'minutes above 0 and below 100,000'),
        help='to train for, about; looking and last validations come on top (default: 25)',
    )  # fmt: skip
    parser.add_argument(
        '--seed', default=0, type=checked(int, lambda n: 0 <= n < 2**32, 'a seed of 0 or more'),
        help='default: %(default)s',
    )  # fmt: skip
    parser.add_argument(
        '--workers', type=checked(int, lambda n: n > 0, '1 or more'), default=usable_processors(),
        help='processes that look at the data (default: one a core)',
    )  # fmt: skip
    parser.add_argument(
        '--trust-checkpoint', action='store_true',
        help='also load an unpublished training checkpoint, which can run code that it contains',
    )  # fmt: skip


def _run(args: argparse.Namespace) -> int:
    from mmomni.utils.needed import demand_host

    demand_host()
    from mmomni.apis.finetuning import demand_data, start_of, survey
    from mmomni.apis.weights import chosen_weights
    from mmomni.reporting.settings import locked

    weights, _, note = chosen_weights(args.checkpoint, 'torch')
    start = start_of(weights, args.trust_checkpoint)
    _say(note or f'starts from {weights}')
    data = survey(args.folder, args.known, args.workers, ProgressLine('data'))
    if not _is_sound(data):
        return 2
    demand_data(data, bool(args.known))
    args.out.mkdir(parents=True, exist_ok=True)
    lock = locked(args.out)
    try:
        _settle_settings(args, data, start)
        _tune(args, data, start)
    finally:
        os.close(lock)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _is_sound(data: 'OwnData') -> bool:
    """Whether the doctor found no errors; what it found is told."""
    from mmomni.inspection import render_text

    errors, warnings = (data.diagnosis.count(level) for level in ('error', 'warning'))
    if errors or warnings:
        _say(render_text(data.diagnosis))
    if errors:
        print(
            'mmomni finetune: the data have errors, named above; mend them first', file=sys.stderr
        )
    if data.alike:
        _say(f'{data.alike} images of --known look like some of your own: left out')
    return not errors


def _settle_settings(args: argparse.Namespace, data: 'OwnData', start: 'Start') -> None:
    """Refuse a folder of something else, or of other data or settings."""
    from mmomni.reporting.settings import (
        SETTINGS,
        refuse_other_settings,
        settings_before,
        settings_text,
    )
    from mmomni.utils.files import file_sha256, replacing

    settings = dict(
        data.digests, seed=args.seed, minutes=args.minutes,
        checkpoint=str(start.path), checkpoint_sha256=file_sha256(start.path),
    )  # fmt: skip
    if (args.out / SETTINGS).is_file():
        refuse_other_settings(args.out, settings_before(args.out), settings)
        return
    if any(args.out.iterdir()):
        raise FileExistsError(
            f'expected a new or empty folder at {args.out}, got one that holds other files; choose '
            'another with --out'
        )
    with replacing(args.out / SETTINGS) as unfinished:
        unfinished.write_text(settings_text(settings), encoding='utf-8')


def _tune(args: argparse.Namespace, data: 'OwnData', start: 'Start') -> None:
    """Train, unless that is over, and tell what it gave."""
    from mmomni.apis.finetuning import publish_best, read_outcome

    outcome = read_outcome(args.out)
    if outcome is not None:
        _say(f'{args.out} holds the outcome of this command already')
    else:
        outcome = _trained(_config(args, data, start), args, start)
        if outcome.is_better:
            path = publish_best(args.out, outcome, start.path, start.card)
            outcome = outcome._replace(published=path.name)
        outcome.write(args.out)
    if outcome.published and not any(args.out.glob('*.onnx')):
        _write_onnx(args.out / outcome.published)
    _tell(args.out, outcome, start)


def _config(args: argparse.Namespace, data: 'OwnData', start: 'Start') -> 'Config':
    """Lists, what is not to be forgotten among them, and the config that they make."""
    from mmomni.apis.finetuning import forge_known, recipe_of, split_data, write_lists

    parts = split_data(data, args.seed)
    if 'known' not in parts:
        made = forge_known(args.out / 'known', parts['own'], args.seed, ProgressLine('forged'))
        parts['known'] = made.split
        _say(f'beside them: {made.told}; --known with forgeries that the weights know is better')
    for name, split in parts.items():
        forged = [sum(each.is_forged for each in half) for half in split]
        _say(
            f'{name}: {forged[0]} forgeries and {len(split.train) - forged[0]} authentic images to '
            f'train on, {forged[1]} and {len(split.held_out) - forged[1]} held out'
        )
    lists = write_lists(args.out, parts)
    return recipe_of(args.out, lists, start, args.seed, args.minutes)


def _trained(cfg: 'Config', args: argparse.Namespace, start: 'Start') -> 'Outcome':
    """The outcome of a training, which ends in one line where machine or config are at fault."""
    from mmengine.device import get_device

    from mmomni.apis.finetuning import mixed, run, schedule
    from mmomni.engine.finite import DivergedError
    from mmomni.engine.launch import (
        checkpoints_trusted,
        config_at_fault,
        freeze_imports,
        run_at_fault,
    )
    from mmomni.utils.allocator import keep_freed_memory

    freeze_imports()
    if get_device() == 'cpu':
        keep_freed_memory()
    cfg.trust_checkpoint = args.trust_checkpoint
    with checkpoints_trusted(cfg), config_at_fault(cfg), run_at_fault(cfg):
        plan = schedule(cfg, args.minutes)
        _say(f'{plan.iterations} iterations, validated every {plan.interval}')
        try:
            return mixed(cfg, run(cfg, _say), start.path, _say)
        except DivergedError as error:
            raise ValueError(str(error)) from error


def _write_onnx(published: Path) -> None:
    """Beside the published file; where that cannot be, a line says why."""
    from mmomni.apis.onnx_export import export_beside

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # what torch says of its own exporter
            export_beside(published)
    except (ValueError, OSError, ImportError) as error:
        print(f'mmomni finetune: no .onnx beside {published.name}: {error}', file=sys.stderr)


def _tell(out: Path, outcome: 'Outcome', start: 'Start') -> None:
    from mmomni.apis.finetuning import table_of

    _say(f'\n{table_of(outcome)}\n')
    if not outcome.published:
        _say(f'training made it no better, so nothing is published: keep {start.path}')
        return
    if outcome.lost > TOO_MUCH:
        _say(
            f'what it knew lost {outcome.lost:.3f} of IoU; more forgeries of other kinds in '
            '--known keep more of it, and the weights before are better for images unlike yours'
        )
    if outcome.more_false > MORE_FALSE:
        _say(
            f'{100 * outcome.more_false:.1f} % more of the authentic images held out is called '
            'tampered; more authentic images among your own, and in --known, keep it down'
        )
    share = '' if outcome.share == 1 else f', {outcome.share:.0%} of it'
    _say(
        f'better (iteration {outcome.iteration}{share}): mmomni predict photo.jpg --checkpoint '
        f'{out / outcome.published}'
    )
    _say('thresholds of images do not carry over: mmomni calibrate finds new ones')
