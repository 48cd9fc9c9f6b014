import cv2
import numpy as np
import pytest

from mmomni.synthesis.light import darkened, relit, shadow_of
from mmomni.synthesis.regions import FEATHERS, draw_feather, soften
from mmomni.synthesis.scene import Scene, Thing
from mmomni.synthesis.segments import grow_segment
from mmomni.synthesis.splicing import backdrop, paste_thing

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


def edits_of(operation, scene, num, **details):
    rng = np.random.default_rng(0)
    found = (operation(scene, rng) for _ in range(400))
    fitting = (e for e in found if e and all(e.details[k] == v for k, v in details.items()))
    return [next(fitting) for _ in range(num)]


def test_a_whole_thing_stands_in_the_picture(thing):
    for edit in edits_of(paste_thing, Scene(landscape(), thing=thing), 6, cut_off=False):
        y = np.nonzero(edit.matte > 0.9)[0]
        assert 0.2 * SIZE[0] < np.ptp(y) < SIZE[0]
        assert y.max() > 0.6 * SIZE[0], 'its feet'
        assert edit.used_thing
        assert not edit.used_donor


def test_what_is_cut_off_reaches_the_lower_border(thing):
    for edit in edits_of(paste_thing, Scene(landscape(), thing=thing), 6, cut_off=True):
        assert edit.mask[-3:].any()
        assert not edit.details['shadow']


def test_a_shadow_darkens_the_ground_and_counts_as_forged(thing):
    ground = np.full((*SIZE, 3), 200, np.uint8)
    for edit in edits_of(paste_thing, Scene(ground, thing=thing), 4, shadow=True):
        grey = edit.image.astype(int).max(axis=2)
        # Neither the thing's colours nor the ground's: all channels darker alike.
        shade = (np.ptp(edit.image.astype(int), axis=2) <= 2) & (grey < 170)
        assert shade.sum() > 30
        assert (edit.matte[shade] > 0.1).all()
        assert edit.mask[shade].mean() > 0.5


def test_without_a_thing_nothing_is_pasted():
    assert paste_thing(Scene(landscape()), np.random.default_rng(0)) is None


@pytest.mark.parametrize(('border', 'rows'), [('top', slice(0, 130)), ('bottom', slice(170, 240))])
def test_skies_and_grounds_begin_at_their_border(border, rows):
    mask = grow_segment(landscape(), np.random.default_rng(0), (0.1, 0.9), border)
    assert mask[rows].mean() > 0.95
    assert mask.mean() < 0.75


def test_a_backdrop_is_the_donors():
    donor = np.full((*SIZE, 3), (240, 120, 30), np.uint8)
    edits = edits_of(backdrop, Scene(landscape(), donor), 4, colours='as they are')
    for edit in edits:
        core = cv2.erode(edit.mask.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
        assert np.abs(edit.image[core].astype(int) - (240, 120, 30)).mean() < 25
        assert edit.used_donor
    assert {edit.details['border'] for edit in edits} <= {'top', 'bottom'}
    assert backdrop(Scene(landscape()), np.random.default_rng(0)) is None


def test_shadows_lie_on_the_ground_beside_the_thing():
    matte = np.zeros(SIZE, np.float32)
    matte[100:200, 150:170] = 1
    shadow = shadow_of(matte, 200, np.random.default_rng(0))
    assert shadow[matte == 1].max() == 0
    assert 0.5 < shadow.max() <= 1
    ground = np.full((*SIZE, 3), 200, np.uint8)
    dark = darkened(ground, shadow, np.random.default_rng(0))
    assert np.array_equal(dark[shadow == 0], ground[shadow == 0])
    assert dark[shadow > 0.9].max() < 160
    assert not shadow_of(np.zeros(SIZE, np.float32), 200, np.random.default_rng(0)).any()


def test_light_is_changed_as_told(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[60:200, 80:220] = True
    seen = set()
    for seed in range(30):
        changed, details = relit(photo, photo, mask, np.random.default_rng(seed))
        seen |= set(details)
        assert np.array_equal(changed, photo) == (not details)
    assert seen == {'stops', 'shaded', 'softened', 'grain'}


def test_borders_are_hard_soft_and_never_wider_than_the_region():
    rng = np.random.default_rng(0)
    widths = [draw_feather(rng) for _ in range(200)]
    assert min(widths) == 0
    assert max(widths) == FEATHERS[-1][1]
    assert max(draw_feather(rng, 24) for _ in range(100)) == 3
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    assert set(np.unique(soften(mask, 0))) == {0, 1}
