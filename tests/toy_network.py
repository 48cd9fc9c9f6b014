"""A network of which every window can say exactly what the whole image says."""

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.psp_head import PPM
from torch import nn

from mmomni.apis.network import Output
from mmomni.apis.onnx_export import _trace
from mmomni.apis.onnx_form import KEY
from mmomni.apis.onnx_network import OnnxNetwork
from mmomni.apis.shared_context import SharedContext
from mmomni.apis.torch_network import Logits
from mmomni.checkpoints import DESCRIPTION, Description, description_text
from mmomni.models.layers import Coordinates, QueryAttention


class Toy(nn.Module):
    """Every kind of operation on the whole image, one after another; all else looks at a block.

    So windows have no edge effects, and the maps are equal to the last digit.
    """

    def __init__(self):
        super().__init__()
        self.coordinates = Coordinates()
        self.stem = nn.Conv2d(8, 8, 8, stride=8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.attention = QueryAttention(8, 4, 2)
        self.ppm = PPM((1, 2, 3, 6), 8, 4, None, None, dict(type='ReLU'), False)
        self.head = nn.Conv2d(8 + 4 * 4, 2, 1)
        self.last_pool = nn.AdaptiveAvgPool2d(1)
        self.sizes = set()

    def forward(self, planes):
        self.sizes.add(tuple(planes.shape))
        x = self.stem(self.coordinates(planes.to(self.head.weight) / 255))
        x = x + x * self.pool(x) + self.attention(x)
        x = F.avg_pool2d(x, 4)
        x = torch.cat([x, *self.ppm(x)], dim=1)
        summary = self.last_pool(x)
        logits = F.interpolate(self.head(x * (1 + summary)) * 5, scale_factor=32)
        return Logits(logits, summary.mean((1, 2, 3)))


class Local(nn.Module):
    """Looks at neighbours only, and has no gate."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(5, 2, 9, padding=4)

    def forward(self, planes):
        return Logits(self.conv(planes / 255), None)


class InNumPy:
    """A module as a network, in whatever precision it computes."""

    precision, on_cpu = 'fp32', True

    def __init__(self, module):
        self.module = module

    def sharing(self):
        return SharedContext(self.module)

    @torch.no_grad()
    def __call__(self, planes):
        logits, gate = self.module(torch.from_numpy(planes))
        return Output((logits[:, 1] - logits[:, 0]).numpy(), gate if gate is None else gate.numpy())


def exported(module, path):
    """The same module by ONNX Runtime."""
    import onnx

    graph = _trace(module, path)
    file = onnx.load(path)
    text = description_text(Description(dict(model=dict(type='EncoderDecoder')), (), {}))
    onnx.helper.set_model_props(file, {DESCRIPTION: text, KEY: graph.text()})
    onnx.save(file, path)
    return OnnxNetwork(path)
