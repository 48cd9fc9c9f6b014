"""The command ``mmomni``."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
DOMAINS = ('natural', 'document', 'face')
POOLINGS = ('max', 'top_k_mean')


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Args:
        argv: Arguments after the program's name; default: those of the process.

    Returns:
        Exit status: 0, or 1 after an error of the user's, which is printed; 2 where `check-data`
        found errors.
    """
    args = parse_args(argv)
    try:
        return args.run(args) or 0
    except (ValueError, OSError, ImportError) as error:
        print(f'mmomni {args.command}: {error}', file=sys.stderr)
        return 1


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse, with the sub-command's function as ``run``."""
    parser = _Parser(
        prog='mmomni', description='Localise tampering in photos, documents and faces.'
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='command')
    _add_synthesize(commands)
    _add_check_data(commands)
    _add_calibrate(commands)
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        getattr(args, 'parser', parser).error(f'unrecognized arguments: {" ".join(unknown)}')
    return args


class _Parser(argparse.ArgumentParser):
    """Ends with ``usage_status`` after wrong arguments."""

    usage_status = 2

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.usage_status, f'{self.prog}: error: {message}\n')


def _add_synthesize(commands: 'argparse._SubParsersAction[_Parser]') -> None:
    parser = commands.add_parser(
        'synthesize',
        help='make tampered images with masks from authentic ones',
        description='Make tampered images (OUT/images), masks (OUT/masks, 0 and 255), '
        'OUT/meta.jsonl and OUT/list.txt (for ann_file) from authentic images. The same seed '
        'gives the same files, whatever the number of workers.',
    )
    parser.add_argument(
        'sources',
        nargs='+',
        metavar='SRC',
        help="folders or files of authentic images, or the word 'rendered': pages made here "
        '(a folder of that name: ./rendered)',
    )
    parser.add_argument('out', type=Path, metavar='OUT', help='a new or empty folder')
    parser.add_argument('--domain', required=True, choices=DOMAINS)
    parser.add_argument('--num', required=True, type=int, help='how many images')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--max-side', type=int, default=512, help='longest side in pixels (default: %(default)s)'
    )
    parser.add_argument(
        '--workers', type=int, default=1, metavar='N', help='processes (default: %(default)s)'
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on with an interrupted run in OUT'
    )
    _add_history_options(parser)
    parser.set_defaults(run=_synthesize)


def _add_history_options(parser: argparse.ArgumentParser) -> None:
    """What happens to an image besides the forgery."""
    for generation, default in (('first', (50, 80)), ('second', (85, 97))):
        parser.add_argument(
            f'--{generation}-quality',
            nargs=2,
            type=int,
            default=default,
            metavar=('LOW', 'HIGH'),
            help=f'JPEG qualities of the {generation} compression (default: %(default)s)',
        )
    parser.add_argument(
        '--post-probability',
        type=float,
        default=0.25,
        metavar='P',
        help='share of images resized, blurred, covered with noise, saved again, sent through '
        'social media or taken as a screenshot after the forgery (default: %(default)s)',
    )
    parser.add_argument(
        '--authentic',
        type=float,
        default=0.0,
        metavar='SHARE',
        help='share of images that are compressed alike, but not forged (default: %(default)s)',
    )


def _synthesize(args: argparse.Namespace) -> None:
    from mmomni.synthesis import RENDERED, synthesize_folder

    if RENDERED in args.sources and len(args.sources) > 1:
        raise ValueError(
            f"'{RENDERED}' cannot be mixed with other sources; make two folders, or write "
            f'./{RENDERED} for a folder of that name'
        )
    rendered = args.sources == [RENDERED]
    summary = synthesize_folder(
        RENDERED if rendered else [Path(source) for source in args.sources],
        args.out,
        args.domain,
        args.num,
        args.seed,
        max_side=args.max_side,
        first_quality=tuple(args.first_quality),
        second_quality=tuple(args.second_quality),
        progress=_progress('synthesize'),
        post_probability=args.post_probability,
        authentic=args.authentic,
        workers=args.workers,
        resume=args.resume,
    )
    counts = ', '.join(f'{name} {count}' for name, count in sorted(summary.operations.items()))
    kind = 'images' if args.authentic else 'tampered images'
    line = f'{summary.num} {kind} in {args.out}: {counts}'
    if summary.unreadable:
        line += f'; {len(summary.unreadable)} unreadable sources left out'
    if summary.without_face:
        line += f'; no face was found in {summary.without_face}, whose middle was blended'
    print(line)


