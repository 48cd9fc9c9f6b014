import pytest
import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.psp_head import PPM
from torch import nn

from mmomni.apis.shared_context import SharedContext
from mmomni.apis.windows import plan_windows
from mmomni.models.backbones import TimmBackbone
from mmomni.models.layers import Coordinates, Gathering, QueryAttention, add_coordinates

WINDOWS = plan_windows(200, 290, 128, 64)
SIZE = (224, 320)


def at_stride(window, stride):
    return tuple(slice(side.start // stride, side.stop // stride) for side in window)


def run(module, inputs, stride, passes=2, windows=WINDOWS):
    """Outputs of the last pass, window by window; inputs of a window are made from its slices."""
    with SharedContext(module) as context:
        for _ in range(passes):
            outputs = []
            for window in windows:
                context.begin(window)
                outputs.append(module(*inputs(*at_stride(window, stride))))
            context.end_pass()
    return outputs


def test_there_are_several_windows():
    assert len(WINDOWS) > 4


@pytest.mark.parametrize('cells', [1, 2, 3, 6, (2, 5), 12], ids=str)
@pytest.mark.parametrize('stride', [1, 8, 32])
def test_pooling_is_that_of_the_whole(cells, stride):
    """Overlapping cells and more cells than rows included."""
    x = torch.randn(2, 3, SIZE[0] // stride, SIZE[1] // stride, dtype=torch.float64)
    outputs = run(nn.AdaptiveAvgPool2d(cells), lambda *at: [x[:, :, at[0], at[1]]], stride)
    expected = F.adaptive_avg_pool2d(x, cells)
    for output in outputs:
        torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)


def test_in_the_first_pass_a_window_answers_for_itself():
    x = torch.randn(1, 3, *SIZE)
    outputs = run(nn.AdaptiveAvgPool2d(1), lambda *at: [x[:, :, at[0], at[1]]], 1, passes=1)
    for window, output in zip(WINDOWS, outputs, strict=True):
        rows, columns = at_stride(window, 1)
        torch.testing.assert_close(output, x[:, :, rows, columns].mean((2, 3), keepdim=True))


@pytest.mark.parametrize('scale', [1, 3, 300], ids=['even', 'sharp', 'beyond exp'])
def test_gathering_is_that_of_the_whole(scale):
    """Logits of 10,000 overflow any exponential that is not kept in logarithms."""
    height, width = SIZE[0] // 8, SIZE[1] // 8
    query = torch.randn(2, 5, 8, dtype=torch.float64) * scale
    key, value = torch.randn(2, 2, height, width, 8, dtype=torch.float64)
    key = key * scale
    module = Gathering(num_heads=2)
    outputs = run(
        module,
        lambda *at: [query, *(t[:, at[0], at[1]].flatten(1, 2) for t in (key, value))],
        8,
    )
    expected = module(query, key.flatten(1, 2), value.flatten(1, 2))
    for output in outputs:
        torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-12)


def test_query_attention_is_that_of_the_whole():
    module = QueryAttention(8, 5, 2).double()
    x = torch.randn(1, 8, SIZE[0] // 8, SIZE[1] // 8, dtype=torch.float64)
    whole = module(x)
    outputs = run(module, lambda *at: [x[:, :, at[0], at[1]]], 8)
    for window, output in zip(WINDOWS, outputs, strict=True):
        rows, columns = at_stride(window, 8)
        torch.testing.assert_close(output, whole[:, :, rows, columns], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('align_corners', [False, True])
def test_pyramid_pooling_is_that_of_the_whole(align_corners):
    module = PPM((1, 2, 3, 6), 4, 2, None, None, dict(type='ReLU'), align_corners).double()
    x = torch.randn(1, 4, SIZE[0] // 32, SIZE[1] // 32, dtype=torch.float64)
    whole = module(x)
    outputs = run(module, lambda *at: [x[:, :, at[0], at[1]]], 32)
    for window, output in zip(WINDOWS, outputs, strict=True):
        rows, columns = at_stride(window, 32)
        for part, expected in zip(output, whole, strict=True):
            torch.testing.assert_close(part, expected[:, :, rows, columns], rtol=1e-9, atol=1e-12)


def test_coordinates_are_those_of_the_whole_at_once():
    x = torch.randn(1, 2, *SIZE)
    whole = add_coordinates(x)
    outputs = run(Coordinates(), lambda *at: [x[:, :, at[0], at[1]]], 1, passes=1)
    for window, output in zip(WINDOWS, outputs, strict=True):
        rows, columns = at_stride(window, 1)
        assert torch.equal(output, whole[:, :, rows, columns])


def test_other_strides_are_left_alone():
    """A map of 3 x 3 cells fits no grid of 32 pixels."""
    x = torch.randn(len(WINDOWS), 1, 2, 3, 3)
    parts = iter([*x, *x])
    outputs = run(nn.AdaptiveAvgPool2d(1), lambda *_: [next(parts)], 1)
    for output, part in zip(outputs, x, strict=True):
        torch.testing.assert_close(output, part.mean((2, 3), keepdim=True))


class Chain(nn.Module):
    """Two operations on the whole image, of which the second depends on the first."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.second((x - self.first(x)) ** 2)


@pytest.mark.parametrize(('passes', 'right'), [(1, False), (2, False), (3, True), (4, True)])
def test_each_pass_sets_the_next_operation_right(passes, right):
    """After the first pass the first one's mean is known, after the second the second one's."""
    x = torch.randn(1, 3, *SIZE, dtype=torch.float64) + torch.linspace(0, 5, SIZE[1])
    module = Chain()
    outputs = run(module, lambda *at: [x[:, :, at[0], at[1]]], 1, passes)
    expected = module(x)
    for output in outputs:
        assert torch.allclose(output, expected, rtol=1e-12, atol=0) is right


def test_one_module_called_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)

        def forward(self, x):
            return self.pool(x), self.pool(x**2)

    x = torch.randn(1, 3, *SIZE, dtype=torch.float64)
    for mean, square in run(Twice(), lambda *at: [x[:, :, at[0], at[1]]], 1):
        torch.testing.assert_close(mean, x.mean((2, 3), keepdim=True))
        torch.testing.assert_close(square, (x**2).mean((2, 3), keepdim=True))


def hooks(module):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


@pytest.fixture
def everything():
    ppm = PPM((1, 2), 4, 2, None, None, dict(type='ReLU'), False)
    return nn.ModuleList([nn.AdaptiveAvgPool2d(1), QueryAttention(4, 2, 2), Coordinates(), ppm])


def test_hooks_are_gone_afterwards(everything):
    with SharedContext(everything):
        assert hooks(everything) == 1 + 1 + 1 + 2 * 2
    assert hooks(everything) == 0


def test_hooks_are_gone_after_an_error(everything):
    with pytest.raises(RuntimeError, match='stop'), SharedContext(everything):
        raise RuntimeError('stop')
    assert hooks(everything) == 0


def test_nothing_to_share():
    with SharedContext(nn.Conv2d(1, 1, 1)) as context:
        context.begin(WINDOWS[0])
        context.end_pass()
        assert not context.shares


class GRN(nn.Identity):
    """Has the name of mmpretrain's."""


def of_timm():
    backbone = TimmBackbone.__new__(TimmBackbone)  # without timm
    nn.Module.__init__(backbone)
    return backbone


@pytest.mark.parametrize('make', [GRN, of_timm, lambda: nn.GroupNorm(2, 4), nn.Identity])
def test_what_may_look_at_the_whole_and_is_not_hooked(make):
    module = make()
    context = SharedContext(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sequential(module)))
    assert context.complete == (type(module) is nn.Identity)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize('autocasts', [False, True])
def test_shares_are_not_rounded_to_half_precision(dtype, autocasts):
    """They would no longer add up to 1: and the mean of ones is one."""
    ones = torch.ones(1, 3, *SIZE, dtype=torch.float32 if autocasts else dtype)
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocasts):
        outputs = run(nn.AdaptiveAvgPool2d((2, 5)), lambda *at: [ones[:, :, at[0], at[1]]], 1)
    for output in outputs:
        assert output.dtype == ones.dtype
        torch.testing.assert_close(output, torch.ones_like(output), rtol=0, atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
def test_gathering_in_half_precision_is_rounded_once(dtype):
    query = torch.randn(2, 5, 8).to(dtype)
    key, value = torch.randn(2, 2, SIZE[0] // 8, SIZE[1] // 8, 8).to(dtype)
    module = Gathering(num_heads=2)
    outputs = run(
        module,
        lambda *at: [query, *(t[:, at[0], at[1]].flatten(1, 2) for t in (key, value))],
        8,
    )
    whole = [x.flatten(1, 2).double() for x in (key, value)]
    expected = module(query.double(), *whole)
    for output in outputs:
        difference = (output.double() - expected).abs().max()
        assert difference <= torch.finfo(dtype).eps * expected.abs().max()
