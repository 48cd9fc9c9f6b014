import numpy as np
import pytest

from mmomni.jpeg import encode, read_luma
from mmomni.synthesis.jpeg_history import (
    compress,
    draw_history,
    on_same_grid,
    with_foreign_history,
)
from mmomni.synthesis.natural import copy_move, removal, splice
from mmomni.synthesis.scene import Scene


def test_qualities_cover_their_ranges_with_both_ends():
    rng = np.random.default_rng(0)
    histories = [draw_history(rng, (50, 53), (90, 90)) for _ in range(100)]
    assert {history.qualities[0] for history in histories} == {50, 51, 52, 53}
    assert {history.qualities[1] for history in histories} == {90}
    assert len({history.subsampling for history in histories}) == 4


def test_a_second_compression_with_the_same_settings_changes_little(photo):
    once = compress(photo, 60)
    assert np.abs(once.astype(int) - photo).mean() > 3
    assert np.abs(compress(once, 60).astype(int) - once).mean() < 0.5


def test_foreign_histories_vary(photo):
    rng = np.random.default_rng(0)
    donors = [with_foreign_history(photo, rng) for _ in range(30)]
    untouched = sum(np.array_equal(donor, photo) for donor in donors)
    assert 3 < untouched < 25


@pytest.mark.parametrize(
    ('shift', 'same'), [((8, -16), True), ((0, 0), True), ((8, 3), False), ((1, 8), False)]
)
def test_grid_phase(shift, same):
    assert on_same_grid(*shift) is same


def share_on_first_grid(jpeg: bytes, blocks: np.ndarray, first_step: int) -> float:
    """How many non-zero coefficients of one frequency are multiples of the first step.

    Rounding of the second generation moves them by half of its step; pixels' by one or so.
    """
    luma = read_luma(jpeg)
    rows, columns = blocks.shape
    values = luma.coefficients[: rows * 8, : columns * 8][1::8, 0::8][blocks].astype(int)
    values = values * int(luma.table[1, 0])
    values = values[np.abs(values) > first_step / 2]
    assert values.size > 30
    off = np.abs(values - first_step * np.round(values / first_step))
    return float((off <= first_step / 6).mean())


def whole_blocks(mask: np.ndarray) -> np.ndarray:
    rows, columns = mask.shape[0] // 8, mask.shape[1] // 8
    return mask[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).all(axis=(1, 3))


@pytest.mark.parametrize('operation', [copy_move, splice, removal])
def test_only_untouched_blocks_are_doubly_compressed(operation, photo, other_photo):
    first_step = int(read_luma(encode(photo, 50)).table[1, 0])
    assert first_step >= 12
    rng = np.random.default_rng(3)
    untouched, tampered = [], []
    scene = Scene(compress(photo, 50), other_photo)
    while len(tampered) < 5:
        edit = operation(scene, rng)
        if edit is None or edit.mask.mean() < 0.08:
            continue
        jpeg = encode(edit.image, 96)
        same = (edit.image == scene.image).all(axis=2)
        untouched.append(share_on_first_grid(jpeg, whole_blocks(same), first_step))
        tampered.append(share_on_first_grid(jpeg, whole_blocks(edit.mask), first_step))
    assert np.mean(untouched) > 0.9
    assert np.mean(tampered) < 0.6
