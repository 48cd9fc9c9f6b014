from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmomni.synthesis import fonts
from mmomni.synthesis.documents import text as text_module
from mmomni.synthesis.documents.pages import render_page
from mmomni.synthesis.documents.print_style import PrintStyle, match_print
from mmomni.synthesis.documents.text import (
    CARELESS,
    PAD,
    SMALLEST_SHARE,
    Desk,
    change_words,
    char_copy,
    move_patch,
    room_right,
    text_copy,
    text_edit,
    text_insert,
    text_removal,
)
from mmomni.synthesis.documents.words import cut, padded
from mmomni.synthesis.scene import Scene, Word
from mmomni.utils.regions import boxes_of

LINES = [
    (30, [(20, 'total'), (90, '42.50'), (160, 'amount')]),
    (60, [(20, '1990'), (90, '2003'), (160, '1745')]),
    (90, [(20, 'account'), (110, 'number'), (185, '1790')]),
]
EVERY = (text_edit, text_copy, char_copy, text_removal, text_insert)


@pytest.fixture(scope='session')
def scene(written) -> Scene:
    image, words = written(LINES, (120, 420))
    return Scene(image, words=words)


def desk_of(scene: Scene, seed: int = 0, careless: bool = False) -> Desk:
    rng = np.random.default_rng(seed)
    style = match_print(scene.image, scene.words, rng)
    return Desk(scene.image.copy(), scene.image, scene.words, style, rng, careless)


def bare(words: list[Word], size=(100, 200), level: int = 240) -> Desk:
    """A blank desk that is told of words."""
    blank = np.full((*size, 3), level, np.uint8)
    style = PrintStyle('DejaVuSans', 1.0, 0.0)
    return Desk(blank.copy(), blank, words, style, np.random.default_rng(0))


def word_of(scene: Scene, text: str) -> Word:
    return next(word for word in scene.words if word.text == text)


def ink_in(image: np.ndarray, box) -> np.ndarray:
    return cut(image, box).max(axis=2) < 150


def test_careless_print_lies_on_flat_paper():
    flat, rng = {False: [], True: []}, np.random.default_rng(0)
    pages = (render_page(np.random.default_rng([seed, 0]), 400) for seed in range(30))
    for edit in filter(None, (text_edit(Scene(p.image, words=p.words), rng) for p in pages)):
        for x1, y1, x2, _ in boxes_of(edit.mask):
            corner = edit.image[y1 : y1 + 2, x1:x2].reshape(-1, 3)
            flat[edit.details['careless']].append(len(np.unique(corner, axis=0)) == 1)
    assert np.mean(flat[True]) > 0.7
    assert np.mean(flat[False]) < np.mean(flat[True]) - 0.2


@pytest.mark.parametrize('operation', EVERY)
def test_only_the_rectangles_of_the_mask_change(operation, scene, edits_of):
    before = scene.image.copy()
    for edit in edits_of(operation, scene, 5):
        np.testing.assert_array_equal(scene.image, before, 'the source was written into')
        np.testing.assert_array_equal(edit.image[~edit.mask], before[~edit.mask])
        assert (edit.image[edit.mask] != before[edit.mask]).any()
        assert edit.mask.mean() >= SMALLEST_SHARE or edit.details['words'] == 6
        assert 1 <= edit.details['words'] <= 6
        assert not edit.used_donor


@pytest.mark.parametrize('operation', EVERY)
def test_without_words_no_text_is_forged(operation, scene):
    assert operation(Scene(scene.image, words=[]), np.random.default_rng(0)) is None
    blank = np.full((100, 120, 3), 250, np.uint8)
    assert operation(Scene(blank), np.random.default_rng(0)) is None


@pytest.mark.parametrize('operation', EVERY)
def test_words_that_are_not_told_are_found(operation, scene, edits_of):
    unknown = Scene(scene.image)
    for edit in edits_of(operation, unknown, 2):
        assert edit.mask.any()
        np.testing.assert_array_equal(edit.image[~edit.mask], scene.image[~edit.mask])


