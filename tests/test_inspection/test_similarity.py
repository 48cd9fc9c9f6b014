import io
import time

import cv2
import numpy as np
import pytest
from PIL import Image
from planting import jpeg_bytes, make_picture

from mmomni.inspection import similarity
from mmomni.inspection.similarity import (
    LEAST_CONTRAST,
    Appearance,
    appearance_of,
    correlation,
    distance,
    similar_groups,
)


def grey_of(pixels):
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def recompressed(pixels, quality):
    with Image.open(io.BytesIO(jpeg_bytes(pixels, quality=quality))) as image:
        return np.array(image)


COPIES = {
    'quality 30': lambda p: recompressed(p, 30),
    'half size': lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    'upscaled': lambda p: cv2.resize(p, None, fx=1.4, fy=1.4, interpolation=cv2.INTER_CUBIC),
    'third size, quality 60': lambda p: recompressed(p[1::3, 1::3], 60),
    'brighter': lambda p: np.clip(p * 1.05 + 4, 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize('copy', COPIES.values(), ids=COPIES)
def test_copies_are_grouped(copy):
    for seed in range(10):
        picture = make_picture(seed, (240, 320))
        looks = [appearance_of(grey_of(picture)), appearance_of(grey_of(copy(picture)))]
        assert similar_groups(looks) == [[0, 1]]


def test_different_pictures_are_not():
    assert similar_groups([appearance_of(grey_of(make_picture(seed))) for seed in range(300)]) == []


def test_equal_hashes_of_different_thumbnails_are_not():
    rng = np.random.default_rng(0)
    looks = [Appearance(5, rng.integers(0, 256, 256, dtype=np.uint8).tobytes()) for _ in range(4)]
    assert similar_groups([*looks, looks[2]]) == [[2, 4]]


def test_flat_pictures_look_like_nothing():
    assert appearance_of(np.full((50, 60), 200, np.uint8)) is None


def test_no_pictures_no_groups():
    assert similar_groups([]) == []


def test_distance_counts_bits():
    numbers = np.array([0, 1, 0b1011, 2**64 - 1], dtype=np.uint64)
    assert distance(numbers[:1], numbers).tolist() == [0, 1, 3, 64]


def test_bands_find_all_that_comparing_everything_finds():
    rng = np.random.default_rng(3)
    centres = rng.integers(0, 2**63, 40)
    thumbnail = bytes(range(256))
    hashes = []
    for centre in centres.tolist():
        hashes.append(centre)
        for flips in (3, 6, 7):
            flipped = sum(1 << int(bit) for bit in rng.choice(64, flips, replace=False))
            hashes.append(centre ^ flipped)
    groups = similar_groups([Appearance(value, thumbnail) for value in hashes])
    near = distance(*np.meshgrid(*[np.array(hashes, np.uint64)] * 2)) <= 6
    expected = set()
    for row in range(len(hashes)):  # closure by repeated reach
        reach = near[row]
        for _ in range(4):
            reach = near[reach].any(axis=0)
        expected.add(tuple(np.nonzero(reach)[0].tolist()))
    assert {tuple(group) for group in groups} == {group for group in expected if len(group) > 1}


# ---- against other computations --------------------------------------------------------------


def dct_matrix(side):
    """Rows are the orthonormal cosines of DCT-II."""
    row, column = np.indices((side, side))
    matrix = np.cos(np.pi * (2 * column + 1) * row / (2 * side)) * np.sqrt(2 / side)
    matrix[0] /= np.sqrt(2)
    return matrix


def test_the_hash_is_of_the_64_lowest_frequencies_without_the_mean():
    """Diagonal by diagonal from the corner, and of no finer detail than a block of 11 has."""
    grey = grey_of(make_picture(5, (32, 32)))
    order = sorted((r + c, r, c) for r in range(32) for c in range(32))[1:65]
    frequencies = dct_matrix(32) @ grey.astype(float) @ dct_matrix(32).T
    values = np.array([frequencies[row, column] for _, row, column in order])
    bits = ''.join('01'[int(value > np.median(values))] for value in values)
    looks = appearance_of(grey)
    assert looks.hash == int(bits, 2)
    assert bits.count('1') == 32
    means = grey.reshape(16, 2, 16, 2).mean(axis=(1, 3))
    shown = np.frombuffer(looks.thumbnail, np.uint8).reshape(16, 16)
    assert np.abs(shown - means).max() <= 0.5


def test_brightness_and_contrast_leave_the_hash_as_it_is():
    """But for the two values beside the median, which rounding may swap."""
    grey = grey_of(make_picture(6, (32, 32))) // 2
    for other in (grey + 60, grey * 2):
        flipped = appearance_of(other).hash ^ appearance_of(grey).hash
        assert flipped.bit_count() <= 2


@pytest.mark.parametrize(
    ('change', 'name'),
    [
        (lambda p: p[:, ::-1], 'mirrored'),
        (lambda p: 255 - p, 'negative'),
        (np.rot90, 'turned'),
    ],
)
def test_mirrors_negatives_and_turns_are_other_pictures(change, name):
    picture = make_picture(7, (64, 64))
    looks = [appearance_of(grey_of(np.ascontiguousarray(p))) for p in (picture, change(picture))]
    assert similar_groups(looks) == [], name


@pytest.mark.parametrize(('step', 'flat'), [(2, True), (6, False)])
def test_pictures_of_little_contrast_look_like_nothing(step, flat):
    """Two halves: the standard deviation is half of the step between them."""
    grey = np.full((32, 32), 100, np.uint8)
    grey[:, 16:] += step
    assert (grey.std() < LEAST_CONTRAST) == flat
    assert (appearance_of(grey) is None) == flat


@pytest.mark.parametrize('size', [(1, 1), (1, 300), (7, 3), (2000, 33)])
def test_pictures_of_any_size_have_an_appearance(size):
    grey = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    looks = appearance_of(grey)
    if grey.size == 1:
        assert looks is None
    else:
        assert len(looks.thumbnail) == 256
        assert 0 <= looks.hash < 2**64


def test_correlation_is_that_of_numpy():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (5, 256), dtype=np.uint8)
    second = (first * 0.7 + rng.integers(0, 60, (5, 256))).astype(np.uint8)
    expected = [np.corrcoef(*pair)[0, 1] for pair in zip(first, second, strict=True)]
    np.testing.assert_allclose(correlation(first, second), expected, atol=1e-5)
    expected = [np.corrcoef(row, second[2])[0, 1] for row in first]
    np.testing.assert_allclose(correlation(first, second[2]), expected, atol=1e-5)


def test_correlation_has_its_bounds_and_a_flat_row_none():
    row = np.arange(256, dtype=np.uint8)
    assert correlation(row, row) == pytest.approx(1, abs=1e-5)
    assert correlation(row, row[::-1]) == pytest.approx(-1, abs=1e-5)
    assert correlation(row, np.full(256, 9, np.uint8)) == 0


def test_distances_broadcast():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**63, 9).astype(np.uint64)
    table = distance(numbers[:, None], numbers[None])
    expected = [[(a ^ b).bit_count() for b in numbers.tolist()] for a in numbers.tolist()]
    assert table.tolist() == expected


