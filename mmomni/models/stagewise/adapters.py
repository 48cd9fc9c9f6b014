"""One adapter for each kind of backbone; see :class:`Stagewise` for what they say."""

from collections.abc import Sequence

from torch import Tensor, nn

from .protocol import Stagewise, adapts


def _require_norms(body: nn.Module) -> None:
    missing = [i for i in range(4) if not hasattr(body, f'norm{i}')]
    if missing:
        raise ValueError(f'the backbone needs out_indices=(0, 1, 2, 3), norms {missing} lack')


@adapts('mmomni.ConvNeXt', 'mmomni.ConvNeXtSwin', 'mmpretrain.ConvNeXt')
class ConvNeXtStages(Stagewise):
    """Each stage begins with its downsampling."""

    def __init__(self, body: nn.Module) -> None:
        _require_norms(body)
        super().__init__(body)

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.body.channels)

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.downsample_layers[0][0]

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body.stages[index](self.body.downsample_layers[index](x))
        return x, getattr(self.body, f'norm{index}')(x)


@adapts('mmseg.SwinTransformer')
class SwinStages(Stagewise):
    """Each stage ends with the downsampling of the next one."""

    def __init__(self, body: nn.Module) -> None:
        _require_norms(body)
        super().__init__(body)

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


def _to_map(tokens: Tensor, size: Sequence[int]) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, tuple(size)).contiguous()


@adapts('mmomni.EfficientNetLite')
class EfficientNetLiteStages(Stagewise):
    """The stem belongs to the first stage; levels have no norms of their own."""

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.body.channels)

    @property
    def stem(self) -> nn.Conv2d:
        return self.body.stem.conv

    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        if index == 0:
            x = self.body.stem(x)
        x = self.body.stages[index](x)
        return x, x
