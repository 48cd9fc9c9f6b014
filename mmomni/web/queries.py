"""What a request asks for."""

import re

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request

LONGEST_NAME = 255


def file_name(name: str) -> str:
    """The last part of a path of any system; what is shown of an upload."""
    last = name.replace('\\', '/').rstrip('/').rpartition('/')[2]
    return 'image' if last in ('', '.', '..') else last[:LONGEST_NAME]


def what_of_it(request: Request) -> list[int]:
    """Which picture of a file, and whether views of it; nothing of what is not asked for."""
    number, views = _number_of_picture(request), request.args.get('views', '0')
    if views not in ('0', '1'):
        raise BadRequest(f'expected views=0 or views=1, got {views[:LONGEST_NAME]!r}')
    if views == '1':
        return [number or 1, True]
    return [] if number is None else [number]


def _number_of_picture(request: Request) -> int | None:
    text = request.args.get('picture')
    if text is None:
        return None
    if not re.fullmatch(r'[1-9][0-9]{0,5}', text):
        raise BadRequest(f'expected picture=NUMBER, from 1, got {text[:LONGEST_NAME]!r}')
    return int(text)
