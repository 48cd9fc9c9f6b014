import torch
from torch import nn

from mmomni.models.backbones import RGBPlanes
from mmomni.registry import MODELS


@MODELS.register_module(force=True)
class Keep(nn.Module):
    """A backbone whose only feature map is its input."""

    def forward(self, x):
        return (x,)


def test_sees_the_normalised_rgb_planes_only(make_planes):
    planes = torch.stack([make_planes(32, 32), make_planes(32, 32)])
    encoder = RGBPlanes(dict(type='mmomni.Keep'), mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0))
    (seen,) = encoder(planes)
    expected = [(planes[:, c].double() - m) / s for c, m, s in ((0, 10, 2), (1, 20, 4), (2, 30, 5))]
    torch.testing.assert_close(seen.double(), torch.stack(expected, dim=1))


def test_mean_and_std_are_no_weights():
    assert RGBPlanes(dict(type='mmomni.Keep')).state_dict() == {}
