"""mmengine is told of this package when it is imported, before or after us.

Without that it cannot resolve ``_base_ = ['mmomni::...']``; and importing it for that alone would
take longer than all that most commands need.
"""

import sys
from types import ModuleType

from .import_hooks import Execute, on_import

HOME = 'mmengine.config.utils'
"""The module that holds the names."""


def tell_mmengine() -> None:
    """Now if it is imported already, else as soon as it is."""
    if HOME in sys.modules:
        _tell(sys.modules[HOME])
    else:
        on_import(HOME.__eq__, _telling)


def _telling(execute: Execute, module: ModuleType) -> None:
    execute(module)
    _tell(module)


def _tell(module: ModuleType) -> None:
    module.MODULE2PACKAGE.setdefault('mmomni', 'mmomni')
