"""The command ``mmomni``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

# Spelt out here, because `mmomni --help` must not load OpenCV.
DOMAINS = ('natural', 'document', 'face')


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Args:
        argv: Arguments after the program's name; default: those of the process.

    Returns:
        Exit status: 0, or 1 after an error of the user's, which is printed.
    """
    args = parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError, ImportError) as error:
        print(f'mmomni {args.command}: {error}', file=sys.stderr)
        return 1
    return 0


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse, with the sub-command's function as ``run``."""
    parser = argparse.ArgumentParser(
        prog='mmomni', description='Localise tampering in photos, documents and faces.'
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='command')
    _add_synthesize(commands)
    return parser.parse_args(argv)


def _add_synthesize(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    parser = commands.add_parser(
        'synthesize',
        help='make tampered images with masks from authentic ones',
        description='Make tampered images (OUT/images), masks (OUT/masks, 0 and 255) and '
        'OUT/meta.jsonl from authentic images. The same seed gives the same files.',
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
    for generation, default in (('first', (50, 80)), ('second', (85, 97))):
        parser.add_argument(
            f'--{generation}-quality',
            nargs=2,
            type=int,
            default=default,
            metavar=('LOW', 'HIGH'),
            help=f'JPEG qualities of the {generation} compression (default: %(default)s)',
        )
    parser.set_defaults(run=_synthesize)


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
    )
    counts = ', '.join(f'{name} {count}' for name, count in sorted(summary.operations.items()))
    line = f'{summary.num} tampered images in {args.out}: {counts}'
    if summary.unreadable:
        line += f'; {len(summary.unreadable)} unreadable sources left out'
    print(line)


def _progress(label: str) -> Callable[[int, int], None]:
    """A counter on a terminal, else a line each tenth; both on stderr."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f'\r{label} {done}/{total}', end='\n' if done == total else '', file=sys.stderr)
        elif done * 10 // total > (done - 1) * 10 // total:
            print(f'{label} {done}/{total}', file=sys.stderr)

    return show


if __name__ == '__main__':
    raise SystemExit(main())
