import cv2
import numpy as np
import pytest

from mmomni.synthesis import fonts
from mmomni.synthesis.documents import words as words_module
from mmomni.synthesis.documents.pages import render_page
from mmomni.synthesis.documents.words import (
    LETTER_HEIGHT,
    Print,
    cut,
    find_words,
    ink_map,
    measure,
    padded,
    print_glyphs,
)
from mmomni.synthesis.fonts import glyphs

LINES = [(30, [(20, 'total'), (90, '42.50'), (160, 'amount')]), (70, [(20, 'date'), (90, '2003')])]
# Paper that gets brighter to the right and darker downwards, in each colour in its own way.
SLOPED = Print(
    np.array([[200.0, 190, 180], [0.2, 0.1, 0.0], [-0.3, 0.0, 0.1], [0, 0, 0]]),
    np.array([20.0, 30, 90]),
)


def test_fresh_paper_is_the_plane_that_was_measured():
    blank = SLOPED.blank((10, 20, 30, 26), np.random.default_rng(0))
    assert blank.shape == (6, 20, 3)
    assert blank.dtype == np.uint8
    for x, y in ((10, 20), (29, 20), (10, 25), (29, 25)):
        expected = [200 + 0.2 * x - 0.3 * y, 190 + 0.1 * x, 180 + 0.1 * y]
        assert np.abs(blank[y - 20, x - 10] - expected).max() <= 0.51


def test_fresh_paper_has_grey_noise_of_the_level_that_was_measured():
    paper = np.zeros((4, 3))
    paper[0], paper[3] = 128, 5
    blank = Print(paper, np.zeros(3)).blank((0, 0, 80, 60), np.random.default_rng(0)).astype(int)
    assert (blank == blank[..., :1]).all()
    assert blank.std() == pytest.approx(5, rel=0.05)
    assert abs(blank.mean() - 128) < 0.3


@pytest.mark.parametrize('box', [(10, 20, 30, 26), (0, 0, 1, 1), (3, 5, 8, 50)])
def test_the_level_of_paper_is_the_mean_of_its_box(box):
    exact = SLOPED.blank(box, np.random.default_rng(0)).mean(axis=(0, 1))
    np.testing.assert_allclose(SLOPED.level(box), exact, atol=0.5)
    ys, xs = np.mgrid[box[1] : box[3], box[0] : box[2]]
    np.testing.assert_allclose(SLOPED.level(box)[0], (200 + 0.2 * xs - 0.3 * ys).mean())


@pytest.mark.parametrize(
    ('box', 'pad', 'expected'),
    [
        ((10, 20, 30, 40), 3, (7, 17, 33, 43)),
        ((1, 2, 30, 40), 3, (0, 0, 33, 43)),
        ((10, 20, 78, 59), 3, (7, 17, 80, 60)),
        ((10, 20, 30, 40), 0, (10, 20, 30, 40)),
    ],
    ids=['inside', 'first', 'last', 'not at all'],
)
def test_boxes_grow_within_the_image(box, pad, expected):
    assert padded(box, pad, (60, 80, 3)) == expected


def test_the_pixels_of_a_box_are_a_view():
    image = np.zeros((10, 12), np.uint8)
    cut(image, (2, 3, 5, 4))[:] = 7
    assert np.argwhere(image == 7).tolist() == [[3, 2], [3, 3], [3, 4]]


@pytest.mark.parametrize(
    ('paper', 'ink', 'seen'),
    [(240, 30, True), (90, 40, True), (240, 215, True), (240, 228, False), (30, 240, False)],
    ids=['black on white', 'on dark paper', 'faint', 'too faint', 'white on black'],
)
def test_ink_is_darker_than_what_is_around_it(paper, ink, seen, written):
    image, _ = written(LINES, paper=paper, ink=ink, font='DejaVuSans-Bold')
    found = ink_map(image)
    assert set(np.unique(found)) <= {0, 1}
    stroke = np.abs(image[..., 0].astype(int) - ink) < 3
    assert (found[stroke].mean() > 0.95) == seen


