import numpy as np
import pytest

from mmomni.synthesis.natural import moving
from mmomni.synthesis.natural.inpainting import METHODS
from mmomni.synthesis.natural.moving import (
    ROUGHEST,
    SMOOTH_AREA,
    SMOOTH_ROUGHNESS,
    copy_move,
    object_jitter,
    removal,
)
from mmomni.synthesis.scene import Scene
from test_natural.shapes import inside, mask_of, rectangle

SIZE = (96, 128)
GREEN, RED = (70, 140, 60), (210, 40, 30)


def meadow(noise: float = 3) -> np.ndarray:
    """Green with a red square of 20 pixels at (30, 40), ``uint8`` (H, W, 3)."""
    image = np.full((*SIZE, 3), GREEN, float)
    image[30:50, 40:60] = RED
    image += np.random.default_rng(0).normal(0, noise, (*SIZE, 1))
    return image.round().clip(0, 255).astype(np.uint8)


SQUARE = rectangle(30, 40, 20, 20)


def red(image: np.ndarray) -> np.ndarray:
    return image[..., 0].astype(int) - image[..., 1] > 60


@pytest.mark.parametrize('exact', [True, False])
def test_copies_show_the_thing_a_second_time(exact, found, edits_of, assert_kept_outside):
    found(moving, SQUARE)
    scene = Scene(meadow())
    for edit in edits_of(copy_move, scene, 6, exact=exact):
        assert_kept_outside(scene.image, edit)
        assert edit.details['source_at'] == [30, 40]
        assert edit.details['region'] == 'object'
        assert not edit.used_donor
        copy = red(edit.image) & ~mask_of(SQUARE, SIZE)
        scale = copy.sum() / 400
        assert 0.9 < scale < 1.1 if exact else 0.8**2 - 0.1 < scale < 1.25**2 + 0.1
        y, x = edit.details['target_at']
        rows, columns = np.nonzero(copy)
        assert abs(rows.min() - y) <= 2
        assert abs(columns.min() - x) <= 2


def test_the_copied_thing_itself_is_left_as_it_was(found, edits_of):
    found(moving, SQUARE)
    image = meadow()
    for edit in edits_of(copy_move, Scene(image), 12):
        np.testing.assert_array_equal(edit.image[30:50, 40:60], image[30:50, 40:60])
        assert not edit.matte[30:50, 40:60].any()


def test_half_of_the_copies_are_exact_and_only_those_may_keep_the_grid(found, edits_of):
    found(moving, SQUARE)
    edits = edits_of(copy_move, Scene(meadow()), 120)
    exact = [edit for edit in edits if edit.details['exact']]
    assert 0.35 < len(exact) / len(edits) < 0.65
    kept = [edit for edit in edits if edit.details['grid'] == 'kept']
    assert 2 <= len(kept) <= 20, 'an eighth of the half'
    assert all(edit.details['exact'] for edit in kept)
    for edit in exact:
        shift = np.subtract(edit.details['target_at'], edit.details['source_at'])
        assert (shift % 8 == 0).all() == (edit.details['grid'] == 'kept')


def test_a_copy_goes_where_its_surroundings_fit(found, edits_of):
    image = meadow()
    image[:, 70:] = (60, 80, 200)
    found(moving, SQUARE)
    # What is around the square is green: so is the left half, but for one draw in many.
    on_green = [edit.details['target_at'][1] < 70 for edit in edits_of(copy_move, Scene(image), 20)]
    assert np.mean(on_green) > 0.8


@pytest.mark.parametrize(
    'outline',
    [None, rectangle(1, 1, 94, 126), rectangle(1, 1, 60, 80)],
    ids=['no outline', 'all of the image', 'more than half'],
)
def test_without_room_for_a_second_one_nothing_is_copied(outline, found):
    found(moving, outline)
    rng = np.random.default_rng(0)
    assert not any(copy_move(Scene(meadow()), rng) for _ in range(12))


def test_removed_things_are_gone_with_a_rim(found, edits_of, assert_kept_outside):
    found(moving, SQUARE)
    scene = Scene(meadow())
    for edit in edits_of(removal, scene, 12):
        assert_kept_outside(scene.image, edit)
        assert not red(edit.image).any()
        y, x = np.nonzero(edit.mask)
        rim = np.array([30 - y.min(), 40 - x.min(), y.max() - 49, x.max() - 59])
        assert 2 <= rim.min() <= rim.max() <= 4
        assert edit.details['region'] == 'object'
        assert edit.details['method'] in METHODS


def test_of_two_outlines_the_one_in_smooth_surroundings_is_removed(found, edits_of):
    image = meadow()
    image[:, 70:] = np.random.default_rng(1).integers(60, 140, (96, 58, 1))
    rough = rectangle(30, 90, 20, 20, 'shape')
    for pair in ((SQUARE, rough), (rough, SQUARE)):
        found(moving, *pair)
        for edit in edits_of(removal, Scene(image), 4):
            assert edit.details['region'] == 'object'
            assert not edit.mask[:, 70:].any()


def test_one_outline_of_two_is_enough(found, edits_of):
    found(moving, None, SQUARE)
    (edit,) = edits_of(removal, Scene(meadow()), 1, tries=1)
    assert edit.mask[40, 50]


