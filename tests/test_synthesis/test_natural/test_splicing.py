import cv2
import numpy as np
import pytest

from mmomni.synthesis.geometry import warp_affine
from mmomni.synthesis.jpeg_history import Generation
from mmomni.synthesis.natural import in_place, moving, splicing
from mmomni.synthesis.natural.moving import copy_move
from mmomni.synthesis.natural.retouching import local_resave
from mmomni.synthesis.natural.segments import grow_segment
from mmomni.synthesis.natural.splicing import backdrop, paste_thing, splice
from mmomni.synthesis.scene import Scene, Thing
from mmomni.utils.regions import FEATHERS, draw_feather, soften, softened, thickness_of
from test_natural.shapes import rectangle

SIZE = (240, 320)


@pytest.fixture
def thing() -> Thing:
    """A striped person on a plain ground."""
    y, x = np.mgrid[:200, :140]
    mask = ((y - 100) / 90) ** 2 + ((x - 70) / 40) ** 2 < 1
    image = np.full((200, 140, 3), 60, np.uint8)
    image[mask & (y % 20 < 10)] = (230, 30, 30)
    image[mask & (y % 20 >= 10)] = (30, 30, 230)
    return Thing(image, mask)


def landscape() -> np.ndarray:
    """A blue sky over green ground, uint8 (H, W, 3)."""
    rng = np.random.default_rng(0)
    image = np.full((*SIZE, 3), (90, 140, 220), float)
    image[150:] = (60, 130, 50)
    return (image + rng.normal(0, 4, image.shape)).clip(0, 255).astype(np.uint8)


def test_a_whole_thing_stands_in_the_picture(thing, edits_of):
    for edit in edits_of(paste_thing, Scene(landscape(), thing=thing), 6, cut_off=False):
        y = np.nonzero(edit.matte > 0.9)[0]
        assert 0.2 * SIZE[0] < np.ptp(y) < SIZE[0]
        assert y.max() > 0.6 * SIZE[0], 'its feet'
        assert edit.used_thing
        assert not edit.used_donor


def test_what_is_cut_off_reaches_the_lower_border(thing, edits_of):
    for edit in edits_of(paste_thing, Scene(landscape(), thing=thing), 6, cut_off=True):
        assert edit.mask[-3:].any()
        assert not edit.details['shadow']


def test_a_shadow_darkens_the_ground_and_counts_as_forged(thing, edits_of):
    ground = np.full((*SIZE, 3), 200, np.uint8)
    # On a ground that is not grey, so that its soft border is none of the shadow.
    image = np.where(thing.mask[..., None], thing.image, (230, 30, 230)).astype(np.uint8)
    scene = Scene(ground, thing=Thing(image, thing.mask))
    for edit in edits_of(paste_thing, scene, 4, shadow=True):
        grey = edit.image.astype(int).max(axis=2)
        # Neither the thing's colours nor the ground's: all channels darker alike.
        neutral = np.ptp(edit.image.astype(int), axis=2) <= 2
        assert (neutral & (grey < 170)).sum() > 30
        # All that can be seen of it, its soft border too.
        assert edit.mask[neutral & (grey < 190)].mean() > 0.97


def test_without_a_thing_nothing_is_pasted():
    assert paste_thing(Scene(landscape()), np.random.default_rng(0)) is None


@pytest.mark.parametrize(('border', 'rows'), [('top', slice(0, 130)), ('bottom', slice(170, 240))])
def test_skies_and_grounds_begin_at_their_border(border, rows):
    mask = grow_segment(landscape(), np.random.default_rng(0), (0.1, 0.9), border)
    assert mask[rows].mean() > 0.95
    assert mask.mean() < 0.75


