import re

import numpy as np
import pytest

from mmomni.synthesis import fonts
from mmomni.synthesis.natural import captions
from mmomni.synthesis.natural.captions import COLOURS, CONTRAST, write_text
from mmomni.synthesis.scene import Scene
from mmomni.utils.regions import boxes_of

SIZE = (96, 128)
# The letters of no other colour can be told from all that is beneath them.
YELLOW, MAROON = (250, 240, 60), (90, 10, 10)
STYLES = ('plain', 'outline', 'shadow', 'bar')


def ground(level: int, size: tuple[int, int] = SIZE) -> Scene:
    return Scene(np.full((*size, 3), level, np.uint8))


def letters_of(edit) -> np.ndarray:
    """Where the letters are of a caption in ``YELLOW`` or ``MAROON`` on grey, ``bool`` (H, W)."""
    return np.ptp(edit.image.astype(int), axis=2) > 40


def extent(mask: np.ndarray) -> np.ndarray:
    """[x1, y1, x2, y2] of what is true, both ends included."""
    y, x = np.nonzero(mask)
    return np.array([x.min(), y.min(), x.max(), y.max()])


def test_captions_are_seen_and_masked(edits_of):
    scene = ground(110, (300, 400))
    styles = set()
    for edit in edits_of(write_text, scene, 30):
        styles.add(edit.details['style'])
        changed = np.abs(edit.image.astype(int) - scene.image).max(axis=2)
        assert (edit.matte[changed > 0] > 0).all()
        assert changed[edit.mask].max() > 30
        assert edit.mask.mean() < 0.4
    assert styles == set(STYLES)


def test_captions_without_contrast_are_not_written(edits_of):
    white = ground(250, (300, 400))
    for edit in edits_of(write_text, white, 12):
        # White letters have at least a dark outline.
        seen = np.abs(edit.image.astype(int) - white.image).max(axis=2) > 25
        assert seen[edit.mask].mean() > 0.2


@pytest.mark.parametrize('style', STYLES)
def test_only_pixels_of_the_caption_change(style, photo, edits_of, assert_kept_outside):
    scene = Scene(np.ascontiguousarray(photo[:96, :128]))
    for edit in edits_of(write_text, scene, 3, style=style):
        assert_kept_outside(scene.image, edit)
        assert 0 < edit.matte.max() <= 1
        assert not edit.used_donor


@pytest.mark.parametrize('level', [0, 93, 138, 183, 255])
def test_plain_letters_stand_out_from_what_they_are_written_on(level, edits_of):
    for edit in edits_of(write_text, ground(level), 12, style='plain', opacity=1.0):
        colours = edit.image[edit.matte == 1]
        assert (np.abs(colours.mean(axis=1) - level) >= CONTRAST).all()
        assert tuple(colours[0].tolist()) in COLOURS


def test_see_through_letters_mix_with_the_ground_as_told(edits_of):
    edits = edits_of(write_text, ground(128), 60, style='plain')
    thin = [edit for edit in edits if edit.details['opacity'] < 1]
    assert 4 <= len(thin) <= 24, 'one in five'
    for edit in thin:
        opacity = edit.details['opacity']
        assert 0.55 <= opacity <= 0.85
        seen = edit.image[edit.matte == 1].astype(float)
        possible = [128 * (1 - opacity) + opacity * np.array(colour) for colour in COLOURS]
        # The opacity is told with two digits.
        assert min(np.abs(seen - mixed).max() for mixed in possible) <= 1.5
        assert edit.matte.max() == 1, 'what is forged prevails, however thin it is laid on'


