"""A folder as people have them: images under wrong names, and much that is none."""

import os

from PIL import Image

NOT_IMAGES = {'hidden': 2, 'pdf': 1, 'pipe': 1, 'txt': 1}
"""Kinds of what :func:`make_odd_folder` puts there beside images."""


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
