import argparse
from pathlib import Path

from mmomni.utils.processors import usable_processors

from .parser import Commands
from .progress import ProgressLine


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'check-data',
        help='find broken, mismatched and repeated images and masks',
        description='Look at every image and mask of some data sets and name what is wrong. '
        'Exit status: 0 nothing bad, 1 wrong arguments, 2 errors found.',
    )
    parser.add_argument(
        'inputs', nargs='*', metavar='CONFIG|LIST|FOLDER',
        help='configs (all sets of their dataloaders), or training sets: list files, or folders '
        'of images or with images/ and masks/',
    )  # fmt: skip
    parser.add_argument(
        '--test', nargs='+', default=[], metavar='SET', help='list files or folders of test sets'
    )
    parser.add_argument('--out', type=Path, help='write report.html and report.json there')
    parser.add_argument(
        '--workers', type=int, default=usable_processors(), help='processes (default: one a core)'
    )
    parser.add_argument('--strict', action='store_true', help='warnings count as errors')
    parser.usage_status = 1  # 2 says that the data are bad
    parser.set_defaults(run=_run, parser=parser, after_stop='run the same command again')


def _run(args: argparse.Namespace) -> int:
    from mmomni.inspection import check_data, render_text, write_reports
    from mmomni.inspection.reports import demand_room

    if args.out is not None:
        demand_room(args.out)  # before the work

    diagnosis = check_data(args.inputs, args.test, args.workers, ProgressLine('check-data'))
    print(render_text(diagnosis))
    if args.out is not None:
        write_reports(diagnosis, args.out)
        print(f'reports: {args.out / "report.html"}, {args.out / "report.json"}')
    return diagnosis.status(args.strict)
