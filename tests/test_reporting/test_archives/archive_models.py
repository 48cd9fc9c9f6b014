"""A stand-in for the model: red is the probability. What it is told of a file, it does."""

import os
import signal
from pathlib import Path

import numpy as np

from mmomni.apis.results import Failure, Prediction, find_regions
from mmomni.jpeg import ImageReadError, decode
from mmomni.reporting import ImageThreshold, PredictionsInMemory

SETTINGS = dict(checkpoint='c.pth', checkpoint_sha256='ab' * 32, threshold=0.5, pooling='max')
FORMATS = ('png', 'json')
DAMAGED: set[str] = set()
"""Names of files that are said to be so."""
ALL_SETTINGS = PredictionsInMemory(SETTINGS, FORMATS).settings


class Model:
    """Notes what it was asked for; ``acts`` are called with the source, by the name of a file."""

    def __init__(self, acts=None):
        self.acts = acts or {}
        self.seen = []

    def stream(self, inputs, batch_size, workers, threshold, pooling):
        for source in inputs:
            name = Path(source.name).name
            self.seen.append(name)
            if name in self.acts:
                self.acts[name](source)
            try:
                yield predict_one(source, threshold, pooling)
            except ImageReadError as error:
                yield Failure(source.name, str(error))


def predict_one(source, threshold, pooling):
    image = decode(source.content.read_bytes(), source.name)
    probability = np.float32(image[..., 0]) / 255
    mask = (probability > threshold).astype(np.uint8)
    return Prediction(
        source=source.name, image=image, probability=probability, threshold=threshold, mask=mask,
        score=float(probability.max()), pooling=pooling, regions=find_regions(mask, probability),
        gate=None, dct_source='transcoded', orientation=1, windows=1, seconds=0.25,
        damage=('a part is missing',) if Path(source.name).name in DAMAGED else (),
    )  # fmt: skip


def opened(model):
    """As ``mmomni.cli.model.open_model`` answers."""
    return model, SETTINGS, ImageThreshold(0.7, 'max', 0.05, num_images=500)


class Killer:
    """Kills the process that examines a file, so many times in all processes together."""

    def __init__(self, notes, times):
        self.notes = notes
        self.times = times

    def __call__(self, source):
        with open(self.notes, 'a') as file:
            file.write(f'{os.getpid()}\n')
        if len(self.notes.read_text().splitlines()) <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)


def open_with_killer(notes, name, times):
    """For workers of a cluster."""
    return opened(Model({name: Killer(notes, times)}))
