from typing import ClassVar

import numpy as np
import pytest
import torch

from mmomni.models.comparators.mesorch import dct_matrix, frequency_images

from .contract import ComparatorTester


class TestMesorch(ComparatorTester):
    paper = 'mesorch_convnext-tiny-mit-b3'
    lite = 'mesorch_efficientnet-lite0-mit'
    parameters = 84.99
    multiply_adds = 120.7
    losses: ClassVar = {'decode.loss_ce'}
    shares = False

    @torch.no_grad()
    def test_weights_of_a_pixel_are_1_in_all(self, model, make_planes):
        inputs = make_planes(64, 96)[None].float()
        *_, weights = model.extract_feat(inputs)
        assert weights.shape == (1, 8, 16, 24)
        torch.testing.assert_close(weights.sum(1), torch.ones(1, 16, 24))


def scaled(image):
    return (image - image.min()) / (image.max() - image.min())


def test_dct_is_orthonormal_and_starts_with_the_mean():
    matrix = dct_matrix(6, torch.zeros(1).double())
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(6).double())
    torch.testing.assert_close(matrix[0], torch.full((6,), 6**-0.5).double())
    second = [np.cos(np.pi * 2 * (2 * n + 1) / 12) / 3**0.5 for n in range(6)]
    np.testing.assert_allclose(matrix[2].numpy(), second, atol=1e-12)


@pytest.mark.parametrize('size', [(40, 60), (64, 64)])
def test_images_are_those_of_a_spectrum_with_parts_taken_out(size):
    image = torch.randn(2, 3, *size).double()
    rows, columns = (dct_matrix(n, image) for n in size)
    spectrum = rows @ image @ columns.T
    details, objects = spectrum.clone(), spectrum.clone()
    details[..., : int(0.05 * size[0]), : int(0.05 * size[1])] = 0
    objects[..., -int(0.95 * size[0]) :, -int(0.95 * size[1]) :] = 0
    for found, part in zip(frequency_images(image), (details, objects), strict=True):
        back = rows.T @ part @ columns
        for sample, expected in zip(found, back, strict=True):
            torch.testing.assert_close(sample, scaled(expected))


def test_a_flat_image_is_nothing_and_no_nan():
    for part in frequency_images(torch.zeros(1, 3, 32, 32)):
        assert not part.any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_keeps_the_digits(dtype):
    image = torch.rand(1, 3, 64, 64)
    expected = frequency_images(image.to(dtype).float())
    for found, whole in zip(frequency_images(image.to(dtype)), expected, strict=True):
        torch.testing.assert_close(found, whole.to(dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        for found, whole in zip(frequency_images(image), frequency_images(image), strict=True):
            assert found.dtype == torch.float32
            torch.testing.assert_close(found, whole)
