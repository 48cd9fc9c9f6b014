from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmomni.registry import MODELS


class Stagewise(BaseModule):
    """A pyramid backbone that can be stopped after any stage.

    Works with ``mmomni.ConvNeXt`` and ``mmpretrain.ConvNeXt`` (``downsample_layers``, ``stages``)
    and with ``mmseg.SwinTransformer`` (``patch_embed``, ``stages`` that downsample at their end).

    Args:
        backbone: Config of the backbone, without ``in_channels``.
        in_channels: Planes of the input. A pretrained stem with fewer planes is inflated with
            zeros when it is loaded.

    Attributes:
        channels: Channels of the four levels.
    """

    def __init__(self, backbone: dict, in_channels: int) -> None:
        super().__init__()
        if 'in_channels' in backbone:
            raise ValueError(
                f"remove in_channels={backbone['in_channels']} from the backbone's config: the "
                f'encoder sets it to {in_channels}'
            )
        self.body: Any = MODELS.build({**backbone, 'in_channels': in_channels})
        self.is_swin = hasattr(self.body, 'patch_embed') and hasattr(self.body, 'num_features')
        if not self.is_swin and not hasattr(self.body, 'downsample_layers'):
            raise TypeError(
                f'expected a backbone that can run stage by stage (ConvNeXt or SwinTransformer), '
                f'got {type(self.body).__name__}'
            )
        missing = [i for i in range(4) if not hasattr(self.body, f'norm{i}')]
        if missing:
            raise ValueError(f'the backbone needs out_indices=(0, 1, 2, 3), norms {missing} lack')
        widths = self.body.num_features if self.is_swin else self.body.channels
        self.channels: Sequence[int] = tuple(widths)
        stem = next(m for m in self.body.modules() if isinstance(m, nn.Conv2d))
        # torch 2.1 has no public name for it
        stem._register_load_state_dict_pre_hook(_inflate_with_zeros, with_module=True)

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Run stage ``index``: its output for the next stage, and the same normalised.

        Args:
            index: 0 to 3.
            x: The image (B, in_channels, H, W) for stage 0, else features of the stage before.
        """
        norm = getattr(self.body, f'norm{index}')
        if not self.is_swin:
            x = self.body.stages[index](self.body.downsample_layers[index](x))
            return x, norm(x)
        if index == 0:
            tokens, size = self.body.patch_embed(x)
            if self.body.use_abs_pos_embed:
                tokens = tokens + self.body.absolute_pos_embed
            tokens = self.body.drop_after_pos(tokens)
        else:
            tokens, size = x.flatten(2).transpose(1, 2), x.shape[2:]
            tokens, size = self.body.stages[index - 1].downsample(tokens, size)
        for block in self.body.stages[index].blocks:
            tokens = block(tokens, size)
        return _to_map(tokens, size), _to_map(norm(tokens), size)


def _to_map(tokens: Tensor, size: Sequence[int]) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, tuple(size)).contiguous()


def _inflate_with_zeros(module: nn.Conv2d, state_dict: dict, prefix: str, *_: object) -> None:
    """Let an RGB kernel fit a stem with further planes, which then start without influence."""
    loaded = state_dict.get(prefix + 'weight')
    if loaded is None or loaded.shape[1] >= module.weight.shape[1]:
        return
    extra = module.weight.shape[1] - loaded.shape[1]
    padding = loaded.new_zeros(loaded.shape[0], extra, *loaded.shape[2:])
    state_dict[prefix + 'weight'] = torch.cat([loaded, padding], dim=1)
