import pytest
import torch
from mmcv.ops import RoIAlign
from torch import nn

from mmomni.models.fast.roi_align import SeparableRoIAlign, speed_up_regions

REGIONS = [
    [0, 0, 0, 63, 47],  # the whole map
    [1, 10.3, 5.2, 30.9, 41.7],
    [0, -20, -12, 15, 9],  # partly outside
    [1, 40, 30, 90, 80],
    [1, 200, 200, 260, 260],  # outside
    [0, 12, 12, 12, 30],  # no width
    [1, 3, 3, 4.5, 4.2],  # less than a pixel
]


@pytest.fixture
def x():
    return torch.randn(3, 5, 12, 16, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize('output_size', [7, (3, 5), 1])
@pytest.mark.parametrize('regions', [REGIONS, REGIONS[:1], []])
def test_equals_mmcv_with_gradients(x, output_size, regions):
    regions = torch.tensor(regions, dtype=torch.float64).view(-1, 5)
    layers = [kind(output_size, 0.25, 0) for kind in (SeparableRoIAlign, RoIAlign)]
    found, expected = (layer(x, regions) for layer in layers)
    torch.testing.assert_close(found, expected)
    if len(regions):
        seed = torch.randn_like(found)
        torch.testing.assert_close(*(torch.autograd.grad(y, x, seed) for y in (found, expected)))


@pytest.mark.parametrize(
    'options', [dict(sampling_ratio=2), dict(aligned=False), dict(pool_mode='max')]
)
def test_other_options_are_left_to_mmcv(x, options):
    regions = torch.tensor(REGIONS[:2], dtype=torch.float64)
    layers = [kind(3, 0.25, **options) for kind in (SeparableRoIAlign, RoIAlign)]
    found, expected = (layer(x, regions) for layer in layers)
    assert found.equal(expected)


def test_large_maps_are_left_to_mmcv(monkeypatch):
    monkeypatch.setattr('mmomni.models.fast.roi_align.roi_align', None)
    x, regions = torch.randn(1, 2, 33, 32), torch.tensor([[0.0, 1, 1, 20, 20]])
    assert SeparableRoIAlign(3, 1.0)(x, regions).equal(RoIAlign(3, 1.0)(x, regions))


def test_negative_sizes_stay_an_error(x):
    with pytest.raises(RuntimeError, match='roi_width'):
        SeparableRoIAlign(3, 0.25)(x, torch.tensor([[0.0, 20, 20, 18, 25]]).double())


def test_speed_up_regions():
    layers = [RoIAlign(7, 0.5, 2), RoIAlign((3, 5), 0.25, 0, 'max', False)]
    module = nn.Sequential(nn.ModuleList(layers), nn.Linear(2, 2))
    names, shown = list(module.state_dict()), [repr(layer) for layer in layers]
    speed_up_regions(module)
    assert list(module.state_dict()) == names
    assert len(module[0]) == 2
    for layer, before in zip(module[0], shown, strict=True):
        assert type(layer) is SeparableRoIAlign
        assert repr(layer) == before.replace('RoIAlign', 'SeparableRoIAlign')
