import numpy as np
import pytest

from mmomni.synthesis.colour import grain_of
from mmomni.synthesis.jpeg_history import Generation, compress
from mmomni.synthesis.natural import retouching
from mmomni.synthesis.natural.retouching import (
    RESAVE_QUALITY,
    ROOM,
    local_resave,
    regenerate,
)
from mmomni.synthesis.scene import Scene
from test_natural.shapes import inside, mask_of, rectangle

SIZE = (96, 128)


def matte_at(y: int, x: int, side: int = 24) -> np.ndarray:
    return mask_of(rectangle(y, x, side, side), SIZE).astype(np.float32)


@pytest.fixture
def scene(photo) -> Scene:
    return Scene(np.ascontiguousarray(photo[:96, :128]))


class Phases:
    """A generation that shows where each pixel was in its 8x8 block, and what it was given."""

    quality = 77

    def __init__(self):
        self.patches = []

    def __call__(self, patch: np.ndarray) -> np.ndarray:
        self.patches.append(patch)
        y, x = np.indices(patch.shape[:2]) % 8
        return np.stack([30 * x, 30 * y, 0 * x], axis=-1).astype(np.uint8)


@pytest.fixture
def phases(monkeypatch) -> Phases:
    generation = Phases()
    monkeypatch.setattr(retouching, 'draw_generation', lambda *_: generation)
    return generation


@pytest.mark.parametrize('operation', [regenerate, local_resave])
def test_without_a_region_nothing_is_made_anew(operation, scene, region):
    region(retouching, None)
    assert operation(scene, np.random.default_rng(0)) is None


@pytest.mark.parametrize('operation', [regenerate, local_resave])
@pytest.mark.parametrize('at', [(36, 50), (0, 0), (72, 104)], ids=['middle', 'first', 'last'])
def test_only_the_region_is_made_anew_and_looks_the_same(
    operation, at, scene, region, edits_of, assert_kept_outside
):
    matte = matte_at(*at)
    region(retouching, matte, 'segment')
    for edit in edits_of(operation, scene, 4):
        assert_kept_outside(scene.image, edit)
        np.testing.assert_array_equal(edit.matte, matte)
        assert edit.details['region'] == 'segment'
        before, after = (i[matte == 1].astype(float) for i in (scene.image, edit.image))
        assert np.abs(after.mean(axis=0) - before.mean(axis=0)).max() < 3
        # The same picture, in other pixels.
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.8


@pytest.mark.parametrize('variant', ['resample', 'denoise'])
def test_regenerated_pixels_have_noise_of_their_own(variant, region, edits_of):
    noise = np.random.default_rng(0).normal(128, 4, (*SIZE, 1)).repeat(3, axis=2)
    image = noise.round().astype(np.uint8)
    matte = matte_at(20, 30, 48)
    region(retouching, matte)
    core = inside(matte == 1, 2)
    for edit in edits_of(regenerate, Scene(image), 6, variant=variant):
        before, after = (i[core][:, 0].astype(float) for i in (image, edit.image))
        assert abs(np.corrcoef(before, after)[0, 1]) < 0.8
        assert 0.25 * grain_of(image) < after.std() < 2.2 * grain_of(image)


def test_both_variants_are_drawn(scene, region):
    region(retouching, matte_at(36, 50))
    rng = np.random.default_rng(0)
    variants = [regenerate(scene, rng).details['variant'] for _ in range(40)]
    assert set(variants) == {'resample', 'denoise'}
    assert 10 < variants.count('denoise') < 30


@pytest.mark.parametrize('at', [(36, 50), (1, 40), (70, 101)], ids=['middle', 'top', 'last'])
def test_a_resave_keeps_its_grid_where_it_says_so(at, scene, region, phases, edits_of):
    matte = matte_at(*at)
    region(retouching, matte)
    grids = set()
    for edit in edits_of(local_resave, scene, 30):
        y, x = np.nonzero(matte)
        (shift,) = np.unique((edit.image[y, x, :2] // 30 - np.stack([x, y], 1)) % 8, axis=0)
        assert shift.any() == (edit.details['grid'] == 'own')
        grids.add(edit.details['grid'])
    assert grids == {'kept', 'own'}


def test_one_resave_in_seven_keeps_its_grid(scene, region, phases, edits_of):
    region(retouching, matte_at(36, 50))
    edits = edits_of(local_resave, scene, 150)
    assert np.mean([e.details['grid'] == 'kept' for e in edits]) == pytest.approx(0.15, abs=0.07)


def test_what_is_saved_is_the_region_with_its_surroundings(scene, region, phases, edits_of):
    region(retouching, matte_at(36, 50))
    edits_of(local_resave, scene, 20)
    for patch in phases.patches:
        for side in patch.shape[:2]:
            assert 24 + 2 * ROOM <= side <= 24 + 2 * ROOM + 8


def test_resaves_are_those_of_a_jpeg_of_the_quality_told(scene, region, edits_of):
    matte = matte_at(40, 56)
    region(retouching, matte)
    exact = 0
    for edit in edits_of(local_resave, scene, 16, grid='kept'):
        quality = edit.details['quality']
        assert RESAVE_QUALITY[0] <= quality <= RESAVE_QUALITY[1]
        patch = np.ascontiguousarray(scene.image[16:88, 32:104])
        saved = [compress(patch, quality, layout)[24:48, 24:48] for layout in ('4:4:4', '4:2:0')]
        exact += any(np.array_equal(edit.image[40:64, 56:80], part) for part in saved)
    # Three in ten are made sharper or softer first.
    assert 7 <= exact <= 15


def test_the_quality_of_the_first_generation_is_used_off_its_grid_alone(
    scene, region, phases, edits_of
):
    region(retouching, matte_at(36, 50))
    known = Scene(scene.image, first=Generation(33, '4:4:4'))
    edits = edits_of(local_resave, known, 150)
    qualities = {
        grid: [e.details['quality'] for e in edits if e.details['grid'] == grid]
        for grid in ('kept', 'own')
    }
    assert set(qualities['kept']) == {77}
    assert set(qualities['own']) == {77, 33}
    assert np.mean(np.array(qualities['own']) == 33) == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize('operation', [regenerate, local_resave])
def test_what_is_made_anew_is_a_function_of_the_generator(operation, scene, region):
    region(retouching, matte_at(36, 50))
    first, same, other = (
        next(filter(None, (operation(scene, rng) for _ in range(20))))
        for rng in map(np.random.default_rng, (2, 2, 3))
    )
    np.testing.assert_array_equal(first.image, same.image)
    assert first.details == same.details
    assert not np.array_equal(first.image, other.image)
