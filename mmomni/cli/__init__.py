"""The command ``mmomni``: one module a sub-command."""

import argparse
import os
import sys
from collections.abc import Sequence

from mmomni.utils.needed import demand_opencv, explained
from mmomni.version import __version__

from . import calibrate, check_data, finetune, predict, predict_archive, serve, synthesize, tools
from .parser import Parser
from .stopping import check, status_of, stoppable

COMMANDS = (predict, predict_archive, serve, synthesize, check_data, finetune, calibrate)
"""In the order of ``mmomni --help``. They import what is heavy only when they run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command, by default with the arguments of the process.

    Returns:
        Exit status: 0, or 1 after an error of the user's, which is printed; 2 where `check-data`
        or `finetune` found errors, 3 where `predict` or `predict-archive` met bad files; 130 after
        Ctrl-C, 143 after SIGTERM.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in tools.SCRIPTS:  # all that follows is the script's
        try:
            return tools.run(argv[0], argv[1:])
        except KeyboardInterrupt as stop:
            return _stopped(argv[0], tools.AFTER_STOP.get(argv[0], ''), stop)
    args = parse_args(argv)
    # Threads that spin while they wait take twice the time, or more, as soon as another program
    # needs a core; where none does, these take a tenth more. Read when torch is imported.
    os.environ.setdefault('OMP_WAIT_POLICY', 'passive')
    try:
        with stoppable():
            return _run(args)
    except KeyboardInterrupt as stop:
        return _stopped(args.command, getattr(args, 'after_stop', '').format(**vars(args)), stop)
    except (ValueError, OSError, ImportError) as error:
        print(f'mmomni {args.command}: {explained(error)}', file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> int:
    try:
        demand_opencv()  # before a file is blamed
        return args.run(args) or 0
    except Exception:
        check()  # a library may have made it of the exception that a signal raised
        raise


def _stopped(command: str, what_now: str, stop: KeyboardInterrupt) -> int:
    if sys.stderr.isatty():  # progress left its line open
        print(file=sys.stderr)
    print(f'mmomni {command}: stopped{what_now and "; "}{what_now}', file=sys.stderr)
    return status_of(stop)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse, with the sub-command's function as ``run``."""
    parser = Parser(prog='mmomni', description='Localise tampering in photos, documents and faces.')
    parser.add_argument('--version', action='version', version=f'mmomni {__version__}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='command')
    for command in COMMANDS:
        command.add_parser(commands)
    tools.add_parsers(commands)
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        getattr(args, 'parser', parser).error(f'unrecognized arguments: {" ".join(unknown)}')
    return args
