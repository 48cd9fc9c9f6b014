"""What a file is: its first bytes decide, its name only where they say nothing."""

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from .regular_files import kind_of_mode, open_regular

IMAGE_SUFFIXES = frozenset((
    '.jpg', '.jpeg', '.jpe', '.jfif', '.mpo',
    '.png', '.tif', '.tiff', '.webp', '.bmp', '.ppm', '.gif',
))  # fmt: skip
OTHER_IMAGE_SUFFIXES = frozenset((
    '.heic', '.heif', '.hif', '.avif', '.jp2', '.j2k', '.j2c', '.jpc', '.jpf', '.jpx', '.jxl',
    '.jxr', '.wdp', '.jps', '.pjpeg', '.pjp', '.apng', '.dib', '.pgm', '.pbm', '.pnm', '.pam',
    '.pfm', '.dng', '.nef', '.nrw', '.cr2', '.cr3', '.crw', '.arw', '.sr2', '.srf', '.raf', '.orf',
    '.rw2', '.pef', '.srw', '.x3f', '.3fr', '.iiq', '.psd', '.psb', '.xcf', '.tga', '.pcx', '.exr',
    '.ico', '.icns', '.dds', '.qoi', '.bpg', '.dcm', '.fits',
))  # fmt: skip
"""Of images that training sets do not hold, and of which not all can be read."""
_MORE_CAMERAS = frozenset((
    '.kdc', '.dcr', '.k25', '.mrw', '.erf', '.mef', '.mos', '.fff', '.gpr', '.rwl', '.raw', '.ptx',
))  # fmt: skip
"""Of raw data of a camera where the content is an image; other programs have such names, too."""
_CLAIMS = IMAGE_SUFFIXES | OTHER_IMAGE_SUFFIXES

HEAD_BYTES = 132
_IMAGES = {
    'jpg': rb'\xff\xd8\xff',
    'png': rb'\x89PNG\r\n\x1a\n',
    'gif': rb'GIF8[79]a',
    'webp': rb'RIFF....WEBP',
    'raw': rb'IIR[OS]|MMOR|IIU\0|FUJIFILMCCD-RAW|FOVb|II\x1a\0\0\0HEAPCCDR|....ftypcrx ',
    'tif': rb'II[*+]\0|MM\0[*+]|II\0\*|MM\*\0',
    'avif': rb'....ftypavi[fs]',
    'heic': rb'....ftyp(?:he(?:ic|ix|vc|vx|im|is|vm|vs)|mif[12]|msf1)',
    'jp2': rb'\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51',
    'jxl': rb'\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a',
    'jxr': rb'II\xbc',
    'psd': rb'8BPS\x00[\x01\x02]',
    'xcf': rb'gimp xcf ',
    'exr': rb'v/1\x01',
    'hdr': rb'#\?(?:RADIANCE|RGBE)\n',
    'dds': rb'DDS \x7c',
    'icns': rb'icns',
    'qoi': rb'qoif',
    'bpg': rb'BPG\xfb',
    'fits': rb'SIMPLE  = ',
    'dcm': rb'.{128}DICM',
}
_MAYBE_IMAGES = {'bmp': (b'BM', 'BMP'), 'ppm': (b'P', 'PPM'), 'ico': (b'\0\0\1\0', 'ICO')}
"""Few first bytes, which a text may have too, and Pillow's name of the format."""
_MORE_SUFFIXES = {
    'jpg': ('jpeg', 'jpe', 'jfif', 'mpo', 'jps', 'pjpeg', 'pjp', 'jls'), 'png': ('apng',),
    'tif': ('tiff',), 'bmp': ('dib',), 'ppm': ('pgm', 'pbm', 'pnm', 'pam', 'pfm'),
    'heic': ('heif', 'hif', 'avif'), 'jp2': ('j2k', 'j2c', 'jpc', 'jpf', 'jpx'), 'jxr': ('wdp',),
    'psd': ('psb',), 'fits': ('fit', 'fts'),
}  # fmt: skip
"""Which say of an image what its format is, beside the name of that. An AVIF may begin as a HEIC
does (``mif1``)."""
_OTHERS = {
    'avi': rb'RIFF....AVI ',
    'wav': rb'RIFF....WAVE',
    'mov': rb'....ftypqt  |....moov',
    'mp4': rb'....ftyp',
    'mkv': rb'\x1a\x45\xdf\xa3',
    'zip': rb'PK(?:\x03\x04|\x05\x06)',
    'gz': rb'\x1f\x8b',
    '7z': rb"7z\xbc\xaf'\x1c",
    'rar': rb'Rar!\x1a\x07',
}


