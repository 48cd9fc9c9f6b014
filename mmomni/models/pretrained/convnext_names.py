"""Names of ConvNeXt's weights: those of its publishers, and OpenMMLab's, which are ours."""

import re
from collections.abc import Mapping

from torch import Tensor

REPLACEMENTS = (
    # timm, also of its `features_only` networks
    (r'^stem[._](\d)\.', r'downsample_layers.0.\1.'),
    (r'^stages[._](\d)\.downsample\.', r'downsample_layers.\1.'),
    (r'^stages[._](\d)\.blocks\.(\d+)\.', r'stages.\1.\2.'),
    (r'\.conv_dw\.', '.depthwise_conv.'),
    (r'\.mlp\.fc([12])\.', r'.pointwise_conv\1.'),
    (r'^head\.norm\.', 'norm3.'),
    # facebookresearch/ConvNeXt
    (r'\.dwconv\.', '.depthwise_conv.'),
    (r'\.pwconv([12])\.', r'.pointwise_conv\1.'),
    (r'^norm\.', 'norm3.'),
)
CLASSIFIER = 'head.'
STEM = 'downsample_layers.0.0'
"""The convolution that sees the image."""


def openmmlab_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a ConvNeXt by the names of ``mmpretrain.ConvNeXt``, without the classifier.

    They come by the names of facebookresearch/ConvNeXt, of timm or of OpenMMLab, without a prefix.
    A name of none of them stays as it is.
    """
    converted = {}
    for name, tensor in state_dict.items():
        own = name
        for pattern, replacement in REPLACEMENTS:
            own = re.sub(pattern, replacement, own)
        if own.startswith(CLASSIFIER):
            continue
        if '.pointwise_conv' in own and tensor.ndim == 4:
            tensor = tensor.flatten(1)  # noqa: PLW2901  (1x1 convolutions, in timm's small sizes)
        converted[own] = tensor
    return converted
