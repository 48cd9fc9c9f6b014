import argparse
from collections.abc import Iterator
from pathlib import Path

from mmomni.utils.text import counted

from .parser import Commands
from .progress import ProgressLine

# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
HISTORIES = ('varied', 'double')


class _Domains:
    """The names of the domains, looked up where they are asked for, for the same reason."""

    def __iter__(self) -> Iterator[str]:
        from mmomni.synthesis import DOMAINS

        return iter(DOMAINS)

    def __contains__(self, name: object) -> bool:
        return name in tuple(self)


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
        'sources', nargs='+', metavar='SRC',
        help="folders or files of authentic images, or the word 'rendered': pages made here "
        '(a folder of that name: ./rendered)',
    )  # fmt: skip
    parser.add_argument('out', type=Path, metavar='OUT', help='a new or empty folder')
    parser.add_argument(
        '--domain', required=True, choices=_Domains(), metavar='DOMAIN', help='%(choices)s'
    )  # fmt: skip
    parser.add_argument('--num', required=True, type=int, help='how many images')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--donors', type=Path, metavar='FOLDER',
        help='photos (FOLDER/images) and masks (FOLDER/masks, white: the thing) of whole things to '
        'put into other photos; for domains that take them (natural)',
    )  # fmt: skip
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
    _add_shares(parser)
    parser.set_defaults(
        run=_run, after_stop='what was made is in {out}; the same command with --resume goes on'
    )


def _add_history_options(parser: argparse.ArgumentParser) -> None:
    """Which compressions an image goes through."""
    parser.add_argument(
        '--histories', choices=HISTORIES, default='varied',
        help="what images went through before the forgery: 'varied': a compression made here, by "
        "libjpeg's tables or by those of another source, the source's own one, or none; "
        "'double': always one of libjpeg's and a second one, and no forged region keeps the first "
        "one's grid (default: %(default)s)",
    )  # fmt: skip
    for generation in ('first', 'second'):
        parser.add_argument(
            f'--{generation}-quality', nargs=2, type=int, default=(70, 100),
            metavar=('LOW', 'HIGH'),
            help=f'JPEG qualities of the {generation} compression (default: %(default)s)',
        )  # fmt: skip


def _add_shares(parser: argparse.ArgumentParser) -> None:
    """How many images differ from the others in what happens besides the forgery."""
    parser.add_argument(
        '--post-probability', type=float, default=0.3, metavar='P',
        help='share of images resized, cropped, blurred, sharpened, covered with noise, given '
        'other tones, saved again, sent through social media or taken as a screenshot after the '
        'forgery (default: %(default)s)',
    )  # fmt: skip
    for name, share, kind in (
        ('png', 0.12, 'saved as PNG, most of them without a trace of compression'),
        ('grey', 0.1, 'without colour'),
        ('authentic', 0.0, 'that are compressed alike, but not forged'),
    ):
        parser.add_argument(
            f'--{name}', type=float, default=share, metavar='SHARE',
            help=f'share of images {kind} (default: %(default)s)',
        )  # fmt: skip


def _run(args: argparse.Namespace) -> None:
    from mmomni.synthesis import DOMAINS, RENDERED, synthesize_folder
    from mmomni.utils.files import counted_kinds

    if RENDERED in args.sources and len(args.sources) > 1:
        raise ValueError(
            f"'{RENDERED}' cannot be mixed with other sources; make two folders, or write "
            f'./{RENDERED} for a folder of that name'
        )
    rendered = args.sources == [RENDERED]
    summary = synthesize_folder(
        RENDERED if rendered else [Path(source) for source in args.sources],
        args.out, args.domain, args.num, args.seed, progress=ProgressLine('synthesize'),
        first_quality=tuple(args.first_quality), second_quality=tuple(args.second_quality),
        max_side=args.max_side, workers=args.workers, resume=args.resume,
        post_probability=args.post_probability, authentic=args.authentic, png=args.png,
        grey=args.grey, donors=args.donors, histories=args.histories,
    )  # fmt: skip
    counts = ', '.join(f'{name} {count}' for name, count in sorted(summary.operations.items()))
    kind = 'image' if args.authentic else 'tampered image'
    line = f'{counted(summary.num, kind)} in {args.out}: {counts}'
    if summary.unreadable:
        line += f'; {counted(len(summary.unreadable), "unreadable source")} left out'
    if summary.not_images:
        line += f'; not images: {counted_kinds(summary.not_images.elements())}'
    unfound = DOMAINS[args.domain].unfound
    if unfound is not None and summary.unfound:
        line += f'; {unfound.text.format(summary.unfound)}'
    print(line)
