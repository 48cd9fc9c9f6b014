import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mmomni.utils.text import counted

from .model import add_model_options, open_model
from .parser import Commands, checked
from .progress import ProgressLine
from .stopping import ending_at_once, status_of, until_stopped

if TYPE_CHECKING:
    from mmomni.reporting import Account, PredictionFolder, Summary, Survey

# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
FORMATS = ('png', 'npz', 'json')
VIEWS = ('ela', 'noise', 'ghosts', 'copy-move')
ALL_VIEWS = 'all'
LISTED = 5
BAD_FILES = 3
"""Exit status."""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'predict',
        help='find what was changed in images: masks, heat maps, scores and one HTML report',
        description='Predict images and write OUT/report.html, OUT/predictions.jsonl and pictures. '
        'What OUT holds already is not predicted again. Exit status: 0, 1 an error, 2 wrong '
        'arguments, 3 some images could not be read, or folders entered (all others were '
        'predicted), 130 stopped by Ctrl-C and 143 by SIGTERM (what was done is in the report, and '
        'the same command goes on).',
    )
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT',
        help='files, folders (with all below), globs, lists of files (.txt), or - for a list from '
        'standard input; of TIFF and PDF all pages',
    )  # fmt: skip
    add_model_options(parser)
    add_output_options(parser, Path('predictions'))
    add_batch_size(parser)
    parser.add_argument(
        '--workers', type=checked(int, lambda n: n >= 0, '0 or more'), default=0, metavar='N',
        help='processes that read files beside this one (default: %(default)s, it reads them '
        'itself)',
    )  # fmt: skip
    parser.set_defaults(
        run=_run, after_stop='what was done is in {out}; run the same command again to go on'
    )


def add_batch_size(parser: argparse.ArgumentParser) -> None:
    """Declare ``--batch-size``."""
    parser.add_argument(
        '--batch-size', type=checked(int, lambda n: n >= 1, '1 or more'), default=1, metavar='N',
        help='images of equal size among N consecutive ones pass together (default: %(default)s)',
    )  # fmt: skip


def add_output_options(parser: argparse.ArgumentParser, out: Path) -> None:
    """Declare what is written, and where."""
    parser.add_argument(
        '--out', type=Path, default=out, metavar='OUT',
        help='a new folder, or one to go on with (default: %(default)s, in the current folder)',
    )  # fmt: skip
    parser.add_argument(
        '--format', type=_formats, default=('png', 'json'), metavar='LIST',
        help='png: mask, heat map and overlay of each image; npz: its probabilities; json: '
        'predictions.jsonl, which is always written (default: png,json)',
    )  # fmt: skip
    parser.add_argument(
        '--views', type=_view, nargs='+', default=(), metavar='VIEW',
        help='second opinions without a network, one picture of each image each: ela (error '
        'levels), noise, ghosts (of JPEG), copy-move, or all; behind the inputs (without: none)',
    )  # fmt: skip


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(text.split(','))
    if not set(formats) <= set(FORMATS):
        raise argparse.ArgumentTypeError(
            f'expected some of {",".join(FORMATS)}, separated by commas, got {text!r}'
        )
    return formats


def _view(text: str) -> str:
    if text == 'none':
        raise argparse.ArgumentTypeError('expected a view, got none; leave --views out for no view')
    if text not in (*VIEWS, ALL_VIEWS):
        raise argparse.ArgumentTypeError(
            f'expected some of {" ".join(VIEWS)}, or {ALL_VIEWS}, got {text!r}; inputs stand '
            'before --views, or behind another option'
        )
    return text


def views_of(args: argparse.Namespace) -> Sequence[str]:
    """The second opinions that are asked for."""
    return VIEWS if ALL_VIEWS in args.views else args.views


