"""Predictions of images with their records and files, wherever these are kept."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from mmomni.apis.results import Prediction
from mmomni.evidence import Section
from mmomni.evidence.views import VIEWS
from mmomni.version import __version__

from . import pictures
from .account import Account
from .evidence import record_of
from .image_files import ImageFile, shown_name
from .record import FileState, make_record
from .verdict import ImageThreshold

FORMATS = ('png', 'npz', 'json')
REPORT_FILES = 'report_files'
VIEW_FILES = 'views'


class Predictions(ABC):
    """Records of predictions, and the pictures and maps that go with them.

    Args:
        settings: All that results depend on, besides the files; values that JSON can hold.
            ``checkpoint``, ``checkpoint_sha256`` and ``threshold`` are among them; ``model``
            can be: see :func:`~mmomni.reporting.model_card.model_summary`.
        formats: ``'png'``: mask, heat map and overlay; ``'npz'``: the probability; ``'json'``: no
            file more than there is anyway.
        image_threshold: For the verdict; ``None``: there is none.
        views: Which of :data:`~mmomni.evidence.views.VIEWS` are drawn of each image.

    Attributes:
        records: What is known of each image, by its key, which is its path where it is the only
            one of its file.
        failures: Likewise, why others could not be predicted.
        account: What became of every file of this run, once that is known.
        kept: Keys of records whose files this run was not given.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        formats: Collection[str],
        image_threshold: ImageThreshold | None = None,
        views: Collection[str] = (),
    ) -> None:
        if not set(views) <= set(VIEWS):
            raise ValueError(f'expected views among {", ".join(VIEWS)}, got {list(views)}')
        self.formats = formats
        self.image_threshold = image_threshold
        self.views = [name for name in VIEWS if name in views]
        limit = None if image_threshold is None else image_threshold.as_setting()
        self.settings = dict(
            settings, formats=sorted(formats), image_threshold=limit, views=self.views
        )
        self.records: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, dict[str, Any]] = {}
        self.account: Account | None = None
        self.kept: list[str] = []

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
        self,
        file: ImageFile,
        name: str,
        state: FileState,
        sha256: str,
        prediction: Prediction,
        evidence: Sequence[Section] = (),
    ) -> None:
        """Write the outputs of an image under a name of :func:`assign_names`, its record last.

        The state is that before the file was read: if it changes meanwhile, the next run sees that.
        ``evidence`` is what the file tells by itself.
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
        told, sizes_of_evidence = self._write_evidence(name, evidence, prediction.orientation)
        sizes.update(sizes_of_evidence)
        for view in self.views:
            contents = pictures.view_jpegs(prediction, view)
            outputs = view_file(view, name), report_file(view, name)
            for output, content in zip(outputs, contents, strict=True):
                self._write(output, content)
                sizes[output] = len(content)
        record = dict(
            make_record(prediction, name, self.image_threshold),
            evidence=told,
            image=shown_name(str(file.relative), file.picture_name),
            path=str(file.path),
            **place_of(file),
            **state._asdict(),
            sha256=sha256,
            examined_at=datetime.now(timezone.utc).isoformat(timespec='seconds'),
            mmomni=__version__,
            files=files,
            views=[_view_record(view, name) for view in self.views],
            output_bytes=sizes,
        )
        self._keep(file, record)

    def _write_evidence(
        self, name: str, evidence: Sequence[Section], orientation: int
    ) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Sections as a record has them, and the bytes of their pictures, which are written."""
        told, sizes = [], dict[str, int]()
        for section in evidence:
            files, turned = {}, 1 if section.are_upright else orientation
            for shows, pixels in section.pictures.items():
                output = report_file(f'evidence_{len(sizes) + 1}', name)
                content = pictures.evidence_jpeg(pixels, turned)
                self._write(output, content)
                files[shows] = output
                sizes[output] = len(content)
            told.append(record_of(section, files))
        return told, sizes

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
        views: Collection[str] = (),
    ) -> None:
        super().__init__(settings, formats, image_threshold, views)
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


def view_file(view: str, name: str) -> str:
    """The picture of a view, relative to the results."""
    return f'{VIEW_FILES}/{view}/{name}.jpg'


def _view_record(view: str, name: str) -> dict[str, str]:
    """What pages tell of it."""
    _, title, explanation = VIEWS[view]
    return dict(name=view, title=title, explanation=explanation, file=view_file(view, name))


def files_of(record: Mapping[str, Any]) -> Iterator[Any]:
    """All files that belong to an image, by their relative paths.

    Of a record that was read, those of its ``files`` may be anything.
    """
    yield from record['files'].values()
    yield report_file('thumbnails', record['name'])
    yield from shown_files(record)
    yield from (view['file'] for view in record.get('views') or ())


def shown_files(record: Mapping[str, Any]) -> Iterator[str]:
    """What the full view of an image shows: it, its heat map, its views and its evidence."""
    for folder in ('images', 'heat_maps', *(view['name'] for view in record.get('views') or ())):
        yield report_file(folder, record['name'])
    yield from (picture['file'] for picture in pictures_of_evidence(record))


def pictures_of_evidence(record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What the evidence of a record ``shows``, and in which ``file``."""
    for section in record.get('evidence') or ():
        yield from section['pictures']


def place_of(image: ImageFile) -> dict[str, Any]:
    """Which picture of its file it is, as a record says it."""
    page = None if image.picture is None else image.picture.page
    return dict(picture=image.picture_name, page=page)
