"""MVSS-Net, of two views and three losses.

Chen et al., "Image Manipulation Detection by Multi-View Multi-Scale Supervision", ICCV 2021,
section 3; public code: dong03/MVSS-Net.

Letters: ``B`` batch, ``H W`` image height and width, ``Ck`` channels of level k.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_activation_layer
from mmengine.model import BaseModule, ModuleDict
from mmseg.models.decode_heads.da_head import CAM, PAM
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmomni.models.backbones import FivePlanes
from mmomni.models.losses import edge_labels, losses_by_name
from mmomni.registry import MODELS

GREY = (0.2989, 0.587, 0.114)
"""Of R, G and B."""
LEAKY = dict(type='LeakyReLU', negative_slope=0.1)


class BayarConv(nn.Module):
    """Prediction errors of grey values: learned kernels with -1 in the middle, 1 around it.

    Bayar and Stamm, "Constrained Convolutional Neural Networks", TIFS 2018. Ours: the constraint
    is part of the convolution, so that gradients know of it; the public code divides the weights
    in place before each step.

    Args:
        channels: Kernels.
        kernel_size: Odd.
    """

    def __init__(self, channels: int = 3, kernel_size: int = 5) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.kernels = nn.Parameter(torch.empty(channels, 1, kernel_size**2 - 1).uniform_())

    def forward(self, grey: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, channels, H, W)."""
        return F.conv2d(grey, self.constrained(), padding=self.kernel_size // 2)

    def constrained(self) -> Tensor:
        """The kernels (channels, 1, kernel_size, kernel_size); each has the sum 0."""
        around = self.kernels / self.kernels.sum(dim=-1, keepdim=True)
        before, after = around.chunk(2, dim=-1)
        middle = -torch.ones_like(before[..., :1])
        kernels = torch.cat([before, middle, after], dim=-1)
        return kernels.unflatten(-1, (self.kernel_size, self.kernel_size))


@MODELS.register_module()
class MVSSEncoder(FivePlanes):
    """Two backbones, of RGB and of its noise; the edges are a matter of :class:`EdgeHead`.

    Args:
        backbone: Config of a backbone of three planes and four levels, built twice.
        last: Levels of both that are joined, at the size of the first of them: the last one of
            strides 4, 8, 16, 16, as in the paper; two of a backbone that goes on to 32.
        **planes: Of :class:`FivePlanes`.
    """

    def __init__(self, backbone: dict, last: int = 1, **planes: Any) -> None:
        super().__init__(**planes)
        self.last = last
        self.constrained = BayarConv()
        self.backbone = ModuleDict({kind: MODELS.build(backbone) for kind in ('rgb', 'noise')})
        self.register_buffer('grey', torch.tensor(GREY).view(1, 3, 1, 1), persistent=False)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Five planes (B, 5, H, W) -> the four levels of RGB, and the joined ones.

        They are concatenated, (B, C, H / s, W / s) of the first one's stride ``s``.
        """
        rgb = self.rgb(inputs)
        grey = (rgb * self.grey).sum(dim=1, keepdim=True)
        levels = tuple(self.backbone['rgb'](rgb))
        noise = tuple(self.backbone['noise'](self.constrained(grey)))
        joined = (*levels[-self.last :], *noise[-self.last :])
        size = joined[0].shape[2:]
        resized = [resize(x, size, mode='bilinear', align_corners=False) for x in joined]
        return (*levels, torch.cat(resized, dim=1))


@MODELS.register_module()
class MVSSHead(BaseDecodeHead):
    """Dual attention over both streams: of positions and of channels, added (DANet).

    mmseg's ``DAHead``, without its predictions of each attention alone.

    Args:
        pam_channels: Of queries and keys of the attention of positions.
        **kwargs: Of mmseg's ``BaseDecodeHead``.
    """

    sees_whole_image = True

    def __init__(self, pam_channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.positions = nn.Sequential(
            self._conv(self.in_channels), PAM(self.channels, pam_channels),
            self._conv(self.channels),
        )  # fmt: skip
        self.of_channels = nn.Sequential(
            self._conv(self.in_channels), CAM(), self._conv(self.channels)
        )

    def _conv(self, in_channels: int) -> ConvModule:
        return ConvModule(in_channels, self.channels, 3, padding=1, norm_cfg=self.norm_cfg)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Levels of the encoder -> logits (B, 2, H / s, W / s), ``s`` the joined levels' stride."""
        x = self._transform_inputs(inputs)
        return self.cls_seg(self.positions(x) + self.of_channels(x))


class SobelGate(nn.Module):
    """Features, weighted by how strong their edges are.

    The gradient is that of the sum over the channels, each of its two directions normalised.
    """

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
        self.register_buffer('kernels', torch.stack([across, across.T])[:, None], persistent=False)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        summed = x.sum(dim=1, keepdim=True)
        gradient = self.norm(F.conv2d(summed, self.kernels.to(x), padding=1))
        # the root has no gradient at 0, where features are flat
        strength = (gradient.square().sum(dim=1, keepdim=True) + 1e-6).sqrt()
        return strength.sigmoid() * x


class EdgeResidualBlock(nn.Module):
    """1x1 conv to one channel, then a residual of two 3x3 convs.

    Ours: it ends with a leaky ReLU. With the one channel of the public code, a ReLU that happens to
    start below 0 silences everything before it for good.

    Args:
        in_channels: Of the features.
        act: Whether it ends with an activation.
    """

    def __init__(self, in_channels: int, act: bool = True) -> None:
        super().__init__()
        self.enter = nn.Conv2d(in_channels, 1, 1)
        self.residual = nn.Sequential(
            ConvModule(1, 1, 3, padding=1, norm_cfg=dict(type='BN'), act_cfg=dict(LEAKY)),
            nn.Conv2d(1, 1, 3, padding=1),
        )
        self.act = build_activation_layer(dict(LEAKY)) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, 1, H, W)."""
        x = self.enter(x)
        return self.act(x + self.residual(x))


@MODELS.register_module()
class EdgeHead(BaseModule):
    """The edge-supervised branch: in training only, as nothing of the mask depends on it.

    From shallow to deep, each level's edges are added to those of the levels before, at the size of
    the first. The target is the outline of the tampered regions at that size, as in the paper.

    Args:
        in_channels: Of the levels.
        in_index: Their places among the inputs.
        loss_decode: Losses of the edges' logits, as of mmseg's heads.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        loss_decode: dict,
        in_index: Sequence[int] = (0, 1, 2, 3),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_index = tuple(in_index)
        self.levels = nn.ModuleList(
            nn.Sequential(SobelGate(), EdgeResidualBlock(channels)) for channels in in_channels
        )
        deeper = len(in_channels) - 1
        self.joins = nn.ModuleList(
            EdgeResidualBlock(1, act=index < deeper - 1) for index in range(deeper)
        )
        self.loss_decode = MODELS.build(loss_decode)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Levels (B, Ck, Hk, Wk) -> logits of an edge (B, 1, H1, W1)."""
        edges = [
            level(inputs[i]) for level, i in zip(self.levels, self.in_index, strict=True)
        ]
        x, size = edges[0], edges[0].shape[2:]
        for join, deeper in zip(self.joins, edges[1:], strict=True):
            x = join(x + resize(deeper, size, mode='bilinear', align_corners=False))
        return x

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: SampleList, train_cfg: dict
    ) -> dict[str, Tensor]:
        """Loss terms of the edges."""
        logits = self(inputs)
        labels = torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in batch_data_samples])
        target = edge_labels(labels, tuple(logits.shape[2:]))
        # two classes, of which the softmax is the sigmoid of the one
        two = torch.cat([torch.zeros_like(logits), logits], dim=1)
        return losses_by_name(self.loss_decode, two, target)
