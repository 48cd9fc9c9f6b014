"""Files of ``torch.save``, read without running what they may hide.

Weights and what mmengine keeps of a training (numbers, text, its ``HistoryBuffer``, arrays of
numpy) are read by an unpickler that knows nothing else. torch has a list of its own for
``weights_only=True`` that can be added to, but only from 2.4 on, for the whole process, and not
so that ``getattr``, by which each ``HistoryBuffer`` names its methods, is let through for those
alone.
"""

import importlib
import pickle
import re
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmomni.utils.digests import UnusableFileError

ALLOW = (
    'if you trust whoever made it (reading it can run any program hidden inside), allow it: '
    '--trust-checkpoint in a command, trust_checkpoint=True in a config that is trained or tested, '
    'trust=True (of an inferencer: trust_checkpoint=True) in Python'
)
"""What to do about a file that is refused."""
REMEDY = f'publish it with tools/model_converters/publish_model.py, or, {ALLOW}'
"""What else, where a published file is wanted."""
ZIP = b'PK\x03\x04'
STATISTICS = ('min', 'max', 'current', 'mean')
"""Methods of ``HistoryBuffer``."""
NUMBERS = '?bhilqBHILQefdU'
"""Codes of the dtypes of arrays, numpy's."""
KINDS = 'biufcSU'
"""Kinds of these dtypes, and of text."""
TORCH = (
    'collections.OrderedDict', 'torch.Size', 'torch.device', 'torch.nn.parameter.Parameter',
    'torch._utils._rebuild_parameter', 'torch._utils._rebuild_tensor',
    'torch._utils._rebuild_tensor_v2',
)  # fmt: skip
"""Of what weights are made, beside storages, which torch itself finds."""
STATEFUL = (OrderedDict, HistoryBuffer, np.ndarray)
"""Types whose objects have more to them than what they are made of."""


class UntrustedFileError(UnusableFileError):
    """A checkpoint holds what could be code."""


def read_torch_file(
    path: Path, map_location: Any = 'cpu', trust: bool = False, weights_only: bool = False
) -> Any:
    """Content of a file of ``torch.save``.

    Args:
        path: The file.
        map_location: That of ``torch.load``.
        trust: Read what is not harmless, too, which can run any code.
        weights_only: Take torch's own rule: not even the records of a training are harmless.

    Raises:
        UnusableFileError: It is damaged, no such file, or holds what could be code and is not
            trusted.
    """
    harmless: dict[str, Any] = dict(weights_only=weights_only)
    if not weights_only:
        harmless['pickle_module'] = _PICKLES
    try:
        if not trust:
            _refuse_unusual(path)
        try:
            return torch.load(path, map_location=map_location, **harmless)
        except pickle.UnpicklingError as error:
            if not trust:
                worst = _worst(path, map_location) if weights_only else None
                raise _refusal(path, worst or error, weights_only) from error
        return torch.load(path, map_location=map_location, weights_only=False)
    except UntrustedFileError:
        raise
    except Exception as error:  # a broken file raises anything, a trusted pickle may
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise UnusableFileError(f'{path} is damaged, or no checkpoint: {reason}') from error


def _refuse_unusual(path: Path) -> None:
    """Refuse what ``torch.save`` does not write.

    Raises:
        ValueError: Of a zip archive, the records would grow when they are read, or it is a
            TorchScript program, which torch before 2.6 runs even with ``weights_only``
            (CVE-2025-32434). It is a tar archive, as of torch before 0.1.10.
        zipfile.BadZipFile: It is broken, so that Python cannot read it.
        RuntimeError: The same, of torch.
    """
    with path.open('rb') as file:
        if file.read(len(ZIP)) != ZIP:
            _refuse_tar(path)
            return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError('its records are compressed or overlap, torch.save writes none such')
    # by torch's own reader, so that it decides as torch.load does
    if 'constants.pkl' in torch._C.PyTorchFileReader(str(path)).get_all_records():
        raise ValueError('it is a TorchScript program')


def _refuse_tar(path: Path) -> None:
    # As torch looks at it: `tarfile.is_tarfile` would unpack a header of any size.
    try:
        tarfile.open(path, 'r:').close()
    except tarfile.TarError:
        return
    raise ValueError('it is a tar archive')


