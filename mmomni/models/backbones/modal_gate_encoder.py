"""Modal Gate Encoder (paper, section 3.1).

Letters: ``B`` batch, ``H W`` image height and width, ``Ck`` channels of level k at stride 2^(k+1).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmomni.models import fast
from mmomni.models.encoded import Encoded
from mmomni.models.layers import Coordinates, FrequencyPerceptionHead, HighPass, ModalGate, ScSE
from mmomni.models.stagewise import build_stagewise
from mmomni.registry import MODELS

COORDINATE_PLANES = 3


@MODELS.register_module()
class ModalGateEncoder(BaseModule):
    """A backbone that chooses, for each sample, between vision and vision + frequency.

    ::

        RGB ─ VPH (stages 1, 2) ─┬─ F_rgb ─ Aux1 ─ P_rgb ─┐
                                 │                        ├ gate ─ P_cls ─ hard choice = F2
        |q|, QT ─ FPH ─ F_freq ──┴─ Attn = F_fused ─ Aux2 ┘          │
                                              P_fused                └─ stages 3, 4 ─ F3, F4

    Args:
        backbone: Config of a backbone that can run stage by stage (see :func:`build_stagewise`),
            without ``in_channels``.
        gate: ``'learned'`` is the paper's model. ``'fused'`` always takes ``F_fused`` (ablation
            *w.o. MG*), ``'vision'`` always ``F_rgb`` and builds no FPH (``w.o. MG*``).
        frequency_head: Arguments of :class:`FrequencyPerceptionHead`.
        aux_channels: Hidden channels of the two auxiliary heads, which run in prediction, too.
        num_classes: Channels of the coarse predictions.
        mean: Of R, G and B; they are normalised here because mmseg's data preprocessor may
            refuse five planes, of which two are not to be normalised.
        std: Likewise.
        norm_cfg: Norm layer of fusion, auxiliary heads and gate.
        high_pass: Show the stem three planes of noise, too (:class:`HighPass`); not in the paper.
        residual_fusion: Let stages 3 and 4 go on from what vision goes on with plus ``F_fused``
            instead of ``F_fused`` alone: so pretrained ones keep seeing what they know. Not in the
            paper.
    """

    def __init__(
        self,
        backbone: dict,
        gate: Literal['learned', 'fused', 'vision'] = 'learned',
        frequency_head: dict | None = None,
        aux_channels: int = 64,
        num_classes: int = 2,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        norm_cfg: dict | None = None,
        high_pass: bool = False,
        residual_fusion: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if gate not in ('learned', 'fused', 'vision'):
            raise ValueError(f"gate must be 'learned', 'fused' or 'vision', got {gate!r}")
        norm_cfg = norm_cfg or dict(type='BN')
        if residual_fusion and gate == 'vision':
            raise ValueError("residual_fusion=True has nothing to fuse with gate='vision'")
        self.gate_mode = gate
        self.residual_fusion = residual_fusion
        for name, values in (('mean', mean), ('std', std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        self.coordinates = Coordinates()
        self.high_pass = HighPass() if high_pass else None
        planes = 3 + (HighPass.planes if high_pass else 0) + COORDINATE_PLANES
        self.backbone = build_stagewise(backbone, in_channels=planes)
        c2 = self.backbone.channels[1]
        self.aux_rgb = _aux_head(c2, aux_channels, num_classes, norm_cfg)
        if gate != 'vision':
            self.fph = FrequencyPerceptionHead(**(frequency_head or {}))
            concatenated = c2 + self.fph.out_channels
            fusing = ConvModule(concatenated, c2, 3, padding=1, norm_cfg=norm_cfg)
            self.attention = nn.Sequential(ScSE(concatenated), fusing)
            self.aux_fused = _aux_head(c2, aux_channels, num_classes, norm_cfg)
        if gate == 'learned':
            self.gate = ModalGate(c2, num_classes, norm_cfg)

    def forward(self, inputs: Tensor) -> Encoded:
        """Encode a batch of five-plane images.

        Args:
            inputs: (B, 5, H, W): RGB (0..255), ``|q|`` (0..20) and quantisation steps; H and W
                multiples of 32.

        Raises:
            ValueError: The input has not five planes or not a fitting size.
        """
        self._check(inputs)
        visible = fast.laid_out(self.coordinates(self._visible(inputs[:, :3])))
        x, f1 = self.backbone.stage(0, visible)
        x, f_rgb = self.backbone.stage(1, x)
        p_rgb = self.aux_rgb(f_rgb)
        f2, p_fused, p_cls = f_rgb, None, None
        if self.gate_mode != 'vision':
            f_freq = self.fph(inputs[:, 3], inputs[:, 4, :8, :8])
            f_fused = self.attention(torch.cat([f_rgb, f_freq], dim=1))
            x_fused = x + f_fused if self.residual_fusion else f_fused
            p_fused = self.aux_fused(f_fused)
        if self.gate_mode == 'fused':
            x, f2 = x_fused, f_fused
        elif self.gate_mode == 'learned':
            p_cls = self.gate(f_rgb, f_fused, p_rgb, p_fused)
            # Half precision rounds what is hardly above one half to it.
            vision = fast.at_least_single(p_cls).sigmoid().round().view(-1, 1, 1, 1) == 1
            f2 = torch.where(vision, f_rgb, f_fused)
            # What vision goes on with is, for most backbones, not the normalised level.
            x = f2 if x is f_rgb and x_fused is f_fused else torch.where(vision, x, x_fused)
        x, f3 = self.backbone.stage(2, x)
        f4 = self.backbone.stage(3, x)[1]
        return Encoded(f1, f2, f3, f4, p_rgb, p_fused, p_cls)

    def _visible(self, rgb: Tensor) -> Tensor:
        """Normalised R, G and B, and planes of noise if they are asked for."""
        normalised = (rgb - self.mean) / self.std
        if self.high_pass is None:
            return normalised
        return torch.cat([normalised, self.high_pass(rgb)], dim=1)

    @staticmethod
    def _check(inputs: Tensor) -> None:
        planes, height, width = inputs.shape[1:]
        if planes != 5:
            raise ValueError(
                f'expected 5 planes (RGB, |q|, quantisation steps), got {planes}; end the pipeline '
                'with mmomni.ExtractDCT and mmomni.PackManipulationInputs'
            )
        if height % 32 or width % 32:
            raise ValueError(
                f'expected height and width as multiples of 32, got {(height, width)}; set '
                'size_divisor=32 in data_preprocessor and in its test_cfg, which pads to '
                f'{(-(-height // 32) * 32, -(-width // 32) * 32)}'
            )


def _aux_head(in_channels: int, channels: int, num_classes: int, norm_cfg: dict) -> nn.Sequential:
    """Two conv layers: 3x3 with norm and ReLU, then 1x1 to the classes."""
    return nn.Sequential(
        ConvModule(in_channels, channels, 3, padding=1, norm_cfg=norm_cfg),
        nn.Conv2d(channels, num_classes, 1),
    )
