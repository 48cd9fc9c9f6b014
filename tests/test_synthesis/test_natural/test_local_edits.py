import cv2
import numpy as np
import pytest

from mmomni.synthesis.faces.retouching import PARTS, face_retouch
from mmomni.synthesis.natural.captions import write_text
from mmomni.synthesis.natural.local_edits import FILTERS, local_filter, recolour
from mmomni.synthesis.natural.strokes import retouch
from mmomni.synthesis.scene import Scene
from mmomni.synthesis.whole_edits import EDITS

FACE = (80, 60, 200, 180)


def edits_of(operation, scene, num, **details):
    rng = np.random.default_rng(0)
    found = (operation(scene, rng) for _ in range(500))
    fitting = (e for e in found if e and all(e.details[k] == v for k, v in details.items()))
    return [next(fitting) for _ in range(num)]


def lab(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[mask].astype(float)


def test_another_hue_keeps_the_lightness(photo):
    rng = np.random.default_rng(0)
    edits = (recolour(Scene(photo), rng) for _ in range(200))
    hues = [e for e in edits if e and e.details['kind'] == 'hue' and e.mask.sum() > 400]
    kept = [
        abs(lab(e.image, e.mask)[:, 0].mean() - lab(photo, e.mask)[:, 0].mean()) for e in hues
    ]
    turned = [
        np.abs(lab(e.image, e.mask)[:, 1:] - lab(photo, e.mask)[:, 1:]).mean() for e in hues
    ]
    assert len(hues) > 5
    # Three in ten are made darker or brighter, too.
    assert np.median(kept) < 6
    assert np.median(turned) > 4


def test_a_grey_photo_is_not_given_another_hue():
    grey = np.random.default_rng(0).normal(120, 30, (160, 200, 1)).repeat(3, axis=2)
    grey = cv2.GaussianBlur(grey, (0, 0), 3).clip(0, 255).astype(np.uint8)
    kinds = {edit.details['kind'] for edit in edits_of(recolour, Scene(grey), 12)}
    assert kinds <= {'brightness', 'tint'}


@pytest.mark.parametrize('kind', FILTERS)
def test_every_filter_does_what_it_says(kind, photo):
    (edit,) = edits_of(local_filter, Scene(photo), 1, filter=kind)
    core = cv2.erode(edit.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    before, after = (cv2.Laplacian(image, cv2.CV_64F)[core].std() for image in (photo, edit.image))
    assert (after > before) == (kind in ('sharpen', 'noise'))


@pytest.mark.parametrize('brush', ['stroke', 'dabs'])
@pytest.mark.parametrize('tool', ['clone', 'heal'])
def test_retouching_shows_pixels_of_the_image(tool, brush, photo):
    for edit in edits_of(retouch, Scene(photo), 3, tool=tool, brush=brush):
        dy, dx = edit.details['shift']
        y, x = np.nonzero(edit.matte == 1)
        assert edit.mask.mean() < 0.2
        same = edit.image[y, x] == photo[y + dy, x + dx]
        assert (same.mean() > 0.95) == (tool == 'clone')
        gap = np.abs(np.diff(edit.image.astype(int), axis=0))[edit.matte[1:] > 0]
        assert gap.mean() < 40, 'no seams'


def test_nothing_is_retouched_where_there_is_nothing_to_cover():
    flat = np.full((200, 240, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    assert not any(retouch(Scene(flat), rng) for _ in range(30))


def test_captions_are_seen_and_masked():
    ground = np.full((300, 400, 3), 110, np.uint8)
    styles = set()
    for edit in edits_of(write_text, Scene(ground), 30):
        styles.add(edit.details['style'])
        changed = np.abs(edit.image.astype(int) - ground).max(axis=2)
        assert (edit.matte[changed > 0] > 0).all()
        assert changed[edit.mask].max() > 30
        assert edit.mask.mean() < 0.4
    assert styles == {'plain', 'outline', 'shadow', 'bar'}


def test_captions_without_contrast_are_not_written():
    white = np.full((300, 400, 3), 250, np.uint8)
    for edit in edits_of(write_text, Scene(white), 12):
        # White letters have at least a dark outline.
        seen = np.abs(edit.image.astype(int) - white).max(axis=2) > 25
        assert seen[edit.mask].mean() > 0.2


def test_pushed_features_leave_the_rest_alone(photo):
    seen = set()
    for edit in edits_of(face_retouch, Scene(photo, face=FACE), 14):
        if edit.details['variant'] == 'push':
            seen.add(edit.details['feature'])
        assert edit.details['face_box'] == 'found'
        x = np.nonzero(edit.mask)[1]
        assert FACE[0] - 40 <= x.min() < x.max() <= FACE[2] + 40
    assert seen == set(PARTS)


def test_smoothed_skin_has_less_detail(photo):
    noise = np.random.default_rng(0).normal(0, 5, photo.shape)
    skin = (cv2.GaussianBlur(photo, (0, 0), 4) + noise).clip(0, 255).astype(np.uint8)
    (edit,) = edits_of(face_retouch, Scene(skin, face=FACE), 1, variant='smooth')
    core = edit.matte == 1
    before, after = (cv2.Laplacian(image, cv2.CV_64F)[core].std() for image in (skin, edit.image))
    assert after < 0.8 * before


@pytest.mark.parametrize('kind', EDITS)
def test_edits_of_the_whole_image_tell_their_parameters(kind, photo):
    changed, parameters = EDITS[kind](photo, np.random.default_rng(1))
    assert changed.shape == photo.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, photo)
    assert parameters
    assert all(isinstance(value, float) for value in parameters.values())
