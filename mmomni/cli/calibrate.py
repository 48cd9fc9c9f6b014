import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mmomni.utils.text import counted

from .model import add_weights_options, device_of, settle_weights
from .parser import DOMAIN, RATE, Commands
from .progress import ProgressLine
from .stopping import ending_at_once

# Spelt out here, because `mmomni --help` must load neither OpenCV nor torch.
POOLINGS = ('max', 'top_k_mean')
DEFAULT_RATE = 0.01


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'calibrate',
        help='find the score above which an image is flagged, for a rate of false alarms',
        description='Score authentic images with a checkpoint and find the threshold that at most '
        'a given share of such images exceeds. Writes a JSON file.',
        usage='%(prog)s [options] AUTHENTIC\n'
        '       %(prog)s [options] CONFIG CHECKPOINT AUTHENTIC',
    )
    parser.add_argument(
        'inputs', nargs='+', metavar='AUTHENTIC',
        help='a folder of authentic images, or a list file with lines `image -` or `image`; before '
        'it may stand CONFIG and CHECKPOINT instead of --config and --checkpoint',
    )  # fmt: skip
    add_weights_options(parser)
    parser.add_argument(
        '--fpr', type=RATE, action='append', metavar='RATE',
        help='largest share of authentic images to be flagged; n images can vouch for 1/(n+1) at '
        f'best (default: {DEFAULT_RATE}). For several, give it several times',
    )  # fmt: skip
    parser.add_argument(
        '--pooling', choices=POOLINGS, default='top_k_mean',
        help='how the probability map becomes one score (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--precision', choices=('fp32', 'bf16'), default='fp32',
        help='in which the network computes, here and wherever the threshold is used (default: '
        '%(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--domain', type=DOMAIN, metavar='NAME',
        help='what kind of images these are, such as document: the threshold is then taken where '
        '`mmomni predict --domain` says so',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='FILE',
        help='default: CHECKPOINT.calibration.json; for the weights of the package in the current '
        'folder; with --domain that stands before the ending, and of several rates the rate',
    )  # fmt: skip
    parser.set_defaults(run=_run, parser=parser)


def _sort_out(args: argparse.Namespace) -> Path:
    """Where the authentic images are; config and checkpoint may stand before it."""
    *model, authentic = args.inputs
    if len(model) not in (0, 2):
        args.parser.error(
            'expected AUTHENTIC, or CONFIG CHECKPOINT AUTHENTIC, got '
            f'{len(args.inputs)} arguments: {" ".join(args.inputs)}'
        )
    if model:
        if args.config is not None or args.checkpoint is not None:
            args.parser.error('expected CONFIG and CHECKPOINT once, as arguments or as options')
        args.config, args.checkpoint = model[0], Path(model[1])
    return Path(authentic)


def _rates(args: argparse.Namespace) -> list[float]:
    rates = args.fpr or [DEFAULT_RATE]
    if len({_text(rate) for rate in rates}) < len(rates):
        args.parser.error(f'expected each rate once, got {", ".join(map(_text, rates))}')
    return rates


def _text(rate: float) -> str:
    return f'{rate:g}'


def _run(args: argparse.Namespace) -> int:
    authentic = _sort_out(args)
    rates = _rates(args)
    is_named = args.checkpoint is not None
    settle_weights(args)
    beside = args.checkpoint if is_named else args.checkpoint.name
    files = _files(args.out or Path(f'{beside}.calibration.json'), rates, args)
    with ending_at_once('mmomni calibrate: stopped; nothing was written'):
        from mmomni.apis.calibration import NAMED_COPIES, calibrate
        from mmomni.utils.files import counted_kinds
        from mmomni.utils.templates import printable

        found, refused = calibrate(
            args.config, args.checkpoint, authentic, rates, args.pooling,
            progress=ProgressLine('calibrate'), trust_checkpoint=args.trust_checkpoint,
            precision=args.precision, device=device_of(args), backend=args.backend,
            domain=args.domain,
        )  # fmt: skip
    if unreadable := found[0]['unreadable']:
        bad = counted(len(unreadable), 'unreadable or damaged image')
        print(f'{bad}, not used:')
        print('\n'.join(f'  {reason}' for reason in unreadable.values()))
    if copies := found[0].get('copies'):
        print(f'{counted(len(copies), "file")} with the bytes of another, not counted:')
        for path, first in islice(copies.items(), NAMED_COPIES):
            print(printable(f'  {path} = {first}'))
        if len(copies) > NAMED_COPIES:
            print(f'  {len(copies) - NAMED_COPIES:,} more: `copies` in the calibration file')
    if kinds := found[0].get('not_images'):
        print(f'not images: {counted_kinds(Counter(kinds).elements())}')
    for each in found:
        _write(each, files[each['fpr']])
    for reason in refused:
        print(f'mmomni calibrate: {reason}', file=sys.stderr)
    return 1 if refused else 0


def _files(out: Path, rates: Sequence[float], args: argparse.Namespace) -> dict[float, Path]:
    """Where the calibration of each rate goes: kind and, of several, rate stand before the ending.

    Raises:
        FileExistsError: Something else lies there.
    """
    files = {}
    for rate in rates:
        words = [args.domain] if args.domain and args.out is None else []
        words += [_text(rate)] if len(rates) > 1 else []
        files[rate] = out.with_suffix(''.join(f'.{word}' for word in words) + out.suffix)
        if files[rate].exists():
            _refuse_other(files[rate], rate, args.domain)
    return files


def _refuse_other(path: Path, rate: float, domain: str | None) -> None:
    from mmomni.checkpoints.description import check_calibration
    from mmomni.reporting.verdict import as_asked

    try:
        before = json.loads(path.read_bytes())
        check_calibration(before)
        found = as_asked(before['fpr'], before.get('domain'))
    except (ValueError, TypeError, AttributeError, OSError):
        found = ''
    if found != (asked := as_asked(rate, domain)):
        raise FileExistsError(
            f'expected no file at {path}, or an earlier calibration for --fpr {asked}, got '
            f'{f"one for --fpr {found}" if found else "no calibration"}; choose another with --out'
        )


def _write(found: Mapping[str, Any], path: Path) -> None:
    """Into its file, and what a person has to know."""
    from mmomni.reporting.verdict import threshold_of
    from mmomni.utils.files import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')
    rate, deviation = found['expected_fpr'], found['expected_fpr_std']
    print(f'flagged if the score ({found["pooling"]}) is above {found["threshold"]:.6g}')
    print(f'rests on {counted(found["num_images"], "authentic image")}')
    print(f'false alarms to expect among images like these: {rate:.2%} +- {deviation:.2%}')
    if caution := threshold_of(found).caution():
        print(caution)
    print(f'calibration for {_text(found["fpr"])}: {path}')
