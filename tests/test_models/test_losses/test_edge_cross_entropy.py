import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmomni.models.losses import EdgeCrossEntropy, near_border


def mask(*rows):
    return torch.tensor([[[int(value) for value in row] for row in rows]])


def test_borders_are_what_a_cross_reaches_from_both_sides():
    labels = mask('00000', '00000', '00110', '00110', '00000')
    assert near_border(labels, 3).int().tolist() == mask(
        '00000', '00110', '01111', '01111', '00110'
    ).tolist()


def test_width_is_reached_in_four_directions_and_no_corner():
    labels = torch.zeros(1, 11, 11, dtype=torch.long)
    labels[0, 5, 5] = 1
    found = near_border(labels, 7)[0]
    expected = torch.zeros(11, 11, dtype=torch.bool)
    expected[5, 2:9] = expected[2:9, 5] = True
    assert torch.equal(found, expected)


@pytest.mark.parametrize('label', [0, 1])
def test_without_a_border_there_is_no_loss(label):
    labels = torch.full((2, 8, 8), label)
    assert not near_border(labels, 7).any()
    assert EdgeCrossEntropy()(torch.randn(2, 2, 8, 8), labels) == 0


def test_ignored_pixels_make_no_border():
    labels = torch.ones(1, 6, 6, dtype=torch.long)
    labels[0, :, 3:] = 255
    assert not near_border(labels, 3).any()
    assert EdgeCrossEntropy()(torch.randn(1, 2, 6, 6), torch.full((1, 6, 6), 255)) == 0


def test_equals_the_sum_over_the_band_by_all_pixels():
    torch.manual_seed(0)
    logits = torch.randn(2, 2, 9, 9)
    labels = torch.zeros(2, 9, 9, dtype=torch.long)
    labels[0, 2:6, 3:7] = 1
    labels[1, :, 8] = 255
    each = F.cross_entropy(logits, labels, ignore_index=255, reduction='none')
    expected = 20 * each[near_border(labels, 5)].sum().item() / (162 - 9)
    found = EdgeCrossEntropy(width=5)(logits, labels).item()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert EdgeCrossEntropy(width=5, loss_weight=1)(logits, labels).item() == pytest.approx(
        expected / 20
    )


@pytest.mark.parametrize('width', [1, 4])
def test_refuses_a_width_without_a_middle(width):
    with pytest.raises(ValueError, match=f'odd number of pixels from 3, got {width}'):
        EdgeCrossEntropy(width=width)
