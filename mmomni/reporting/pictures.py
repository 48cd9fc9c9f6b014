"""The files of one image, as bytes."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image

from mmomni.apis.results import Prediction, draw_overlay
from mmomni.evidence.views import VIEWS
from mmomni.jpeg import encode
from mmomni.jpeg.orientation import upright
from mmomni.visualization import heat_levels, heat_map, heat_palette, shrunk

OVERLAY_QUALITY = 90
SECOND_OPINION_QUALITY = 90
VIEW_SIDE = 1024
VIEW_QUALITY = 80
THUMBNAIL_SIDE = 96
THUMBNAIL_QUALITY = 70
_FAST = 3  # of zlib's 1 to 9: beyond it, time grows and size hardly shrinks


def mask_png(prediction: Prediction) -> bytes:
    """0 and 255, as stored: it lies on the pixels of the file."""
    return _png(Image.fromarray(prediction.mask * np.uint8(255)))


def heat_map_png(prediction: Prediction) -> bytes:
    """The probability as ``round(255 p)`` with a palette of colours, upright."""
    levels = upright(heat_levels(prediction.probability), prediction.orientation)
    picture = Image.fromarray(levels)
    picture.putpalette(heat_palette().tobytes())
    return _png(picture)


def overlay_jpeg(prediction: Prediction) -> bytes:
    """The image with its regions outlined and numbered, upright."""
    bgr = draw_overlay(prediction)[..., ::-1]
    return encode(bgr, OVERLAY_QUALITY, name=prediction.source, channel_order='bgr')


def view_jpegs(prediction: Prediction, view: str) -> tuple[bytes, bytes]:
    """One of :data:`~mmomni.evidence.views.VIEWS`, upright: of the image's size, and for pages."""
    picture = VIEWS[view].function(prediction.image, orientation=prediction.orientation)
    small = shrunk(np.ascontiguousarray(picture), VIEW_SIDE)
    return encode(picture, SECOND_OPINION_QUALITY, name=prediction.source), encode(
        small, SECOND_OPINION_QUALITY, name=prediction.source
    )


def probability_npz(prediction: Prediction) -> bytes:
    """``probability``, ``float16`` (H, W), as stored."""
    buffer = BytesIO()
    np.savez_compressed(buffer, probability=prediction.probability.astype(np.float16))
    return buffer.getvalue()


def report_pictures(prediction: Prediction) -> Iterator[tuple[str, bytes]]:
    """What ``report.html`` shows, upright: ``images``, ``heat_maps`` and ``thumbnails`` (both)."""
    # No copy where ``image`` is a view of the decoder's BGR.
    bgr = np.ascontiguousarray(prediction.image[..., ::-1])
    image = shrunk(bgr, VIEW_SIDE, prediction.orientation)
    probability = shrunk(prediction.probability, VIEW_SIDE, prediction.orientation)
    heat = heat_map(probability)[..., ::-1]
    yield 'images', _jpeg(image, VIEW_QUALITY)
    yield 'heat_maps', _jpeg(heat, VIEW_QUALITY)
    small = [shrunk(picture, THUMBNAIL_SIDE) for picture in (image, np.ascontiguousarray(heat))]
    yield 'thumbnails', _jpeg(np.hstack(small), THUMBNAIL_QUALITY)


def evidence_jpeg(pixels: np.ndarray, orientation: int) -> bytes:
    """A picture of the evidence, RGB (H, W, 3), turned by an orientation."""
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    return _jpeg(shrunk(bgr, VIEW_SIDE, orientation), OVERLAY_QUALITY)


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, 'PNG', compress_level=_FAST)
    return buffer.getvalue()


def _jpeg(bgr: np.ndarray, quality: int) -> bytes:
    return encode(bgr, quality, '4:2:0', channel_order='bgr')
