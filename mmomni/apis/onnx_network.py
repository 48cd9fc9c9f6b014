"""Run an exported network with ONNX Runtime; nothing here needs torch or OpenMMLab."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmomni.checkpoints import DESCRIPTION, parse_description
from mmomni.utils.digests import demand_digest
from mmomni.utils.processors import usable_processors

from .network import DeviceError, Output, Precision, demand_precision_of_onnx
from .onnx_form import (
    CONTEXT,
    GATE,
    KEY,
    LOG_ODDS,
    LOG_WEIGHTS,
    MEANS,
    PLANES,
    REMEDY,
    TOLD,
    parse_graph,
)
from .windows import GRID, Side, Window

CPU, CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'
THREADS = 'OMP_NUM_THREADS'
"""As for torch: the environment variable that says how many threads compute."""
WAITING = 'OMP_WAIT_POLICY'
"""Likewise, whether those that wait spin; the commands say not, beside other programs."""
ALLOCATION = ('Failed to allocate memory', 'bad allocation')
"""What ONNX Runtime says when memory is short; its exceptions have no common class."""


logger = logging.getLogger(__name__)


class OnnxNetwork:
    """A file of :func:`~mmomni.apis.onnx_export.export_onnx` as a :class:`~.network.Network`.

    It needs nothing but the file: config, thresholds and model card are inside. Images of a batch
    pass one after another. It runs on as many threads as ``OMP_NUM_THREADS`` says, or as there are
    processors for this process.

    Args:
        path: The file; digits of a digest at the end of its name are compared with its content.
        device: ``'cpu'`` or ``'cuda'``, with a number if need be; ``None``: the CPU.

    Attributes:
        description: Config, calibrations and card: :class:`~mmomni.checkpoints.Description`.
        graph: See :class:`~.onnx_form.Graph`.

    Raises:
        DeviceError: The device cannot be used.
        FileNotFoundError: There is no file.
        ImportError: onnxruntime is not installed.
        ValueError: The file is damaged, is no ONNX file, was not exported by us, or in another
            form; or what it says of itself is unsafe.
    """

    def __init__(self, path: str | Path, device: str | None = None) -> None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'expected an ONNX file, found none: {path}')
        demand_digest(path)
        self._session = _session(path, device or 'cpu')
        self.on_cpu = self._session.get_providers()[0] == CPU
        metadata = self._session.get_modelmeta().custom_metadata_map
        text = metadata.get(DESCRIPTION)
        if text is None:
            raise ValueError(
                f'{path} is an ONNX file of somebody else: it does not tell its config; {REMEDY}'
            )
        self.description = parse_description(text, path)
        self.graph = parse_graph(metadata.get(KEY), path)
        shapes = {each.name: each.shape for each in self._session.get_inputs()}
        self._inputs = list(shapes)
        self._outputs = [each.name for each in self._session.get_outputs()]
        shared = [MEANS, LOG_WEIGHTS] if self.graph.length else []
        if not (
            {PLANES} <= set(shapes) <= self.graph.inputs
            and shapes.get(CONTEXT, [self.graph.length]) == [self.graph.length]
            and {LOG_ODDS, *shared} <= set(self._outputs)
        ):
            raise ValueError(
                f'{path} is damaged: its graph has other inputs than it says, or other outputs; '
                f'{REMEDY}'
            )
        self._untold = np.zeros(self.graph.length, np.float32)
        self._sharing: SharedValues | None = None

    @property
    def precision(self) -> Precision:
        return 'fp32'

    @precision.setter
    def precision(self, value: Precision) -> None:
        demand_precision_of_onnx(value)

    @contextmanager
    def sharing(self) -> Iterator['SharedValues']:
        """See :class:`~.network.Network`."""
        self._sharing = SharedValues(self.graph.length, self.graph.complete)
        try:
            yield self._sharing
        finally:
            self._sharing = None
        if self.on_cpu:  # what it took for windows, it keeps: a gigabyte
            self._give_memory_back()

    def _give_memory_back(self) -> None:
        """By a run of the smallest image that there is; the results before are whole without."""
        failures = _failures_of_a_run()
        try:
            self._run(np.zeros((5, GRID, GRID), np.uint8), _returning_memory())
        except failures as error:
            reason = ' '.join(str(error).split())
            logger.warning('ONNX Runtime keeps the memory of a large image: %.200s', reason)

    def __call__(self, planes: np.ndarray) -> Output:
        """See :class:`~.network.Network`."""
        results = [self._run(sample) for sample in planes]
        log_odds = np.concatenate([each[LOG_ODDS] for each in results])
        if GATE not in self._outputs:
            return Output(log_odds, None)
        return Output(log_odds, np.concatenate([each[GATE] for each in results]))

    def _run(self, sample: np.ndarray, options: Any = None) -> dict[str, np.ndarray]:
        """Planes (5, H, W); options are onnxruntime's ``RunOptions``."""
        sharing, context = self._sharing, None
        if sharing is None:
            window = Window(*(Side(0, n, np.ones(n)) for n in sample.shape[1:]))
        else:
            window, context = sharing.window, sharing.context
        told = context is not None
        values: dict[str, np.ndarray] = {
            PLANES: sample[None],
            TOLD: np.array(told),
            CONTEXT: self._untold if context is None else context,
        }
        values |= {operand.name: operand.of(window, told) for operand in self.graph.operands}
        inputs = {name: values[name] for name in self._inputs}
        try:
            outputs = self._session.run(None, inputs, options)
        except Exception as error:
            if not any(words in str(error) for words in ALLOCATION):
                raise
            raise MemoryError(str(error).partition('\n')[0]) from error
        results = dict(zip(self._outputs, outputs, strict=True))
        if sharing is not None and self.graph.length:
            sharing.add(results[MEANS][0], results[LOG_WEIGHTS][0])
        return results