def _worst(path: Path, map_location: Any) -> pickle.UnpicklingError | None:
    """What is no record of a training either: torch names the first that is no weight."""
    try:
        torch.load(path, map_location=map_location, weights_only=False, pickle_module=_PICKLES)
    except pickle.UnpicklingError as error:
        return error
    except Exception:  # noqa: BLE001  (then torch's reason is the one to tell)
        return None
    return None


def _refusal(path: Path, error: pickle.UnpicklingError, weights_only: bool) -> Exception:
    """What an unpickler, ours or torch's, did not let through, and what to do."""
    found = re.search(r'GLOBAL (\S+)', str(error))
    name = f': {found[1]}' if found else ''
    if weights_only:  # what torch says advises against its own rule
        told = f'holds more than weights, as checkpoints of a training do{name}; {REMEDY}'
    elif found:
        told = f'holds more than weights and the records of a training{name}; {ALLOW}'
    else:
        return error
    return UntrustedFileError(f'{path} {told}')


# ---- the unpickler ---------------------------------------------------------------------------


def _stranger(name: str) -> pickle.UnpicklingError:
    """In torch's words, which :func:`_refusal` reads."""
    return pickle.UnpicklingError(f'GLOBAL {name}')


def _statistic(kind: object, name: object) -> Any:
    """What ``getattr`` may be asked for."""
    if kind is not HistoryBuffer or name not in STATISTICS:
        raise _stranger(f'HistoryBuffer.{name}' if kind is HistoryBuffer else 'builtins.getattr')
    return getattr(HistoryBuffer, str(name))


def _encode(text: str, encoding: str) -> bytes:
    """``_codecs.encode``, by which bytes are written; other encodings make more of little."""
    if encoding != 'latin1':
        raise _stranger(f'_codecs.encode:{encoding}')
    return text.encode(encoding)


def _dtype(code: str, align: bool = False, copy: bool = False) -> np.dtype:
    """``numpy.dtype``; in arrays of others, bytes of the file would be taken for pointers."""
    dtype = np.dtype(code, align, copy)
    if dtype.kind not in KINDS:
        raise _stranger(f'numpy.dtype:{code}')
    return dtype


def _known() -> Mapping[str, Any]:
    """By the names that pickles give them: functions and types without any effect."""
    known: dict[str, Any] = {}
    for name in (*TORCH, 'numpy.ndarray'):
        module, _, attribute = name.rpartition('.')
        known[name] = getattr(importlib.import_module(module), attribute)
    known |= {'_codecs.encode': _encode, 'numpy.dtype': _dtype}
    # numpy 2 has another name for the module; files are read by either.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        known[f'{module}._reconstruct'] = np.zeros(0).__reduce__()[0]
        known[f'{module}.scalar'] = np.float64(0).__reduce__()[0]
    for kind in {type(np.dtype(code)) for code in NUMBERS}:
        known[f'{kind.__module__}.{kind.__name__}'] = kind
    for module in ('builtins', '__builtin__'):
        known |= {f'{module}.{kind.__name__}': kind for kind in (set, frozenset, slice, complex)}
        known[f'{module}.getattr'] = _statistic
    known['mmengine.logging.history_buffer.HistoryBuffer'] = HistoryBuffer
    dtypes = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
    return known | dtypes


KNOWN = _known()
"""All that a harmless file may name."""


# That of C has no place to look at what gets a state.
_OfPython: Any = pickle._Unpickler


class _Unpickler(_OfPython):
    dispatch: ClassVar = dict(_OfPython.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        full = f'{module}.{name}'
        if full not in KNOWN:
            raise _stranger(full)
        return KNOWN[full]

    def load_build(self) -> None:
        """Give a state to an object, never to a type or function, which would keep it for good."""
        made, state = self.stack[-2:]
        if isinstance(made, np.dtype):
            _refuse_other_layout(made, state)
        elif type(made) not in STATEFUL:
            raise _stranger(f'state:{getattr(made, "__qualname__", type(made).__qualname__)}')
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


def _refuse_other_layout(dtype: np.dtype, state: tuple) -> None:
    """Let a state say the order of bytes alone; numpy believes sizes and fields without looking."""
    own = dtype.__reduce__()[2]
    if (state[:1], state[2:]) != (own[:1], own[2:]):
        raise _stranger(f'numpy.dtype:{dtype.str}')


def _load(file: Any, **options: Any) -> Any:
    return _Unpickler(file, **options).load()


_PICKLES = SimpleNamespace(__name__=__name__, Unpickler=_Unpickler, load=_load)
"""What ``torch.load`` wants of a ``pickle_module``."""