class Kind(NamedTuple):
    """What a file is.

    Attributes:
        name: ``'jpg'``, ``'heic'``, ``'pdf'``: of its first bytes, else of its suffix; or what it
            is instead of a file. Short, lower-case and printable whatever the file is called.
        is_image: Whether somebody who looks for images has to look at it, be it readable or not:
            by content, or, where that does not say, by the suffix.
    """

    name: str
    is_image: bool


def claims_image(path: Path) -> bool:
    """Whether the name of a file says that it is an image; ``.jpg_large`` says so too."""
    suffix = re.match(r'\.?[a-z0-9]*', path.suffix.lower())
    return suffix is not None and suffix[0] in _CLAIMS


def kind_of(path: Path) -> Kind:
    """What a file is; pipes and devices are not opened. What cannot be opened may be an image."""
    claim = claims_image(path)
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            return _no_file(mode, claim)
        with open_regular(path) as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return Kind('broken link' if path.is_symlink() else 'missing', claim)
    except (OSError, ValueError):  # a name may hold what no name can
        return Kind(_suffix_name(path) or 'locked', True)
    return _kind_of_head(head, path, claim)


def untold_format(path: Path) -> str:
    """The format of an image by its content, where the suffix of its file does not say it.

    Empty where it does, and where the content does not say that it is an image.
    """
    return _untold(kind_of(path).name, path)


def untold_in(head: bytes, path: Path) -> str:
    """:func:`untold_format` by the first bytes of a file, which need not lie at its path.

    Empty for formats that these alone do not tell, as BMP.
    """
    kind = certain_image_format(head)
    return '' if _is_inside(kind, path) else _untold(kind, path)


def _untold(kind: str, path: Path) -> str:
    suffix = _suffix_name(path)
    is_told = suffix in (kind, *_MORE_SUFFIXES.get(kind, ()))
    return '' if is_told or kind not in _IMAGES.keys() | _MAYBE_IMAGES.keys() else kind


def _kind_of_head(head: bytes, path: Path, claim: bool) -> Kind:
    suffix = _suffix_name(path)
    if image := image_format(head, path):
        return Kind(suffix if _is_inside(image, path) else image, True)
    # A document that is called .jpg is an image that cannot be read to whoever asks for images.
    if (other := other_format(head)) in ('empty', 'pdf'):
        return Kind(other, claim)
    return Kind(suffix or other or 'no suffix', claim)


def _is_inside(image: str, path: Path) -> bool:
    """Whether it is the TIFF that most cameras' own formats, of which the suffix tells, are."""
    return image in ('tif', 'raw') and path.suffix.lower() in OTHER_IMAGE_SUFFIXES | _MORE_CAMERAS


def certain_image_format(head: bytes) -> str:
    """The format of an image that its first bytes alone tell, as ``'heic'``; empty for none."""
    return next((name for name in _IMAGES if magic_of(name, head)), '')


def other_format(head: bytes) -> str:
    """What a file is that is no image: ``'empty'``, ``'pdf'``, ``'zip'``; empty: not known."""
    if not head:
        return 'empty'
    if is_pdf(head):
        return 'pdf'
    names = (name for name, magic in _OTHERS.items() if re.match(magic, head, re.DOTALL))
    return next(names, '')


def image_format(head: bytes, path: Path) -> str | None:
    """The format of an image by the first bytes of its file, readable or not; ``None``: none."""
    if name := certain_image_format(head):
        return name
    for name, (magic, pillow_name) in _MAYBE_IMAGES.items():
        if head.startswith(magic) and _opens(path, pillow_name):
            return name
    return None


def is_pdf(head: bytes) -> bool:
    """Whether a file is a PDF, which may have other bytes in front."""
    return re.match(rb'[\s\S]{0,124}%PDF-', head) is not None


def magic_of(name: str, head: bytes) -> bool:
    """Whether the first bytes of a file are those of an image format, as ``'heic'``."""
    return re.match(_IMAGES[name], head, re.DOTALL) is not None


def _opens(path: Path, pillow_name: str) -> bool:
    from PIL import Image

    try:
        with open_regular(path) as file:
            Image.open(file, formats=[pillow_name]).close()
    except Image.DecompressionBombError:
        return True
    except Exception:  # noqa: BLE001  (decoders raise whatever a broken file makes them)
        return False
    return True


def _no_file(mode: int, claim: bool) -> Kind:
    # One is asked for a folder only if it could not be entered.
    return Kind(kind_of_mode(mode), claim or stat.S_ISDIR(mode))


def _suffix_name(path: Path) -> str:
    """The suffix without its dot, empty if there is none that says anything."""
    suffix = path.suffix[1:].lower()
    return suffix if re.fullmatch(r'[a-z0-9][a-z0-9_+-]{0,11}', suffix) else ''
