import cv2
import numpy as np
import pytest

from mmomni.synthesis.natural.local_edits import FILTERS, local_filter, recolour
from mmomni.synthesis.scene import Scene
from mmomni.synthesis.whole_edits import EDITS


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


def test_a_grey_photo_is_not_given_another_hue(edits_of):
    grey = np.random.default_rng(0).normal(120, 30, (160, 200, 1)).repeat(3, axis=2)
    grey = cv2.GaussianBlur(grey, (0, 0), 3).clip(0, 255).astype(np.uint8)
    kinds = {edit.details['kind'] for edit in edits_of(recolour, Scene(grey), 12)}
    assert kinds <= {'brightness', 'tint'}


@pytest.mark.parametrize('kind', FILTERS)
def test_every_filter_does_what_it_says(kind, photo, edits_of):
    (edit,) = edits_of(local_filter, Scene(photo), 1, filter=kind)
    core = cv2.erode(edit.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    before, after = (cv2.Laplacian(image, cv2.CV_64F)[core].std() for image in (photo, edit.image))
    assert (after > before) == (kind in ('sharpen', 'noise'))


@pytest.mark.parametrize('kind', EDITS)
def test_edits_of_the_whole_image_tell_their_parameters(kind, photo):
    changed, parameters = EDITS[kind](photo, np.random.default_rng(1))
    assert changed.shape == photo.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, photo)
    assert parameters
    assert all(isinstance(value, float) for value in parameters.values())
