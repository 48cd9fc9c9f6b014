"""Pickles of numbers, texts, lists and dictionaries, as some data sets come with; nothing else."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

_scalar = np.int64(0).__reduce__()[0]
_array = np.zeros(0).__reduce__()[0]
PLAIN: dict[tuple[str, str], Any] = {
    ('numpy', 'dtype'): np.dtype,
    ('numpy', 'ndarray'): np.ndarray,
    ('_codecs', 'encode'): lambda text, _: text.encode('latin1'),  # a number's, in old protocols
}
for _module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
    PLAIN |= {(_module, 'scalar'): _scalar, (_module, '_reconstruct'): _array}
"""What pickled numbers ask for."""

DAMAGED = (
    pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    TypeError, ValueError,
)  # fmt: skip
"""What damaged pickles raise, depending on what their bytes happen to mean."""


class _PlainOnly(pickle.Unpickler):
    """Loads plain values and refuses everything that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PLAIN:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}, expected plain numbers')
        return PLAIN[module, name]


def read_plain(path: Path | str) -> Any:
    """What a pickle holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds more than plain values, or is no pickle; names the file.
    """
    data = Path(path).read_bytes()
    try:
        return _PlainOnly(io.BytesIO(data)).load()
    except DAMAGED as error:
        raise ValueError(f'{path}: {type(error).__name__}: {error}') from error
