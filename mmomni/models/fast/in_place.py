import torch
from torch import Tensor

from .switch import enabled


def scale(x: Tensor, factor: Tensor) -> Tensor:
    """``x * factor``, in place where no gradient needs ``x`` as it was.

    Args:
        x: (B, C, H, W); nobody else may need it.
        factor: Of any shape that spreads to that of ``x``.
    """
    return x.mul_(factor) if enabled() and not torch.is_grad_enabled() else x * factor
