"""Predictions of images with their records and files, wherever these are kept."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from mmomni.apis.results import Prediction
from mmomni.version import __version__

from . import pictures
from .account import Account
from .image_files import ImageFile, shown_name
from .record import FileState, make_record
from .verdict import ImageThreshold

FORMATS = ('png', 'npz', 'json')
REPORT_FILES = 'report_files'


class Predictions(ABC):
    """Records of predictions, and the pictures and maps that go with them.

    Args:
        settings: All that results depend on, besides the files; values that JSON can hold.
            ``checkpoint``, ``checkpoint_sha256`` and ``threshold`` are among them; ``model``
            can be: see :func:`~mmomni.reporting.model_card.model_summary`.
        formats: ``'png'``: mask, heat map and overlay; ``'npz'``: the probability; ``'json'``: no
            file more than there is anyway.
        image_threshold: For the verdict; ``None``: there is none.

    Attributes:
        records: What is known of each image, by its key, which is its path where it is the only
            one of its file.
        failures: Likewise, why others could not be predicted.
        account: What became of every file of this run, once that is known.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        formats: Collection[str],
        image_threshold: ImageThreshold | None = None,
    ) -> None:
        self.formats = formats
        self.image_threshold = image_threshold
        limit = None if image_threshold is None else image_threshold.as_setting()
        self.settings = dict(settings, formats=sorted(formats), image_threshold=limit)
        self.records: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, dict[str, Any]] = {}
        self.account: Account | None = None

    @abstractmethod
    def read(self, file: str) -> bytes | None:
        """A file by its relative path; ``None``: there is none."""

    @abstractmethod
    def size(self, file: str) -> int | None:
        """Its bytes; ``None``: there is none."""

    @abstractmethod
    def _write(self, file: str, content: bytes) -> None:
        """Write a file, whole or not at all."""

    def _keep(self, file: ImageFile, record: dict[str, Any]) -> None:
        self.records[str(file.key)] = record

    def add(
        self, file: ImageFile, name: str, state: FileState, sha256: str, prediction: Prediction
    ) -> None:
        """Write the outputs of an image under a name of :func:`assign_names`, its record last.

        The state is that before the file was read: if it changes meanwhile, the next run sees that.
        """
        files, sizes = {}, {}
        for kind, output, content in self._outputs(name, prediction):
            self._write(output, content)
            files[kind] = output
            sizes[output] = len(content)
        for folder, content in pictures.report_pictures(prediction):
            output = report_file(folder, name)
            self._write(output, content)
            sizes[output] = len(content)
        record = dict(
            make_record(prediction, name, self.image_threshold),
            image=shown_name(str(file.relative), file.picture_name),
            path=str(file.path),
            **place_of(file),
            **state._asdict(),
            sha256=sha256,
            examined_at=datetime.now(timezone.utc).isoformat(timespec='seconds'),
            mmomni=__version__,
            files=files,
            output_bytes=sizes,
        )
        self._keep(file, record)

    def _outputs(self, name: str, prediction: Prediction) -> Iterator[tuple[str, str, bytes]]:
        """Kind, relative path and content of each file."""
        if 'png' in self.formats:
            yield 'mask', f'masks/{name}.png', pictures.mask_png(prediction)
            yield 'heat_map', f'heat_maps/{name}.png', pictures.heat_map_png(prediction)
            yield 'overlay', f'overlays/{name}.jpg', pictures.overlay_jpeg(prediction)
        if 'npz' in self.formats:
            yield 'probability', f'probabilities/{name}.npz', pictures.probability_npz(prediction)


class PredictionsInMemory(Predictions):
    """Predictions that leave nothing on the disk.

    Attributes:
        contents: Of every file, by its relative path.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        formats: Collection[str] = ('json',),
        image_threshold: ImageThreshold | None = None,
    ) -> None:
        super().__init__(settings, formats, image_threshold)
        self.contents: dict[str, bytes] = {}

    def read(self, file: str) -> bytes | None:
        return self.contents.get(file)

    def size(self, file: str) -> int | None:
        return len(self.contents[file]) if file in self.contents else None

    def _write(self, file: str, content: bytes) -> None:
        self.contents[file] = content


def report_file(folder: str, name: str) -> str:
    """A picture of ``report.html``, relative to the results."""
    return f'{REPORT_FILES}/{folder}/{name}.jpg'


def files_of(record: Mapping[str, Any]) -> Iterator[str]:
    """All files that belong to an image, by their relative paths."""
    yield from record['files'].values()
    for folder in ('images', 'heat_maps', 'thumbnails'):
        yield report_file(folder, record['name'])


def place_of(image: ImageFile) -> dict[str, Any]:
    """Which picture of its file it is, as a record says it."""
    page = None if image.picture is None else image.picture.page
    return dict(picture=image.picture_name, page=page)
