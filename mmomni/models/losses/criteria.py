"""Between heads and their losses, as mmseg's heads have it."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn


def losses_by_name(
    criteria: nn.Module, seg_logits: Tensor, labels: Tensor, **options: Any
) -> dict[str, Tensor]:
    """Losses by their ``loss_name``; those of equal names are added.

    Criteria are one loss or a ``ModuleList`` of them, logits (B, C, H, W), labels (B, H, W), and
    options what else the losses take, ``weight`` and ``ignore_index``.
    """
    losses: dict[str, Tensor] = {}
    listed: Iterable[Any] = criteria if isinstance(criteria, nn.ModuleList) else [criteria]
    for criterion in listed:
        name, value = criterion.loss_name, criterion(seg_logits, labels, **options)
        losses[name] = losses[name] + value if name in losses else value
    return losses


def refuse_pixel_weights(loss: str, weight: Tensor | None) -> None:
    """Raise ``ValueError`` for the weights that a head with a pixel sampler hands its losses."""
    if weight is not None:
        raise ValueError(
            f'{loss} takes no weights of pixels, remove `sampler` from the head that it belongs to'
        )
