from typing import NamedTuple

from torch import Tensor


class Encoded(NamedTuple):
    """Outputs of :class:`~mmomni.models.backbones.ModalGateEncoder`, by the paper's names.

    The first four are a pyramid that any neck or head takes by ``in_index``. ``Ck`` are the
    channels of level k.

    Attributes:
        f1: (B, C1, H / 4, W / 4).
        f2: (B, C2, H / 8, W / 8), what the gate chose.
        f3: (B, C3, H / 16, W / 16).
        f4: (B, C4, H / 32, W / 32).
        p_rgb: Coarse logits of vision, (B, num_classes, H / 8, W / 8).
        p_fused: Those of vision and frequency; ``None`` without frequency features.
        p_cls: The gate's logit, (B,); ``None`` without a learned gate.
    """

    f1: Tensor
    f2: Tensor
    f3: Tensor
    f4: Tensor
    p_rgb: Tensor
    p_fused: Tensor | None
    p_cls: Tensor | None

    @classmethod
    def places(cls, *names: str) -> tuple[int, ...]:
        """Where outputs stand, for mmseg's ``in_index``."""
        return tuple(cls._fields.index(name) for name in names)
