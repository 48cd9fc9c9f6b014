import cv2
import numpy as np
import pytest

from mmomni.synthesis.geometry import warp_affine
from mmomni.synthesis.jpeg_history import Generation
from mmomni.synthesis.natural import splicing
from mmomni.synthesis.natural.moving import copy_move
from mmomni.synthesis.natural.retouching import local_resave
from mmomni.synthesis.natural.segments import grow_segment
from mmomni.synthesis.natural.splicing import backdrop, paste_thing, splice
from mmomni.synthesis.regions import FEATHERS, draw_feather, soften, softened, thickness_of
from mmomni.synthesis.scene import Scene, Thing

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


def test_a_splice_keeps_its_grid_where_it_says_so(monkeypatch, photo, other_photo, edits_of):
    monkeypatch.setattr(splicing, 'with_foreign_history', phases)
    scene = Scene(photo, other_photo)
    details = dict(colours='as they are', blending='feather')
    for edit in edits_of(splice, scene, 2, grid='kept', **details):
        assert not shift_of_grid(edit).any()


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
def test_a_clear_scene_keeps_no_grid(operation, photo, other_photo):
    rng = np.random.default_rng(0)
    for clear in (False, True):
        scene = Scene(photo, other_photo, clear=clear)
        edits = (operation(scene, rng) for _ in range(120))
        kept = sum(edit.details['grid'] == 'kept' for edit in edits if edit)
        assert (kept == 0) == clear
