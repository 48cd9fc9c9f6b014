from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.model.weight_init import PretrainedInit
from torch import nn

from .packages import SCHEME, find_weights


def demand_weights(model: nn.Module) -> None:
    """Name every file of pretrained weights that is not on this machine, before any is loaded.

    Files that are neither on this machine nor in Python packages are not looked for.

    Args:
        model: Built, not initialised yet: what a config says of parts that are not built, such as
            the frequency head of an encoder that sees by vision alone, does not count.

    Raises:
        FileNotFoundError: Some are absent, each with the module that wants it.
    """
    absent = [
        f'{name}.init_cfg: {problem}'
        for name, module in model.named_modules()
        for checkpoint in _checkpoints(module)
        if (problem := _problem(checkpoint))
    ]
    if absent:
        lines = ['pretrained weights are absent:', *absent, 'or start without: init_cfg=None']
        raise FileNotFoundError('\n  '.join(lines))


def demand_start(cfg: Config) -> None:
    """Name the checkpoint to start from, if it is not on this machine, before anything is built.

    Raises:
        FileNotFoundError: There is no file of this name.
    """
    start = cfg.get('load_from')
    if start and (problem := _problem(start)):
        raise FileNotFoundError(f'load_from: {problem}, or name another: --cfg-options load_from=')


def _checkpoints(module: nn.Module) -> Iterator[str]:
    init_cfg = getattr(module, 'init_cfg', None) or ()
    for entry in [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg:
        if entry['type'] in ('Pretrained', PretrainedInit):
            yield entry['checkpoint']


def _problem(checkpoint: str) -> str | None:
    if checkpoint.startswith(SCHEME):
        try:
            find_weights(checkpoint)
        except ModuleNotFoundError as error:
            return str(error)
    elif '://' not in checkpoint and not Path(checkpoint).expanduser().is_file():
        return f'expected {checkpoint}, found no such file; make it first'
    return None
