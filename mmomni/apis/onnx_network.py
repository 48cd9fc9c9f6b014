"""Run an exported network with onnxruntime."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .network import DeviceError, Output, demand_precision_of_onnx
from .windows import Window

CPU = 'CPUExecutionProvider'


class NothingShared:
    """Each window answers for itself."""

    shares = False
    complete = False

    def begin(self, window: Window) -> None:
        """Nothing depends on it."""

    def end_pass(self) -> None:
        """Likewise."""


class OnnxNetwork:
    """A file of :func:`~mmomni.apis.onnx_export.export_onnx` as a :class:`~.network.Network`.

    It needs nothing but the file: config, thresholds and model card are inside. It runs on
    ``'cpu'`` or ``'cuda'``, with a number if need be.

    Attributes:
        description: Config, calibrations and card: :class:`~mmomni.checkpoints.Description`.

    Raises:
        FileNotFoundError: There is no file.
        ImportError: onnxruntime is not installed.
        ValueError: The file is damaged or was not exported by us, or the device cannot be used.
    """

    def __init__(self, path: str | Path, device: str | None = None) -> None:
        from mmomni.checkpoints import DESCRIPTION, parse_description

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'expected an ONNX file, found none: {path}')
        self._session = _session(path, device or 'cpu')
        self.on_cpu = self._session.get_providers()[0] == CPU
        text = self._session.get_modelmeta().custom_metadata_map.get(DESCRIPTION)
        if text is None:
            raise ValueError(
                f'{path} does not tell its config; export it with tools/deployment/pytorch2onnx.py'
            )
        self.description = parse_description(text, path)

    @property
    def precision(self) -> Literal['fp32', 'bf16']:
        return 'fp32'

    @precision.setter
    def precision(self, value: str) -> None:
        demand_precision_of_onnx(value)

    @contextmanager
    def sharing(self) -> Iterator[NothingShared]:
        yield NothingShared()

    def __call__(self, planes: np.ndarray) -> Output:
        """See :class:`~.network.Network`."""
        inputs = {'planes': planes.astype(np.float32)}
        logits, *gate = self._session.run(None, inputs)
        return Output(logits[:, 1] - logits[:, 0], gate[0] if gate else None)


def _session(path: Path, device: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('onnxruntime is not installed: pip install onnxruntime') from error
    options = onnxruntime.SessionOptions()
    providers: list = [CPU]
    kind, _, number = device.partition(':')
    if kind == 'cuda':
        providers.insert(0, ('CUDAExecutionProvider', {'device_id': int(number or 0)}))
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its exceptions have no common class
        raise ValueError(f'{path} is damaged, or no ONNX file: {error}') from error
    if kind != 'cpu' and session.get_providers()[0] == CPU:  # it falls back by itself
        raise DeviceError(
            f'onnxruntime cannot run on {device} here, it offers '
            f'{onnxruntime.get_available_providers()}; for CUDA: pip install onnxruntime-gpu'
        )
    return session
