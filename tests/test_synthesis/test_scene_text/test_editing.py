"""Words on signs replaced, copied, removed, inserted, and on surfaces where there is no sign."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmomni.synthesis import DOMAINS, synthesize_folder
from mmomni.synthesis.scene import Scene
from mmomni.synthesis.scene_text import editing
from mmomni.synthesis.scene_text.editing import word_edit, word_insert, word_removal, word_splice
from mmomni.synthesis.scene_text.signs import find_signs
from mmomni.synthesis.source_pool import LOOKED_AT, SourcePool

BOARD = np.s_[262:408, 132:488]


def first(operation, scene, seed=0, tries=60):
    rng = np.random.default_rng(seed)
    edits = (operation(scene, rng) for _ in range(tries))
    return next(edit for edit in edits if edit is not None)


def ink(image, where):
    """Share of dark pixels."""
    return (image[where].mean(axis=1) < 120).mean()


@pytest.mark.parametrize('seed', range(3))
def test_words_are_replaced_where_they_were(street, seed):
    edit = first(word_edit, Scene(street), seed)
    assert edit.details['on'] == 'sign'
    assert edit.details['signs'] == 1
    assert edit.mask[BOARD].sum() == edit.mask.sum() > 0
    assert ink(edit.image, edit.mask) > 0.08


@pytest.mark.parametrize('invert', [False, True])
def test_words_are_removed_whole(street, invert):
    image = 255 - street if invert else street
    edit = first(word_removal, Scene(image))
    result = 255 - edit.image if invert else edit.image
    assert ink(street, edit.mask) > 0.15
    assert ink(result, edit.mask) == 0
    ground = np.array((226, 216, 190))
    assert np.abs(result[edit.mask].mean(axis=0) - ground).max() < 6


def test_a_word_of_another_photo_is_brought_in(street, other_street):
    assert word_splice(Scene(street), np.random.default_rng(0)) is None, 'no donor'
    assert word_splice(Scene(street, street, donor_signs=[]), np.random.default_rng(0)) is None
    edit = first(word_splice, Scene(street, other_street))
    assert edit.used_donor


def test_words_are_painted_on_surfaces_where_there_is_no_sign(photo):
    smooth = (photo // 8 + 100).astype(np.uint8)
    edit = first(word_insert, Scene(smooth, signs=[]))
    assert (edit.details['on'], edit.details['signs']) == ('surface', 0)
    assert edit.details['text']
    y, x = np.nonzero(edit.mask)
    assert edit.mask.sum() == (np.ptp(y) + 1) * (np.ptp(x) + 1), 'a box'
    assert y.min() >= 0.15 * len(smooth) - 1, 'not in the sky'
    darker = smooth.astype(int) - edit.image
    assert darker[edit.mask].max() > 40


@pytest.mark.parametrize('operation', [word_edit, word_removal])
def test_without_writing_nothing_is_replaced_or_removed(operation, photo):
    assert operation(Scene(photo, signs=[]), np.random.default_rng(0)) is None


def test_what_does_not_fit_its_surroundings_is_drawn_again(street, monkeypatch):
    def blot(scene, rng):
        edit = editing.text_removal(scene, rng)
        return replace(edit, image=np.where(edit.mask[..., None], np.uint8(90), edit.image))

    signs, rng = find_signs(street), np.random.default_rng(0)
    assert editing._on_a_sign(Scene(street, signs=signs), rng, editing.text_removal) is not None
    assert editing._on_a_sign(Scene(street, signs=signs), rng, blot) is None


def test_signs_of_photos_are_preferred(street, photo, tmp_path):
    for number in range(6):
        Image.fromarray(street if number == 4 else photo).save(tmp_path / f'{number}.png')
    paths = sorted(tmp_path.iterdir())
    pool = SourcePool(paths, prefers=DOMAINS['scene_text'].prefers)
    assert len(paths) <= LOOKED_AT
    others = set()
    for seed in range(5):
        (chosen, _), (other, _) = pool.images(np.random.default_rng(seed), 2)
        assert chosen.name == '4.png'
        others.add(other.name)
    assert len(others) > 1
    assert '4.png' not in others


def test_photos_without_writing_are_counted(photo, tmp_path):
    Image.fromarray((photo // 8 + 100).astype(np.uint8)).save(tmp_path / 'plain.png')
    summary = synthesize_folder(
        tmp_path / 'plain.png', tmp_path / 'out', 'scene_text', 3, 0, 200, authentic=0.0
    )
    assert summary.operations == {'word_insert': 3}
    assert summary.unfound == 3
