"""A convolution of maps that are repeated, without repeating them: its weights add up."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor


def convolve_repeats(
    module: ConvModule, features: Sequence[Tensor], repeated: Sequence[Tensor], repeats: int
) -> Tensor:
    """``module(concat(features, repeat(repeated)))``.

    Args:
        module: Convolution, norm and activation of all channels, repeats included.
        features: Maps (B, Ci, h, w).
        repeated: Maps of equal channels (B, K, h, w), each to be repeated to ``repeats * K``.
        repeats: How often.

    Returns:
        (B, C, h', w').
    """
    conv, classes = module.conv, repeated[0].shape[1]
    own = sum(x.shape[1] for x in features)
    of_repeats = conv.weight[:, own:].unflatten(1, (len(repeated), repeats, classes)).sum(dim=2)
    weight = torch.cat([conv.weight[:, :own], of_repeats.flatten(1, 2)], dim=1)
    x = torch.cat([*features, *repeated], dim=1)
    x = F.conv2d(x, weight, conv.bias, conv.stride, conv.padding)
    return module.activate(module.norm(x))
