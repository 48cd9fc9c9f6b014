import math

import pytest
import torch

from mmomni.models.layers import Coordinates, add_coordinates


@pytest.mark.parametrize(('height', 'width'), [(3, 5), (2, 2), (8, 16)])
def test_formula(height, width):
    planes = add_coordinates(torch.zeros(2, 0, height, width, dtype=torch.float64))
    for i in range(height):
        for j in range(width):
            x, y = -1 + 2 * j / (width - 1), -1 + 2 * i / (height - 1)
            radius = math.sqrt((x - 0.5) ** 2 + (y - 0.5) ** 2)
            expected = torch.tensor([x, y, radius], dtype=torch.float64).expand(2, 3)
            torch.testing.assert_close(planes[:, :, i, j], expected, atol=1e-14, rtol=0)


def test_input_comes_first_unchanged():
    x = torch.randn(2, 4, 3, 3)
    assert torch.equal(add_coordinates(x)[:, :4], x)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_keeps_dtype(dtype):
    assert add_coordinates(torch.zeros(1, 1, 2, 2, dtype=dtype)).dtype == dtype


def test_module_has_no_parameters_and_does_the_same():
    x, module = torch.randn(2, 4, 3, 5), Coordinates()
    assert torch.equal(module(x), add_coordinates(x))
    assert not module.state_dict()


@pytest.mark.parametrize(
    ('size', 'start'), [((6, 10), (0, 0)), ((6, 10), (2, 5)), ((4, 9), (1, 4))]
)
def test_window_of_a_larger_whole(size, start):
    x = torch.randn(1, 1, 3, 5)
    whole = add_coordinates(torch.zeros(1, 0, *size))
    window = whole[:, :, start[0] : start[0] + 3, start[1] : start[1] + 5]
    assert torch.equal(add_coordinates(x, size, start), torch.cat([x, window], dim=1))
