from torch import Tensor, nn

from mmomni.models import fast


class ScSE(nn.Module):
    """Concurrent spatial and channel squeeze-excitation (Roy et al., MICCAI 2018).

    Args:
        channels: Channels of the input.
        reduction: Channels over squeezed channels.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.channel = nn.Sequential(
            fast.GlobalAverage(),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )
        self.spatial = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same: ``x * channel(x) + x * spatial(x)``."""
        return (x * self.channel(x)).add_(x * self.spatial(x))
