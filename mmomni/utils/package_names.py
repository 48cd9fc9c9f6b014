"""mmengine is told of this package when it is imported, before or after us.

Without that it cannot resolve ``_base_ = ['mmomni::...']``; and importing it for that alone would
take longer than all that most commands need.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

HOME = 'mmengine.config.utils'
"""The module that holds the names."""


def tell_mmengine() -> None:
    """Now if it is imported already, else as soon as it is."""
    if HOME in sys.modules:
        _tell(sys.modules[HOME])
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _tell(module: ModuleType) -> None:
    module.MODULE2PACKAGE.setdefault('mmomni', 'mmomni')


class _Finder(MetaPathFinder):
    """Finds one module alone."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != HOME:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _tell(module)
