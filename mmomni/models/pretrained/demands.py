from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .loading import pretrained_part
from .packages import SCHEME, find_weights


def demand_weights(model: Mapping[str, Any]) -> None:
    """Name every file of pretrained weights that is not on this machine, before anything is built.

    Files of other places than this machine and Python packages are not looked at.

    Raises:
        FileNotFoundError: Some are absent, each with its place in the config.
    """
    absent = [f'{place}: {problem}' for place, problem in _absent(model, 'model')]
    if absent:
        lines = ['pretrained weights are absent:', *absent, 'or start without: init_cfg=None']
        raise FileNotFoundError('\n  '.join(lines))


def _absent(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        found = pretrained_part(value.get('init_cfg'))
        problem = found and _problem(found['checkpoint'])
        if problem:
            yield f'{place}.init_cfg', problem
        for key, item in value.items():
            yield from _absent(item, f'{place}.{key}')
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _absent(item, f'{place}.{index}')


def _problem(checkpoint: str) -> str | None:
    if checkpoint.startswith(SCHEME):
        try:
            find_weights(checkpoint)
        except ModuleNotFoundError as error:
            return str(error)
    elif '://' not in checkpoint and not Path(checkpoint).is_file():
        return f'expected {checkpoint}, found no such file; make it first'
    return None
