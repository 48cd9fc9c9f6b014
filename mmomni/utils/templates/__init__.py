"""The pages that people see: Jinja2 templates, their styles and scripts, and how they are filled.

Whatever a template prints is escaped, and a name that it is not given is an error. What it puts
into a page unescaped says so (``safe``): the files beside it and what is drawn here.
"""

import base64
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """A file of this folder, filled with the values that it speaks of.

    Raises:
        jinja2.TemplateNotFound: There is no such template.
        jinja2.UndefinedError: It speaks of something that is not among the values.
    """
    return ENVIRONMENT.get_template(template).render(values)


def render_pieces(template: str, **values: Any) -> Iterator[str]:
    """The same page piece by piece, for what would not fit into memory as a whole."""
    return ENVIRONMENT.get_template(template).generate(values)


def asset(name: str) -> str:
    """The text of a style or script of this folder."""
    return files(__package__).joinpath(name).read_text(encoding='utf-8')


def printable(text: str) -> str:
    """File names may hold control characters and broken encodings: escape them."""
    return ''.join(
        c if c.isprintable() else c.encode('unicode_escape').decode('ascii') for c in text
    )


def listed(texts: Sequence[str], most: int = 3) -> str:
    """The first of them, on one line for a terminal, and how many more there are."""
    more = f'; {len(texts) - most:,} more' if len(texts) > most else ''
    return printable('; '.join(texts[:most])) + more


def moment(iso: str) -> str:
    """``'2026-11-29 08:00:00 UTC'`` of a date of a record."""
    return printable(iso.replace('T', ' ').replace('+00:00', ' UTC'))


def data_uri(picture: bytes) -> str:
    """A JPEG or PNG as the ``src`` of an ``img``."""
    kind = 'png' if picture.startswith(b'\x89PNG') else 'jpeg'
    return f'data:image/{kind};base64,' + base64.b64encode(picture).decode('ascii')


def policy_hash(text: str) -> str:
    """A style or script, as a content security policy names what it allows."""
    return 'sha256-' + base64.b64encode(sha256(text.encode()).digest()).decode('ascii')


ENVIRONMENT = Environment(
    loader=PackageLoader('mmomni.utils'),  # its folder `templates`
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
"""Of all templates."""
ENVIRONMENT.policies['json.dumps_kwargs'] = dict(allow_nan=False, separators=(',', ':'))
ENVIRONMENT.globals['asset'] = asset
ENVIRONMENT.filters.update(
    data_uri=data_uri, moment=moment, policy_hash=policy_hash, printable=printable
)