def test_nothing_is_removed_without_an_outline_or_across_strong_edges(found):
    rng = np.random.default_rng(0)
    found(moving, None)
    assert removal(Scene(meadow()), rng) is None
    found(moving, SQUARE)
    checks = np.indices(SIZE).sum(axis=0) % 2 * 2.0 * (ROUGHEST + 4)
    rough = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    assert not any(removal(Scene(rough), rng) for _ in range(6))
    smoother = (rough * ((ROUGHEST - 4) / (ROUGHEST + 4))).astype(np.uint8)
    assert removal(Scene(smoother), rng) is not None


def test_smooth_fillings_get_the_grain_of_the_image_back_or_stay_smooth(found, edits_of):
    found(moving, rectangle(70, 20, 8, 8))
    image = meadow(noise=5)
    levels = []
    for edit in edits_of(removal, Scene(image), 30):
        if edit.details['method'] != 'exemplar':
            core = edit.image[inside(edit.matte == 1, 4)].astype(float)
            levels.append(core.mean(axis=1).std())
    assert len(levels) > 5
    assert min(levels) < 2.5
    assert 3 < max(levels) < 8


@pytest.mark.parametrize(
    ('roughness', 'area', 'exemplar'),
    [
        (SMOOTH_ROUGHNESS, SMOOTH_AREA, 1 / 3),
        (SMOOTH_ROUGHNESS + 1, 0, 0.8 + 0.2 / 3),
        (0, SMOOTH_AREA + 0.01, 0.8 + 0.2 / 3),
    ],
    ids=['small and smooth', 'rough', 'large'],
)
def test_what_is_rough_or_large_is_mostly_filled_by_exemplars(roughness, area, exemplar):
    rng = np.random.default_rng(0)
    drawn = [moving._method(roughness, area, rng) for _ in range(600)]
    assert set(drawn) == set(METHODS)
    assert np.mean(np.array(drawn) == 'exemplar') == pytest.approx(exemplar, abs=0.06)


def test_jittered_things_are_moved_and_scaled_as_told(found, edits_of, assert_kept_outside):
    found(moving, SQUARE)
    scene = Scene(meadow())
    for edit in edits_of(object_jitter, scene, 16):
        assert_kept_outside(scene.image, edit)
        thing, scale = red(edit.image), edit.details['scale']
        assert np.sqrt(thing.sum() / 400) == pytest.approx(scale, abs=0.06)
        y, x = np.nonzero(thing)
        shift = [y.min() - 30, x.min() - 40]
        assert np.abs(np.subtract(shift, edit.details['shift'])).max() <= 2
        # Twelve hundredths of its side, and half of what it grows by.
        assert np.abs(shift).max() <= 0.12 * 20 + 0.12 * 20 / 2 + 2
        assert np.exp(-0.121) < scale < np.exp(0.121)
        assert abs(edit.details['stops']) <= 0.6


def test_some_jitters_scale_nothing_and_some_leave_the_exposure(found, edits_of):
    found(moving, SQUARE)
    edits = edits_of(object_jitter, Scene(meadow()), 40)
    assert 0.2 < np.mean([edit.details['scale'] == 1 for edit in edits]) < 0.6
    assert 0.1 < np.mean([edit.details['stops'] == 0 for edit in edits]) < 0.5


def test_what_a_jittered_thing_bares_counts_as_forged(found, edits_of):
    found(moving, SQUARE)
    for edit in edits_of(object_jitter, Scene(meadow()), 8):
        # Hole and thing, a hair's breadth of soft corners aside.
        assert edit.mask[mask_of(SQUARE, SIZE)].mean() > 0.98
        assert edit.mask[red(edit.image)].mean() > 0.97


def test_a_jittered_thing_never_stays_on_its_grid(found, edits_of):
    found(moving, rectangle(20, 24, 60, 64))
    noise = np.random.default_rng(0).integers(60, 200, (*SIZE, 3)).astype(np.uint8)
    for edit in edits_of(object_jitter, Scene(noise), 40):
        assert any(step % 8 for step in edit.details['shift'])


@pytest.mark.parametrize('outline', [None, rectangle(1, 1, 94, 126)], ids=['none', 'all'])
def test_nothing_is_jittered_without_a_thing_or_room(outline, found):
    found(moving, outline)
    rng = np.random.default_rng(0)
    edits = [object_jitter(Scene(meadow()), rng) for _ in range(12)]
    # It may fit when it is made smaller.
    assert all(edit is None or edit.details['scale'] < 1 for edit in edits)
    assert None in edits


@pytest.mark.parametrize('operation', [copy_move, removal, object_jitter])
def test_moving_is_a_function_of_the_generator(operation, found):
    found(moving, SQUARE)
    first, same, other = (
        next(filter(None, (operation(Scene(meadow()), rng) for _ in range(20))))
        for rng in map(np.random.default_rng, (2, 2, 3))
    )
    np.testing.assert_array_equal(first.image, same.image)
    np.testing.assert_array_equal(first.matte, same.matte)
    assert first.details == same.details
    assert not np.array_equal(first.image, other.image)
