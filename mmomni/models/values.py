"""What the network tells apart in the plane of coefficients (paper, section 3.1)."""

from mmomni.jpeg.luma import MAX_COEFFICIENT

NUM_VALUES = MAX_COEFFICIENT + 1
"""``|q|`` is told apart from 0 to 20; larger ones are read as 20."""
