"""In which a folder differs from what an earlier run left there."""

from collections.abc import Sequence

from mmomni.utils.templates import printable
from mmomni.utils.text import counted

from .predictions import Predictions

LISTED = 3


def kept_text(folder: Predictions) -> str:
    """That results are of files which this run was not given; empty where none are."""
    if not folder.kept:
        return ''
    names = [folder.records[key]['image'] for key in folder.kept]
    many = counted(len(names), 'image')
    return f'{many}, file gone or not given in the last run: {listed(names)}'


def changed_text(paths: Sequence[str]) -> str:
    """That files have other bytes than those which an earlier run examined."""
    several = 'files have' if len(paths) > 1 else 'file has'
    return (
        f'{len(paths):,} {several} other bytes than when examined before; earlier results are '
        f'replaced: {listed(paths)}'
    )


def listed(texts: Sequence[str]) -> str:
    """The first of them, on one line, and how many there are more."""
    more = f'; {len(texts) - LISTED:,} more' if len(texts) > LISTED else ''
    return printable('; '.join(texts[:LISTED])) + more
