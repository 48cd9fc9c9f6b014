from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmomni.apis import Failure, GateChoice, Prediction
from mmomni.apis.results import find_regions
from mmomni.apis.samples import try_to_read

EXIF_ORIENTATION = 274


class Inferencer:
    """Reads files as the real one does and calls bright pixels tampered."""

    def __init__(self, max_pixels):
        self.max_pixels = max_pixels
        self.received = []

    def preprocess(self, sources):
        self.received += [source.content for source in sources]
        yield [try_to_read(source, self.max_pixels) for source in sources]

    def forward(self, samples, threshold, pooling):
        return [
            sample if isinstance(sample, Failure) else self.predict(sample, threshold, pooling)
            for sample in samples
        ]

    @staticmethod
    def predict(sample, threshold, pooling):
        probability = sample.image.mean(axis=2, dtype=np.float32) / 255
        mask = (probability > threshold).astype(np.uint8)
        return Prediction(
            source=sample.source,
            image=sample.image,
            probability=probability,
            threshold=threshold,
            mask=mask,
            score=float(probability.max()),
            pooling=pooling,
            regions=find_regions(mask, probability),
            gate=GateChoice('vision + frequency', 0.75),
            dct_source=sample.dct_source,
            orientation=sample.orientation,
            windows=1,
            seconds=0.5,
            warnings=sample.warnings,
            flaws=sample.flaws,
            damage=sample.damage,
        )


@pytest.fixture
def inferencer():
    return Inferencer(max_pixels=1_000_000)


@pytest.fixture
def settings():
    return dict(
        checkpoint='tiny.pth', checkpoint_sha256='0' * 64, threshold=0.5, pooling='top_k_mean'
    )


@pytest.fixture
def photo():
    """A dark photo, 64 wide and 48 high, with a bright square; as bytes of a file."""

    def make(kind='JPEG', orientation=1, **options):
        noise = np.random.default_rng(0).integers(0, 80, (48, 64, 3), dtype=np.uint8)
        noise[8:24, 40:56] = 230
        image = Image.fromarray(noise)
        image.getexif()[EXIF_ORIENTATION] = orientation
        buffer = BytesIO()
        image.save(buffer, kind, exif=image.getexif(), **options)
        return buffer.getvalue()

    return make