def test_light_that_falls_off_is_no_ink(written):
    image, _ = written(LINES)
    light = np.linspace(1, 0.45, image.shape[1])[None, :, None]
    lit, dim = ink_map(image), ink_map((image * light).astype(np.uint8))
    assert lit.any()
    assert (lit != dim).mean() < 0.02


def test_all_words_are_found_with_their_boxes(written):
    image, words = written(LINES)
    found = sorted(word.box for word in find_words(image))
    expected = sorted(word.box for word in words)
    assert len(found) == len(expected)
    # Of the antialiased rim, some is too faint.
    assert np.abs(np.subtract(found, expected)).max() <= 1
    assert all(word.text is None and word.font is None for word in find_words(image))


def test_found_boxes_are_tight_and_separate():
    image = np.full((120, 300, 3), 240, np.uint8)
    font = fonts.load_font('DejaVuSans', 20)
    for x, y, text in ((20, 30, 'total'), (120, 30, '42.50'), (20, 80, 'amount')):
        ink, _ = glyphs(text, font)
        image[y : y + ink.shape[0], x : x + ink.shape[1]] -= (ink * 200).astype(np.uint8)[..., None]
    boxes = sorted(word.box for word in find_words(image))
    assert len(boxes) == 3
    for box, (x, y) in zip(boxes, [(20, 30), (20, 80), (120, 30)], strict=True):
        assert abs(box[0] - x) <= 2
        assert abs(box[1] - y) <= 2


def test_words_of_a_page_are_found_again_by_morphology():
    hits = total = 0
    for seed in range(10):
        page = render_page(np.random.default_rng(seed), 512)
        canvas = np.zeros(page.image.shape[:2], np.uint8)
        for word in find_words(page.image):
            x1, y1, x2, y2 = word.box
            canvas[y1:y2, x1:x2] = 1
        for word in page.words:
            x1, y1, x2, y2 = word.box
            hits += canvas[y1:y2, x1:x2].mean() > 0.5
            total += 1
    assert hits / total > 0.7


def test_rules_of_a_table_are_no_words_and_hide_none(written):
    image, words = written(LINES)
    for y in (10, 32, 72):  # two pixels below the baselines, too
        image[y, 5:235] = 30
    for x in (8, 80, 150, 230):
        image[10:80, x] = 30
    found = sorted(word.box for word in find_words(image))
    assert len(found) == len(words)
    assert np.abs(np.subtract(found, sorted(word.box for word in words))).max() <= 2


def test_words_at_the_border_are_left_out(written):
    lines = [(30, [(0, 'cut'), (90, 'inside'), (211, 'office')]), (70, [(90, 'lower')])]
    image, _ = written(lines)
    assert image[:, -1].min() < 100, 'the last word is cut off'
    lefts = sorted(word.box[0] for word in find_words(image))
    assert lefts == pytest.approx([90, 91], abs=2)


@pytest.mark.parametrize(
    'image',
    [
        np.full((100, 120, 3), 250, np.uint8),
        np.zeros((100, 120, 3), np.uint8),
        np.random.default_rng(0).integers(200, 210, (100, 120, 3)).astype(np.uint8),
    ],
    ids=['white', 'black', 'faint noise'],
)
def test_on_a_page_without_letters_there_are_no_words(image):
    assert find_words(image) == []


def test_fewer_than_five_letters_are_no_text(written):
    few, _ = written([(30, [(20, 'abc'), (90, 'd')])])
    enough, _ = written([(30, [(20, 'abc'), (90, 'de')])])
    assert find_words(few) == []
    assert len(find_words(enough)) == 2


@pytest.mark.parametrize(
    ('height', 'expected'),
    [(LETTER_HEIGHT[0] - 1, None), (LETTER_HEIGHT[0], 7), (LETTER_HEIGHT[1], 64),
     (LETTER_HEIGHT[1] + 1, None)],
)  # fmt: skip
def test_letters_that_cannot_be_read_or_are_huge_do_not_count(height, expected):
    ink = np.zeros((80, 200), np.uint8)
    for column in range(6):
        ink[4 : 4 + height, 5 + 30 * column : 15 + 30 * column] = 1
    assert words_module._letter_height(ink) == expected


