"""A stand-in for the inferencer, which knows nothing of networks."""

from pathlib import Path

import numpy as np

from mmomni.apis.pictures import content_of
from mmomni.apis.results import Failure, GateChoice, Prediction, find_regions
from mmomni.jpeg import ImageReadError, decode

SETTINGS = dict(checkpoint='c.pth', checkpoint_sha256='ab' * 32, threshold=0.5)


def predict_one(source, orientation):
    """The probability is the red channel, the score its maximum."""
    content = content_of(source.content, source.picture, source.name, 1_000_000).content
    data = content if isinstance(content, bytes) else content.read_bytes()
    image = decode(data, source.name)
    probability = np.float32(image[..., 0]) / 255
    mask = (probability > 0.5).astype(np.uint8)
    return Prediction(
        source=source.name, image=image, probability=probability, threshold=0.5, mask=mask,
        score=float(probability.max()), pooling='max', regions=find_regions(mask, probability),
        gate=GateChoice('vision + frequency', 0.75), dct_source='file', orientation=orientation,
        windows=1, seconds=0.25, warnings=('something odd',),
    )  # fmt: skip


class Predictor:
    """Predicts image files; notes which it was asked for."""

    def __init__(self):
        self.seen = []
        self.orientation = 1

    def __call__(self, sources):
        for source in sources:
            self.seen.append(Path(source.name).name)
            try:
                yield predict_one(source, self.orientation)
            except ImageReadError as error:
                yield Failure(source.name, str(error))
