"""Carry configs and tools along in ``mmomni/.mim``, where mim and ``mmomni::`` bases find them.

Everything else about the package is in pyproject.toml.
"""

import os
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


setup(cmdclass={'build_py': BuildWithMim})