def _run(args: argparse.Namespace) -> int:
    with ending_at_once('mmomni predict: stopped before the first image; nothing was written'):
        from mmomni.reporting import (
            PredictionFolder,
            StoppedError,
            account_of,
            survey_inputs,
            write_predictions,
            write_report,
        )

        survey = survey_inputs(args.inputs, args.out)
        _tell_of(survey)
        predictor, settings, limit = open_model(args)
    stream = partial(
        predictor.stream, threshold=settings['threshold'], pooling=settings['pooling']
    )
    count = ProgressLine('predict')
    predictor.on_window = count.window
    with PredictionFolder(args.out, settings, args.format, limit, views_of(args)) as folder:
        stop: StoppedError | None = None
        try:
            summary = write_predictions(
                folder,
                survey.files,
                lambda files: until_stopped(stream(files, args.batch_size, args.workers)),
                count,
            )
        except StoppedError as error:
            stop, summary = error, error.summary
        pending = stop.pending if stop else ()
        account = account_of(survey, summary.failures, pending, folder.records.values())
        folder.write_account(account)
        report = write_report(folder)
    _sum_up(summary, account, report, folder)
    if stop is not None:
        _tell_stop(summary, len(survey.files), args.out)
        return status_of(stop)
    return BAD_FILES if summary.failures else 0


def _tell_stop(summary: 'Summary', images: int, out: Path) -> None:
    done = f'{summary.predicted + summary.skipped:,} of {counted(images, "image")}'
    print(f'stopped: {done} done, in {out}; run the same command again to go on')


def _tell_verdicts(folder: 'PredictionFolder') -> None:
    """How many images are flagged, and what to know about it; or why none is."""
    from mmomni.reporting import analysis_of, kept_text

    told = analysis_of(folder)
    if told['words'] is not None:
        verdicts = [record['verdict'] for record in folder.records.values()]
        flagged = f'{verdicts.count("tampered"):,} of {counted(len(verdicts), "image")}'
        print(f'{flagged} {told["words"]["tampered"]}; not flagged proves nothing')
    if kept := kept_text(folder):
        print(f'of {counted(len(folder.records), "image")} in all, kept from before: {kept}')
    for sentence in told['limits']:
        print(sentence, file=sys.stderr)  # not in the way of the account


def _tell_copies(folder: 'PredictionFolder') -> None:
    """Files with the same bytes, which have the same results."""
    from mmomni.reporting import copies
    from mmomni.utils.templates import listed

    if found := copies(folder.records.values()):
        many = counted(sum(len(paths) - 1 for paths in found), 'file')
        which = listed([' = '.join(paths) for paths in found], LISTED)
        print(f'{many} with the bytes of another: {which}', file=sys.stderr)


def _tell_damaged(found: Sequence[Path]) -> None:
    """Images that were examined although part of them is not what was saved."""
    from mmomni.utils.templates import listed

    if found:
        many = counted(len(found), 'damaged image')
        print(
            f'{many} examined in what is left of each: {listed([*map(str, found)], LISTED)} '
            '(`damage` in predictions.jsonl and the warnings in the report say what is wrong)'
        )


def _sum_up(
    summary: 'Summary', account: 'Account', report: str, folder: 'PredictionFolder'
) -> None:
    from mmomni.utils.templates import printable

    _tell_verdicts(folder)
    bad = counted(len(summary.failures), 'bad file')
    if summary.failures:
        print(f'{bad}:')
    for path, reason in summary.failures.items():
        # Many reasons begin with the name.
        print(printable(f'  {path}: {reason.removeprefix(f"{path}: ")}'))
    _tell_damaged(account.damaged)
    _tell_copies(folder)
    print(account.text())
    print(
        f'{counted(summary.predicted, "image")} predicted, {summary.skipped:,} done before, '
        f'{bad}; report: {report}'
    )


def _tell_of(survey: 'Survey') -> None:
    """What would else pass in silence; not in the way of the account."""
    from mmomni.reporting import closed_pdfs_text

    if survey.repeated:
        many = counted(survey.repeated, 'file')
        print(f'{many} given more than once: each is examined once', file=sys.stderr)
    if hint := closed_pdfs_text(sum(kind == 'pdf' for kind in survey.others.values())):
        print(hint, file=sys.stderr)
