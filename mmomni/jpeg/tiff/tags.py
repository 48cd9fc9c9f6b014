"""The words of a TIFF: its tags, and what their values mean, by TIFF 6.0 and its supplements."""

from enum import IntEnum


class Tag(IntEnum):
    """What a field tells."""

    NEW_SUBFILE_TYPE = 254
    SUBFILE_TYPE = 255
    WIDTH = 256
    LENGTH = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIPS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_SIZES = 279
    LARGEST_SAMPLE = 281
    PLANAR = 284
    GROUP_3_OPTIONS = 292
    GROUP_4_OPTIONS = 293
    PREDICTOR = 317
    PALETTE = 320
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILES = 324
    TILE_SIZES = 325
    SUB_IFDS = 330
    INKS = 332
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    JPEG_STREAM = 513
    JPEG_STREAM_SIZE = 514
    YCBCR_COEFFICIENTS = 529
    YCBCR_SUBSAMPLING = 530
    YCBCR_POSITION = 531
    BLACK_AND_WHITE = 532
    XMP = 700


class Meaning(IntEnum):
    """PhotometricInterpretation."""

    WHITE_IS_ZERO = 0
    BLACK_IS_ZERO = 1
    RGB = 2
    CMYK = 5
    YCBCR = 6
    LAB = 8


class Coding(IntEnum):
    """Compression."""

    NONE = 1
    OLD_JPEG = 6
    JPEG = 7
    DEFLATE = 8
    PACK_BITS = 32773


REDUCED, MASK, DEPTH = 1, 4, 8
"""Bits of NewSubfileType: a preview, a transparency mask, a map of depths."""
LOSSLESS = {Coding.NONE: 'plain', 5: 'LZW', Coding.DEFLATE: 'deflate', 32946: 'deflate',
            Coding.PACK_BITS: 'PackBits', 34925: 'LZMA', 50000: 'Zstandard'}  # fmt: skip
"""Codings that pack plain bytes, whatever these mean."""
FAX = (2, 3, 4)
CODINGS = {2: 'fax', 3: 'fax', 4: 'fax', Coding.OLD_JPEG: 'JPEG (old style)', Coding.JPEG: 'JPEG',
           33003: 'JPEG 2000', 33005: 'JPEG 2000', 34712: 'JPEG 2000', 34661: 'JBIG',
           34676: 'LogLuv', 34713: 'Nikon raw', 34887: 'LERC', 34892: 'lossy JPEG of DNG',
           32767: 'Sony raw', 65535: 'Pentax raw', 50001: 'WebP', 50002: 'JPEG XL',
           52546: 'JPEG XL'} | LOSSLESS  # fmt: skip
MEANINGS = {Meaning.WHITE_IS_ZERO: 'grey', Meaning.BLACK_IS_ZERO: 'grey', Meaning.RGB: 'RGB',
            3: 'a palette', 4: 'a mask', Meaning.CMYK: 'inks', Meaning.YCBCR: 'YCbCr',
            Meaning.LAB: 'Lab', 9: 'Lab', 10: 'Lab', 32844: 'LogL', 32845: 'LogLuv',
            32803: 'the raw mosaic of a sensor', 34892: 'raw data of a sensor'}  # fmt: skip
UNSIGNED, UNDEFINED = 1, 4
NUMBERS = {2: 'int', 3: 'float', 5: 'complex int', 6: 'complex'}
"""Values of SampleFormat but these two."""
SEPARATE = 2
"""A PlanarConfiguration."""
DIFFERENCES = 2
"""A Predictor."""
CMYK_INKS = 1
"""An InkSet."""
REVERSED = 2
"""A FillOrder: the first bit of a byte is its lowest."""
ASSOCIATED, UNASSOCIATED = 1, 2
"""Values of ExtraSamples: alpha by which the colours are multiplied, and by which they are not."""