# ---- groups ----------------------------------------------------------------------------------

THUMBNAIL = bytes(range(256))


@pytest.mark.parametrize(('bits', 'alike'), [(0, True), (6, True), (7, False), (64, False)])
def test_hashes_of_copies_differ_in_at_most_six_bits(bits, alike):
    """Also where they are spread evenly, so that most of the bands differ."""
    spread = sum(1 << (64 * (2 * index + 1) // (2 * bits)) for index in range(bits))
    groups = similar_groups([Appearance(0, THUMBNAIL), Appearance(spread, THUMBNAIL)])
    assert groups == ([[0, 1]] if alike else [])


def test_near_hashes_of_different_thumbnails_are_no_copies():
    looks = [Appearance(0, THUMBNAIL), Appearance(1, THUMBNAIL[::-1]), Appearance(3, THUMBNAIL)]
    assert similar_groups(looks) == [[0, 2]]


def test_a_look_alike_of_a_look_alike_is_of_the_group():
    """The ends differ in 10 bits; those between are given last."""
    ends = [Appearance(0, THUMBNAIL), Appearance((1 << 10) - 1, THUMBNAIL)]
    assert similar_groups(ends) == []
    assert similar_groups([*ends, Appearance((1 << 5) - 1, THUMBNAIL)]) == [[0, 1, 2]]


def random_looks(count):
    """Some dozens of pictures, each with copies: near hashes and near thumbnails."""
    rng = np.random.default_rng(4)
    looks = []
    for _ in range(count):
        value = int(rng.integers(0, 2**63))
        thumbnail = rng.integers(0, 256, 256)
        for _ in range(rng.integers(1, 5)):
            flips = sum(1 << int(bit) for bit in rng.choice(64, rng.integers(0, 5), replace=False))
            noisy = np.clip(thumbnail + rng.integers(-9, 10, 256), 0, 255).astype(np.uint8)
            looks.append(Appearance(value ^ flips, noisy.tobytes()))
    return looks


def test_groups_are_sorted_and_do_not_depend_on_the_order():
    looks = random_looks(40)
    groups = similar_groups(looks)
    assert len(groups) > 10
    assert groups == sorted(map(sorted, groups))
    order = np.random.default_rng(0).permutation(len(looks)).tolist()
    shuffled = similar_groups([looks[index] for index in order])
    assert sorted(sorted(order[index] for index in group) for group in shuffled) == groups


@pytest.mark.parametrize(('cells', 'pairs'), [(1, 1), (7, 3)])
def test_groups_do_not_depend_on_how_much_is_compared_at_once(cells, pairs, monkeypatch):
    looks = random_looks(30) + [Appearance(77, THUMBNAIL)] * 5 + [Appearance(78, THUMBNAIL)] * 5
    groups = similar_groups(looks)
    monkeypatch.setattr(similarity, '_CELLS_AT_ONCE', cells)
    monkeypatch.setattr(similarity, '_PAIRS_AT_ONCE', pairs)
    assert similar_groups(looks) == groups


def test_a_hundred_thousand_take_seconds():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**63, 100_000).tolist()
    numbers[500:1000] = [numbers[0]] * 500
    thumbnail = bytes(range(256))
    looks = [Appearance(number, thumbnail) for number in numbers]
    start = time.process_time()
    groups = similar_groups(looks)
    assert time.process_time() - start < 30
    assert max(map(len, groups)) == 501
