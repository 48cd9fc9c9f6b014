import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from mmengine import Config
from mmengine.infer import BaseInferencer
from mmengine.model import revert_sync_batchnorm
from torch.utils.data import DataLoader

from mmomni.checkpoints import build_fitting, inference_config, read_checkpoint
from mmomni.evaluation.functional import IMAGE_POOLINGS
from mmomni.jpeg.limits import MAX_PIXELS
from mmomni.registry import INFERENCERS

from .inputs import Input, Source, sources_of
from .network import AUTO, Network, Precision, TorchNetwork, fuse_norms, precision_on
from .results import Failure, Prediction, choice_of_gate, draw_overlay, find_regions, score_of
from .samples import Sample, Samples, try_to_read
from .tiling import WINDOW, Map, predict_maps
from .windows import GRID, plan_windows

OUT_OF_MEMORY = (MemoryError, torch.cuda.OutOfMemoryError)
CPU_ALLOCATION = "can't allocate memory"
"""What torch's CPU allocator says, in a plain ``RuntimeError``, when memory is short."""


@INFERENCERS.register_module()
class ManipulationInferencer(BaseInferencer):
    """Localise tampering in single images: files, folders, globs, bytes, arrays, Pillow's images.

    ::

        inferencer = ManipulationInferencer(weights='omni-iml.pth')
        for result in inferencer.stream('suspicious/'):      # Prediction or Failure, in order
            print(result.source, getattr(result, 'score', 'unreadable'))

    Called like the host's inferencers it returns ``dict(predictions=[Prediction, ...],
    failures=[Failure, ...], visualization=[...])``, which holds everything in memory; ``stream``
    holds one batch. Images are always read at full size with their own JPEG coefficients; those
    larger than a window pass in windows that share their context (see :mod:`.tiling`).

    Args:
        model: Config (file, dict or ``Config``); default: the one inside of the checkpoint.
        weights: Published checkpoint (see docs/checkpoints.md), or an ``.onnx`` file with
            ``backend='onnx'``.
        device: Default: the accelerator if there is one.
        scope: Of the config's types.
        show_progress: Show a bar when called; ``stream`` never does.
        trust_checkpoint: Also load a raw training checkpoint. Loading one can run code that it
            contains.
        backend: ``'torch'`` or ``'onnx'``.
        max_pixels: Larger images are refused before they are decoded.
        window: Side of a window in pixels, a multiple of 32; a quarter of it overlaps.
        precision: ``'fp32'``, ``'bf16'`` (autocast to bfloat16; PyTorch only), or ``'auto'``:
            bfloat16 on CUDA from compute capability 8 on, else single precision.

    Raises:
        ValueError: There are no weights, they cannot be trusted or do not fit the config; or the
            precision is none, or not one of the backend.
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
        if weights is None:
            raise ValueError('expected weights: the path of a published checkpoint, got none')
        self.trust_checkpoint = trust_checkpoint
        self.backend = backend
        precision_on(torch.device('cpu'), precision)  # refuse a wrong one before the work
        self._asked_precision = precision
        self.max_pixels = max_pixels
        self.window = window
        self.overlap = max(GRID, window // 4 // GRID * GRID)
        plan_windows(1, 1, window, self.overlap)  # refuse a wrong size before the work
        super().__init__(model, str(weights), device, scope, show_progress)

    # ---- building ---------------------------------------------------------------------------

    def _init_model(self, cfg: Config, weights: str, device: str = 'cpu') -> Network:
        """What maps planes to logits: the stock segmentor without training-only heads."""
        if self.backend == 'onnx':
            from .onnx import OnnxNetwork

            _demand_precision_of_onnx(self._asked_precision)
            exported = OnnxNetwork(weights, device)
            self.calibrations = exported.description.calibrations
            self.card = exported.description.card
            return exported
        checkpoint = read_checkpoint(weights, self.trust_checkpoint)
        self.calibrations = checkpoint.calibrations
        self.card = checkpoint.card
        config = inference_config(Config(dict(cfg))) if cfg else checkpoint.config
        if config is None:
            raise ValueError(f'{weights} holds no config; give the one it was trained with')
        try:
            model = revert_sync_batchnorm(build_fitting(config, checkpoint))
        except ValueError as error:
            given = getattr(cfg, 'filename', None)
            names = f'{weights} with {given}' if given else weights
            raise ValueError(f'{names}: {error}') from error
        fuse_norms(model)
        network = TorchNetwork(model.to(device).eval())
        network.precision = precision_on(network.device, self._asked_precision)
        return network

    @property
    def precision(self) -> Precision:
        """In which the network computes; to be set to ``'fp32'`` or ``'bf16'`` at any time."""
        return self.model.precision if isinstance(self.model, TorchNetwork) else 'fp32'

    @precision.setter
    def precision(self, value: Precision) -> None:
        if isinstance(self.model, TorchNetwork):
            self.model.precision = precision_on(self.model.device, value)
        else:
            _demand_precision_of_onnx(value)

    def _init_pipeline(self, cfg: Config) -> Callable[[Source], Sample | Failure]:
        return partial(try_to_read, max_pixels=self.max_pixels)

    def _init_collate(self, cfg: Config) -> Callable[[list], list]:
        return list

    def _init_visualizer(self, cfg: Config) -> None:
        """None: :func:`draw_overlay` needs no state."""

    # ---- running ----------------------------------------------------------------------------

    def stream(
        self,
        inputs: Input | Iterable[Input],
        batch_size: int = 1,
        workers: int = 0,
        threshold: float = 0.5,
        pooling: str = 'top_k_mean',
    ) -> Iterator[Prediction | Failure]:
        """One result for each image, in order, as soon as its batch is done.

        Args:
            inputs: A path, folder, glob, list of files, the bytes of a file, a file opened with
                ``'rb'``, a BGR array, an image of Pillow's, or many of these. Of a TIFF and PDF,
                each picture has a result.
            batch_size: Images of equal size among so many consecutive ones pass together.
            workers: Processes that read files; 0: this one.
            threshold: See :meth:`forward`.
            pooling: Likewise.
        """
        sources = self._inputs_to_list(inputs)
        for batch in self.preprocess(sources, batch_size, workers):
            yield from self.forward(batch, threshold, pooling)

    def _inputs_to_list(self, inputs: Input | Iterable[Input]) -> list[Source]:
        return sources_of(inputs)

    def preprocess(
        self, inputs: Sequence[Source], batch_size: int = 1, workers: int = 0
    ) -> Iterator[list[Sample | Failure]]:
        """Read images, in batches."""
        dataset = Samples(inputs, self.pipeline)
        yield from DataLoader(dataset, batch_size, num_workers=workers, collate_fn=self.collate_fn)

    @torch.inference_mode()
    def forward(
        self,
        inputs: Sequence[Sample | Failure],
        threshold: float = 0.5,
        pooling: str = 'top_k_mean',
    ) -> list[Prediction | Failure]:
        """Predict a batch; images of equal size pass together.

        Args:
            inputs: Of :meth:`preprocess`.
            threshold: Pixels with a higher probability are called tampered.
            pooling: How the map becomes the image's score, one of ``IMAGE_POOLINGS``.

        Raises:
            ValueError: The threshold is no probability, or there is no such pooling.
        """
        if not 0 <= threshold <= 1:
            raise ValueError(f'expected a threshold between 0 and 1, got {threshold}')
        if pooling not in IMAGE_POOLINGS:
            raise ValueError(f'expected pooling to be one of {IMAGE_POOLINGS}, got {pooling!r}')
        results: dict[int, Prediction | Failure] = {}
        by_size: dict[tuple[int, ...], list[tuple[int, Sample]]] = defaultdict(list)
        for number, item in enumerate(inputs):
            if isinstance(item, Failure):
                results[number] = item
            else:
                by_size[tuple(item.planes.shape)].append((number, item))
        for group in by_size.values():
            numbers, samples = zip(*group, strict=True)
            results.update(zip(numbers, self._predict(samples, threshold, pooling), strict=True))
        return [results[number] for number in range(len(inputs))]

    def _predict(
        self, samples: Sequence[Sample], threshold: float, pooling: str
    ) -> list[Prediction | Failure]:
        """Images of one size."""
        start = time.perf_counter()
        maps = self._maps([sample.planes for sample in samples])
        if isinstance(maps, str):
            if len(samples) > 1:
                return [self._predict([sample], threshold, pooling)[0] for sample in samples]
            return [Failure(samples[0].source, maps)]
        seconds = (time.perf_counter() - start) / len(samples)
        return [
            self._result(sample, found, sample.seconds + seconds, threshold, pooling)
            for sample, found in zip(samples, maps, strict=True)
        ]

    def _maps(self, planes: Sequence[torch.Tensor]) -> list[Map] | str:
        """Maps of images of one size, or why there is not enough memory for them."""
        try:
            return predict_maps(self.model, planes, self.window, self.overlap)
        except (MemoryError, RuntimeError) as error:  # on the CPU, torch has no type of its own
            if not (isinstance(error, OUT_OF_MEMORY) or CPU_ALLOCATION in str(error)):
                raise
            return (
                f'not enough memory for an image of this size in windows of {self.window} px '
                f'({str(error).splitlines()[0]}); take a smaller window'
            )

    def _result(
        self, sample: Sample, found: Map, seconds: float, threshold: float, pooling: str
    ) -> Prediction | Failure:
        try:
            score = score_of(found.log_odds, pooling)
            gate = None if found.gate is None else choice_of_gate(found.gate)
        except ValueError as error:  # not a number
            return Failure(sample.source, str(error))
        probability = found.log_odds.sigmoid_().numpy()
        mask = (probability > threshold).astype(np.uint8)
        return Prediction(
            source=sample.source,
            image=sample.image,
            probability=probability,
            threshold=threshold,
            mask=mask,
            score=score,
            pooling=pooling,
            regions=find_regions(mask, probability),
            gate=gate,
            dct_source=sample.dct_source,
            orientation=sample.orientation,
            windows=found.windows,
            seconds=seconds,
            warnings=sample.warnings + found.warnings,
            flaws=sample.flaws,
            precision=self.precision,
        )

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


def _demand_precision_of_onnx(precision: str) -> None:
    if precision == 'bf16':
        raise ValueError(
            "precision='bf16' is for backend='torch': an exported network computes as it was "
            "exported, in 'fp32'; leave it out"
        )
