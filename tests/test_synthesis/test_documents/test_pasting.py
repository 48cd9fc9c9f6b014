import cv2
import numpy as np
import pytest

from mmomni.synthesis.documents.pages import render_page
from mmomni.synthesis.documents.pasting import block_copy, page_splice, stamp
from mmomni.synthesis.regions import boxes_of
from mmomni.synthesis.scene import Scene


def scene_of(seed: int) -> Scene:
    page, other = (render_page(np.random.default_rng([seed, i]), 400) for i in range(2))
    return Scene(page.image, other.image, page.words, donor_words=other.words)


def edits_of(operation, num=8):
    rng, found = np.random.default_rng(0), []
    for seed in range(60):
        scene = scene_of(seed)
        edit = operation(scene, rng)
        if edit is not None:
            found.append((scene, edit))
        if len(found) == num:
            return found
    raise AssertionError('too few')


def test_words_of_another_page_are_pasted_as_ink_or_with_their_paper():
    pairs = edits_of(page_splice, 12)
    assert {edit.details['pasted'] for _, edit in pairs} == {'ink', 'patch'}
    for scene, edit in pairs:
        assert edit.used_donor
        for x1, y1, x2, y2 in boxes_of(edit.mask):
            grey = edit.image[y1:y2, x1:x2].mean(axis=2)
            assert grey.min() < np.median(scene.image) - 20, 'there is ink'


def test_black_paper_divides_nothing_by_zero():
    scene = scene_of(0)
    black = np.zeros_like(scene.donor)
    black[::7, ::5] = 40
    found, rng = [], np.random.default_rng(0)
    with np.errstate(all='raise'):
        for image, donor in ((scene.image, black), (black[: len(scene.image)], scene.donor)):
            words = scene.words if image is scene.image else scene.words[:0]
            dark = Scene(image, donor, words or scene.words, donor_words=scene.donor_words)
            found += [page_splice(dark, rng) for _ in range(12)]
    assert any(found)


def test_without_another_page_nothing_is_spliced():
    scene = scene_of(0)
    assert page_splice(Scene(scene.image, words=scene.words), np.random.default_rng(0)) is None


def test_blocks_are_parts_of_other_lines():
    for scene, edit in edits_of(block_copy):
        assert edit.details['blocks'] <= 2
        assert 'words' not in edit.details
        assert not edit.used_donor
        for x1, y1, x2, y2 in boxes_of(edit.mask):
            patch = edit.image[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3]
            grey, copied = (cv2.cvtColor(a, cv2.COLOR_RGB2GRAY) for a in (scene.image, patch))
            match = cv2.matchTemplate(grey, copied, cv2.TM_CCOEFF_NORMED)
            # Its right end may be blank paper.
            assert match.max() > 0.6


def test_stamps_and_signatures_fit_into_their_rectangle():
    pairs = edits_of(stamp, 16)
    assert {edit.details['kind'] for _, edit in pairs} == {'stamp', 'signature'}
    for scene, edit in pairs:
        (box,) = boxes_of(edit.mask)
        x1, y1, x2, y2 = box
        assert edit.mask[y1:y2, x1:x2].all()
        assert (edit.image <= scene.image).all(), 'ink only darkens'


@pytest.mark.parametrize('operation', [stamp, block_copy])
def test_a_blank_sheet_is_left_alone(operation):
    blank = np.full((300, 300, 3), 250, np.uint8)
    assert operation(Scene(blank), np.random.default_rng(0)) is None
