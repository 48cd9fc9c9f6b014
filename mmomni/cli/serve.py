import argparse
import ipaddress
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .model import add_model_options, open_model, settle_weights
from .parser import Commands, checked
from .stopping import ending_at_once

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

    from mmomni.web import ExaminerProcess

# Spelt out here, because `mmomni --help` must load neither Pillow nor torch.
MOST_MEGAPIXELS = 178.9
LONGEST_TIMEOUT = 86_400
LAST_PORT = 65_535
OWN_NAMES = ('127.0.0.1', 'localhost', '[::1]')


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'serve',
        help='a web page: drop in an image, see what was changed',
        description='Serve a web page on this machine: drop in an image, see heat map, regions, '
        'score, the choice of the gate and the DCT plane, save the report. Uploads stay in '
        'memory, with all that is made of them; they are examined in a second process, which is '
        'ended when an image takes too long. Ends with Ctrl+C or SIGTERM, exit status 0.',
    )
    add_model_options(parser)
    parser.add_argument(
        '--host', default='127.0.0.1',
        help='address to listen at; any other than the default can be reached by other machines, '
        'and nobody is asked for a password (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--port', type=checked(int, lambda n: 0 <= n <= LAST_PORT, f'a port from 0 to {LAST_PORT}'),
        default=7860, help='0: any that is free (default: %(default)s)',
    )  # fmt: skip
    _add_limits(parser)
    parser.set_defaults(run=_run)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """What an upload may be and take."""
    positive = checked(float, lambda number: 0 < number < float('inf'), 'a number above 0')
    parser.add_argument(
        '--max-upload-mb', type=positive, default=50.0, metavar='MB',
        help='larger files are refused before they are read (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--max-megapixels', default=50.0, metavar='N',
        type=checked(
            positive, lambda number: number <= MOST_MEGAPIXELS,
            f'at most {MOST_MEGAPIXELS}, the limit of Pillow',
        ),
        help='larger images are refused before they are decoded (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--timeout', default=300.0, metavar='SECONDS',
        type=checked(
            positive, lambda number: number <= LONGEST_TIMEOUT, f'at most {LONGEST_TIMEOUT}, a day'
        ),
        help='an image that takes longer is given up, and the next one waits until the model is '
        'loaded again (default: %(default)g)',
    )  # fmt: skip


def _run(args: argparse.Namespace) -> None:
    with ending_at_once('mmomni serve: stopped'):
        from mmomni.web import ExaminerProcess

        settle_weights(args)  # once for both processes
    with ExaminerProcess(partial(open_examiner, args), args.timeout) as examine:
        examine.start()  # it loads the model while this one makes ready to listen
        with open_page(args, examine) as server:
            examine.wait()
            print(f'http://{_in_address(args.host)}:{server.port}   (Ctrl+C ends it)', flush=True)
            if not _is_own(args.host):
                print(
                    f'warning: whoever reaches {args.host} can use this page, without a password '
                    'and without encryption; put it behind a server that asks for both, or leave '
                    'out --host',
                    file=sys.stderr,
                )
            server.serve_forever()  # until Ctrl+C or SIGTERM
    print('mmomni serve: stopped', file=sys.stderr)


def open_examiner(args: argparse.Namespace) -> Callable:
    """Load the model: what the other process calls."""
    from mmomni.web import Examiner

    return Examiner(*open_model(args, max_pixels=int(args.max_megapixels * 1e6)))


def open_page(args: argparse.Namespace, examine: 'ExaminerProcess') -> 'BaseWSGIServer':
    """Listen, without answering yet."""
    from mmomni.version import __version__
    from mmomni.web import Page, open_server

    about = dict(
        checkpoint=args.checkpoint.name,
        version=__version__,
        max_megapixels=args.max_megapixels,
        timeout=args.timeout,
    )
    page = Page(
        examine,
        about,
        max_upload=int(args.max_upload_mb * 2**20),
        hosts=(*OWN_NAMES, _in_address(args.host)) if _is_own(args.host) else (),
        stoppable=True,
        is_loading=lambda: examine.is_loading,
    )
    return open_server(page, args.host, args.port)


def _in_address(host: str) -> str:
    """A host as an URL names it: IPv6 in brackets."""
    return f'[{host}]' if ':' in host else host


def _is_own(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
