import numpy as np
import pytest

from mmomni.synthesis.documents import ink as ink_module
from mmomni.synthesis.documents.ink import INKS, SIGNED, draw_ink, print_ink

SIDE = 200


def drawn(kind: str, num: int, side: int = SIDE) -> list[np.ndarray]:
    """Inks of a kind."""
    inks = (draw_ink(side, np.random.default_rng(seed)) for seed in range(200))
    found = [ink for name, ink in inks if name == kind]
    assert len(found) >= num
    return found[:num]


def test_ink_is_tight_and_lets_print_show_through():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        _, ink = draw_ink(300, rng)
        for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]):
            assert edge.max() > 0.05
        page = np.full((*ink.shape, 3), 240, np.uint8)
        page[: len(page) // 2] = 120
        before = page.copy()
        print_ink(page, ink, (0, 0), rng)
        assert np.array_equal(page[ink == 0], before[ink == 0])
        assert page[ink > 0.5].mean() < before[ink > 0.5].mean()


def test_stamps_and_signatures_are_drawn_as_often_as_told():
    rng = np.random.default_rng(0)
    kinds = [draw_ink(64, rng)[0] for _ in range(200)]
    assert set(kinds) == {'stamp', 'signature'}
    assert np.mean(np.array(kinds) == 'signature') == pytest.approx(SIGNED, abs=0.1)


@pytest.mark.parametrize(
    ('kind', 'least', 'most'), [('stamp', 0.2, 0.45), ('signature', 0.2, 0.4)]
)
def test_ink_is_a_part_of_the_page_wide(kind, least, most):
    widths = []
    for ink in drawn(kind, 30):
        assert ink.dtype == np.float32
        assert ink.min() >= 0
        assert 0.5 < ink.max() <= 1
        widths.append(ink.shape[1])
    # A turn by 12 degrees makes a square a fifth wider; borders of a tenth are free.
    assert min(widths) > 0.75 * least * SIDE
    assert max(widths) < 1.25 * most * SIDE
    assert max(widths) > 1.4 * min(widths)


@pytest.mark.parametrize('side', [10, 64])
@pytest.mark.parametrize('kind', ['stamp', 'signature'])
def test_on_small_pages_ink_is_large_enough_to_be_drawn(kind, side):
    for ink in drawn(kind, 8, side):
        assert 0.75 * 48 < ink.shape[1] < 1.25 * 48
        assert min(ink.shape) >= 8


def test_stamps_are_round_or_angular_and_hold_text():
    aspects = [ink.shape[1] / ink.shape[0] for ink in drawn('stamp', 40)]
    assert sum(aspect < 1.1 for aspect in aspects) > 10, 'round'
    assert sum(aspect > 1.3 for aspect in aspects) > 10, 'angular'
    for ink in drawn('stamp', 10):
        y, x = (slice(side // 4, 3 * side // 4) for side in ink.shape)
        assert (ink[y, x] > 0.4).mean() > 0.05, 'a word and a date in the middle'


def test_ink_of_stamps_is_uneven():
    thin = []
    for seed in range(12):
        stamp = ink_module._stamp(SIDE, np.random.default_rng(seed))
        thick = stamp[stamp > 0.7]
        thin.append((thick < 0.985).mean())
    # Of even ink, the rims of the strokes alone would be thin, about a fifth.
    assert np.median(thin) > 0.4


def test_signatures_are_thin_lines_from_one_end_to_the_other():
    for signature in drawn('signature', 10):
        assert (signature > 0.5).mean() < 0.35
        assert (signature > 0.3).any(axis=0).mean() > 0.9


def test_ink_is_printed_where_it_is_put_and_nowhere_else():
    page = np.full((30, 40, 3), 200, np.uint8)
    ink = np.zeros((4, 6), np.float32)
    ink[1, 2] = 1
    print_ink(page, ink, (10, 20), np.random.default_rng(0))
    assert np.unique(np.argwhere(page != 200)[:, :2], axis=0).tolist() == [[11, 22]]


def test_ink_has_one_of_its_colours_and_six_tenths_of_its_strength_at_least():
    inks, seen = np.array(INKS) / 255, set()
    for seed in range(40):
        page = np.full((1, 2, 3), 250, np.uint8)
        print_ink(page, np.array([[1, 0.5]], np.float32), (0, 0), np.random.default_rng(seed))
        taken = 1 - page[0, 0] / 250.0  # strength * (1 - colour)
        strengths = taken / (1 - inks)
        colour = int(np.ptp(strengths, axis=1).argmin())
        strength = strengths[colour].mean()
        assert np.ptp(strengths[colour]) < 0.03
        assert 0.59 <= strength <= 1.01
        np.testing.assert_allclose(1 - page[0, 1] / 250.0, taken / 2, atol=0.005)
        seen.add(colour)
    assert seen == set(range(len(INKS)))


def test_what_is_black_stays_black_beneath_ink():
    page = np.zeros((5, 5, 3), np.uint8)
    print_ink(page, np.ones((5, 5), np.float32), (0, 0), np.random.default_rng(0))
    assert not page.any()


def test_ink_is_a_function_of_the_generator():
    (kind, first), (same_kind, same) = (draw_ink(96, np.random.default_rng(1)) for _ in range(2))
    assert kind == same_kind
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, draw_ink(96, np.random.default_rng(2))[1])
