"""What mmpretrain and timm offer the encoder, as far as it asks: neither need be installed."""

from collections import OrderedDict
from types import SimpleNamespace

from mmengine.model import BaseModule
from torch import nn

from mmomni.models import backbones


class ConvNeXt(BaseModule):
    """As ``mmpretrain.ConvNeXt``: norms of the levels that are returned only."""

    def __init__(
        self, arch, in_channels=3, out_indices=-1, layer_scale_init_value=1e-6, init_cfg=None
    ):
        super().__init__(init_cfg)
        network = backbones.ConvNeXt(arch, in_channels, 0.0, layer_scale_init_value)
        self.channels = list(network.channels)
        self.downsample_layers, self.stages = network.downsample_layers, network.stages
        self.out_indices = (3,) if out_indices == -1 else out_indices
        for index in self.out_indices:
            self.add_module(f'norm{index}', getattr(network, f'norm{index}'))

    def forward(self, x):
        outputs = []
        for index in range(4):
            x = self.stages[index](self.downsample_layers[index](x))
            if index in self.out_indices:
                outputs.append(getattr(self, f'norm{index}')(x))
        return tuple(outputs)


ConvNeXt.__module__ = 'mmpretrain.models.backbones.convnext'


class NormAct(nn.BatchNorm2d):
    """timm's networks have norms that are more than norms."""

    def forward(self, x):
        return super().forward(x).relu()


class Permute(nn.Module):
    def __init__(self, *order):
        super().__init__()
        self.order = order

    def forward(self, x):
        return x.permute(*self.order)


def _down(channels, further):
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(channels, further, 2, 2), norm=NormAct(further))
    )


class Classifier(nn.Module):
    def __init__(self, in_chans=3, drop_path_rate=0.0):
        super().__init__()
        self.drop_path_rate = drop_path_rate
        self.conv1, self.bn1 = nn.Conv2d(in_chans, 4, 3, 2, 1), NormAct(4)
        self.layers = nn.Sequential(*(_down(4 + 4 * i, 8 + 4 * i) for i in range(4)))
        self.head = nn.Linear(20, 10)


class FeatureListNet(nn.ModuleDict):
    """A classifier as modules one after another; the levels are those of the named strides."""

    output_fmt = 'NCHW'

    def __init__(self, network, strides):
        super().__init__(
            OrderedDict(conv1=network.conv1, bn1=network.bn1)
            | {f'layers_{i}': layer for i, layer in enumerate(network.layers)}
        )
        levels = dict(bn1=(2, 4), layers_0=(4, 8), layers_1=(8, 12), layers_2=(16, 16),
                      layers_3=(32, 20))  # fmt: skip
        levels = {name: level for name, level in levels.items() if level[0] in strides}
        self.return_layers = {name: str(i) for i, name in enumerate(levels)}
        self.feature_info = SimpleNamespace(
            reduction=lambda: [stride for stride, _ in levels.values()],
            channels=lambda: [channels for _, channels in levels.values()],
        )

    def forward(self, x):
        outputs = []
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                outputs.append(x)
        return outputs


class ChannelsLast(FeatureListNet):
    """Like timm's Swin: maps (B, H, W, C) between the modules."""

    output_fmt = 'NHWC'

    def __init__(self, network, strides):
        super().__init__(network, strides)
        for name, module in self.items():
            before = [] if name == 'conv1' else [Permute(0, 3, 1, 2)]
            self[name] = nn.Sequential(*before, module, Permute(0, 2, 3, 1))


class FeatureGetterNet(nn.Module):
    """What timm gives for a Vision Transformer."""


class EfficientNetFeatures(nn.Module):
    """What timm gives for an EfficientNet, unless it is asked for a list."""


def create_model(name, pretrained=False, features_only=False, feature_cfg=None, **options):
    """As timm's, with networks ``plain``, ``last``, ``shallow``, ``transformer``, ``efficient``."""
    network = Classifier(**options)
    if not features_only:
        if pretrained:
            nn.init.constant_(network.conv1.weight, 0.25)
        return network
    if name == 'transformer':
        return FeatureGetterNet()
    if name == 'efficient' and feature_cfg is None:
        return EfficientNetFeatures()
    if name == 'shallow':
        return FeatureListNet(network, (2, 4, 8))
    return (ChannelsLast if name == 'last' else FeatureListNet)(network, (2, 4, 8, 16, 32))
