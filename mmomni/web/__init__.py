"""The page of ``mmomni serve``: drop in an image, see what was changed.

Built on Werkzeug. Gradio 6.31, which
this field knows, was tried and passes an upload's bytes on unchanged, too, but it

- needs ``pillow<13`` and 36 more packages: pip would exchange the very library that decodes the
  evidence for an older one;
- keeps every upload and every result in a folder on disk, removes them by a timer, and leaves
  them there when the process ends.

Here an upload stays in memory, with everything that the page shows and saves. It is examined in a
process of its own, which can be ended whatever it does; the one that answers loads no torch.
"""

from typing import TYPE_CHECKING, Any

from .app import Page, open_server
from .process import ExaminerProcess

if TYPE_CHECKING:
    from .examiner import Examiner

__all__ = ['Examiner', 'ExaminerProcess', 'Page', 'open_server']


def __getattr__(name: str) -> Any:
    """``Examiner``, when it is asked for: it is what loads torch."""
    if name == 'Examiner':
        from .examiner import Examiner

        return Examiner
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
