"""What a worker does with a shard."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from mmomni.apis.inputs import Input, Source, pictures_as_sources
from mmomni.apis.results import Failure, Prediction
from mmomni.reporting import ImageThreshold, PredictionsInMemory, assign_names
from mmomni.reporting.image_files import ImageFile
from mmomni.reporting.writing import Outcome, outcomes_of

from .archive import planned_files
from .begun import REASON, Begun
from .shards import Count, Shard, ShardWriter

MOST_UNEXPECTED = 10
"""So many images in a row may end with an error that is none of their own; then it is ours."""


class Streams(Protocol):
    """What predicts; :class:`~mmomni.apis.ManipulationInferencer` does."""

    def stream(
        self, inputs: Sequence[Input], batch_size: int, workers: int, threshold: float,
        pooling: str,
    ) -> Iterator[Prediction | Failure]: ...  # fmt: skip


Opener = Callable[[], tuple[Streams, dict[str, Any], ImageThreshold | None]]
"""Opens the model in the worker, as :func:`mmomni.cli.model.open_model` does."""


class Options(NamedTuple):
    """What is written, and how many images of equal size pass together."""

    formats: Collection[str] = ('png', 'json')
    views: Collection[str] = ()
    batch_size: int = 1


class ShardExaminer:
    """Examines shards with one model that stays open: the stateful part of ``map_batches``.

    Args:
        root: The archive.
        opener: Called once, here, in the worker.
        settings: What the opened model must be like, so that all workers agree.
        options: See :class:`Options`.

    Raises:
        ValueError: The model of this worker is another, or computes otherwise.
    """

    def __init__(
        self, root: Path, opener: Opener, settings: Mapping[str, Any], options: Options
    ) -> None:
        self._root = root
        predictor, found, limit = opener()
        for name, value in settings.items():
            if found.get(name) != value:
                raise ValueError(
                    f'expected workers with one {name}, {value!r}, got {found.get(name)!r} on '
                    'another machine; give --precision and --device, or machines of one kind'
                )
        self._batch_size = options.batch_size
        self._unexpected = 0
        self._results = PredictionsInMemory(found, options.formats, limit, options.views)

        def predict(sources: Sequence[Source]) -> Iterator[Prediction | Failure]:
            return predictor.stream(
                sources, options.batch_size, 0, found['threshold'], found['pooling']
            )

        self._predict = predict

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Examine ``batch['shard']``; gives their numbers and :class:`Count`, by columns."""
        counts = [self.examine(int(number)) for number in batch['shard']]
        columns = {name: np.array([getattr(c, name) for c in counts]) for name in Count._fields}
        return dict(columns, shard=batch['shard'])

    def examine(self, number: int) -> Count:
        """Examine a shard and write it; one that is done is left as it is."""
        shard = Shard(self._root, number)
        if (count := shard.counted()) is not None:  # of a worker that died after it
            return count
        files = planned_files(self._root, number)
        begun = Begun(shard.begun)
        names: dict[Path, str] = {}
        with ShardWriter(shard) as writer:
            for chunk in begun.chunks(len(files), self._batch_size):
                if begun.refuses(chunk[0]):
                    writer.add_failure(files[chunk[0]], REASON)
                    continue
                begun.begin(chunk)
                self._examine([files[place] for place in chunk], names, writer)
            begun.begin([])
            count = writer.close(len(files))
        begun.forget()
        return count

    def _examine(
        self, files: Sequence[ImageFile], names: dict[Path, str], writer: ShardWriter
    ) -> None:
        """Files with all their pictures; ``names`` are those that are taken in this shard."""
        images = [image for file in files for image in self._pictures_of(file, writer)]
        names.update(assign_names(images, names))
        results = self._results
        for start in range(0, len(images), self._batch_size):
            for image, outcome in self._outcomes(images[start : start + self._batch_size]):
                if isinstance(outcome, str):
                    writer.add_failure(image, outcome.removeprefix(f'{image.path}: '))
                else:
                    results.add(image, names[image.key], *outcome)
                    writer.add(results.records.pop(str(image.key)), results.contents)
                    results.contents.clear()

    def _outcomes(self, images: Sequence[ImageFile]) -> list[tuple[ImageFile, Outcome]]:
        """What became of a batch; no image ends the run.

        Raises:
            Exception: The same with several images in a row: it is not their fault.
        """
        try:
            found = list(outcomes_of(images, self._predict))
        except Exception as error:  # noqa: BLE001  (raised again if it is no image's)
            if len(images) > 1:
                return [each for image in images for each in self._outcomes([image])]
            return [(images[0], self._reason(error))]
        self._unexpected = 0
        return found

    def _pictures_of(self, file: ImageFile, writer: ShardWriter) -> list[ImageFile]:
        """The images in a file of the plan, which has not been opened yet; none if it failed."""
        try:
            sources = pictures_as_sources(file.path, str(file.path))
        except Exception as error:  # noqa: BLE001  (likewise)
            writer.add_failure(file, self._reason(error))
            return []
        return [file._replace(picture=source.picture) for source in sources]

    def _reason(self, error: Exception) -> str:
        """Why an image failed that ended with an error of the code; raises some in a row."""
        self._unexpected += 1
        if self._unexpected >= MOST_UNEXPECTED:
            raise error
        return f'examining it ended with {type(error).__name__}: {error}'
