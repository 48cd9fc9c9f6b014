"""In which a folder differs from what an earlier run left there."""

from collections.abc import Sequence

from mmomni.utils.templates import listed
from mmomni.utils.text import counted

from .predictions import Predictions


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