@pytest.mark.parametrize(('colour', 'beneath'), [(YELLOW, 0), (MAROON, 255)])
def test_a_bar_is_one_rectangle_behind_all_letters(colour, beneath, edits_of, monkeypatch):
    monkeypatch.setattr(captions, 'COLOURS', (colour,))
    for edit in edits_of(write_text, ground(110), 4, style='bar'):
        ((x1, y1, x2, y2),) = boxes_of(edit.mask)
        assert (edit.matte[y1:y2, x1:x2] == 1).all()
        assert (edit.image[y1, x1:x2] == beneath).all(), 'black under bright letters, else white'
        left, top, right, bottom = extent(letters_of(edit))
        assert x1 < left < right < x2 - 1
        assert y1 < top < bottom < y2 - 1


@pytest.mark.parametrize(('colour', 'beneath'), [(YELLOW, 0), (MAROON, 255)])
def test_an_outline_surrounds_the_letters_on_all_sides(colour, beneath, edits_of, monkeypatch):
    monkeypatch.setattr(captions, 'COLOURS', (colour,))
    for edit in edits_of(write_text, ground(110), 4, style='outline', opacity=1.0):
        letters = letters_of(edit)
        rim = np.abs(extent(edit.matte > 0.1) - extent(letters))
        assert rim.min() >= 1
        assert np.ptp(rim) <= 1
        ring = (edit.matte == 1) & ~letters
        assert np.abs(edit.image[ring].astype(int) - beneath).mean() < 40


def test_a_shadow_falls_to_the_lower_right(edits_of, monkeypatch):
    monkeypatch.setattr(captions, 'COLOURS', (YELLOW,))
    for edit in edits_of(write_text, ground(110), 6, style='shadow', opacity=1.0):
        letters = letters_of(edit)
        # To the left and above lies its blur alone, to the right and below its offset, too.
        left, top, right, bottom = np.abs(extent(edit.matte > 0.2) - extent(letters))
        assert right > left
        assert bottom > top
        assert (edit.image[(edit.matte > 0.2) & ~letters] <= 110).mean() > 0.9, 'it is dark'


@pytest.mark.parametrize(('level', 'bar'), [(0, 255), (255, 0)])
def test_a_bar_of_the_colour_of_the_ground_is_not_drawn(level, bar, edits_of):
    for edit in edits_of(write_text, ground(level), 3, tries=800, style='bar'):
        x1, y1, *_ = boxes_of(edit.mask)[0]
        assert (edit.image[y1, x1] == bar).all()


def test_texts_are_dates_or_up_to_three_words(edits_of):
    texts = [edit.details['text'] for edit in edits_of(write_text, ground(110, (96, 400)), 40)]
    dates = [text for text in texts if re.fullmatch(r'[\d./-]{10}', text)]
    words = [text.lower().split() for text in texts if text not in dates]
    assert 0 < len(dates) < len(texts)
    assert {len(line) for line in words} == {1, 2, 3}
    assert {word for line in words for word in line} <= set(fonts.VOCABULARY)
    assert {text.isupper() for text in texts if text not in dates} == {True, False}


def test_most_captions_lie_at_the_top_or_at_the_bottom(edits_of):
    free = []
    for edit in edits_of(write_text, ground(110), 60, style='plain'):
        # Up to a twentieth of the height, and the room around the letters.
        _, top, _, bottom = extent(edit.matte > 0)
        free.append(min(top, SIZE[0] - 1 - bottom))
    at_border = np.mean(np.array(free) <= 0.05 * SIZE[0] + 8)
    assert 0.55 <= at_border < 1


@pytest.mark.parametrize('size', [(20, 200), (200, 20), (12, 12)], ids=['low', 'narrow', 'tiny'])
def test_where_no_line_fits_nothing_is_written(size):
    rng = np.random.default_rng(0)
    assert not any(write_text(ground(110, size), rng) for _ in range(40))


def test_a_caption_is_a_function_of_the_generator():
    first, same, other = (
        next(filter(None, (write_text(ground(110), rng) for _ in range(20))))
        for rng in map(np.random.default_rng, (4, 4, 5))
    )
    assert np.array_equal(first.image, same.image)
    assert np.array_equal(first.matte, same.matte)
    assert first.details == same.details
    assert not np.array_equal(first.image, other.image)
