import numpy as np
import pytest
import torch

from mmomni.models.layers import HighPass

SQUARE3 = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
SQUARE5 = np.array([
    [-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2],
    [-1, 2, -2, 2, -1],
]) / 12  # fmt: skip
SECOND = np.array([[1, -2, 1]]) / 2


def residual(grey, kernel):
    """One residual of the whole plane, written as a sum over the kernel."""
    down, across = (n // 2 for n in kernel.shape)
    padded = np.pad(grey, ((down, down), (across, across)), mode='edge')
    height, width = grey.shape
    return sum(
        kernel[u, v] * padded[u : u + height, v : v + width] for u, v in np.ndindex(kernel.shape)
    )


def test_equals_the_sums_of_the_paper():
    rgb = torch.randint(100, 110, (2, 3, 7, 9)).double()
    planes = HighPass().double()(rgb)
    assert planes.shape == (2, 3, 7, 9)
    for sample in range(2):
        grey = rgb[sample].mean(0).numpy()
        expected = [residual(grey, kernel).clip(-3, 3) for kernel in (SQUARE3, SQUARE5, SECOND)]
        np.testing.assert_allclose(planes[sample].numpy(), expected, atol=1e-6)
    assert (planes.abs() == 3).any()
    assert (planes.abs() < 1).any()


def test_flat_image_and_its_border_leave_nothing():
    assert not HighPass()(torch.full((1, 3, 1, 6), 200.0)).any()


def test_it_has_no_weights():
    assert not HighPass().state_dict()
    assert not list(HighPass().parameters())


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_keeps_the_digits(dtype):
    """A step of one grey level on a bright wall."""
    rgb = torch.full((1, 3, 8, 8), 240.0)
    rgb[..., 4:] = 241
    expected = HighPass()(rgb)
    module = HighPass()
    torch.testing.assert_close(module(rgb.to(dtype)), expected.to(dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        torch.testing.assert_close(module(rgb), expected)
