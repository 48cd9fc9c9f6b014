import base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

import cv2

from mmomni.apis import Failure, Prediction, Predictor
from mmomni.apis.inputs import Source, pictures_as_sources
from mmomni.apis.samples import Sample
from mmomni.evidence.views import VIEWS
from mmomni.jpeg import ImageReadError
from mmomni.jpeg.luma import MAX_COEFFICIENT
from mmomni.jpeg.orientation import upright, upright_box
from mmomni.reporting import (
    ImageFile,
    ImageThreshold,
    PredictionsInMemory,
    assign_names,
    report_page,
)
from mmomni.reporting.evidence import evidence_in
from mmomni.reporting.pictures import heat_map_png, mask_png, overlay_jpeg
from mmomni.reporting.predictions import pictures_of_evidence, report_file
from mmomni.reporting.record import FileState
from mmomni.reporting.report import analysis_of
from mmomni.utils.templates import printable

Answer = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Examiner:
    """What the page shows of one uploaded file, by the code of ``mmomni predict``.

    The settings are those of :class:`~mmomni.reporting.PredictionFolder`; ``threshold`` and
    ``pooling`` among them are arguments of the predictor, which has the limit of pixels.
    """

    predictor: Predictor
    settings: Mapping[str, Any]
    image_threshold: ImageThreshold | None

    def __call__(self, data: bytes, name: str, picture: int = 1, views: bool = False) -> Answer:
        """Examine the bytes of a file, from which the coefficients are read.

        Its name, whatever it may hold, is only shown and, made harmless, used for what is saved.
        Of a file of several pictures one is examined, counted from 1; ``views`` take some seconds.

        Returns:
            The record that ``predictions.jsonl`` would hold, and ``size`` (width and height,
            upright), ``upright_boxes``, ``quantisation_table`` (8 x 8, or as far as a smaller image
            reaches), ``image_threshold``, ``analysis`` (model, thresholds, words), ``pictures``
            (names of all in the file, none if it is one) and ``files``: by kind ``name``, ``type``
            and ``base64``. ``file`` of each of its ``views``, and of the pictures of its
            ``evidence``, is such a kind.

        Raises:
            ImageReadError: The file cannot be used.
        """
        sources = pictures_as_sources(data, name)
        source = _chosen(sources, picture, name)
        sample, prediction = self._predict(source)
        file = ImageFile(Path(name), PurePath(name), source.picture)
        safe_name = assign_names([file], {})[file.key]
        record, files = self._report(file, safe_name, data, prediction, views)
        shape, orientation = prediction.mask.shape, prediction.orientation
        height, width = shape if orientation < 5 else shape[::-1]
        return dict(
            record,
            image=printable(record['image']),
            size=[width, height],
            upright_boxes=_upright_boxes(record, shape, orientation),
            quantisation_table=sample.planes[4, :8, :8].tolist(),
            pictures=[each.picture.name for each in sources if each.picture],
            image_threshold=self.image_threshold and self.image_threshold.as_setting(),
            files=dict(
                files,
                mask=_file(f'{safe_name}_mask.png', 'image/png', mask_png(prediction)),
                heat_map=_file(f'{safe_name}_heat-map.png', 'image/png', heat_map_png(prediction)),
                overlay=_file(f'{safe_name}_regions.jpg', 'image/jpeg', overlay_jpeg(prediction)),
                dct=_file(f'{safe_name}_dct.png', 'image/png', _dct_png(sample)),
            ),
        )

    def _predict(self, source: Source) -> tuple[Sample, Prediction]:
        ((sample,),) = self.predictor.preprocess([source])
        if isinstance(sample, Failure):
            raise ImageReadError(f'{source.name}: {sample.reason}')
        (result,) = self.predictor.forward(
            [sample], threshold=self.settings['threshold'], pooling=self.settings['pooling']
        )
        if isinstance(result, Failure):
            raise ImageReadError(f'{source.name}: {result.reason}')
        return sample, result

    def _report(
        self, file: ImageFile, name: str, data: bytes, prediction: Prediction, views: bool
    ) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
        """Record, and as files ``report.html`` and all of its pictures; all only in memory."""
        # No pictures beside the report, which would have links to them.
        results = PredictionsInMemory(
            self.settings, ('json',), self.image_threshold, VIEWS if views else ()
        )
        state = FileState(len(data), mtime_ns=0)
        evidence = evidence_in(data, file.path.name, file.picture, prediction)
        results.add(file, name, state, sha256(data).hexdigest(), prediction, evidence)
        record = results.records[str(file.key)]
        del record['output_bytes']  # those of a folder
        record['analysis'] = analysis_of(results)
        report = ''.join(report_page(results)).encode()
        view = results.contents[report_file('images', name)]
        return record, dict(
            _views(record, name, results.contents),
            **_name_by_kind(record, name, results.contents),
            report=_file(f'{name}_report.html', 'text/html', report),
            view=_file(f'{name}_view.jpg', 'image/jpeg', view),
        )


def _name_by_kind(
    record: Mapping[str, Any], name: str, contents: Mapping[str, bytes]
) -> dict[str, dict[str, str]]:
    """The pictures of the evidence, whose record then names them by kind and not by path."""
    files = {}
    for number, picture in enumerate(pictures_of_evidence(record), 1):
        kind = f'evidence_{number}'
        files[kind] = _file(f'{name}_{kind}.jpg', 'image/jpeg', contents[picture['file']])
        picture['file'] = kind
    return files


def _chosen(sources: list[Source], number: int, name: str) -> Source:
    if not 0 < number <= len(sources):
        raise ImageReadError(f'{name}: expected a picture from 1 to {len(sources)}, got {number}')
    return sources[number - 1]


def _views(
    record: dict[str, Any], name: str, contents: Mapping[str, bytes]
) -> dict[str, dict[str, str]]:
    """The pictures of the record's views, by what each of these then has as its ``file``."""
    files = {}
    for view in record['views']:
        kind = f'view_{view["name"]}'
        content = contents[view['file']]
        files[kind] = _file(f'{name}_{view["name"]}.jpg', 'image/jpeg', content)
        view['file'] = kind
    return files


def _upright_boxes(
    record: Mapping[str, Any], shape: tuple[int, ...], orientation: int
) -> list[tuple[int, int, int, int]]:
    boxes = (tuple(region['box']) for region in record['regions'])
    return [upright_box(box, (shape[0], shape[1]), orientation) for box in boxes]


def _dct_png(sample: Sample) -> bytes:
    """``|q|``, 0 to 20 as black to white, upright."""
    magnitude = upright(sample.planes[3], sample.orientation)
    grey = cv2.convertScaleAbs(magnitude, alpha=255 / MAX_COEFFICIENT)
    return cv2.imencode('.png', grey, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def _file(name: str, kind: str, content: bytes) -> dict[str, str]:
    return dict(name=name, type=kind, base64=base64.b64encode(content).decode('ascii'))
