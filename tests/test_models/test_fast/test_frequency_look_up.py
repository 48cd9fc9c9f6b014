from itertools import combinations, product

import pytest
import torch
import torch.nn.functional as F

from mmomni.models.fast import frequency_look_up


@pytest.fixture
def small_stripes(monkeypatch):
    """Of one row of blocks, so that an image passes in several."""
    monkeypatch.setattr(frequency_look_up, '_CPU_PIXELS', 1)


@pytest.fixture
def blocks():
    return frequency_look_up.to_blocks(torch.randint(0, 30, (2, 16, 24)))


@pytest.fixture
def table():
    return frequency_look_up.make_table(torch.randn(4, 21, 3, 3, dtype=torch.float64))


def test_look_up_is_the_convolution_of_the_one_hot(small_stripes):
    q, kernel = torch.randint(0, 21, (2, 16, 24)), torch.randn(4, 21, 3, 3, dtype=torch.float64)
    one_hot = F.one_hot(q, 21).double().permute(0, 3, 1, 2)
    expected = F.conv2d(one_hot, kernel, padding=8, dilation=8)
    expected = expected.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 4, 5, 1)
    rows = frequency_look_up.to_rows(frequency_look_up.to_blocks(q))
    table = frequency_look_up.table_of_triples(frequency_look_up.make_table(kernel))
    expected = expected.flatten(3, 4)
    parts = list(frequency_look_up.stripes(rows, expected))
    assert len(parts) > 1
    for part, of_part in parts:
        found = frequency_look_up.look_up(part, table)
        torch.testing.assert_close(found, of_part.reshape(-1, 4))


@pytest.mark.parametrize('long_sum', [1, 2**16])
@pytest.mark.parametrize('add_up', ['_add_rows', '_multiply_one_hot'])
def test_gradient_of_the_table(blocks, table, add_up, long_sum, small_stripes, monkeypatch):
    monkeypatch.setattr(frequency_look_up, '_LONG_SUM', long_sum)
    table.requires_grad_()
    rows = frequency_look_up.to_rows(blocks)
    looked_up = frequency_look_up.look_up(rows, frequency_look_up.table_of_triples(table))
    seed = torch.randn_like(looked_up)
    (expected,) = torch.autograd.grad(looked_up, table, seed)
    parts = frequency_look_up.stripes(rows, seed.view(2, 2, 3, 64, 4))
    gradients = [(part.reshape(-1, 3), of_part.reshape(-1, 4)) for part, of_part in parts]
    assert len(gradients) == 2
    torch.testing.assert_close(getattr(frequency_look_up, add_up)(gradients, table), expected)


def test_long_sums_keep_their_digits():
    """Most values are 0, so that most pixels add to the same row."""
    q = torch.randint(0, 21, (1, 512, 512)) * (torch.rand(1, 512, 512) < 0.1)
    rows = frequency_look_up.to_rows(frequency_look_up.to_blocks(q)).view(-1, 3)
    gradient = torch.randn(512 * 512, 4) + 0.5
    table = torch.zeros(9 * 22, 4)
    whole = [(rows, gradient.double())]
    expected = frequency_look_up._add_rows(whole, table.double())
    parts = list(zip(rows.split(2**13), gradient.split(2**13), strict=True))
    error = frequency_look_up._add_rows(parts, table).double() - expected
    assert error.norm() / expected.norm() < 3e-6


def test_two_taps_have_one_line_in_common():
    pairs = [pair for line in frequency_look_up._LINES for pair in combinations(sorted(line), 2)]
    assert sorted(pairs) == list(combinations(range(9), 2))


@pytest.mark.parametrize('form', ['_count_by_bins', '_count_by_products'])
def test_pairs_are_counted(blocks, form, small_stripes):
    taps = blocks.unfold(1, 3, 1).unfold(2, 3, 1).reshape(-1, 9)
    rows = taps + 22 * torch.arange(9)
    expected = torch.zeros(9 * 22, 9 * 22, dtype=torch.float64)
    for first, second in product(range(9), repeat=2):
        ones = torch.ones(len(rows), dtype=torch.float64)
        expected.index_put_((rows[:, first], rows[:, second]), ones, accumulate=True)
    assert torch.equal(getattr(frequency_look_up, form)(blocks).double(), expected)


def test_moments_are_those_of_all_pixels(blocks, table):
    rows = frequency_look_up.to_rows(blocks)
    pixels = frequency_look_up.look_up(rows, frequency_look_up.table_of_triples(table))
    assert len(pixels) == 2 * 16 * 24
    mean, variance = frequency_look_up.moments_of_look_ups(blocks, table)
    torch.testing.assert_close(mean, pixels.mean(dim=0))
    torch.testing.assert_close(variance, pixels.var(dim=0, unbiased=False))
