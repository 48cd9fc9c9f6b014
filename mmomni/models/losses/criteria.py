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


class Criterion(nn.Module):
    """A loss of pixels as mmseg's heads call it.

    Args:
        loss_weight: Factor.
        loss_name: Name in the log; mmengine trains on all that have ``loss`` in it.
    """

    def __init__(self, loss_weight: float, loss_name: str) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Logits (B, C, H, W) and labels (B, H, W) -> a scalar, 0 where nothing counts.

        Raises:
            ValueError: There are weights of pixels, which a head with a sampler hands its losses.
        """
        if weight is not None:
            raise ValueError(
                f'{type(self).__name__} takes no weights of pixels, remove `sampler` from the head '
                'that it belongs to'
            )
        return self.loss_weight * self.measure(cls_score.float(), label, ignore_index)

    def measure(self, logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """The loss itself; logits are ``float32`` under autocast, too."""
        raise NotImplementedError
