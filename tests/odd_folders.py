"""A folder as people have them: images under wrong names, and much that is none."""

import ctypes
import os
from contextlib import contextmanager

from PIL import Image

NOT_IMAGES = {'hidden': 2, 'pdf': 1, 'pipe': 1, 'txt': 1}
"""Kinds of what :func:`make_odd_folder` puts there beside images."""
CAPABILITIES = 0x20080522
"""The third version of Linux' record of them: two words each of effective, permitted, inherited."""
PASSES_MODES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


def make_odd_folder(folder, image):
    """Three images by their content, one by its name alone, and other files.

    Returns:
        Paths of the images, the broken one last.
    """
    (folder / '.ipynb_checkpoints').mkdir(parents=True)
    good = [folder / name for name in ('a.jpg', 'b.txt', 'c')]
    for path in (*good, folder / '._a.jpg', folder / '.ipynb_checkpoints' / 'a.jpg'):
        Image.fromarray(image).save(path, 'PNG' if path.name == 'c' else 'JPEG')
    (folder / 'd.jpg').write_bytes(b'no image')
    (folder / 'notes.txt').write_text('no image')
    (folder / 'paper.pdf').write_bytes(b'%PDF-1.7')
    os.mkfifo(folder / 'pipe')
    return [*good, folder / 'd.jpg']


def close_folders(monkeypatch, *names):
    """Folders of these names cannot be entered, by root neither."""
    scandir = os.scandir

    def refusing(path='.'):
        if not isinstance(path, int) and os.path.basename(path) in names:
            raise PermissionError(13, 'Permission denied', str(path))
        return scandir(path)

    monkeypatch.setattr('os.scandir', refusing)


@contextmanager
def obeying_modes():
    """This thread cannot enter what a file's mode closes, though it be root's."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, words = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()

    def call(function):
        if function(header, words):
            raise OSError(ctypes.get_errno(), 'the capabilities of a thread')

    call(libc.capget)
    effective = words[0]
    words[0] &= ~PASSES_MODES
    call(libc.capset)
    try:
        yield
    finally:
        words[0] = effective
        call(libc.capset)
