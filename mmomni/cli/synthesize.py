"""``mmomni synthesize``."""

import argparse
from pathlib import Path

from .parser import Commands
from .progress import counter

# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
DOMAINS = ('natural', 'document', 'face')


def add_parser(commands: Commands) -> None:
    """Declare the command."""
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
    parser.set_defaults(run=_run)


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


def _run(args: argparse.Namespace) -> None:
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
        progress=counter('synthesize'),
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
