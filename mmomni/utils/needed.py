"""What OpenMMLab and torch are needed for is told in one line with its command, where they are not.

They are no dependencies of the package (two families of packages own the same names), so pip does
not bring them; and parts of the package work without.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType

HOST = ('torch', 'mmcv', 'mmengine', 'mmseg')
"""In the order in which they are installed."""
COMMANDS = {
    'torch': 'pip install torch',
    # With build isolation mmcv's operators would be left out without a word.
    'mmcv': 'pip install ninja && MMCV_WITH_OPS=1 pip install --no-build-isolation onedl-mmcv',
}
OTHERS = "pip install 'mmomni[onedl]'"


def missing() -> tuple[str, ...]:
    """Which of :data:`HOST` are not installed."""
    return tuple(name for name in HOST if find_spec(name) is None)


def how_to_install(names: Sequence[str]) -> str:
    """One line: which packages are not there, and the command for all of them."""
    commands = [COMMANDS[name] for name in names if name in COMMANDS]
    if any(name not in COMMANDS for name in names):
        commands.append(OTHERS)
    verb = 'is' if len(names) == 1 else 'are'
    return (
        f'this needs torch, mmengine, mmcv and mmseg, of which {", ".join(names)} {verb} not '
        f'installed: {" && ".join(commands)}'
    )


def demand_host() -> None:
    """Raise ``ModuleNotFoundError`` with :func:`how_to_install` where something is missing."""
    if names := missing():
        raise ModuleNotFoundError(how_to_install(names), name=names[0])


def explain_missing() -> None:
    """From now on a module of ours that cannot be imported without them says so.

    Nothing is done where all are installed.
    """
    if missing() and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds modules of this package alone."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith('mmomni.'):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        try:
            super().exec_module(module)
        except ModuleNotFoundError as error:
            name = (error.name or '').partition('.')[0]
            if name in (names := missing()):
                raise ModuleNotFoundError(how_to_install(names), name=name) from None
            raise
