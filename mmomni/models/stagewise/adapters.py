"""One adapter for each kind of backbone; :class:`Stagewise` says what they are asked."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from mmomni.models import fast
from mmomni.models.pretrained import LEVEL_NORMS, STEM, openmmlab_names

from .protocol import STRIDES, Stagewise, adapts


@adapts('mmomni.ConvNeXt', 'mmomni.ConvNeXtSwin', 'mmpretrain.ConvNeXt')
class ConvNeXtStages(Stagewise):
    """Each stage begins with its downsampling, whose first layer is a norm.

    Stage 2 continues from the normalised level 1, as in the paper: its own norm then gives what it
    gives without, as long as ``norm1`` scales and shifts nothing. So ``norm1`` starts like that,
    whatever pretrained weights say.
    """

    optional = LEVEL_NORMS

    def __init__(self, body: nn.Module, pretrained: dict | None = None) -> None:
        _require_norms(body)
        super().__init__(body, pretrained)

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.get_submodule(STEM)

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body.stages[index](self.body.downsample_layers[index](x))
        level = getattr(self.body, f'norm{index}')(x)
        return level if index == 1 else x, level

    def own_names(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        renamed = openmmlab_names(state_dict)
        return {n: tensor for n, tensor in renamed.items() if not n.startswith('norm1.')}


@adapts('mmseg.SwinTransformer')
class SwinStages(Stagewise):
    """Each stage ends with the downsampling of the next one, which takes no normalised level."""

    _version = 2  # torch saves it; in 1, stage 2 took the normalised level 1
    heads = ('norm.', 'head.')
    optional = LEVEL_NORMS

    def __init__(self, body: Any, pretrained: dict | None = None) -> None:
        _require_norms(body)
        steps = [body.patch_embed.projection.stride[0]]
        steps += [stage.downsample.sampler.stride[0] for stage in body.stages[:-1]]
        _require_strides(body, steps)
        super().__init__(body, pretrained)

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.body.num_features)

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.patch_embed.projection

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
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
        norm = getattr(self.body, f'norm{index}')
        return _to_map(tokens, size), _to_map(norm(tokens), size)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, local_metadata: dict, *args: Any
    ) -> None:
        """Say so of weights that learned from another level; published ones do not tell."""
        if local_metadata.get('version', self._version) < self._version:
            print_log(
                f'{prefix}: these weights of a Swin were trained when its third stage continued '
                'from the normalised second level; now it continues from the level itself, as in '
                'mmseg, and gives other features: train them further, or anew',
                'current',
                logging.WARNING,
            )
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


def _to_map(tokens: Tensor, size: Sequence[int]) -> Tensor:
    return fast.laid_out(tokens.transpose(1, 2).unflatten(2, tuple(size)))


@adapts('mmseg.MixVisionTransformer')
class MixVisionStages(Stagewise):
    """Each stage begins with its patches and ends with its norm, which the next continues from."""

    heads = ('head.',)

    def __init__(self, body: Any, pretrained: dict | None = None) -> None:
        _require_strides(body, body.strides)
        super().__init__(body, pretrained)

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.body.embed_dims * heads for heads in self.body.num_heads)

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.layers[0][0].projection

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        patches, blocks, norm = self.body.layers[index]
        tokens, size = patches(x)
        for block in blocks:
            tokens = block(tokens, size)
        level = _to_map(norm(tokens), size)
        return level, level


@adapts('mmseg.ResNet', 'mmseg.ResNetV1c', 'mmseg.ResNetV1d')
class ResNetStages(Stagewise):
    """The stem belongs to the first stage; levels have no norms of their own."""

    heads = ('fc.',)
    fuses = True

    def __init__(self, body: Any, pretrained: dict | None = None) -> None:
        _require_strides(body, [4 * body.strides[0], *body.strides[1:]])
        super().__init__(body, pretrained)

    @property
    def channels(self) -> tuple[int, ...]:
        widest = self.body.feat_dim
        return tuple(widest // 2**left for left in (3, 2, 1, 0))

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.stem[0] if self.body.deep_stem else self.body.conv1

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        body = self.body
        if index == 0:
            x = body.stem(x) if body.deep_stem else body.relu(body.norm1(body.conv1(x)))
            x = body.maxpool(x)
        x = getattr(body, body.res_layers[index])(x)
        return x, x


@adapts('mmomni.EfficientNetLite')
class EfficientNetLiteStages(Stagewise):
    """The stem belongs to the first stage; ``F_rgb`` is normalised here.

    Levels end with a linear layer, whose values have a deviation of about 7: beside them the
    frequency features, of less than 1, would not be seen.
    """

    fuses = True

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.stem.conv

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        if index == 0:
            x = self.body.stem(x)
        x = self.body.stages[index](x)
        return x, _normalised(x) if index == 1 else x


def _normalised(x: Tensor) -> Tensor:
    """Layer norm over the channels of (B, C, H, W), without weights."""
    channels = int(x.shape[1])  # exporters want numbers, and dimensions that count from 0
    rows = F.layer_norm(x.movedim(1, 3), (channels,), eps=1e-6)
    return fast.laid_out(rows.movedim(3, 1))


@adapts('mmomni.TimmBackbone')
class TimmStages(Stagewise):
    """timm's networks give their levels without norms of their own."""

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.stem

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body.stage(index, x)
        return x, x


def _require_norms(body: nn.Module) -> None:
    missing = [i for i in range(4) if not hasattr(body, f'norm{i}')]
    if missing:
        raise ValueError(f'the backbone needs out_indices=(0, 1, 2, 3), norms {missing} lack')


def _require_strides(body: nn.Module, steps: Sequence[int]) -> None:
    """Refuse a backbone whose stages do not divide the image by 4, then by 2 each."""
    if tuple(steps) != (4, 2, 2, 2):
        raise ValueError(
            f'expected a {type(body).__name__} of four levels at strides {STRIDES}, got stages '
            f'that divide height and width by {tuple(steps)}; leave strides at their defaults'
        )
