"""RoIAlign of small maps on a CPU as matrix products.

A bin is the mean of a regular grid of bilinear samples, and both bilinear weights and grids are
products of one for rows and one for columns: so all bins of a region are ``A_y F A_x^T``.

Letters: ``B`` batch, ``C`` channels, ``H W`` height and width of the map, ``R`` regions, ``P``
bins along a side.
"""

import torch
from mmcv.ops import RoIAlign
from torch import Tensor, nn

from .switch import chooses_kernels

_PIXELS = 32 * 32
"""Of the largest map. The products grow with the map, mmcv's one-threaded loop with the bins."""


class SeparableRoIAlign(RoIAlign):
    """mmcv's, in a fraction of the time where maps are small."""

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:  # noqa: A002  (mmcv's name)
        """(B, C, H, W), regions (R, 5) of sample, left, top, right, bottom -> (R, C, P, P)."""
        if (
            not chooses_kernels(input)
            or input[0, 0].numel() > _PIXELS
            or self.pool_mode != 'avg'
            or self.sampling_ratio > 0
            or not self.aligned
            or (rois[:, 3:] < rois[:, 1:3]).any()  # an error
        ):
            return super().forward(input, rois)
        return roi_align(input, rois, self.output_size, self.spatial_scale)


def speed_up_regions(module: nn.Module) -> None:
    """Make all layers of mmcv's RoIAlign inside of a module :class:`SeparableRoIAlign`."""
    for layer in module.modules():
        if type(layer) is RoIAlign:
            layer.__class__ = SeparableRoIAlign  # which adds no attributes, only a `forward`


def roi_align(
    x: Tensor, regions: Tensor, output_size: tuple[int, int], spatial_scale: float
) -> Tensor:
    """RoIAlign as mmcv's, ``aligned`` and with adaptive grids; differentiable by ``x``.

    (B, C, H, W), regions (R, 5) of sample, left, top, right, bottom, rows and columns of bins, and
    the scale of the regions' coordinates to those of the map -> (R, C, P, P).
    """
    (rows, columns), (height, width) = output_size, x.shape[2:]
    regions = regions.detach().to(x.dtype)
    left, top, right, bottom = (regions[:, 1:] * spatial_scale - 0.5).unbind(dim=1)
    of_rows = _weights(top, bottom, rows, height)
    of_columns = _weights(left, right, columns, width)
    samples = regions[:, 0].long()
    out = x.new_zeros(len(regions), rows, columns, x.shape[1])
    for i in samples.unique().tolist():
        chosen = (samples == i).nonzero().squeeze(1)
        # channels last: both products then have all channels side by side
        pixels = x[i].permute(1, 2, 0).flatten(1)
        bands = (of_rows[chosen].flatten(0, 1) @ pixels).view(-1, rows, width, x.shape[1])
        out = out.index_copy(0, chosen, of_columns[chosen].unsqueeze(1) @ bands)
    return out.permute(0, 3, 1, 2).contiguous()


def _weights(start: Tensor, end: Tensor, bins: int, size: int) -> Tensor:
    """What each bin takes of each row (or column) of the map, (R, bins, size)."""
    step = (end - start) / bins
    count = step.ceil().clamp(min=0)  # samples of a bin
    numbers = torch.arange(max(1, int(count.max()) if len(count) else 1)).to(start)
    within = (numbers + 0.5) / count.clamp(min=1).unsqueeze(1)
    places = torch.arange(bins).to(start).view(-1, 1) + within.unsqueeze(1)  # in bins
    places = start.view(-1, 1, 1) + places * step.view(-1, 1, 1)
    counts = (numbers < count.unsqueeze(1)).unsqueeze(1) & (places >= -1) & (places <= size)
    places = places.clamp(0, size - 1).unsqueeze(3)
    shares = (1 - (places - torch.arange(size).to(start)).abs()).clamp(min=0)
    return (shares * counts.unsqueeze(3)).sum(dim=2) / count.clamp(min=1).view(-1, 1, 1)
