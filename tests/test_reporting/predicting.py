"""A stand-in for the inferencer, which knows nothing of networks."""

import numpy as np

from mmomni.apis.results import Failure, GateChoice, Prediction, find_regions
from mmomni.jpeg import ImageReadError, decode

SETTINGS = dict(checkpoint='c.pth', checkpoint_sha256='ab' * 32, threshold=0.5)


def predict_one(path, orientation):
    """The probability is the red channel, the score its maximum."""
    image = decode(path.read_bytes(), str(path))
    probability = np.float32(image[..., 0]) / 255
    mask = (probability > 0.5).astype(np.uint8)
    return Prediction(
        source=str(path), image=image, probability=probability, threshold=0.5, mask=mask,
        score=float(probability.max()), pooling='max', regions=find_regions(mask, probability),
        gate=GateChoice('vision + frequency', 0.75), dct_source='file', orientation=orientation,
        windows=1, seconds=0.25, warnings=('something odd',),
    )  # fmt: skip


class Predictor:
    """Predicts image files; notes which it was asked for."""

    def __init__(self):
        self.seen = []
        self.orientation = 1

    def __call__(self, paths):
        for path in paths:
            self.seen.append(path.name)
            try:
                yield predict_one(path, self.orientation)
            except ImageReadError as error:
                yield Failure(str(path), str(error))
