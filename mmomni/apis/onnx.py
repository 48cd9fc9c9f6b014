"""Run an exported network with onnxruntime."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmomni.checkpoints import DESCRIPTION, parse_description

from .network import Output

CPU = 'CPUExecutionProvider'


class OnnxNetwork:
    """A file of :func:`~mmomni.apis.onnx_export.export_onnx` as a :data:`~.network.Network`.

    It needs nothing but the file: config, thresholds and model card are inside. It runs on
    ``'cpu'`` or ``'cuda'``, with a number if need be.

    Attributes:
        description: Config, calibrations and card: :class:`~mmomni.checkpoints.Description`.
        device: Where planes are expected and results are: the host, which onnxruntime copies from.

    Raises:
        FileNotFoundError: There is no file.
        ImportError: onnxruntime is not installed.
        ValueError: The file is damaged or was not exported by us, or the device cannot be used.
    """

    device = torch.device('cpu')

    def __init__(self, path: str | Path, device: str = 'cpu') -> None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'expected an ONNX file, found none: {path}')
        self._session = _session(path, torch.device(device))
        text = self._session.get_modelmeta().custom_metadata_map.get(DESCRIPTION)
        if text is None:
            raise ValueError(
                f'{path} does not tell its config; export it with tools/deployment/pytorch2onnx.py'
            )
        self.description = parse_description(text, path)

    def __call__(self, planes: Tensor) -> Output:
        """Planes (B, 5, H, W), H and W multiples of 32 -> logits (B, 2, H, W) and gate."""
        inputs = {'planes': planes.to('cpu', torch.float32).numpy()}
        logits, *gate = map(torch.from_numpy, self._session.run(None, inputs))
        return Output(logits, gate[0] if gate else None)


def _session(path: Path, device: torch.device) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('onnxruntime is not installed: pip install onnxruntime') from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # what the user set for torch
    providers: list = [CPU]
    if device.type == 'cuda':
        providers.insert(0, ('CUDAExecutionProvider', {'device_id': device.index or 0}))
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its exceptions have no common class
        raise ValueError(f'{path} is damaged, or no ONNX file: {error}') from error
    if device.type != 'cpu' and session.get_providers()[0] == CPU:  # it falls back by itself
        raise ValueError(
            f'onnxruntime cannot run on {device} here, it offers '
            f'{onnxruntime.get_available_providers()}; for CUDA: pip install onnxruntime-gpu'
        )
    return session
