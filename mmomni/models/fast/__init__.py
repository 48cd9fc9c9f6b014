"""The same results sooner: each is entered by one line of what it speeds up.

Nothing here changes parameters, names or what is learned; what cannot be taken (another device,
another precision, a trace) passes as if this were not there.
"""

from .convolution import convolve, pointwise
from .layout import channels_last, planes

__all__ = ['channels_last', 'convolve', 'planes', 'pointwise']