@pytest.mark.parametrize('operation', EVERY)
def test_forged_text_is_a_function_of_the_generator(operation, scene):
    first, same, other = (
        next(filter(None, (operation(scene, rng) for _ in range(20))))
        for rng in map(np.random.default_rng, (1, 1, 2))
    )
    np.testing.assert_array_equal(first.image, same.image)
    assert first.details == same.details
    assert not np.array_equal(first.image, other.image)


def forged(scene: Scene, change, seeds=range(20), wanted=(1, 6)) -> list:
    rngs = map(np.random.default_rng, seeds)
    return [change_words(scene, rng, change, wanted) for rng in rngs]


@pytest.mark.parametrize('wanted', [(1, 6), (1, 2), (3, 3)])
def test_as_many_words_are_changed_as_wanted(wanted, scene):
    edits = forged(scene, lambda desk, word: word.box, wanted=wanted)
    assert {edit.details['words'] for edit in edits} == set(range(wanted[0], wanted[1] + 1))


def test_while_the_mask_is_tiny_more_words_are_changed(scene):
    edits = forged(scene, lambda desk, word: (*word.box[:2], word.box[0] + 2, word.box[1] + 2))
    assert {edit.details['words'] for edit in edits} == {6}


def test_what_was_changed_is_not_changed_again(scene):
    edits = forged(scene, lambda desk, word: (0, 0, 420, 120))
    assert {edit.details['words'] for edit in edits} == {1}
    # A line is one rectangle: of three words on it, the first that is drawn is changed alone.
    edits = forged(scene, lambda desk, word: (0, word.box[1] - 4, 420, word.box[3] + 4))
    assert {edit.details['words'] for edit in edits} <= {1, 2, 3}


def test_words_that_cannot_be_changed_give_way_to_others(scene):
    def last_line(desk, word):
        return word.box if word.box[1] > 70 else None

    for edit in forged(scene, last_line):
        assert not edit.mask[:70].any()
        assert 1 <= edit.details['words'] <= 3
    assert forged(scene, lambda desk, word: None) == [None] * 20