def test_the_height_of_letters_is_their_median():
    ink = np.zeros((60, 200), np.uint8)
    for column, height in enumerate((10, 12, 14, 14, 40)):
        ink[2 : 2 + height, 5 + 30 * column : 15 + 30 * column] = 1
    assert words_module._letter_height(ink) == 14
    ink[55, 5:195] = 1  # a line
    ink[50:53, 150] = 1  # a speck
    assert words_module._letter_height(ink) == 14


def blot(height: int, width: int, share: float = 0.5) -> np.ndarray:
    """A box with ink all around and of a share of it inked, with room around."""
    ink = np.zeros((height, width), np.uint8)
    ink.flat[: round(share * ink.size)] = 1
    ink[-1, -1] = 1
    return np.pad(ink, 3)


@pytest.mark.parametrize(
    ('ink', 'is_word'),
    [
        (blot(10, 30), True),
        (blot(6, 30), True),
        (blot(5, 30), False),
        (blot(22, 60), True),
        (blot(23, 60), False),
        (blot(10, 9), True),
        (blot(10, 8), False),
        (blot(10, 160), True),
        (blot(10, 161), False),
        (blot(10, 30, 0.74), True),
        (blot(10, 30, 0.78), False),
        (blot(10, 100, 0.1), True),
        (np.eye(30, dtype=np.uint8), False),
        (np.zeros((12, 30), np.uint8), False),
    ],
    ids=['usual', 'low', 'too low', 'high', 'too high', 'narrow', 'too narrow', 'long', 'too long',
         'full', 'too full', 'thin', 'a stroke', 'nothing'],
)  # fmt: skip
def test_words_are_as_high_wide_and_filled_as_words_are(ink, is_word):
    assert words_module._looks_like_word(ink, 10.0) is is_word


def test_ink_without_rules_keeps_shorter_strokes():
    ink = np.zeros((40, 80), np.uint8)
    ink[5, 10:40] = 1  # 30 px: a rule
    ink[20, 10:38] = 1  # 28 px: none
    ink[8:38, 60] = 1
    rest = words_module._without_rules(ink, 30)
    assert np.argwhere(rest).tolist() == [[20, x] for x in range(10, 38)]


def page_with(ink_colour, noise: float, slope: float, seed: int = 0) -> np.ndarray:
    """Strokes at (50 to 110, 20 to 36) on sloped and noisy paper."""
    y, x = np.mgrid[:60, :160]
    page = np.repeat((200 + slope * x)[..., None], 3, axis=2) + np.array([0.0, -5, -20])
    page += np.random.default_rng(seed).normal(0, noise, (60, 160, 1))
    strokes = (y >= 20) & (y < 36) & (x >= 50) & (x < 110) & ((x - 50) % 12 < 4)
    page[strokes] = ink_colour
    return page.round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize('slope', [0.0, 0.2, -0.4])
@pytest.mark.parametrize('colour', [(30, 30, 30), (20, 30, 120)], ids=['black', 'blue'])
def test_paper_and_ink_are_measured_in_each_colour(colour, slope):
    found = measure(page_with(colour, 0, slope), (50, 20, 110, 36))
    np.testing.assert_allclose(found.ink, colour, atol=1)
    x = (50 + 109) / 2
    level = 200 + slope * x + np.array([0, -5, -20])
    np.testing.assert_allclose(found.level((50, 20, 110, 36)), level, atol=1)
    np.testing.assert_allclose(found.paper[1], slope, atol=0.03)