def test_a_backdrop_is_the_donors(edits_of):
    donor = np.full((*SIZE, 3), (240, 120, 30), np.uint8)
    edits = edits_of(backdrop, Scene(landscape(), donor), 4, colours='as they are')
    for edit in edits:
        core = cv2.erode(edit.mask.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
        assert np.abs(edit.image[core].astype(int) - (240, 120, 30)).mean() < 25
        assert edit.used_donor
    assert {edit.details['border'] for edit in edits} == {'top', 'bottom'}
    assert backdrop(Scene(landscape()), np.random.default_rng(0)) is None


def test_borders_are_hard_soft_and_never_wider_than_the_region():
    rng = np.random.default_rng(0)
    widths = [draw_feather(rng, np.ones((90, 90), bool)) for _ in range(200)]
    assert min(widths) == 0
    assert max(widths) == FEATHERS[-1][1]
    mask = np.zeros((40, 40), bool)
    mask[8:32, 8:32] = True
    assert max(draw_feather(rng, mask) for _ in range(100)) == 3
    assert set(np.unique(soften(mask, 0))) == {0, 1}


def test_borders_of_thin_and_branched_regions_are_narrow():
    comb = np.zeros((120, 160), bool)
    comb[10:20, 10:150] = True
    for x in range(10, 150, 14):
        comb[10:110, x : x + 6] = True
    assert thickness_of(comb) < 14
    square = np.zeros((120, 160), bool)
    square[10:110, 30:130] = True
    assert 95 < thickness_of(square) < 105
    rng = np.random.default_rng(0)
    for mask in (comb, square):
        for _ in range(40):
            matte = softened(mask, rng)
            outside = (matte > 0.02) & (matte <= 0.5)
            assert outside.sum() <= 0.55 * mask.sum()


def test_what_is_made_smaller_is_averaged():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = warp_affine(stripes, np.array([[0.3, 0.02, 5], [-0.02, 0.3, 9]]), (140, 140))
    assert np.abs(small[20:100, 20:100].astype(int) - 127).mean() < 20, 'aliased'


def test_shrinking_first_moves_nothing():
    y, x = np.mgrid[:400, :400]
    disc = (((x - 130) ** 2 + (y - 250) ** 2) < 60**2).astype(np.float32)
    warp = np.array([[0.35, 0.05, 20], [-0.05, 0.27, 30]])
    found = warp_affine(disc, warp, (200, 240), cv2.BORDER_CONSTANT) > 0.5
    assert found.shape == (200, 240)
    centre = np.argwhere(found).mean(axis=0)[::-1]
    assert np.abs(centre - warp @ [130, 250, 1]).max() < 0.2


def test_pasted_things_are_not_aliased(thing, edits_of):
    # Stripes of one pixel on a tall thing, which no photo of a third of its size can show.
    image = np.zeros((900, 500, 3), np.uint8)
    image[::2] = 255
    mask = np.zeros((900, 500), bool)
    mask[50:850, 100:400] = True
    scene = Scene(np.full((*SIZE, 3), 128, np.uint8), thing=Thing(image, mask))
    for edit in edits_of(paste_thing, scene, 12, colours='as they are', shadow=False):
        core = cv2.erode(edit.mask.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
        rows = np.abs(np.diff(edit.image[..., 1].astype(int), axis=0))[core[1:]]
        assert rows.size < 100 or rows.mean() < 20


def phases(image, *_):
    """In the place of a donor: says of each pixel where it is in its 8x8 block."""
    y, x = np.indices(image.shape[:2]) % 8
    return np.stack([30 * x, 30 * y, 0 * x], axis=-1).astype(np.uint8)


def shift_of_grid(edit) -> np.ndarray:
    """(dx, dy) from the grid of what :func:`phases` made to that of the image."""
    y, x = np.nonzero(edit.matte == 1)
    shifts = np.unique((edit.image[y, x, :2] / 30 - np.stack([x, y], axis=1)) % 8, axis=0)
    assert len(shifts) == 1
    return shifts[0]


@pytest.mark.parametrize('size', [SIZE, (300, 500)])
def test_a_backdrop_never_lies_on_the_grid_of_the_image(size, monkeypatch, edits_of):
    monkeypatch.setattr(splicing, 'with_foreign_history', phases)
    scene = Scene(landscape(), np.zeros((*size, 3), np.uint8))
    for edit in edits_of(backdrop, scene, 6, colours='as they are'):
        assert shift_of_grid(edit).any()


@pytest.mark.parametrize(('grid', 'num'), [('kept', 3), ('moved', 6)])
def test_a_splice_keeps_its_grid_where_it_says_so(grid, num, monkeypatch, photo, found, edits_of):
    monkeypatch.setattr(splicing, 'with_foreign_history', phases)
    found(splicing, rectangle(43, 50, 60, 70))
    scene, details = Scene(photo, photo), dict(colours='as they are', blending='feather')
    # In their own size: what is scaled has no grid.
    monkeypatch.setattr(splicing, '_splice_warp', lambda *_: np.eye(2))
    for edit in edits_of(splice, scene, num, grid=grid, **details):
        assert shift_of_grid(edit).any() == (grid == 'moved')


@pytest.mark.parametrize('operation', [splice, backdrop])
def test_a_donor_can_have_the_history_of_the_image(operation, monkeypatch, photo):
    seen = []
    monkeypatch.setattr(
        splicing, 'with_foreign_history', lambda image, rng, like: seen.append(like) or image
    )
    first = Generation(71, '4:2:0')
    operation(Scene(landscape(), photo, first=first), np.random.default_rng(1))
    assert set(seen) == {first}


@pytest.mark.parametrize('operation', [copy_move, splice, local_resave])
def test_a_clear_scene_keeps_no_grid(operation, photo, other_photo, found):
    rng = np.random.default_rng(0)
    for module in (moving, splicing, in_place):
        found(module, rectangle(43, 50, 60, 70))
    for clear in (False, True):
        scene = Scene(photo, other_photo, clear=clear)
        edits = (operation(scene, rng) for _ in range(120))
        kept = sum(edit.details['grid'] == 'kept' for edit in edits if edit)
        assert (kept == 0) == clear


SMALL = (96, 128)


def stripes(size: tuple[int, int], colour=(230, 30, 30)) -> np.ndarray:
    """Horizontal stripes of 4 pixels in a colour and in black, so that nothing is plain."""
    image = np.zeros((*size, 3), np.uint8)
    image[np.arange(size[0]) % 8 < 4] = colour
    return image


@pytest.mark.parametrize('operation', [splice, backdrop, paste_thing])
def test_what_is_brought_in_changes_its_matte_alone(
    operation, thing, edits_of, assert_kept_outside
):
    image = np.ascontiguousarray(landscape()[100:196, :128])
    donor = stripes((120, 140))
    scene = Scene(image, donor, thing=thing)
    before = [array.copy() for array in (image, donor, thing.image, thing.mask)]
    for edit in edits_of(operation, scene, 3):
        assert_kept_outside(image, edit)
        assert edit.used_donor == (operation is not paste_thing)
        assert edit.used_thing == (operation is paste_thing)
    for array, old in zip((image, donor, thing.image, thing.mask), before, strict=True):
        np.testing.assert_array_equal(array, old, 'a source was written into')


@pytest.mark.parametrize('operation', [splice, backdrop, paste_thing])
def test_what_is_brought_in_is_a_function_of_the_generator(operation, thing):
    image = np.ascontiguousarray(landscape()[100:196, :128])
    scene = Scene(image, stripes((120, 140)), thing=thing)
    first, same, other = (
        next(filter(None, (operation(scene, rng) for _ in range(60))))
        for rng in map(np.random.default_rng, (2, 2, 3))
    )
    np.testing.assert_array_equal(first.image, same.image)
    np.testing.assert_array_equal(first.matte, same.matte)
    assert first.details == same.details
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize(
    ('share', 'identity'),
    [(0.1, 0.5), (0.021, 0.5), (0.015, 0.0), (0.55, 0.0)],
    ids=['fits', 'just fits', 'small', 'large'],
)
def test_spliced_regions_are_scaled_into_range_and_as_they_are_where_they_can(share, identity):
    side = np.sqrt(share * 100 * 140)
    contour = np.array([[0, 0], [side, 0], [side, side], [0, side]])
    rng = np.random.default_rng(0)
    warps = [splicing._splice_warp(contour, (100, 140), rng) for _ in range(200)]
    same = np.array([np.array_equal(warp, np.eye(2)) for warp in warps])
    assert same.mean() == pytest.approx(identity, abs=0.1)
    scales = np.sqrt(np.abs([np.linalg.det(warp) for warp in warps]))
    shares = share * scales**2
    # The scale is kept within 0.4 to 1.3, whatever comes of it.
    low, high = splicing.SPLICE_AREA
    assert min(low, share * 1.3**2) * 0.99 <= shares.min()
    assert shares.max() <= max(high, share * 0.41**2) * 1.01
    assert scales.min() >= 0.4
    assert scales.max() <= 1.3 + 0.2


def test_a_splice_whose_surroundings_fit_is_preferred(found, edits_of):
    # Red stripes in green, over an image that is half green and half blue.
    donor = np.full((*SMALL, 3), (60, 140, 60), np.uint8)
    donor[32:56, 50:74] = stripes((24, 24))
    image = np.full((*SMALL, 3), (60, 140, 60), np.uint8)
    image[:, 64:] = (40, 60, 220)
    found(splicing, rectangle(28, 46, 32, 32))
    edits = edits_of(splice, Scene(image, donor), 16)
    assert np.mean([np.nonzero(edit.mask)[1].mean() < 64 for edit in edits]) > 0.75


@pytest.mark.parametrize('operation', [splice, backdrop])
def test_without_an_outline_or_a_donor_nothing_is_brought_in(operation, found, monkeypatch):
    found(splicing, None)
    monkeypatch.setattr(splicing, 'grow_segment', lambda *_: None)
    image, rng = landscape(), np.random.default_rng(0)
    assert operation(Scene(image, stripes(SIZE)), rng) is None
    assert operation(Scene(image), rng) is None


@pytest.mark.parametrize('share', [0.04, 0.7], ids=['little', 'nearly all'])
def test_a_sky_of_another_size_than_asked_for_is_left(share, monkeypatch):
    mask = np.zeros(SIZE, bool)
    mask[: round(share * SIZE[0])] = True
    monkeypatch.setattr(splicing, 'grow_segment', lambda *_: mask)
    rng = np.random.default_rng(0)
    assert not any(backdrop(Scene(landscape(), stripes(SIZE)), rng) for _ in range(6))


@pytest.mark.parametrize(('border', 'colour'), [('top', 'red'), ('bottom', 'blue')])
def test_a_backdrop_comes_from_the_same_border_of_the_donor(border, colour, edits_of):
    # Twice as high as the image: of what is at one border, nothing is at the other.
    donor = stripes((480, 340))
    donor[240:] = stripes((240, 340), (30, 30, 230))
    scene = Scene(landscape(), donor)
    for edit in edits_of(backdrop, scene, 2, border=border, colours='as they are'):
        core = edit.image[edit.matte == 1].mean(axis=0)
        assert core.argmax() == ('red', 'green', 'blue').index(colour)


def test_fitted_backdrops_have_the_colours_of_the_place(edits_of):
    image = np.ascontiguousarray(landscape()[100:196, :128])
    scene = Scene(image, np.full((*SMALL, 3), (240, 120, 30), np.uint8))
    off = {
        kind: [
            np.abs(edit.image[edit.mask].mean(0) - scene.image[edit.mask].mean(0)).mean()
            for edit in edits_of(backdrop, scene, 4, border='top', colours=kind)
        ]
        for kind in ('reinhard', 'as they are')
    }
    assert max(off['reinhard']) < min(off['as they are'])


def test_things_are_cut_out_as_roughly_as_by_hand(thing):
    y, x = np.nonzero(thing.mask)
    sizes, mirrored = [], 0
    for seed in range(40):
        cut = splicing._cut_out(thing, np.random.default_rng(seed))
        assert cut.image.shape[:2] == cut.mask.shape
        assert cut.mask.shape == (np.ptp(y) + 1 + 8, np.ptp(x) + 1 + 8)
        sizes.append(cut.mask.sum())
        # Image and mask are turned together: what is deep within is never the ground.
        core = cv2.erode(cut.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        assert not (cut.image[core] == 60).all(axis=1).any()
        mirrored += not np.array_equal(cut.image, thing.image[6:195, 27:114])
    assert min(sizes) < thing.mask.sum() < max(sizes)
    perimeter = 2 * np.pi * np.sqrt((90**2 + 40**2) / 2)
    assert max(abs(np.array(sizes) - thing.mask.sum())) < 2.6 * perimeter


def test_half_of_the_things_are_mirrored():
    image = np.arange(60 * 80, dtype=np.uint32).reshape(60, 80, 1).repeat(3, 2).astype(np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[10:50, 20:40] = True
    mask[10:40, 30:40] = False  # an L
    window, turned = image[6:54, 16:44], 0
    for seed in range(60):
        cut = splicing._cut_out(Thing(image, mask), np.random.default_rng(seed))
        left, right = cut.mask[:, :14].sum(), cut.mask[:, 14:].sum()
        np.testing.assert_array_equal(cut.image, window if left > right else window[:, ::-1])
        turned += right > left
    assert 18 < turned < 42


def placed(cut: bool, num: int = 200, shape: tuple[int, int] = (100, 50)):
    """Where top, bottom and middle of a thing come to lie in an image of (96, 128), as (y, x)."""
    for seed in range(num):
        warp, feet = splicing._placed(shape, SMALL, cut, np.random.default_rng(seed))
        height, width = shape
        points = np.array([[width / 2, 0, 1], [width / 2, height, 1]])
        (top_x, top), (bottom_x, bottom) = points @ warp.T
        yield np.array([top, top_x]), np.array([bottom, bottom_x]), feet, warp


def test_whole_things_stand_on_their_feet_in_the_picture():
    tilted = 0
    for top, bottom, feet, warp in placed(cut=False):
        assert bottom[0] == pytest.approx(feet)
        assert 0.75 * 96 <= feet <= 0.99 * 96
        height = np.linalg.norm(bottom - top)
        assert 0.3 * 96 * 0.999 <= height <= 0.9 * 96 * 1.001
        angle = np.degrees(np.arctan2(warp[1, 0], warp[0, 0]))
        assert abs(angle) <= 5
        tilted += angle != 0
        # Up to 0.15 of its width may be cut off at a side.
        assert -0.15 * height / 2 <= bottom[1] - height / 4
        assert bottom[1] + height / 4 <= 128 + 0.15 * height / 2
    assert 30 < tilted < 70, 'one in four'


def test_the_lower_border_cuts_things_off_at_a_part_of_their_height():
    for top, bottom, feet, _ in placed(cut=True):
        assert feet == 96
        height = np.linalg.norm(bottom - top)
        # The 0.7 of the width that a thing may take limit its height, too.
        assert 0.7 * 96 * 0.999 <= height <= 1.6 * 96 * 1.001
        shown = (feet - top[0]) / (bottom[0] - top[0])
        assert 0.34 <= shown <= 0.76


def test_wide_things_leave_room_at_the_sides():
    for seed in range(40):
        warp, _ = splicing._placed((40, 400), SMALL, False, np.random.default_rng(seed))
        assert np.linalg.norm(warp[:, 0]) * 400 <= 0.7 * 128 * 1.001


def test_a_thing_is_loaded_when_it_is_needed(thing):
    loaded = []
    scenes = [Scene(landscape(), thing=t) for t in (thing, lambda: loaded.append(1) or thing)]
    assert not loaded
    given, called = (paste_thing(scene, np.random.default_rng(1)) for scene in scenes)
    assert loaded == [1]
    np.testing.assert_array_equal(given.image, called.image)


def test_things_too_thin_to_be_seen_are_not_pasted():
    mask = np.zeros((200, 140), bool)
    mask[10:190, 70] = True
    scene = Scene(landscape(), thing=Thing(np.full((200, 140, 3), 200, np.uint8), mask))
    edits = [paste_thing(scene, np.random.default_rng(seed)) for seed in range(30)]
    assert edits.count(None) > 15
    assert all(edit.mask.mean() > 0.01 for edit in edits if edit)


def test_two_in_five_of_the_standing_things_throw_a_shadow(thing, edits_of):
    image = np.ascontiguousarray(landscape()[100:196, :128])
    edits = edits_of(paste_thing, Scene(image, thing=thing), 60, cut_off=False)
    assert np.mean([edit.details['shadow'] for edit in edits]) == pytest.approx(0.4, abs=0.15)
