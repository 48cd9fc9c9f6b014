"""Images that Pillow has opened: pixels, of which nobody knows from what file they are."""

from io import BytesIO

import numpy as np
from PIL import ExifTags, Image

from mmomni.jpeg import ImageReadError
from mmomni.jpeg.orientation import orientation_of

DECODED = (
    "pixels of an image that Pillow has opened: if its file is a JPEG, give the file's path or "
    'bytes instead, for they hold its compression history'
)
"""What a person should know of every prediction of one."""
_STORED = ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I;16')
"""Modes of which a PNG keeps every value."""
SIXTEEN_BITS = 65_535


def as_png(image: Image.Image, name: str) -> bytes:
    """A lossless file of an image, to be read as any other, with its orientation.

    Pixels are those that the image has now: of several pictures the one that is open, and of a TIFF
    those that Pillow has turned.

    Raises:
        ImageReadError: Pixels of which nothing says what their white is; or those of a deep TIFF,
            which Pillow may have taken for others (planar, white is zero, 12 of 16 bits).
    """
    depth = max(getattr(image, 'tag_v2', {}).get(ExifTags.Base.BitsPerSample, (1,)))
    if depth > 8:
        raise ImageReadError(
            f'{name}: a TIFF of {depth} bits a sample opened by Pillow, which does not read all '
            "kinds of them right; give the file's path or bytes instead"
        )
    image.load()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation_of(image)
    picture = _as_stored(image)
    if picture is None:
        raise ImageReadError(
            f'{name}: expected an image of 8 or 16 bits, got one of mode {image.mode!r} whose '
            "white is not known; scale its values and convert it to 'L' or 'RGB'"
        )
    buffer = BytesIO()
    picture.save(buffer, 'PNG', compress_level=0, exif=exif)  # to be read again at once
    return buffer.getvalue()


def _as_stored(image: Image.Image) -> Image.Image | None:
    """In a mode of a PNG; ``None`` where values are no shares of any white."""
    if image.mode in _STORED:
        return image
    if image.mode.startswith(('I', 'F')):
        values = np.asarray(image)
        fits = image.mode != 'F' and values.min() >= 0 and values.max() <= SIXTEEN_BITS
        return Image.fromarray(values.astype(np.uint16)) if fits else None
    if image.mode.endswith('a'):  # colours multiplied by alpha, which become no others at once
        image = image.convert(image.mode[:-1] + 'A')
    return image.convert('RGB')
