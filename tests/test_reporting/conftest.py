import cv2
import numpy as np
import pytest
from PIL import Image
from predicting import SETTINGS, Predictor

from mmomni.reporting import PredictionFolder, survey_inputs, write_predictions, write_report


@pytest.fixture
def predictor():
    return Predictor()


@pytest.fixture
def save():
    """Write a picture with a white rectangle (x1, y1, x2, y2) on dark grey."""

    def save(path, size=(64, 48), box=(8, 8, 32, 24), **options):
        pixels = np.full((size[1], size[0], 3), 40, np.uint8)
        cv2.rectangle(pixels, box[:2], (box[2] - 1, box[3] - 1), (255, 255, 255), -1)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **options)
        return path

    return save


@pytest.fixture
def photos(tmp_path, save):
    for name in ('a.png', 'b.png', 'sub/a.png'):
        save(tmp_path / 'photos' / name)
    return tmp_path / 'photos'


@pytest.fixture
def run(tmp_path, predictor):
    """Predict inputs into ``out``; gives the summary and the closed folder."""

    def run(*inputs, formats=('png', 'json'), limit=None, report=False, views=(), **settings):
        files = survey_inputs([str(path) for path in inputs], tmp_path / 'out').files
        predictor.seen.clear()
        settings = {**SETTINGS, **settings}
        with PredictionFolder(tmp_path / 'out', settings, formats, limit, views) as folder:
            summary = write_predictions(folder, files, predictor, lambda *_: None)
            if report:
                write_report(folder)
        return summary, folder

    return run
