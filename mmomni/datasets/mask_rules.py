"""How the masks of one set are to be read, where their files alone do not say it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

CHANNELS = ('auto', 'colour', 'alpha', 'transparency')
HIGHEST = 65535

Ignored = int | tuple[int, ...]


class MaskRule(NamedTuple):
    """What a set says of its masks.

    Attributes:
        channel: Of :data:`CHANNELS`. ``'auto'``: the colours, or where they say nothing and it is
            clear what does, that; ``'colour'``: the colours alone; ``'alpha'``: what is not wholly
            transparent is tampered; ``'transparency'``: what is not wholly opaque is.
        ignore: Grey values and colours (red, green, blue) of pixels that do not count.
    """

    channel: str = 'auto'
    ignore: tuple[Ignored, ...] = ()

    @property
    def asks_for_alpha(self) -> bool:
        return self.channel in ('alpha', 'transparency')


GENERAL_RULE = MaskRule()


def mask_rule(channel: str = 'auto', ignore: int | Sequence[Any] | None = None) -> MaskRule:
    """A rule as configs have it: ``ignore=128``, ``ignore=[128, 200]``, ``ignore=[(0, 0, 255)]``.

    Raises:
        ValueError: There is no such channel or value.
    """
    if channel not in CHANNELS:
        raise ValueError(f'expected mask_channel to be one of {CHANNELS}, got {channel!r}')
    given = () if ignore is None else ignore if isinstance(ignore, (list, tuple)) else (ignore,)
    values = tuple(map(_ignored, given))
    if {0, (0, 0, 0)} & set(values):
        raise ValueError(f'mask_ignore={ignore!r}: 0 is what every mask calls authentic')
    return MaskRule(channel, values)


def _ignored(value: Any) -> Ignored:
    if _is_level(value):
        return value
    if isinstance(value, (list, tuple)) and len(value) == 3 and all(map(_is_level, value)):
        return tuple(value)
    raise ValueError(
        f'expected mask_ignore to be a grey value (0 to {HIGHEST}), or a list of grey values and '
        f'colours like [128, (255, 0, 0)], got {value!r}'
    )


def _is_level(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST
