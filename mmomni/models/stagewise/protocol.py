"""What a backbone must be able to do inside of :class:`ModalGateEncoder`: run stage by stage."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmomni.models.pretrained import inflate, load_pretrained, pretrained_part
from mmomni.registry import MODELS

STRIDES = (4, 8, 16, 32)
"""Of the four levels."""


class Stagewise(BaseModule):
    """A pyramid backbone that can be stopped after any stage.

    A subclass adapts one kind of backbone: it is registered by :func:`adapts` and says which
    channels the levels have, which convolution is the stem, and how a stage is run.

    Args:
        body: The backbone; its levels 0 to 3 have ``STRIDES``.
        pretrained: The ``init_cfg`` of its pretrained weights, if it has any.
    """

    heads: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names of a pretrained classifier, which the backbone has no use for."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names that pretrained weights may lack, because a classifier has none."""
    fuses: ClassVar[bool] = False
    """Every batch norm that is registered behind a convolution follows it, and is nothing more."""

    def __init__(self, body: nn.Module, pretrained: dict | None = None) -> None:
        super().__init__()
        self.body: Any = body
        self.pretrained = pretrained
        # torch 2.1 has no public name for it
        self.stem._register_load_state_dict_pre_hook(_inflate_with_zeros, with_module=True)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the four levels: those that the backbone says it has.

        Raises:
            TypeError: It does not, and its adapter has no ``channels`` of its own.
        """
        if not hasattr(self.body, 'channels'):
            raise TypeError(
                f'{type(self.body).__name__} has no attribute `channels`, expected the channels of '
                f'its four levels; add it there, or a property `channels` to {type(self).__name__}'
            )
        return tuple(self.body.channels)

    @property
    @abstractmethod
    def stem(self) -> nn.Conv2d:
        """The convolution that sees the image."""

    @abstractmethod
    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Run stage ``index``.

        Args:
            index: 0 to 3.
            x: The image (B, in_channels, H, W) for stage 0, else features of the stage before.

        Returns:
            What the next stage continues from, and the level of the pyramid: two maps
            (B, Ck, H / 2^(k+1), W / 2^(k+1)), k = index + 1, which may be the same. With
            pretrained weights, stages 2 and 3 must give what they give in the backbone alone.
        """

    def own_names(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Pretrained weights by their publisher's names -> by the backbone's, without heads.

        A backbone that knows its publishers has a method of the same name.
        """
        own = getattr(self.body, 'own_names', dict)(state_dict)
        return {n: tensor for n, tensor in own.items() if not n.startswith(self.heads)}

    def init_weights(self) -> None:
        """Draw the weights, then load the pretrained ones, strictly."""
        super().init_weights()
        if self.pretrained is not None:
            stem = next(name for name, module in self.body.named_modules() if module is self.stem)
            load_pretrained(
                self.body, self.pretrained, self.own_names, f'{stem}.weight', self.optional
            )


Adapter = TypeVar('Adapter', bound=type[Stagewise])
_ADAPTERS: dict[str, type[Stagewise]] = {}


def adapts(*types: str) -> Callable[[Adapter], Adapter]:
    """Register a subclass of :class:`Stagewise` for backbones and for what inherits from them.

    Args:
        types: As a config names them, with their package: ``'mmseg.ResNet'``. Published
            checkpoints may name them, so their constructors must read no files.
    """

    def register(adapter: Adapter) -> Adapter:
        _ADAPTERS.update(dict.fromkeys(types, adapter))
        return adapter

    return register


def adapted_types() -> frozenset[str]:
    """The backbones that adapters are registered for, with their packages."""
    return frozenset(_ADAPTERS)


def build_stagewise(backbone: dict, in_channels: int) -> Stagewise:
    """Build a backbone and what runs it stage by stage.

    Args:
        backbone: Its config, without ``in_channels``. Of ``init_cfg``, an entry ``Pretrained`` is
            loaded strictly, by any of its publishers' names.
        in_channels: Planes of the input. A pretrained stem of RGB is inflated with zeros when
            it is loaded.

    Raises:
        TypeError: There is no adapter for it.
        ValueError: ``in_channels`` is given twice, weights by the old argument ``pretrained``, or
            the backbone has not all four levels.
    """
    if 'in_channels' in backbone:
        raise ValueError(
            f"remove in_channels={backbone['in_channels']} from the backbone's config: the "
            f'encoder sets it to {in_channels}'
        )
    if isinstance(backbone.get('pretrained'), str):
        raise ValueError(
            f"expected init_cfg=dict(type='Pretrained', checkpoint={backbone['pretrained']!r}) in "
            "the backbone's config instead of pretrained=..., which would not be checked"
        )
    pretrained = pretrained_part(backbone.get('init_cfg'))
    config = {**backbone, 'in_channels': in_channels}
    if pretrained is not None:
        del config['init_cfg']
    body = MODELS.build(config)
    for cls in type(body).__mro__:
        adapter = _ADAPTERS.get(f'{cls.__module__.split(".")[0]}.{cls.__name__}')
        if adapter is not None:
            return adapter(body, pretrained)
    raise TypeError(
        f'expected a backbone that can run stage by stage ({", ".join(sorted(_ADAPTERS))}), got '
        f'{type(body).__name__}; for another one, write a subclass of '
        'mmomni.models.stagewise.Stagewise with channels, stem and stage(index, x), and register '
        "it with @adapts('package.Type')"
    )


def _inflate_with_zeros(module: nn.Conv2d, state_dict: dict, prefix: str, *_: object) -> None:
    """Let an RGB kernel fit a stem with further planes, which then start without influence."""
    loaded = state_dict.get(prefix + 'weight')
    if loaded is not None:
        state_dict[prefix + 'weight'] = inflate(loaded, module.weight.shape[1])
