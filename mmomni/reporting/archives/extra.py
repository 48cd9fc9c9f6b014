"""Ray and pyarrow, which come with the extra ``ray``."""

from importlib import import_module
from types import ModuleType

COMMAND = "pip install 'mmomni[ray]'"


def imported(name: str) -> ModuleType:
    """A module of Ray or pyarrow.

    Raises:
        ModuleNotFoundError: It is not installed; the command is named.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'archives need Ray and pyarrow, of which {error.name} is not installed: {COMMAND}',
            name=error.name,
        ) from error
