"""The site of these pages and of the docstrings, made by Sphinx (``make docs``)."""

import re
from pathlib import Path

from sphinx.application import Sphinx

from mmomni.version import __version__

project = 'mmomni'
release = __version__
html_theme = 'furo'
html_title = f'{project} {release}'
exclude_patterns = ['_build']

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
myst_heading_anchors = 3  # as on GitHub: model.md#backbones
html_show_copyright = False
autodoc_inherit_docstrings = False  # what a method of the host does is said there
napoleon_use_ivar = True  # else the fields of a tuple are there twice
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = 'hide'

LINK = re.compile(r'(?<!!)\[([^][]+)\]\((\.\./[^)#]*)[^)]*\)')


def keep_text_of_links_out(app: Sphinx, docname: str, content: list[str]) -> None:
    """Unlink files of the repository that are no pages; only GitHub can show them."""
    folder = (Path(app.srcdir) / docname).parent

    def text(link: re.Match[str]) -> str:
        inside = (folder / link[2]).resolve().is_relative_to(app.srcdir)
        return link[0] if inside else link[1]

    content[0] = LINK.sub(text, content[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect('source-read', keep_text_of_links_out)