def _add_check_data(commands: 'argparse._SubParsersAction[_Parser]') -> None:
    parser = commands.add_parser(
        'check-data',
        help='find broken, mismatched and repeated images and masks',
        description='Look at every image and mask of some data sets and name what is wrong. '
        'Exit status: 0 nothing bad, 1 wrong arguments, 2 errors found.',
    )
    parser.add_argument(
        'inputs',
        nargs='*',
        metavar='CONFIG|LIST|FOLDER',
        help='configs (all sets of their dataloaders), or training sets: list files, or folders '
        'of images or with images/ and masks/',
    )
    parser.add_argument(
        '--test', nargs='+', default=[], metavar='SET', help='list files or folders of test sets'
    )
    parser.add_argument('--out', type=Path, help='write report.html and report.json there')
    parser.add_argument(
        '--workers', type=int, default=_cores(), help='processes (default: one a core)'
    )
    parser.add_argument('--strict', action='store_true', help='warnings count as errors')
    parser.usage_status = 1  # 2 says that the data are bad
    parser.set_defaults(run=_check_data, parser=parser)


def _check_data(args: argparse.Namespace) -> int:
    from mmomni.inspection import check_data, render_text, write_reports

    diagnosis = check_data(args.inputs, args.test, args.workers, _progress('check-data'))
    print(render_text(diagnosis))
    if args.out is not None:
        write_reports(diagnosis, args.out)
        print(f'reports: {args.out / "report.html"}, {args.out / "report.json"}')
    return diagnosis.status(args.strict)


def _add_calibrate(commands: 'argparse._SubParsersAction[_Parser]') -> None:
    parser = commands.add_parser(
        'calibrate',
        help='find the score above which an image is called tampered, for a rate of false alarms',
        description='Score authentic images with a checkpoint and find the threshold that at most '
        'a given share of such images exceeds. Writes a JSON file.',
    )
    parser.add_argument('config', metavar='CONFIG')
    parser.add_argument('checkpoint', metavar='CHECKPOINT')
    parser.add_argument(
        'authentic',
        type=Path,
        metavar='AUTHENTIC',
        help='a folder of authentic images, or a list file with lines `image -`',
    )
    parser.add_argument(
        '--fpr',
        type=float,
        default=0.01,
        help='largest share of authentic images to be called tampered; n images can vouch for '
        '1/(n+1) at best (default: %(default)s)',
    )
    parser.add_argument(
        '--pooling',
        choices=POOLINGS,
        default='top_k_mean',
        help='how the probability map becomes one score (default: %(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='default: CHECKPOINT.calibration.json'
    )
    parser.set_defaults(run=_calibrate)


def _calibrate(args: argparse.Namespace) -> None:
    from mmomni.evaluation.calibration import calibrate

    found = calibrate(
        args.config,
        args.checkpoint,
        args.authentic,
        args.fpr,
        args.pooling,
        _progress('calibrate'),
    )
    out = args.out or Path(f'{args.checkpoint}.calibration.json')
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')
    rate, deviation = found['expected_fpr'], found['expected_fpr_std']
    print(f'tampered if the score ({found["pooling"]}) is above {found["threshold"]:.6g}')
    print(f'rests on {found["num_images"]} authentic images')
    print(f'false alarms to expect among images like these: {rate:.2%} +- {deviation:.2%}')
    if found['unreadable']:
        print(f'{len(found["unreadable"])} unreadable images, not used:')
        print('\n'.join(f'  {reason}' for reason in found['unreadable'].values()))
    print(f'calibration: {out}')


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _progress(label: str) -> Callable[[int, int], None]:
    """A counter with speed and time left: on a terminal in place, else each tenth; on stderr."""
    start: list[tuple[int, float]] = []

    def show(done: int, total: int) -> None:
        # A resumed run does not begin at 0, and the first image comes with the start of workers.
        if not start:
            start.append((done, time.monotonic()))
        speed = (done - start[0][0]) / max(time.monotonic() - start[0][1], 1e-9)
        line = f'{label} {done}/{total}'
        if speed:
            minutes, seconds = divmod(round((total - done) / speed), 60)
            line += f', {speed:.1f} images/s, {minutes}:{seconds:02d} left'
        if sys.stderr.isatty():
            print(f'\r{line}\x1b[K', end='\n' if done == total else '', file=sys.stderr)
        elif done * 10 // total > (done - 1) * 10 // total:
            print(line, file=sys.stderr)

    return show


if __name__ == '__main__':
    raise SystemExit(main())
