"""What a backbone must be able to do inside of :class:`ModalGateEncoder`: run stage by stage."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmomni.models.pretrained import inflate
from mmomni.registry import MODELS


class Stagewise(BaseModule):
    """A pyramid backbone that can be stopped after any stage.

    A subclass adapts one kind of backbone, see :func:`adapts`.

    Args:
        body: The backbone; its levels 0 to 3 have strides 4, 8, 16 and 32.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body: Any = body
        # torch 2.1 has no public name for it
        self.stem._register_load_state_dict_pre_hook(_inflate_with_zeros, with_module=True)

    @property
    @abstractmethod
    def channels(self) -> tuple[int, ...]:
        """Channels of the four levels."""

    @property
    @abstractmethod
    def stem(self) -> nn.Conv2d:
        """The convolution that sees the image."""

    @abstractmethod
    def stage(self, index: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Run stage ``index``: its output for the next stage, and the level of the pyramid.

        Args:
            index: 0 to 3.
            x: The image (B, in_channels, H, W) for stage 0, else features of the stage before.

        Returns:
            Two maps (B, Ck, H / 2^(k+1), W / 2^(k+1)), k = index + 1, which may be the same.
        """


Adapter = TypeVar('Adapter', bound=type[Stagewise])
_ADAPTERS: dict[str, type[Stagewise]] = {}


def adapts(*types: str) -> Callable[[Adapter], Adapter]:
    """Register a subclass of :class:`Stagewise` for backbones.

    Args:
        types: As a config names them, with their package: ``'mmseg.ResNet'``.
    """

    def register(adapter: Adapter) -> Adapter:
        _ADAPTERS.update(dict.fromkeys(types, adapter))
        return adapter

    return register


def build_stagewise(backbone: dict, in_channels: int) -> Stagewise:
    """Build a backbone and what runs it stage by stage.

    Args:
        backbone: Its config, without ``in_channels``.
        in_channels: Planes of the input. A pretrained stem with fewer planes is inflated with
            zeros when it is loaded.

    Raises:
        TypeError: There is no adapter for it.
        ValueError: ``in_channels`` is given twice, or the backbone has not all four levels.
    """
    if 'in_channels' in backbone:
        raise ValueError(
            f"remove in_channels={backbone['in_channels']} from the backbone's config: the "
            f'encoder sets it to {in_channels}'
        )
    body = MODELS.build({**backbone, 'in_channels': in_channels})
    for cls in type(body).__mro__:
        name = f'{cls.__module__.split(".")[0]}.{cls.__name__}'
        if name in _ADAPTERS:
            return _ADAPTERS[name](body)
    raise TypeError(
        f'expected a backbone that can run stage by stage ({", ".join(sorted(_ADAPTERS))}), got '
        f'{type(body).__name__}; for another one, write a subclass of '
        'mmomni.models.stagewise.Stagewise with channels, stem and stage(index, x), and register '
        "it with @adapts('package.Type')"
    )


def _inflate_with_zeros(module: nn.Conv2d, state_dict: dict, prefix: str, *_: object) -> None:
    """Let an RGB kernel fit a stem with further planes, which then start without influence."""
    loaded, planes = state_dict.get(prefix + 'weight'), module.weight.shape[1]
    if loaded is not None and loaded.shape[1] < planes:
        state_dict[prefix + 'weight'] = inflate(loaded, planes)
