"""From images to predictions, by any :class:`~.network.Network`."""

import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmomni.evaluation.image_score import IMAGE_POOLINGS
from mmomni.jpeg.limits import MAX_PIXELS
from mmomni.utils.arrays import sigmoid

from .inputs import Input, Source, sources_of
from .network import AUTO, Network, Precision, demand_precision, demand_precision_of_onnx
from .reading import read_in_batches
from .results import Failure, Prediction, choice_of_gate, find_regions, score_of
from .samples import Sample, try_to_read
from .tiling import WINDOW, Map, OnWindow, not_told, predict_maps
from .weights import Backend, chosen_weights
from .windows import plan_windows

if TYPE_CHECKING:
    from mmengine.config import Config


class Predictor:
    """Localise tampering in single images: files, folders, globs, bytes, arrays, Pillow's images.

    ::

        predictor = open_predictor()
        for result in predictor.stream('suspicious/'):      # Prediction or Failure, in order
            print(result.source, getattr(result, 'score', 'unreadable'))

    Images are always read at full size with their own JPEG coefficients; those larger than a window
    pass in windows that share their context (see :mod:`.tiling`). It needs neither torch nor
    OpenMMLab, unless the network does.

    Args:
        network: What is asked. One thread at a time may do so.
        calibrations: Thresholds that its weights carry.
        card: Their model card.
        max_pixels: Larger images are refused before they are decoded.
        window: Side of a window in pixels, a multiple of 32 from 64 on; see :func:`.plan_windows`.

    Attributes:
        on_window: Told of each window of a large image; see :data:`.tiling.OnWindow`.

    Raises:
        ValueError: The window is no such number.
    """

    def __init__(
        self,
        network: Network,
        calibrations: Sequence[dict[str, Any]] = (),
        card: Mapping[str, Any] | None = None,
        max_pixels: int = MAX_PIXELS,
        window: int = WINDOW,
    ) -> None:
        self.network = network
        self.calibrations = tuple(calibrations)
        self.card = dict(card or {})
        self.max_pixels = max_pixels
        self.window = window
        plan_windows(1, 1, window)  # refuses what is none
        self.on_window: OnWindow = not_told

    @property
    def precision(self) -> Precision:
        """In which the network computes; to be set to ``'fp32'`` or ``'bf16'`` at any time."""
        return self.network.precision

    @precision.setter
    def precision(self, value: Precision) -> None:
        self.network.precision = value

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
            workers: Processes that read files, see :func:`.read_in_batches`; 0: this one.
            threshold: See :meth:`forward`.
            pooling: Likewise.
        """
        for batch in self.preprocess(sources_of(inputs), batch_size, workers):
            results = self.forward(batch, threshold, pooling)
            del batch  # its planes take more memory than the results, which may be large to write
            yield from results

    def preprocess(
        self, inputs: Sequence[Source], batch_size: int = 1, workers: int = 0
    ) -> Iterator[list[Sample | Failure]]:
        """Read images, in batches."""
        read = partial(try_to_read, max_pixels=self.max_pixels)
        return read_in_batches(inputs, read, batch_size, workers)

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
                by_size[item.planes.shape].append((number, item))
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

    def _maps(self, planes: Sequence[np.ndarray]) -> list[Map] | str:
        """Maps of images of one size, or why there is not enough memory for them."""
        try:
            return predict_maps(
                self.network, planes, self.window, on_window=self.on_window
            )
        except MemoryError as error:
            return (
                f'not enough memory for an image of this size in windows of {self.window} px '
                f'({error}); take a smaller window'
            )

    def _result(
        self, sample: Sample, found: Map, seconds: float, threshold: float, pooling: str
    ) -> Prediction | Failure:
        try:
            score = score_of(found.log_odds, pooling)
            gate = None if found.gate is None else choice_of_gate(found.gate)
        except ValueError as error:  # not a number
            return Failure(sample.source, str(error))
        probability = sigmoid(found.log_odds, out=found.log_odds)
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
            damage=sample.damage,
            precision=self.precision,
        )


def open_predictor(
    weights: str | Path | None = None,
    *,
    config: 'str | dict | Config | None' = None,
    device: str | None = None,
    backend: Backend | Literal['auto'] = 'auto',
    trust_checkpoint: bool = False,
    precision: Precision | Literal['auto'] = AUTO,
    max_pixels: int = MAX_PIXELS,
    window: int = WINDOW,
) -> Predictor:
    """Open weights, by torch or by ONNX Runtime; a warning names those that nobody has named.

    Args:
        weights: See :func:`.chosen_weights`.
        config: A file or a whole config; ``None``: the one inside of the weights.
        device: ``None``: with torch the accelerator if there is one, else the CPU.
        backend: See :func:`.chosen_weights`.
        trust_checkpoint: Also load a raw training checkpoint. Loading one can run code that it
            contains.
        precision: ``'fp32'``, ``'bf16'`` (autocast to bfloat16; PyTorch only), or ``'auto'``:
            bfloat16 on CUDA from compute capability 8 on, else single precision.
        max_pixels: See :class:`Predictor`.
        window: Likewise.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: What they need is not installed.
        ValueError: They cannot be used or trusted, or do not fit the config; device, precision or
            window are none, or not those of the backend.
    """
    demand_precision(precision)  # a wrong one is refused before the work
    plan_windows(1, 1, window)
    path, kind, note = chosen_weights(weights, backend)
    if note:
        warnings.warn(note, stacklevel=2)
    if kind == 'onnx':
        demand_precision_of_onnx(precision)
        if config:
            raise ValueError(
                f'{path}: expected no config beside an .onnx file, which holds its own; leave out '
                'the other'
            )
        from .onnx_network import OnnxNetwork

        network = OnnxNetwork(path, device)
        _, calibrations, card = network.description
        return Predictor(network, calibrations, card, max_pixels, window)
    from .torch_network import open_torch_network

    opened = open_torch_network(path, config, device, precision, trust_checkpoint)
    return Predictor(*opened, max_pixels, window)
