import argparse
import ipaddress
import sys
from typing import TYPE_CHECKING

from .model import add_model_options, open_model
from .parser import Commands, checked

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

# Spelt out here, because `mmomni --help` must load neither Pillow nor torch.
MOST_MEGAPIXELS = 178.9
OWN_NAMES = ('127.0.0.1', 'localhost', '[::1]')


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'serve',
        help='a web page: drop in an image, see what was changed',
        description='Serve a web page on this machine: drop in an image, see heat map, regions, '
        'score, the choice of the gate and the DCT plane, save the report. Uploads stay in '
        'memory; the pictures of a report are made in a temporary folder, which is removed before '
        'the answer is sent. Ends with Ctrl+C.',
    )
    positive = checked(float, lambda number: 0 < number < float('inf'), 'a number above 0')
    add_model_options(parser)
    parser.add_argument(
        '--host', default='127.0.0.1',
        help='address to listen at; any other than the default can be reached by other machines, '
        'and nobody is asked for a password (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--port', type=int, default=7860, help='0: any that is free (default: %(default)s)'
    )
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
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    server = open_page(args)
    print(f'http://{_in_address(args.host)}:{server.port}   (Ctrl+C ends it)', flush=True)
    if not _is_own(args.host):
        print(
            f'warning: whoever reaches {args.host} can use this page, without a password and '
            'without encryption; put it behind a server that asks for both, or leave out --host',
            file=sys.stderr,
        )
    server.serve_forever()


def open_page(args: argparse.Namespace) -> 'BaseWSGIServer':
    """Load the model and listen."""
    from mmomni.version import __version__
    from mmomni.web import Examiner, Page, open_server

    megapixels = args.max_megapixels
    model = open_model(args, max_pixels=int(megapixels * 1e6))
    page = Page(
        Examiner(*model),
        dict(checkpoint=args.checkpoint.name, version=__version__, max_megapixels=megapixels),
        max_upload=int(args.max_upload_mb * 2**20),
        hosts=(*OWN_NAMES, _in_address(args.host)) if _is_own(args.host) else (),
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
