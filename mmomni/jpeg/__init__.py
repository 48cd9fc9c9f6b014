"""JPEG bytes <-> pixels, luma DCT coefficients and quantisation table.

Knows nothing of torch or OpenMMLab.
"""

from .codec import (
    LONGEST_SIDE,
    SUBSAMPLING,
    ChannelOrder,
    ImageReadError,
    decode,
    encode,
    values_of,
)
from .luma import BACKENDS, Luma, has_luma, read_luma
from .opening import open_image

__all__ = [
    'BACKENDS', 'LONGEST_SIDE', 'SUBSAMPLING', 'ChannelOrder', 'ImageReadError', 'Luma', 'decode',
    'encode', 'has_luma', 'open_image', 'read_luma', 'values_of',
]  # fmt: skip
