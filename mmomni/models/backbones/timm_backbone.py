from collections.abc import Mapping
from importlib import import_module
from itertools import pairwise
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmomni.models.pretrained import load_pretrained, pretrained_part
from mmomni.models.stagewise import STRIDES
from mmomni.registry import MODELS

SCHEME = 'timm://'
OWN_FEATURES = ('EfficientNetFeatures', 'MobileNetV3Features')
"""Classes of timm that it builds for ``features_only`` unless it is asked for a list of modules."""


def import_timm() -> Any:
    """The optional package timm.

    Raises:
        ImportError: It, or a torchvision made for this torch, is not installed.
    """
    try:
        return import_module('timm')
    except Exception as error:  # a torchvision made for another torch raises anything
        raise ImportError(
            'networks of timm need it and the torchvision that was made for '
            f'torch {torch.__version__}: pip install timm torchvision ({error})'
        ) from error


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_timm(filename: str, map_location: Any = None) -> dict[str, Tensor]:
    """Pretrained weights of timm by name and tag, ``timm://resnet18.a1_in1k``, downloaded once."""
    del map_location  # they are on the CPU
    network = import_timm().create_model(filename.removeprefix(SCHEME), pretrained=True)
    return network.state_dict()


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A network of timm (``pip install timm``, and torchvision) as a pyramid of four levels.

    It must be made of modules that run one after another, as convolutional networks are, and have
    levels at strides 4, 8, 16 and 32.

    Args:
        model_name: timm's, without a tag: ``'resnet18'``.
        in_channels: Input planes.
        drop_path_rate: Stochastic depth; 0 leaves timm's default.
        init_cfg: mmengine's; ``dict(type='Pretrained', checkpoint='timm://resnet18.a1_in1k')`` to
            load the weights of a tag, or a file with timm's names.

    Attributes:
        channels: Of the four levels.

    Raises:
        ImportError: timm or a fitting torchvision is not installed.
        ValueError: The network cannot be run stage by stage.
    """

    def __init__(
        self,
        model_name: str,
        in_channels: int = 3,
        drop_path_rate: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not model_name.isidentifier():  # timm would download what others name
            raise ValueError(
                f'expected the name of a network of timm, without a tag, got {model_name!r}; tags '
                f"stand in init_cfg=dict(type='Pretrained', checkpoint='{SCHEME}NAME.TAG')"
            )
        self.model_name = model_name
        options = dict(drop_path_rate=drop_path_rate) if drop_path_rate else {}
        self.network = _features_only(model_name, in_chans=in_channels, **options)
        self._modules_of_stage, self.channels = _split(self.network, model_name)

    @property
    def stem(self) -> nn.Conv2d:
        """The convolution that sees the image."""
        return next(m for m in self.network.modules() if isinstance(m, nn.Conv2d))

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run stage ``index``, 0 to 3, on the image or on the level before: both (B, C, H, W)."""
        last = self.network.output_fmt == 'NHWC'
        if last and index:
            x = x.permute(0, 2, 3, 1)
        for name in self._modules_of_stage[index]:
            x = self.network[name](x)
        return x.permute(0, 3, 1, 2).contiguous() if last else x

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, in_channels, H, W) -> four maps (B, Ck, H / 2^(k+1), W / 2^(k+1)), k = 1..4."""
        outputs = []
        for index in range(4):
            x = self.stage(index, x)
            outputs.append(x)
        return tuple(outputs)

    def init_weights(self) -> None:
        """Leave the weights as timm drew them, or load pretrained ones strictly."""
        pretrained = pretrained_part(self.init_cfg)
        if pretrained is not None:
            stem = next(n for n, module in self.named_modules() if module is self.stem)
            load_pretrained(self, pretrained, self.own_names, stem=f'{stem}.weight')
        self._is_init = True

    def own_names(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights by timm's names -> by ours, without what follows the last level; ours stay."""
        own = self.state_dict()
        if any(name in own for name in state_dict):
            return dict(state_dict)
        classifier = import_timm().create_model(self.model_name).state_dict()
        renamed = {self._own_name(name): (name, tensor) for name, tensor in state_dict.items()}
        return {
            ours: tensor
            for ours, (name, tensor) in renamed.items()
            if ours in own or name not in classifier
        }

    def _own_name(self, name: str) -> str:
        """What a classifier calls ``stages.0``, timm calls ``stages_0`` in ``features_only``."""
        first, _, rest = name.partition('.')
        second, _, last = rest.partition('.')
        joined = f'{first}_{second}'
        return f'network.{joined}.{last}' if joined in self.network else f'network.{name}'


def _features_only(model_name: str, **options: Any) -> Any:
    """A network of timm as modules that run one after another."""
    timm = import_timm()
    network = timm.create_model(model_name, features_only=True, **options)
    if type(network).__name__ in OWN_FEATURES:
        listed = dict(flatten_sequential=True)
        network = timm.create_model(model_name, features_only=True, feature_cfg=listed, **options)
    if not hasattr(network, 'return_layers'):
        raise ValueError(
            f"timm's {model_name} cannot be run stage by stage: expected a network made of modules "
            f'that run one after another (a FeatureListNet), got a {type(network).__name__}'
        )
    return network


def _split(network: Any, model_name: str) -> tuple[list[list[str]], tuple[int, ...]]:
    """Names of the modules of each stage, and channels of the levels."""
    info = network.feature_info
    ends = {  # of several levels of one stride the last one counts
        stride: (name, channels)
        for name, stride, channels in zip(
            network.return_layers, info.reduction(), info.channels(), strict=True
        )
    }
    if not set(STRIDES) <= set(ends):
        raise ValueError(
            f"expected a network of timm with levels at strides {STRIDES}, {model_name}'s have "
            f'{tuple(ends)}'
        )
    names = list(network)
    stops = [0, *(names.index(ends[stride][0]) + 1 for stride in STRIDES)]
    stages = [names[start:stop] for start, stop in pairwise(stops)]
    return stages, tuple(ends[stride][1] for stride in STRIDES)
