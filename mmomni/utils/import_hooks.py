"""To have a say when a module is imported, whoever imports it."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import TypeAlias

Execute: TypeAlias = Callable[[ModuleType], None]
Around: TypeAlias = Callable[[Execute, ModuleType], None]


def on_import(concerns: Callable[[str], bool], around: Around) -> None:
    """From now on ``around(execute, module)`` runs modules written in Python, once each.

    Args:
        concerns: Whether a module of this full name is meant; all others are imported as ever.
        around: Calls ``execute(module)``, and does something before, after or about its errors.
            Given again, it is not there twice.
    """
    if not any(isinstance(each, _Finder) and each.around is around for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder(concerns, around))


class _Finder(MetaPathFinder):
    def __init__(self, concerns: Callable[[str], bool], around: Around) -> None:
        self.concerns = concerns
        self.around = around

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self.concerns(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader, self.around)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, found: SourceFileLoader, around: Around) -> None:
        super().__init__(found.name, found.path)
        self.around = around

    def exec_module(self, module: ModuleType) -> None:
        self.around(super().exec_module, module)