def test_one_forger_in_four_is_careless_and_prints_sharply(scene):
    seen = []

    def look(desk, word):
        seen.append((desk.careless, desk.style.softness > 0))
        return word.box

    soft = replace(scene, image=(scene.image // 2 + np.roll(scene.image, 1, 1) // 2))
    edits = forged(soft, look, range(120), (1, 1))
    careless = [edit.details['careless'] for edit in edits]
    assert np.mean(careless) == pytest.approx(CARELESS, abs=0.12)
    assert {(True, False), (False, True)} == set(seen)


def test_a_careless_forger_measures_paper_without_slope_and_noise():
    x = np.mgrid[:60, :160][1]
    page = (180 + 0.3 * x + np.random.default_rng(0).normal(0, 3, x.shape))[..., None]
    page = page.repeat(3, 2).round().astype(np.uint8)
    page[20:36, 50:110:6] = 20
    box = (50, 20, 110, 36)
    careful, careless = (
        replace(desk_of(Scene(page, words=[Word(box)])), careless=flag).measure(box)
        for flag in (False, True)
    )
    assert not careless.paper[1:].any()
    assert careful.paper[1].min() > 0.2
    assert careful.paper[3].min() > 1
    np.testing.assert_allclose(careless.level(box), careful.level(box))
    np.testing.assert_allclose(careless.ink, careful.ink)


def test_the_usual_height_is_the_median():
    words = [Word((0, 0, 20, height)) for height in (10, 12, 30)]
    assert bare(words).usual_height == 12
    assert bare(words, (70, 90)).size == (70, 90)


def test_erased_words_leave_paper(scene):
    desk, word = desk_of(scene), word_of(scene, '42.50')
    box = text_module._erase(desk, word)
    assert box == padded(word.box, PAD, desk.size)
    assert (np.abs(cut(desk.canvas, box).astype(int) - 240) <= 1).all()


@pytest.mark.parametrize('text', ['42.50', '2003', '1790'])
def test_other_digits_stand_on_the_same_line(text, scene):
    word, changed = word_of(scene, text), 0
    for seed in range(8):
        desk = desk_of(scene, seed)
        box = text_module._reprint(desk, word)
        rows = np.flatnonzero(ink_in(desk.canvas, box).any(axis=1)) + box[1]
        # Digits are as high as digits, a round one a pixel more.
        assert abs(rows[0] - word.box[1]) <= 1
        assert abs(rows[-1] - (word.box[3] - 1)) <= 1
        assert box[0] <= word.box[0]
        assert box[2] >= word.box[2]
        changed += not np.array_equal(cut(desk.canvas, word.box), cut(scene.image, word.box))
        assert np.abs(np.median(cut(desk.canvas, box)) - 240) <= 1
    assert changed == 8


def test_new_text_does_not_run_into_the_next_word(scene):
    for seed in range(12):
        desk = desk_of(scene, seed)
        box = text_module._reprint(desk, word_of(scene, 'total'))
        assert box[2] < word_of(scene, '42.50').box[0]


@pytest.mark.parametrize(
    'box', [(0, 20, 30, 36), (20, 90, 60, 106)], ids=['at the left', 'below the end']
)
def test_what_would_be_printed_outside_of_the_page_is_not_printed(box):
    desk = bare([Word(box, '42', fonts.load_font('DejaVuSans', 30))])
    assert text_module._reprint(desk, desk.words[0]) is None
    assert (desk.canvas == 240).all()


def test_new_letters_have_the_font_of_the_word_and_room_around(scene):
    word = word_of(scene, '2003')
    desk = desk_of(scene)
    for _ in range(6):
        coverage, top = text_module._new_glyphs(desk, word)
        for edge in (coverage[0], coverage[-1], coverage[:, 0], coverage[:, -1]):
            assert not edge.any()
        # Four digits of the same size, on the same baseline.
        assert coverage.shape[0] - 2 * PAD == pytest.approx(word.height, abs=1)
        assert coverage.shape[1] - 2 * PAD == pytest.approx(word.width, abs=4)
        assert top == pytest.approx(-PAD, abs=1)


@pytest.mark.parametrize(('height', 'drawn'), [(12, 12), (40, 14)], ids=['low', 'too high'])
def test_letters_of_an_unknown_font_are_as_high_as_usual(height, drawn):
    words = [Word((10, 20, 70, 34))] * 3 + [Word((90, 20, 150, 20 + height))]
    desk = bare(words)
    sizes = [text_module._new_glyphs(desk, words[-1]) for _ in range(12)]
    heights = [coverage.shape[0] - 2 * PAD for coverage, _ in sizes]
    assert np.abs(np.array(heights) - drawn).max() <= 2
    middles = [top + coverage.shape[0] / 2 for coverage, top in sizes]
    assert np.abs(np.array(middles) - height / 2).max() <= 2


@pytest.mark.parametrize(
    ('others', 'room'),
    [
        ([], 30),
        ([(130, 20, 150, 36)], 13),
        ([(140, 30, 150, 50), (130, 60, 150, 76)], 23),
        ([(112, 20, 150, 36)], 0),
        ([(0, 20, 40, 36)], 30),
        ([(130, 36, 150, 50)], 30),
    ],
    ids=['half of the width', 'the next word', 'the line alone', 'none', 'on the left', 'below'],
)
def test_the_room_to_the_right_ends_before_the_next_word(others, room):
    # 60 wide and 16 high: a gap of 5 and two margins of 1 stay free.
    word = Word((50, 20, 110, 36))
    assert room_right(bare([word, *map(Word, others)]), word) == room


def test_the_room_to_the_right_ends_at_the_border():
    word = Word((50, 20, 110, 36))
    assert room_right(bare([word], (100, 125)), word) == 125 - 110 - 2 - 5
    assert room_right(bare([word], (100, 112)), word) == 0


@pytest.mark.parametrize(
    ('box', 'alike'),
    [
        ((0, 50, 60, 70), True),
        ((0, 50, 60, 67), True),
        ((0, 50, 60, 66), False),
        ((0, 50, 60, 73), True),
        ((0, 50, 60, 74), False),
        ((0, 50, 30, 70), True),
        ((0, 50, 29, 70), False),
        ((0, 50, 90, 70), True),
        ((0, 50, 91, 70), False),
        ((50, 20, 110, 40), False),
    ],
    ids=['same', 'lower', 'too low', 'higher', 'too high', 'narrow', 'too narrow', 'wide',
         'too wide', 'itself'],
)  # fmt: skip
def test_words_alike_are_about_as_high_and_fit_in(box, alike):
    word = Word((50, 20, 110, 40))  # 60 by 20, and 30 of room
    assert bool(text_module._look_alikes(bare([word, Word(box)]), word)) == alike


@pytest.mark.parametrize(
    ('here', 'there', 'alike'),
    [(8, 9, True), (8, 10, False), (8, 7, True), (24, 27, True), (24, 28, False), (24, 20, False)],
)
def test_letters_are_copied_over_letters_of_their_width(here, there, alike):
    assert text_module._as_wide((0, 0, here, 10), (50, 0, 50 + there, 10)) == alike


@pytest.mark.parametrize('text', ['1745', 'account', 'total'])
def test_moved_pixels_are_those_of_their_source_off_its_grid(text, scene):
    here, there = word_of(scene, '2003').box, word_of(scene, text).box
    desk = desk_of(scene)
    x1, y1, x2, y2 = move_patch(desk, here, there)
    source = cut(scene.image, padded(there, PAD, desk.size))
    height, width = source.shape[:2]
    places = [
        (y, x)
        for y in range(y1, y2 - height + 1)
        for x in range(x1, x2 - width + 1)
        if np.array_equal(desk.canvas[y : y + height, x : x + width], source)
    ]
    assert len(places) == 1
    y, x = places[0]
    assert (y - there[1] + PAD) % 8 or (x - there[0] + PAD) % 8
    assert y + height == here[3] + PAD, 'on the same line'
    assert abs(x - here[0] + PAD) <= 1
    untouched = np.ones(desk.size, bool)
    untouched[y1:y2, x1:x2] = False
    np.testing.assert_array_equal(desk.canvas[untouched], scene.image[untouched])
    desk.canvas[y : y + height, x : x + width] = 240
    assert (np.abs(cut(desk.canvas, (x1, y1, x2, y2)).astype(int) - 240) <= 1).all(), 'paper'


@pytest.mark.parametrize(
    ('width', 'here', 'moved'),
    [(200, 100, 101), (195, 164, 163)],
    ids=['to the right', 'to the left, at the border'],
)
def test_what_would_lie_on_its_grid_is_moved_by_a_pixel(width, here, moved):
    source = (20, 20, 50, 36)
    desk = bare([Word(source)], (100, width))
    desk.image[20:36, 20:50:5] = 20
    # Farther right and lower by multiples of 8.
    box = move_patch(desk, (here, 60, here + 30, 76), source)
    columns = np.flatnonzero((desk.canvas[60:76, :, 0] == 20).all(axis=0))
    assert columns.tolist() == list(range(moved, moved + 30, 5))
    assert (desk.canvas[60:76] == 20).any(axis=2).sum() == 6 * 16
    assert box == (min(here, moved) - PAD, 59, max(here, moved) + 30 + PAD, 77)


def test_moved_pixels_are_fitted_to_the_paper_of_the_place():
    desk = bare([Word((20, 20, 50, 36))])
    for image in (desk.image, desk.canvas):
        image[:, 100:] = (200, 190, 170)
        image[20:36, 20:50:5] = image[20:36, 130:160:5] = 20
    box = move_patch(desk, (130, 20, 160, 36), (20, 20, 50, 36))
    paper = cut(desk.canvas, box).reshape(-1, 3)
    assert np.abs(np.median(paper, axis=0) - (200, 190, 170)).max() <= 1
    assert paper.max() <= 201


@pytest.mark.parametrize(('columns', 'room', 'width'), [(40, 60, 40), (40, 40, 40), (40, 31, 31)])
def test_letters_are_condensed_where_they_must_be(columns, room, width):
    coverage = np.tile(np.array([0, 1], np.float32), (10, columns // 2))
    narrow = text_module._narrowed(coverage, room)
    assert narrow.shape == (10, width)
    assert narrow.mean() == pytest.approx(0.5, abs=0.03)


def test_letters_are_copied_within_the_word(scene):
    word, counts = word_of(scene, '2003'), []
    for seed in range(12):
        desk = desk_of(scene, seed)
        x1, y1, x2, y2 = text_module._copy_letters(desk, word)
        assert word.box[0] - PAD - 1 <= x1 < x2 <= word.box[2] + PAD + 2
        assert word.box[1] - PAD - 2 <= y1 < y2 <= word.box[3] + PAD
        counts.append(x2 - x1)
    assert min(counts) < 0.5 * word.width, 'a single letter'
    assert max(counts) > 0.9 * word.width, 'the first and the last'


def test_letters_come_from_other_lines_only(written):
    image, words = written([LINES[1]])
    desk = desk_of(Scene(image, words=words))
    assert all(text_module._copy_letters(desk, word) is None for word in words)


def test_letters_of_a_word_are_its_runs_of_ink(scene):
    word = word_of(scene, '2003')
    spans = text_module._spans(desk_of(scene), word)
    assert len(spans) == 4
    assert all(span[1::2] == word.box[1::2] for span in spans)
    for x1, y1, x2, y2 in spans:
        assert word.box[0] <= x1 < x2 <= word.box[2]
        assert ink_in(scene.image, (x1, y1, x2, y2)).any(axis=0).mean() > 0.7


def test_copied_words_are_somewhere_else_on_the_page(scene, edits_of):
    for edit in edits_of(text_copy, scene, 4, words=1):
        (x1, y1, x2, y2) = boxes_of(edit.mask)[0]
        patch = edit.image[y1:y2, x1:x2]
        ink = np.argwhere(patch[..., 0] < 150)
        tight = patch[ink[:, 0].min() : ink[:, 0].max() + 1, ink[:, 1].min() : ink[:, 1].max() + 1]
        # Where it fits best: the sums of squares themselves are rounded.
        fit = cv2.matchTemplate(scene.image, tight, cv2.TM_SQDIFF)
        y, x = np.unravel_index(fit.argmin(), fit.shape)
        height, width = tight.shape[:2]
        np.testing.assert_array_equal(scene.image[y : y + height, x : x + width], tight)


def test_new_words_stand_on_blank_paper_in_the_height_of_a_line(scene, edits_of):
    tops = {word.box[1] for word in scene.words}
    for edit in edits_of(text_insert, scene, 6):
        for x1, y1, x2, y2 in boxes_of(edit.mask):
            assert (scene.image[y1:y2, x1:x2] == 240).all()
            assert ink_in(edit.image, (x1, y1, x2, y2)).any()
            assert min(abs(y1 + 2 * PAD - top) for top in tops) <= 4


@pytest.mark.parametrize('width', [30, 60], ids=['narrow', 'full'])
def test_without_blank_paper_nothing_is_inserted(width, written):
    image, words = written([(y, [(3, 'amount')]) for y in (20, 40, 60, 80)], (100, 90))
    image, words = np.ascontiguousarray(image[:, :width]), words[:1]
    image[:, ::3] = 30
    desk = desk_of(Scene(image, words=words))
    assert text_module._insert(desk, words[0]) is None
    np.testing.assert_array_equal(desk.canvas, image)
