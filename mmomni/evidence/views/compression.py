"""What saving an image once more as JPEG changes in it. Letters: ``h w`` blocks of 8 x 8 pixels."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from mmomni.jpeg import encode

from .drawing import checked, turned

BLOCK = 8
TILE = 4096
"""Pixels a side; whole blocks, so that a tile is saved as it would be inside of its image."""
QUALITIES = tuple(range(45, 101, 5))
BRIGHT_SHARE = 0.005
"""Of the values, those that may be white."""
LARGEST_GAIN = 40.0
"""Beyond it, one would look at nothing but rounding."""
SMALLEST_RANGE = 0.5
"""Grey levels squared: blocks that change less over all qualities are too smooth to tell."""
SMALLEST_CHANGE = 0.1
"""Likewise: less is rounding."""
LEAST_SEPARATION = 0.002


def error_level_analysis(
    image: np.ndarray, quality: int = 90, orientation: int = 1
) -> np.ndarray:
    """Error levels (Krawetz, *A Picture's Worth*, 2007; as in FotoForensics and Forensically).

    How much each pixel changes when the image is saved once more, amplified so that the largest
    differences are white. What was pasted, painted or saved another number of times can be
    brighter or darker than *similar* things elsewhere.

    It cannot tell forged from authentic: edges, texture and saturated colours are bright in any
    image, and after one more save or a resize nothing of the history is left to see.

    Args:
        image: RGB as stored, ``uint8`` (H, W, 3).
        quality: Of libjpeg, 1 to 100, with chroma of full size.
        orientation: EXIF, 1 to 8: the result is turned by it.

    Returns:
        RGB, ``uint8`` (H, W, 3).

    Raises:
        ValueError: The image or the quality is another than that.
    """
    image = checked(image)
    levels = np.empty_like(image)
    for place in _tiles(image):
        levels[place] = cv2.absdiff(image[place], _saved(image[place], quality))
    return turned(amplified(levels), orientation)


def jpeg_ghosts(
    image: np.ndarray, qualities: Sequence[int] = QUALITIES, orientation: int = 1
) -> np.ndarray:
    """JPEG ghosts (after Farid, *Exposing Digital Forgeries from JPEG Ghosts*, TIFS 2009).

    The luma is saved at several qualities. What was once saved at one of them changes less at that
    one than at its neighbours: the darker a place (the mean square over 24 x 24 pixels), the more
    so, black from a factor of e on. Of the qualities, that one is shown, and written on the
    picture, at which dark and white parts are furthest apart. A compact area that is darker or
    lighter than all around it had another history than the rest.

    It cannot see a part whose blocks of 8 x 8 are not those of the image (63 of 64 ways to paste),
    nor one that was always saved better than the whole was at last. Smooth parts tell nothing and
    are mid-grey; their edges, and what is overexposed, can look like ghosts.

    Args:
        image: RGB as stored, ``uint8`` (H, W, 3).
        qualities: Of libjpeg, 1 to 100, ascending, at least three; all but the ends can be shown.
        orientation: EXIF, 1 to 8: the result is turned by it.

    Returns:
        RGB, ``uint8`` (H, W, 3).

    Raises:
        ValueError: The image or the qualities are others than that.
    """
    if len(qualities) < 3 or list(qualities) != sorted(set(qualities)):
        raise ValueError(f'expected three ascending qualities or more, got {list(qualities)}')
    luma = cv2.cvtColor(checked(image), cv2.COLOR_RGB2GRAY)
    dips, is_telling = _dips(_changes(luma, qualities))
    separations = [_separation(cv2.blur(dip, (5, 5))[is_telling]) for dip in dips]
    best = int(np.argmax(separations))
    grey = np.where(is_telling, 255 * (1 - cv2.blur(dips[best], (3, 3)).clip(0, 1)), 128)
    whole = grey.astype(np.uint8).repeat(BLOCK, 0).repeat(BLOCK, 1)
    picture = cv2.cvtColor(whole[: len(luma), : luma.shape[1]], cv2.COLOR_GRAY2RGB)
    if separations[best] < LEAST_SEPARATION:
        text = f'JPEG ghosts: none at {qualities[1]} to {qualities[-2]}'
    else:
        text = f'JPEG ghosts at quality {qualities[best + 1]}'
    return turned(picture, orientation, text)


def amplified(levels: np.ndarray) -> np.ndarray:
    """Differences, ``uint8`` (H, W, 3), multiplied until few of them are white."""
    counts = sum(cv2.calcHist([levels], [channel], None, [256], [0, 256]) for channel in range(3))
    share = np.cumsum(np.ravel(counts)) / levels.size
    white = int(np.searchsorted(share, 1 - BRIGHT_SHARE))
    return cv2.convertScaleAbs(levels, alpha=min(LARGEST_GAIN, 255 / max(1, white)))


def _changes(luma: np.ndarray, qualities: Sequence[int]) -> np.ndarray:
    """Mean square change of the neighbourhood of each block; ``float32`` (Q, h, w)."""
    height, width = (-(-side // BLOCK) for side in luma.shape)
    changes = np.empty((len(qualities), height, width), np.float32)
    for rows, columns in _tiles(luma):
        tile = _whole_blocks(luma[rows, columns])
        y, x = rows.start // BLOCK, columns.start // BLOCK
        size = (tile.shape[1] // BLOCK, tile.shape[0] // BLOCK)
        for number, quality in enumerate(qualities):
            error = cv2.absdiff(tile, _saved(tile, quality)).astype(np.float32)
            blocks = cv2.resize(cv2.multiply(error, error), size, interpolation=cv2.INTER_AREA)
            changes[number, y : y + size[1], x : x + size[0]] = blocks
    for change in changes:
        change[:] = cv2.blur(change, (3, 3))
    return changes


def _dips(changes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much less blocks change at each inner quality than at its neighbours.

    Returns:
        Logarithm of the factor, ``float32`` (Q - 2, h, w); which blocks tell it, ``bool`` (h, w).
    """
    logs = np.log(np.maximum(changes, SMALLEST_CHANGE))
    is_telling = changes.max(axis=0) - changes.min(axis=0) >= SMALLEST_RANGE
    return (logs[:-2] + logs[2:]) / 2 - logs[1:-1], is_telling


def _separation(dips: np.ndarray) -> float:
    """Variance between the parts into which Otsu's threshold divides values, (N,), of 0 to 1."""
    if not dips.size:
        return 0.0
    counts = np.bincount(np.uint8(255 * dips.clip(0, 1)), minlength=256) / dips.size
    below, means = np.cumsum(counts), np.cumsum(counts * np.arange(256) / 255)
    weights = np.maximum(below * (1 - below), 1e-9)
    return float(np.max((means[-1] * below - means) ** 2 / weights))


def _saved(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Colour or grey pixels as they are after a save."""
    if not 1 <= quality <= 100:  # libjpeg takes the nearest that there is
        raise ValueError(f'expected a quality of 1 to 100, got {quality}')
    data = np.frombuffer(encode(pixels, quality), np.uint8)
    saved = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if pixels.ndim == 2 else cv2.IMREAD_COLOR)
    assert saved is not None  # it was written just now
    return saved if pixels.ndim == 2 else cv2.cvtColor(saved, cv2.COLOR_BGR2RGB)


def _tiles(pixels: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Together they are the image, of any size: a JPEG has 65,500 pixels a side at most."""
    height, width = pixels.shape[:2]
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            yield slice(y, min(y + TILE, height)), slice(x, min(x + TILE, width))


def _whole_blocks(grey: np.ndarray) -> np.ndarray:
    """Completed by its last row and column, as an encoder does it."""
    below, right = (-side % BLOCK for side in grey.shape)
    return cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_REPLICATE)
