"""Maps of images of any size in bounded memory, equal to those of the images in one piece."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from mmomni.utils.arrays import sigmoid

from .network import Network, Output, Sharing
from .windows import Window, plan_windows

WINDOW = 1600
"""Photos of 2.5 megapixels pass whole, within 1.3 GB with the package's weights; in windows an
image takes about five times as long a pixel."""
MAX_PASSES = 8
TOLERANCE = 1e-3
"""Change of the probability from pass to pass, averaged over the pixels. What is still wrong then
is about a tenth of that, because each pass divides the difference to the image in one piece by so
much (measured with the demo's model)."""
MAY_DIFFER = 'probabilities may differ from those of the image in one piece'
NOTHING_SHARED = (
    f'windows of the image passed without knowing of each other: {MAY_DIFFER}, most where windows '
    'meet'
)
PARTLY_SHARED = (
    'windows of the image passed without knowing all of each other, because some layers of this '
    f'network cannot be told of the whole: {MAY_DIFFER}'
)
NOT_SETTLED = f'windows of the image did not come to agree on the whole of it: {MAY_DIFFER}'
OnWindow = Callable[[int, int, int], None]
"""Takes the number of the pass, from 1 on; of how many windows; and which of these is next."""
SAMPLING = 8
"""Every so many rows and columns are compared, so that no second map is held."""


def not_told(number_of_pass: int, windows: int, number: int) -> None:
    """Nobody wants to know."""


class Map(NamedTuple):
    """What a network says about an image.

    Attributes:
        log_odds: Of "tampered", ``log(p / (1 - p))``; ``float32`` (H, W).
        gate: ``P_cls`` of the whole image, ``None`` without a learned gate.
        windows: How many windows the image was cut into; 1: it passed whole.
        passes: How often they passed.
        warnings: What a person should know before trusting the map.
    """

    log_odds: np.ndarray
    gate: float | None
    windows: int
    passes: int
    warnings: tuple[str, ...]


def predict_maps(
    network: Network,
    images: Sequence[np.ndarray],
    window: int = WINDOW,
    overlap: int | None = None,
    max_passes: int = MAX_PASSES,
    on_window: OnWindow = not_told,
) -> list[Map]:
    """Maps of images of one size.

    Images with no more pixels than a window pass whole and together, padded with zeros at the right
    and bottom to multiples of 32, as mmseg's data preprocessor does. Larger ones pass one after
    another, in windows of which the network sees one at a time, and several times, until the
    windows agree on everything that depends on the whole image (:class:`~.network.Sharing`).

    Args:
        network: No other thread may use it meanwhile.
        images: Five planes each, ``uint8`` (5, H, W).
        window: Side of a window in pixels, a multiple of 32.
        overlap: Of neighbouring windows, likewise; ``None``: :func:`.overlap_of`. The network sees
            a window's edge from as far as two fifths of it, which are left out.
        max_passes: At least 1, which is fast and a rough map.
        on_window: Called before each window of an image that does not pass whole.

    Raises:
        ValueError: Images of different sizes; window, overlap or passes are no such numbers.
    """
    if max_passes < 1:
        raise ValueError(f'expected max_passes of at least 1, got {max_passes}')
    shapes = {image.shape for image in images}
    if len(shapes) != 1:
        raise ValueError(f'expected images of one size, got planes of {sorted(shapes)}')
    ((_, height, width),) = shapes
    windows = plan_windows(height, width, window, overlap)
    if len(windows) == 1:
        return _whole(network, images, windows[0])
    return [_in_windows(network, image, windows, max_passes, on_window) for image in images]


def _whole(network: Network, images: Sequence[np.ndarray], window: Window) -> list[Map]:
    height, width = images[0].shape[1:]
    output = network(_crops(images, window))
    log_odds = output.log_odds[:, :height, :width]
    gates = [None] * len(images) if output.gate is None else output.gate.tolist()
    return [
        Map(np.ascontiguousarray(odds), gate, 1, 1, ())
        for odds, gate in zip(log_odds, gates, strict=True)
    ]


def _in_windows(
    network: Network,
    planes: np.ndarray,
    windows: Sequence[Window],
    max_passes: int,
    on_window: OnWindow,
) -> Map:
    log_odds = np.empty(planes.shape[1:], np.float32)
    before: np.ndarray | None = None
    warnings: tuple[str, ...] = ()
    with network.sharing() as sharing:
        for passes in range(1, max_passes + 1):
            tell = partial(on_window, passes, len(windows))
            gate = _pass(network, planes, windows, sharing, log_odds, tell)
            if not sharing.shares:
                warnings = (NOTHING_SHARED,)
                break
            now = sigmoid(log_odds[::SAMPLING, ::SAMPLING])
            if before is not None and not np.abs(now - before).mean() > TOLERANCE:
                break
            before = now
        else:
            warnings = (NOT_SETTLED,)
        if sharing.shares and not sharing.complete:
            warnings += (PARTLY_SHARED,)
    return Map(log_odds, gate, len(windows), passes, warnings)


def _pass(
    network: Network,
    planes: np.ndarray,
    windows: Sequence[Window],
    sharing: Sharing,
    log_odds: np.ndarray,
    tell: Callable[[int], None],
) -> float | None:
    """Write the map, in place; the gate's logit, averaged over the image."""
    log_odds.fill(0)
    shares = []
    for number, window in enumerate(windows, 1):
        tell(number)
        sharing.begin(window)
        shares.append(_add(log_odds, network(_crops([planes], window)), window))
    sharing.end_pass()
    known = [share for share in shares if share is not None]
    return sum(known) if known else None


def _crops(images: Sequence[np.ndarray], window: Window) -> np.ndarray:
    """A window of each image; what lies outside of it is 0."""
    rows, columns = window
    crops = np.zeros((len(images), len(images[0]), rows.size, columns.size), images[0].dtype)
    for crop, image in zip(crops, images, strict=True):
        part = image[:, rows.start : rows.stop, columns.start : columns.stop]
        crop[:, : part.shape[1], : part.shape[2]] = part
    return crops


def _add(log_odds: np.ndarray, output: Output, window: Window) -> float | None:
    """Add a window's part to the map, weighted, in place; its part of the gate's mean."""
    rows, columns = window
    target = log_odds[rows.start : rows.stop, columns.start : columns.stop]
    height, width = target.shape
    down, across = (side.weights.astype(np.float32) for side in window)
    part = output.log_odds[0, :height, :width] * down[:height, None]
    part *= across[:width]
    target += part
    return None if output.gate is None else output.gate.item() * window.share
