import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from mmengine import Config
from mmengine.infer import BaseInferencer

from mmomni.jpeg.limits import MAX_PIXELS
from mmomni.registry import INFERENCERS

from .inputs import Input, Source, sources_of
from .network import AUTO, Network, Precision
from .predictor import Predictor, open_predictor
from .reading import read_in_batches
from .results import Failure, Prediction, draw_overlay
from .samples import Sample, try_to_read
from .tiling import WINDOW
from .torch_network import Segmentor, TorchNetwork
from .weights import chosen_weights


@INFERENCERS.register_module()
class ManipulationInferencer(BaseInferencer):
    """:class:`~mmomni.apis.Predictor` with the interface of the host's inferencers.

    ::

        inferencer = ManipulationInferencer(weights='omni-iml.pth')
        for result in inferencer.stream('suspicious/'):      # Prediction or Failure, in order
            print(result.source, getattr(result, 'score', 'unreadable'))

    Called like the host's inferencers it returns ``dict(predictions=[Prediction, ...],
    failures=[Failure, ...], visualization=[...])``, which holds everything in memory; ``stream``
    holds one batch.

    Args:
        model: Config (file, dict or ``Config``); default: the one inside of the checkpoint.
        weights: Published checkpoint (see docs/checkpoints.md), or an ``.onnx`` file with
            ``backend='onnx'``; default: those of the package, of which a warning
            tells; beside a config there is no default.
        device: Default: the accelerator if there is one.
        scope: Of the config's types.
        show_progress: Show a bar when called; ``stream`` never does.
        trust_checkpoint: See :func:`~mmomni.apis.open_predictor`.
        backend: ``'torch'`` or ``'onnx'``.
        max_pixels: See :class:`~mmomni.apis.Predictor`.
        window: Likewise.
        precision: See :func:`~mmomni.apis.open_predictor`.

    Attributes:
        predictor: What predicts.
        model: The segmentor without training-only heads; of an ``.onnx`` file the network.

    Raises:
        ValueError: There is a config without weights; they cannot be used or trusted, or do not fit
            it; or the precision is none, or not one of the backend.
    """

    preprocess_kwargs = {'workers'}  # noqa: RUF012  (the host's class attributes are sets)
    forward_kwargs = {'threshold', 'pooling'}  # noqa: RUF012
    visualize_kwargs = {'return_vis'}  # noqa: RUF012

    def __init__(
        self,
        model: str | dict | Config | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        scope: str = 'mmseg',
        show_progress: bool = True,
        *,
        trust_checkpoint: bool = False,
        backend: Literal['torch', 'onnx'] = 'torch',
        max_pixels: int = MAX_PIXELS,
        window: int = WINDOW,
        precision: Literal['auto', 'fp32', 'bf16'] = AUTO,
    ) -> None:
        if weights is None and model is not None:
            raise ValueError('expected weights beside the config, got none')
        if weights is None:
            weights, _, note = chosen_weights(None, backend)
            warnings.warn(note, stacklevel=2)
        self._open = partial(
            open_predictor, backend=backend, trust_checkpoint=trust_checkpoint,
            precision=precision, max_pixels=max_pixels, window=window,
        )  # fmt: skip
        self.backend = backend
        self._device = device
        super().__init__(model, str(weights), device, scope, show_progress)

    # ---- building ---------------------------------------------------------------------------

    def _init_model(self, cfg: Config, weights: str, device: str = 'cpu') -> Segmentor | Network:
        # Not ``device``: the host has chosen one, which may be none of the backend's.
        self.predictor: Predictor = self._open(weights, config=cfg or None, device=self._device)
        network = self.predictor.network
        return network.segmentor if isinstance(network, TorchNetwork) else network

    def _init_pipeline(self, cfg: Config) -> Callable[[Source], Sample | Failure]:
        return partial(try_to_read, max_pixels=self.predictor.max_pixels)

    def _init_collate(self, cfg: Config) -> Callable[[list], list]:
        return list

    def _init_visualizer(self, cfg: Config) -> None:
        """None: :func:`draw_overlay` needs no state."""

    @property
    def calibrations(self) -> tuple[dict, ...]:
        """Thresholds that the weights carry."""
        return self.predictor.calibrations

    @property
    def card(self) -> dict:
        """The model card of the weights."""
        return self.predictor.card

    @property
    def precision(self) -> Precision:
        """In which the network computes; to be set to ``'fp32'`` or ``'bf16'`` at any time."""
        return self.predictor.precision

    @precision.setter
    def precision(self, value: Precision) -> None:
        self.predictor.precision = value

    # ---- running ----------------------------------------------------------------------------

    def stream(
        self,
        inputs: Input | Iterable[Input],
        batch_size: int = 1,
        workers: int = 0,
        threshold: float = 0.5,
        pooling: str = 'top_k_mean',
    ) -> Iterator[Prediction | Failure]:
        """See :meth:`mmomni.apis.Predictor.stream`."""
        for batch in self.preprocess(sources_of(inputs), batch_size, workers):
            results = self.forward(batch, threshold, pooling)
            del batch  # its planes take more memory than the results, which may be large to write
            yield from results

    def _inputs_to_list(self, inputs: Input | Iterable[Input]) -> list[Source]:
        return sources_of(inputs)

    def preprocess(
        self, inputs: Sequence[Source], batch_size: int = 1, workers: int = 0
    ) -> Iterator[list[Sample | Failure]]:
        """Read images, in batches, by ``pipeline``, which the host lets be exchanged."""
        return read_in_batches(inputs, self.pipeline, batch_size, workers)

    def forward(
        self,
        inputs: Sequence[Sample | Failure],
        threshold: float = 0.5,
        pooling: str = 'top_k_mean',
    ) -> list[Prediction | Failure]:
        """See :meth:`mmomni.apis.Predictor.forward`."""
        return self.predictor.forward(inputs, threshold, pooling)

    def visualize(
        self, inputs: list, preds: Sequence[Prediction | Failure], return_vis: bool = False
    ) -> list[np.ndarray]:
        """Overlays, RGB, turned as a viewer shows the photo; none unless ``return_vis``."""
        return [
            draw_overlay(result)
            for result in preds
            if isinstance(result, Prediction) and return_vis
        ]

    def postprocess(
        self,
        preds: Sequence[Prediction | Failure],
        visualization: list[np.ndarray],
        return_datasamples: bool = False,
    ) -> dict[str, list]:
        """Sort results into ``predictions`` and ``failures``, beside ``visualization``."""
        return dict(
            predictions=[p for p in preds if isinstance(p, Prediction)],
            failures=[p for p in preds if isinstance(p, Failure)],
            visualization=visualization,
        )
