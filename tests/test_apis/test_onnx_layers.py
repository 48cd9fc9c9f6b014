"""Layers of the exported graph, run by torch: as they are in one piece, window by window."""

import pytest
import torch
from mmseg.models.decode_heads.psp_head import PPM
from torch import nn

from mmomni.apis.onnx_layers import FilterOfOne, Wiring, wire
from mmomni.apis.onnx_network import SharedValues
from mmomni.apis.windows import plan_windows
from mmomni.models.layers import Coordinates, DynamicFilter, QueryAttention, add_coordinates

WINDOWS = plan_windows(200, 290, 128, 64)
SIZE = (224, 320)


def at_stride(window, stride):
    return tuple(slice(side.start // stride, side.stop // stride) for side in window)


def wired(module):
    holder, wiring = nn.Sequential(module), Wiring()
    wire(holder, wiring)
    return holder[0], wiring


def run(module, x, stride, passes=2):
    """Outputs of the last pass, window by window."""
    module, wiring = wired(module)
    crops = [x[:, :, rows, columns] for rows, columns in (at_stride(w, stride) for w in WINDOWS)]
    size = WINDOWS[0].rows.size, WINDOWS[0].columns.size
    wiring.begin(size)
    module(crops[0])
    sharing = SharedValues(wiring.length, wiring.is_complete)
    for _ in range(passes):
        outputs = []
        told = torch.tensor(sharing.context is not None)
        context = torch.zeros(wiring.length) if not told else torch.from_numpy(sharing.context)
        for window, crop in zip(WINDOWS, crops, strict=True):
            values = {
                each: torch.from_numpy(each.of(window, bool(told))) for each in operands(wiring)
            }
            wiring.begin(size, told, context, values)
            outputs.append(module(crop))
            if wiring.length:
                sharing.add(*(part[0].detach().numpy() for part in wiring.parts()))
        sharing.end_pass()
    assert sharing.complete
    return outputs


def operands(wiring):
    return tuple(wiring.operands)


def close(found, expected, **tolerance):
    torch.testing.assert_close(found, expected, **(tolerance or dict(rtol=1e-4, atol=1e-5)))


@pytest.mark.parametrize('cells', [1, 2, 3, 6, (2, 5), 12], ids=str)
@pytest.mark.parametrize('stride', [1, 8, 32])
def test_pooling_is_that_of_the_whole(cells, stride):
    x = torch.randn(1, 3, SIZE[0] // stride, SIZE[1] // stride)
    pool = nn.AdaptiveAvgPool2d(cells)
    for output in run(pool, x, stride):
        close(output, pool(x))


def test_in_the_first_pass_a_window_answers_for_itself():
    x = torch.randn(1, 3, *SIZE)
    pool = nn.AdaptiveAvgPool2d(2)
    for window, output in zip(WINDOWS, run(pool, x, 1, passes=1), strict=True):
        rows, columns = at_stride(window, 1)
        close(output, pool(x[:, :, rows, columns]))


@pytest.mark.parametrize('scale', [1, 30], ids=['even', 'beyond exp'])
def test_query_attention_is_that_of_the_whole(scale):
    module = QueryAttention(8, 5, 2)
    with torch.no_grad():
        module.queries *= scale
        module.gather.weight *= scale
    x = torch.randn(1, 8, SIZE[0] // 8, SIZE[1] // 8)
    whole = module(x)
    for window, output in zip(WINDOWS, run(module, x, 8), strict=True):
        rows, columns = at_stride(window, 8)
        close(output, whole[:, :, rows, columns], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('align_corners', [False, True])
def test_pyramid_pooling_is_that_of_the_whole(align_corners):
    module = PPM((1, 2, 3, 6), 4, 2, None, None, dict(type='ReLU'), align_corners)
    x = torch.randn(1, 4, SIZE[0] // 32, SIZE[1] // 32)
    whole = module(x)
    for window, output in zip(WINDOWS, run(module, x, 32), strict=True):
        rows, columns = at_stride(window, 32)
        for part, expected in zip(output, whole, strict=True):
            close(part, expected[:, :, rows, columns])


def test_coordinates_are_those_of_the_whole_at_once():
    x = torch.randn(1, 2, *SIZE)
    whole = add_coordinates(x)
    for window, output in zip(WINDOWS, run(Coordinates(), x, 1, passes=1), strict=True):
        rows, columns = at_stride(window, 1)
        close(output, whole[:, :, rows, columns])


@pytest.mark.parametrize(
    'module', [nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((2, 3)), Coordinates()], ids=str
)
def test_other_strides_are_as_they_were(module):
    """A map of 3 x 4 cells fits no grid of 32 pixels."""
    x = torch.randn(1, 2, 3, 4)
    expected = module(x)
    layer, wiring = wired(module)
    wiring.begin((64, 96))
    close(layer(x), expected)
    assert (wiring.length, wiring.is_complete, operands(wiring)) == (0, False, ())


def test_attention_on_other_strides_is_as_it_was():
    module = QueryAttention(8, 5, 2)
    x = torch.randn(1, 8, 3, 5)
    expected = module(x)
    layer, wiring = wired(module)
    wiring.begin((64, 96))
    close(layer(x), expected)
    assert not wiring.is_complete


def test_a_pyramid_on_other_strides_is_as_it_was():
    module = PPM((1, 2), 4, 2, None, None, dict(type='ReLU'), False)
    x = torch.randn(1, 4, 5, 7)
    expected = module(x)
    layer, wiring = wired(module)
    wiring.begin((64, 96))
    for part, other in zip(layer(x), expected, strict=True):
        close(part, other)
    assert not wiring.is_complete


@pytest.mark.parametrize('dynamic', [True, False])
@pytest.mark.parametrize('dilation', [2, 6])
def test_filter_equals_grouped_convolution(dilation, dynamic):
    dwf = DynamicFilter(4, 5, dilation, dict(type='BN'), dynamic=dynamic).double().eval()
    x, v_g = (torch.randn(*shape, dtype=torch.float64) for shape in ((1, 4, 9, 7), (1, 5)))
    close(FilterOfOne(dwf)(x, v_g), dwf(x, v_g))
