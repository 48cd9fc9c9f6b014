"""Which weights are meant, and what runs them."""

import glob
import mmap
from pathlib import Path
from typing import Literal, NamedTuple

from mmomni.utils.digests import without_digest
from mmomni.utils.files import file_sha256
from mmomni.utils.needed import TO_PREDICT, demand_host, missing

Backend = Literal['torch', 'onnx']
BACKENDS: tuple[Backend, ...] = ('torch', 'onnx')
PACKAGED = Path(__file__).resolve().parents[1] / 'weights'
"""The folder of the weights that come with the package."""
ONNX = '.onnx'
SAFETENSORS = '.safetensors'


class Weights(NamedTuple):
    """A file of weights.

    Attributes:
        path: Of the file.
        backend: What runs it.
        note: What was taken that nobody has named, and why; else empty.
    """

    path: Path
    backend: Backend
    note: str = ''


def chosen_weights(
    weights: str | Path | None = None, backend: Backend | Literal['auto'] = 'auto'
) -> Weights:
    """The weights that are named, or those of the package; or their ``.onnx`` form where need be.

    Args:
        weights: A published checkpoint (see docs/checkpoints.md) or an ``.onnx`` file. ``None``:
            those of the package, for torch where it, mmcv, mmengine and mmseg are installed.
        backend: ``'auto'``: what the ending of the file says; but of a ``.safetensors`` its
            ``.onnx`` form is run where torch is not installed and it lies beside.

    Raises:
        FileNotFoundError: There is no such file.
        ModuleNotFoundError: What it needs is not installed.
        ValueError: There is no such backend, or the file is none of it.
    """
    if backend not in ('auto', *BACKENDS):
        raise ValueError(f"expected backend 'auto', 'torch' or 'onnx', got {backend!r}")
    if weights is None:
        absent = missing(TO_PREDICT)
        kind: Backend = ('onnx' if absent else 'torch') if backend == 'auto' else backend
        if kind == 'torch':
            demand_host(TO_PREDICT)
        path = packaged(ONNX if kind == 'onnx' else SAFETENSORS)
        return Weights(path, kind, f'no checkpoint was named: {path.name} of the package is taken')
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f'expected a checkpoint, found no file {path}{packaged_hint(path)}')
    if path.suffix == ONNX:
        if backend == 'torch':
            raise ValueError(f"{path}: an .onnx file is run by backend 'onnx', not by 'torch'")
        return Weights(path, 'onnx')
    without_torch = backend == 'onnx' or (backend == 'auto' and missing(TO_PREDICT))
    if without_torch and (form := _onnx_form(path, backend)):
        return form
    if missing(TO_PREDICT):
        _refuse_no_weights(path)  # before somebody installs torch for it
        demand_host(TO_PREDICT)
    return Weights(path, 'torch')


def _refuse_no_weights(path: Path) -> None:
    """Raise ``ValueError`` for what begins neither as safetensors nor as what torch saves."""
    with path.open('rb') as file:
        start = file.read(9)
    known = start[8:] == b'{' if path.suffix == SAFETENSORS else start.startswith((b'PK', b'\x80'))
    if not known:
        raise ValueError(
            f'{path}: expected a checkpoint (.onnx, .safetensors, or what torch saves), it is none'
        )


def packaged(suffix: str) -> Path:
    """The file of the package with this suffix.

    Raises:
        FileNotFoundError: There is none.
    """
    found = sorted(PACKAGED.glob(f'*{suffix}'))
    if not found:
        raise FileNotFoundError(
            f'expected weights of the package, {PACKAGED}/*{suffix}, found none; name a checkpoint'
        )
    return found[-1]


def packaged_hint(path: Path) -> str:
    """What to add where there is no such file: the package may hold one of its name."""
    own = PACKAGED / path.name
    if not path.name or not own.is_file():
        return ''
    return f'; the package holds one of that name, {own}, which is taken where none is named'


def _onnx_form(path: Path, backend: str) -> Weights | None:
    """What runs instead of a checkpoint without torch, if there is any.

    Raises:
        ValueError: There is none, and nothing else is asked for.
    """
    stem = glob.escape(without_digest(path).stem)
    for candidate in sorted(path.parent.glob(f'{stem}*{ONNX}')):
        if _is_made_of(candidate, path):
            why = 'torch is not installed' if backend == 'auto' else "backend 'onnx' was asked for"
            note = f'{why}: {candidate.name} is taken, which was made of {path.name}'
            return Weights(candidate, 'onnx', note)
    if backend == 'onnx':
        raise ValueError(
            f"{path}: expected an .onnx file for backend 'onnx', or one beside that was made of it"
        )
    return None


def _is_made_of(exported: Path, checkpoint: Path) -> bool:
    """Whether an ``.onnx`` file names, in its metadata, the SHA-256 of a checkpoint."""
    digest = file_sha256(checkpoint).encode()
    with exported.open('rb') as file:
        if not exported.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(digest) >= 0
