import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmomni.apis.geometry import Operand, alone, coordinates, interpolation, shares
from mmomni.apis.windows import Side, Window, plan_windows

WINDOWS = plan_windows(200, 290, 128, 64)


def whole(size):
    return Side(0, size, np.ones(size))


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [1, 2, 3, 7, 30])
@pytest.mark.parametrize('number', [1, 2, 3, 6, 12])
def test_interpolation_is_that_of_torch(number, size, align_corners):
    cells = torch.eye(number, dtype=torch.float64)[None]
    expected = F.interpolate(cells, size, mode='linear', align_corners=align_corners)[0].T
    found = interpolation(whole(size), number, align_corners)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-12)


@pytest.mark.parametrize('size', [1, 4, 7, 30])
@pytest.mark.parametrize('number', [1, 2, 3, 6])
def test_shares_are_those_of_adaptive_pooling(number, size):
    x = torch.randn(1, 1, size, dtype=torch.float64)
    expected = F.adaptive_avg_pool1d(x, number)[0, 0].numpy()
    np.testing.assert_allclose(shares(whole(size), number) @ x[0, 0].numpy(), expected)


@pytest.mark.parametrize('stride', [1, 8, 32])
def test_shares_of_all_windows_add_up(stride):
    rows = {window.rows.start: window.rows for window in WINDOWS}
    sides = [side.at_stride(stride) for side in rows.values()]
    total = sum(shares(side, 3).sum(axis=1) for side in sides)
    np.testing.assert_allclose(total, 1)


def test_coordinates_are_those_of_the_whole():
    found = coordinates(Side(2, 9, np.ones(3)))
    np.testing.assert_allclose(found, torch.linspace(-1, 1, 9)[2:5].numpy(), atol=1e-7)


def test_a_window_alone_is_the_whole():
    side = alone(WINDOWS[1].columns)
    assert (side.start, side.whole, side.size) == (0, 128, 128)
    assert (side.weights == 1).all()


@pytest.mark.parametrize(
    ('operand', 'shape'),
    [
        (Operand('shares', 0, 8), (1, 16)),
        (Operand('own_shares', 1, 32, 3), (3, 4)),
        (Operand('coordinates', 1, 1), (128,)),
        (Operand('interpolation', 0, 32, 6), (4, 6)),
    ],
    ids=str,
)
def test_operands(operand, shape):
    values = [operand.of(WINDOWS[1], told) for told in (False, True)]
    assert {value.shape for value in values} == {shape}
    assert {value.dtype for value in values} == {np.dtype('float32')}
    differs = not np.array_equal(*values)
    assert differs is (operand.kind == 'interpolation')
    assert operand.is_sound


def test_names_tell_operands_apart():
    operands = [
        Operand(kind, axis, stride, cells, corners)
        for kind in ('shares', 'own_shares', 'coordinates', 'interpolation')
        for axis in (0, 1)
        for stride in (1, 8)
        for cells in (1, 2)
        for corners in (False, True)
    ]
    assert len({operand.name for operand in operands}) == len(operands)


@pytest.mark.parametrize(
    'fields',
    [
        ('import', 0, 8), ('shares', 2, 8), ('shares', 0, 0), ('shares', 0, 3), ('shares', 0, 64),
        ('shares', 0, 8, 0), ('shares', 0, 8, 10**9), ('shares', 0, 8, 1, 1), ('shares', 0, 8.0),
        ('shares', '0', 8),
    ],
    ids=str,
)  # fmt: skip
def test_operands_that_nobody_asks_for(fields):
    assert not Operand(*fields).is_sound


def test_the_whole_image_is_a_window():
    window = Window(whole(64), whole(96))
    assert Operand('shares', 1, 8).of(window, told=False).sum() == pytest.approx(1)
