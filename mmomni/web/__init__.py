"""The page of ``mmomni serve``: drop in an image, see what was changed.

Built on Werkzeug, which every installation has, because tensorboard brings it. Gradio 6.31, which
this field knows, was tried and passes an upload's bytes on unchanged, too, but it

- needs ``pillow<13`` and 36 more packages: pip would exchange the very library that decodes the
  evidence for an older one;
- keeps every upload and every result in a folder on disk, removes them by a timer, and leaves
  them there when the process ends.

Here an upload stays in memory; only the pictures of its report are made in a temporary folder,
which is removed before the answer, with everything that the page shows and saves, is sent.
"""

from .app import Page, open_server
from .examiner import Examiner

__all__ = ['Examiner', 'Page', 'open_server']