class SharedValues:
    """What windows of an image say about the whole of it, as :class:`.SharedContext` has it.

    Attributes:
        window: That the network sees.
        context: What the whole image says: of the pass before, ``None`` in the first one;
            ``float32`` (length,).
    """

    def __init__(self, length: int, complete: bool) -> None:
        self.shares = length > 0
        self.complete = complete
        self.context: np.ndarray | None = None
        self._length = length
        self._forget()

    def begin(self, window: Window) -> None:
        """See :class:`~.network.Sharing`."""
        self.window = window

    def end_pass(self) -> None:
        """Likewise."""
        if self.shares:
            self.context = self._means.astype(np.float32)
            self._forget()

    def _forget(self) -> None:
        self._means = np.zeros(self._length)
        self._log_weights = np.full(self._length, -np.inf)

    def add(self, means: np.ndarray, log_weights: np.ndarray) -> None:
        """Merge a window's part, weighted, (length,) each.

        Weights are kept as logarithms: those of an attention are sums of exponentials.
        """
        total = np.logaddexp(self._log_weights, log_weights)
        with np.errstate(invalid='ignore'):  # 0, not NaN, where neither part has any weight
            mine, others = (
                np.nan_to_num(np.exp(part - total)) for part in (self._log_weights, log_weights)
            )
        self._means = mine * self._means + others * means
        self._log_weights = total


def _session(path: Path, device: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('onnxruntime is not installed: pip install onnxruntime') from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 4  # its warnings are for whoever writes graphs; errors are raised
    options.enable_mem_pattern = False  # of each size of image: as fast, and half the memory
    if os.environ.get(WAITING, '').lower() == 'passive':
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    providers: list = [CPU]
    kind, _, number = device.partition(':')
    offered = onnxruntime.get_available_providers()
    if kind == 'cuda' and CUDA in offered and (not number or number.isdecimal()):
        providers.insert(0, (CUDA, {'device_id': int(number or 0)}))
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its exceptions have no common class
        reason = _reason(error)
        raise ValueError(
            f'{path} is damaged, or no ONNX file: {reason:.200}; download it anew, or {REMEDY}'
        ) from error
    if device != 'cpu' and session.get_providers()[0] == CPU:  # it falls back by itself
        raise DeviceError(
            f'onnxruntime cannot run on {device} here, it offers {offered}; for CUDA: pip install '
            'onnxruntime-gpu'
        )
    return session


def _reason(error: Exception) -> str:
    """What ONNX Runtime says against a file, without its codes and the path."""
    words = re.sub(r'\[ONNXRuntimeError\] : \d+ : \w+ : ', '', ' '.join(str(error).split()))
    words = re.sub(r'^Load model from .* failed: ?', '', words)
    return 'it has not the form of one' if 'rotobuf parsing failed' in words else words.rstrip('.')


def _returning_memory() -> Any:
    """Options of a run after which memory goes back to the system: large images leave it little."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry('memory.enable_memory_arena_shrinkage', 'cpu:0')
    return options


def _failures_of_a_run() -> tuple[type[Exception], ...]:
    """What a run raises that a session cannot do; they have no class in common."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return MemoryError, state.Fail, state.InvalidArgument, state.RuntimeException


def _threads() -> int:
    asked = os.environ.get(THREADS, '').partition(',')[0]
    return max(1, int(asked)) if asked.isdecimal() else usable_processors()