def test_measured_print_is_what_was_printed():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:60, 0:200]
    paper = 200 + 0.1 * x - 0.2 * y
    grey = paper + rng.normal(0, 2, paper.shape)
    grey[20:40:4, 50:150] = 40
    image = np.repeat(np.round(grey)[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
    style = measure(image, (50, 20, 150, 37))
    assert np.abs(style.ink - 40).max() <= 1
    blank = style.blank((50, 20, 150, 37), rng).astype(float)
    assert np.abs(blank.mean(axis=2) - paper[20:37, 50:150]).mean() < 3
    assert 1 < (blank.mean(axis=2) - paper[20:37, 50:150]).std() < 3.5
    assert np.allclose(style.level((50, 20, 150, 37)), paper[20:37, 50:150].mean(), atol=1.5)


@pytest.mark.parametrize(('noise', 'measured'), [(0, 0), (2, 2), (4, 4), (14, 8)])
def test_the_noise_of_paper_is_measured_up_to_a_limit(noise, measured):
    levels = [measure(page_with((30, 30, 30), noise, 0.1, seed), (50, 20, 110, 36)).paper[3]
              for seed in range(6)]  # fmt: skip
    assert np.mean(levels) == pytest.approx(measured, abs=0.3 + 0.1 * measured)
    assert np.ptp(levels, axis=1).max() == 0, 'the same for all colours'


def test_within_the_rules_of_a_table_the_paper_is_measured_not_the_rules():
    page = page_with((30, 30, 30), 0, 0)
    page[15:41, 45] = page[15:41, 114] = 10
    page[15, 45:115] = page[40, 45:115] = 10
    found = measure(page, (50, 20, 110, 36))
    np.testing.assert_allclose(found.level((50, 20, 110, 36)), [200, 195, 180], atol=1)


def plain_style(noise: float = 0.0) -> Print:
    paper = np.zeros((4, 3))
    paper[0], paper[3] = 200, noise
    return Print(paper, np.array([40.0, 50, 60]))


def test_print_covers_as_much_as_its_letters():
    image = np.full((6, 8, 3), 200, np.uint8)
    coverage = np.array([[0, 0.5, 1]], np.float32)
    print_glyphs(image, (4, 2), coverage, plain_style(), 0, np.random.default_rng(0))
    expected = np.full((6, 8, 3), 200, np.uint8)
    expected[2, 5], expected[2, 6] = (120, 125, 130), (40, 50, 60)
    np.testing.assert_array_equal(image, expected)


def test_ink_is_as_noisy_as_the_paper():
    image = np.full((60, 80, 3), 200, np.uint8)
    coverage = np.ones((60, 80), np.float32)
    print_glyphs(image, (0, 0), coverage, plain_style(6), 0, np.random.default_rng(0))
    added = image.astype(int) - [40, 50, 60]
    assert added.std() == pytest.approx(6, rel=0.05)
    assert (added == added[..., :1]).all()


@pytest.mark.parametrize('blur', [0.5, 1.0])
def test_blurred_strokes_are_soft_and_as_dark_as_the_ink(blur):
    image = np.full((30, 30, 3), 200, np.uint8)
    coverage = np.zeros((21, 21), np.float32)
    coverage[:, 10] = 1  # a single pixel, which a blur would fade
    print_glyphs(image, (4, 4), coverage, plain_style(), blur, np.random.default_rng(0))
    row = image[14, :, 0].astype(int)
    assert row[14] <= 42
    assert 42 < row[13] == row[15] < 200
    assert (row[:9] == 200).all()
    outside = np.ones((30, 30), bool)
    outside[4:25, 4:25] = False
    assert (image[outside] == 200).all(), 'it stays inside of its box'


def test_a_blur_of_nothing_prints_nothing():
    image = np.full((30, 30, 3), 200, np.uint8)
    empty = np.zeros((10, 10), np.float32)
    print_glyphs(image, (4, 4), empty, plain_style(), 1.0, np.random.default_rng(0))
    assert (image == 200).all()


def test_words_of_coloured_pages_are_found(written):
    image, words = written(LINES)
    tinted = cv2.addWeighted(image, 0.8, np.full_like(image, (200, 160, 90)), 0.2, 0)
    assert len(find_words(tinted)) == len(words)
