"""Checkpoints that were cut short, told by their index and without reading their weights."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile

ZIP = b'PK\x03\x04'
"""How the files of ``torch.save`` begin; its older ones, and safetensors, are not looked into."""


def torn(path: Path) -> str:
    """Why a checkpoint cannot be whole, as the end of a sentence; empty where it may be.

    A file of ``torch.save`` ends with an index of its parts, whose places and sizes are compared
    with the size of the file. A folder, as DeepSpeed saves, is believed.
    """
    if path.is_dir():
        return ''
    try:
        size = path.stat().st_size
        with path.open('rb') as file:
            start = file.read(len(ZIP))
    except FileNotFoundError:
        return 'does not exist'
    except OSError as error:
        return f'cannot be read ({error.strerror or error})'
    if size == 0:
        return 'is empty'
    if not any(start):
        return 'holds zeros, as after a loss of power'
    return _torn_zip(path, size) if ZIP.startswith(start) else ''


def _torn_zip(path: Path, size: int) -> str:
    try:
        with ZipFile(path) as archive:
            parts, index = archive.infolist(), archive.start_dir
    except (BadZipFile, OSError, ValueError):
        return f'is cut short ({size:,} bytes, without the index that ends it)'
    # An index that lies elsewhere than it says moves all places.
    starts = [part.header_offset for part in parts]
    ends = [part.header_offset + part.compress_size for part in parts]
    if min(starts, default=1) != 0 or max(ends) > index:
        return f'is cut short ({size:,} bytes, less than its parts)'
    return ''
