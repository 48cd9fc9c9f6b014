import torch

from mmomni.models.backbones import RGBPlanes

BACKBONE = dict(type='mmomni.ConvNeXt', arch='atto')


def test_the_backbone_sees_the_normalised_rgb_planes_only(make_planes):
    planes = torch.stack([make_planes(32, 32), make_planes(32, 32)]).float()
    encoder = RGBPlanes(BACKBONE, mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0))
    seen = []
    encoder.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    maps = encoder(planes)
    expected = [(planes[:, c].double() - m) / s for c, m, s in ((0, 10, 2), (1, 20, 4), (2, 30, 5))]
    torch.testing.assert_close(seen[0].double(), torch.stack(expected, dim=1))
    assert [x.shape[1] for x in maps] == [40, 80, 160, 320]


def test_mean_and_std_are_no_weights():
    assert all(name.startswith('backbone.') for name in RGBPlanes(BACKBONE).state_dict())
