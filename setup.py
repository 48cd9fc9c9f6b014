"""Carry configs and tools along in ``mmomni/.mim``, where mim and ``mmomni::`` bases find them.

And make the README what an index of packages can show. Everything else is in pyproject.toml.
"""

import os
import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

STAGED = ('configs', 'tools', 'model-index.yml')
# Byte code, and the scripts that make the environments of a checkout.
LEFT_OUT = shutil.ignore_patterns('__pycache__', '*.py[co]', 'make_env.py', 'try_versions.py')


class BuildWithMim(build_py):
    """Copy the staged files into a wheel; link them in a checkout (``pip install -e``)."""

    def run(self):
        root = Path(__file__).resolve().parent
        package = (root if self.editable_mode else Path(self.build_lib)) / 'mmomni'
        mim = package / '.mim'
        # setuptools itself would keep what an older build left in build/.
        shutil.rmtree(mim if self.editable_mode else package, ignore_errors=True)
        super().run()
        mim.mkdir(parents=True)
        for name in STAGED:
            source, target = root / name, mim / name
            if self.editable_mode:
                target.symlink_to(os.path.relpath(source, mim))
            elif source.is_dir():
                shutil.copytree(source, target, ignore=LEFT_OUT)
            else:
                shutil.copy(source, target)


ROOT = Path(__file__).resolve().parent
RELATIVE = re.compile(r'(!?)\[([^][]*)\]\((?!https?://|#|mailto:)([^)\s]+)\)')


def long_description() -> str:
    """The README, whose pictures and links are paths that an index of packages does not have.

    They become addresses below ``Source`` of ``[project.urls]``; without it, pictures become their
    words, and links their text.
    """
    source = re.search(
        r'^Source = "([^"]+)"', (ROOT / 'pyproject.toml').read_text(encoding='utf-8'), re.MULTILINE
    )

    def absolute(link: 're.Match[str]') -> str:
        picture, text, path = link.groups()
        if source:
            kind = 'raw' if picture else 'blob'
            return f'{picture}[{text}]({source[1].rstrip("/")}/{kind}/HEAD/{path})'
        return f'(In the repository: {text}.)' if picture else text

    return RELATIVE.sub(absolute, (ROOT / 'README.md').read_text(encoding='utf-8'))


setup(
    cmdclass={'build_py': BuildWithMim},
    long_description=long_description(),
    long_description_content_type='text/markdown',
)
