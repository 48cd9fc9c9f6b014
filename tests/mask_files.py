"""One mask in files of every kind, each with its own way to say "tampered"."""

import numpy as np
from image_bytes import encoded, png_bytes, turned, with_orientation, written
from PIL import Image

TRUTH = np.zeros((24, 40), bool)
"""On no axis and no diagonal like itself: turned in any way, it is another."""
TRUTH[3:9, 5:23] = TRUTH[9:17, 5:8] = True
ONE = TRUTH.astype(np.uint8)
DEEP = ONE.astype(np.uint16)
"""Of 16 bits, with nothing in the high byte."""
ZERO, ZERO16 = ONE * 0, DEEP * 0


def in_mode(mode):
    return Image.fromarray(ONE * 255).convert(mode)


def palette():
    image = Image.fromarray(ONE).convert('P')
    image.putdata(ONE.ravel().tolist())
    image.putpalette([0, 0, 0, 0, 0, 9])
    return image


def two_frames():
    other = Image.fromarray(255 - ONE * 255)
    return written(ONE * 255, 'MPO', save_all=True, append_images=[other], quality=100)


MASKS = {
    'PNG bits': lambda: written(in_mode('1'), 'PNG'),
    'PNG 0/1': lambda: written(ONE, 'PNG'),
    'PNG 0/128': lambda: written(ONE * 128, 'PNG'),
    'PNG 0/255': lambda: written(ONE * 255, 'PNG'),
    'PNG grey and alpha': lambda: png_bytes(np.dstack([ONE, ZERO])),
    'PNG palette': lambda: written(palette(), 'PNG'),
    'PNG blue': lambda: png_bytes(np.dstack([ZERO, ZERO, ONE])),
    'PNG opaque colours': lambda: png_bytes(np.dstack([ONE * 255] * 3 + [ZERO + 255])),
    'PNG transparent colours': lambda: png_bytes(np.dstack([ZERO, ONE, ZERO, ZERO])),
    'PNG 16 bits': lambda: png_bytes(DEEP[..., None]),
    'PNG 16 bits 0/255': lambda: png_bytes(DEEP[..., None] * 255),
    'PNG 16 bits 0/65535': lambda: png_bytes(DEEP[..., None] * 65535),
    'PNG 16 bits grey and alpha': lambda: png_bytes(np.dstack([DEEP, ZERO16])),
    'PNG 16 bits red': lambda: png_bytes(np.dstack([DEEP, ZERO16, ZERO16])),
    'PNG 16 bits transparent': lambda: png_bytes(np.dstack([ZERO16, ZERO16, DEEP, ZERO16])),
    'TIFF bits': lambda: written(in_mode('1'), 'TIFF', compression='group4'),
    'TIFF 0/1': lambda: written(ONE, 'TIFF', compression='tiff_lzw'),
    'TIFF grey and alpha': lambda: written(in_mode('LA'), 'TIFF'),
    'TIFF palette': lambda: written(palette(), 'TIFF'),
    'TIFF green': lambda: written(np.dstack([ZERO, ONE, ZERO]), 'TIFF'),
    'TIFF colours and alpha': lambda: written(np.dstack([ZERO, ONE, ZERO, ZERO]), 'TIFF'),
    'TIFF 16 bits': lambda: written(DEEP, 'TIFF'),
    'TIFF 16 bits red': lambda: encoded('.tif', np.dstack([ZERO16, ZERO16, DEEP])),
    'TIFF 16 bits and alpha': lambda: encoded('.tif', np.dstack([ZERO16, ZERO16, DEEP, ZERO16])),
    'BMP bits': lambda: written(in_mode('1'), 'BMP'),
    'BMP 0/1': lambda: written(ONE, 'BMP'),
    'BMP red': lambda: written(np.dstack([ONE, ZERO, ZERO]), 'BMP'),
    'GIF': lambda: written(palette(), 'GIF'),
    'WebP': lambda: written(np.dstack([ONE * 99] * 3), 'WEBP', lossless=True),
    'WebP and alpha': lambda: written(np.dstack([ONE * 99] * 3 + [ONE + 1]), 'WEBP', lossless=True),
    'PPM': lambda: written(np.dstack([ZERO, ONE, ZERO]), 'PPM'),
    'PPM 16 bits': lambda: b'P6 40 24 65535\n' + np.dstack([ZERO16, DEEP << 8, ZERO16]).tobytes(),
    'JPEG': lambda: written(ONE * 255, 'JPEG', quality=90),
    'JPEG colours': lambda: written(np.dstack([ONE * 255] * 3), 'JPEG', quality=90),
    'MPO': two_frames,
}  # fmt: skip


def is_lossy(kind):
    """Whether a kind is one of JPEG."""
    return kind.startswith(('JPEG', 'MPO'))


TURNED_MASKS = {
    'JPEG': lambda n: written(ONE * 255, 'JPEG', exif=turned(n)),
    'PNG': lambda n: written(ONE, 'PNG', exif=turned(n)),
    'PNG 16 bits': lambda n: png_bytes(DEEP[..., None], turned(n)),
    'PNG 16 bits colours': lambda n: png_bytes(np.dstack([DEEP, ZERO16, ZERO16]), turned(n)),
    'TIFF': lambda n: written(ONE, 'TIFF', exif=turned(n)),
    'TIFF palette': lambda n: written(palette(), 'TIFF', exif=turned(n)),
    'TIFF colours': lambda n: written(np.dstack([ONE, ZERO, ZERO]), 'TIFF', exif=turned(n)),
    'TIFF 16 bits': lambda n: written(DEEP, 'TIFF', exif=turned(n)),
    'WebP': lambda n: written(np.dstack([ONE * 9] * 3), 'WEBP', lossless=True, exif=turned(n)),
    'TIFF 16 bits colours': lambda n: with_orientation(MASKS['TIFF 16 bits red'](), n),
}  # fmt: skip
"""By an orientation from 1 to 8, how a viewer would turn the mask."""
