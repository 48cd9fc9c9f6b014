import io
import time

import cv2
import numpy as np
import pytest
from PIL import Image
from planting import jpeg_bytes, make_picture

from mmomni.inspection.similarity import Appearance, appearance_of, distance, similar_groups


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
