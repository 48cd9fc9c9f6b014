"""The same results sooner: each is entered by one line of what it speeds up.

Nothing here changes parameters, names or what is learned; what cannot be taken (another device,
another precision, a trace) passes as if this were not there, and within :func:`disabled` nothing
is taken.
"""

from .batch_norms import at_least_single
from .concatenation import convolve_parts, convolve_repeats
from .convolution import FoldingConv, PointwiseLinear
from .depthwise import filter_one_by_one
from .frequency_head import FREQUENCY_FORMS, embed_and_convolve, looks_up
from .memory import (
    laid_out,
    laid_out_for_filters,
    laid_out_for_many_channels,
    laid_out_like,
    layout,
    planes,
    scale,
)
from .reductions import GlobalAverage, accuracy
from .roi_align import speed_up_regions
from .switch import (
    as_in_forward,
    as_on_accelerators,
    chooses_kernels,
    disabled,
    enabled,
    on_cpu,
)

__all__ = [
    'FREQUENCY_FORMS', 'FoldingConv', 'GlobalAverage', 'PointwiseLinear', 'accuracy',
    'as_in_forward', 'as_on_accelerators', 'at_least_single', 'chooses_kernels', 'convolve_parts',
    'convolve_repeats', 'disabled', 'embed_and_convolve', 'enabled', 'filter_one_by_one',
    'laid_out', 'laid_out_for_filters', 'laid_out_for_many_channels', 'laid_out_like', 'layout',
    'looks_up', 'on_cpu', 'planes', 'scale', 'speed_up_regions',
]  # fmt: skip
