from math import erf

import cv2
import numpy as np
import pytest

from mmomni.synthesis import fonts
from mmomni.synthesis.documents import print_style
from mmomni.synthesis.documents.print_style import (
    LIKE_FONTS,
    SOFTEST,
    STRETCH,
    UPRIGHT,
    PrintStyle,
    letter_spans,
    match_print,
    softness,
)
from mmomni.synthesis.scene import Word

LINES = [
    (30, [(20, 'total'), (90, '42.50'), (160, 'amount')]),
    (60, [(20, 'Date'), (90, '2003'), (160, 'Receipt')]),
    (90, [(20, 'account'), (110, 'number'), (190, '1790')]),
]


def edge(sigma: float, paper: float = 230, ink: float = 30) -> np.ndarray:
    """A bar of 20 pixels under a Gaussian blur, exactly: differences of error functions."""
    def step(x):
        return 0.5 * (1 + erf(x / (sigma * np.sqrt(2)))) if sigma else float(x > 0)

    row = np.array([step(x - 19.5) - step(x - 39.5) for x in range(60)])
    return np.repeat((paper + (ink - paper) * row)[None], 12, axis=0)


@pytest.mark.parametrize('sigma', [0.8, 1.2, 1.6, 2.5])
@pytest.mark.parametrize('ink', [30, 150])
def test_softness_is_the_deviation_of_an_edge(sigma, ink):
    assert softness(edge(sigma, ink=ink)) == pytest.approx(sigma, rel=0.08)


@pytest.mark.parametrize(
    'grey', [np.full((10, 20), 200.0), np.array([[200.0], [30.0]])], ids=['flat', 'one column']
)
def test_what_has_no_edges_is_not_soft(grey):
    assert softness(grey) == 0


def style(stretch: float = 1.0, soft: float = 0.0) -> PrintStyle:
    return PrintStyle('DejaVuSans', stretch, soft)


@pytest.mark.parametrize(
    ('stretch', 'width'), [(1.0, 40), (0.8, 32), (1.25, 50), (0.01, 1)]
)
def test_letters_are_stretched_and_keep_their_height_and_ink(stretch, width):
    coverage = np.zeros((12, 40), np.float32)
    coverage[3:9, 8:24] = 1
    wide = style(stretch).as_wide(coverage)
    assert wide.shape == (12, width)
    assert wide.mean() == pytest.approx(coverage.mean(), abs=0.02)
    assert 0 <= wide.min() <= wide.max() <= 1


def drawn(text: str = 'amount', size: int = 24) -> np.ndarray:
    return fonts.glyphs(text, fonts.load_font('DejaVuSans', size))[0]


@pytest.mark.parametrize('soft', [0.9, 1.2, 1.6])
def test_blurred_letters_are_as_soft_as_the_page(soft):
    coverage = np.pad(drawn(size=48), 8)
    blur = style(soft=soft).blur_for(coverage)
    assert 0 < blur < soft, 'the letters are a little soft themselves'
    blurred = cv2.GaussianBlur(coverage, (0, 0), blur)
    assert softness(255 * (1 - blurred)) == pytest.approx(soft, rel=0.15)


@pytest.mark.parametrize('soft', [0.0, 0.2])
def test_letters_of_a_sharp_page_are_not_blurred(soft):
    assert style(soft=soft).blur_for(drawn()) == 0


@pytest.mark.parametrize(
    ('columns', 'spans'),
    [
        ('..xxx..xxxx', [(2, 5), (7, 11)]),
        ('xxx.xxx', [(0, 3), (4, 7)]),
        ('x..xx..xxx', [(3, 5), (7, 10)]),
        ('xxxxxxxxxxx.xx', [(0, 11), (12, 14)]),
        ('xxxxxxxxxxxx.xx', [(13, 15)]),
        ('.......', []),
    ],
    ids=['gaps', 'up to both ends', 'a stroke', 'as wide as one', 'joined', 'nothing'],
)
def test_letters_are_runs_of_inked_columns_as_wide_as_one(columns, spans):
    # Ten pixels high: letters are 2 to 11 wide.
    ink = np.zeros((10, len(columns)), bool)
    ink[4] = [column == 'x' for column in columns]
    assert letter_spans(ink) == spans
    assert letter_spans(ink.astype(np.uint8)) == spans


@pytest.mark.parametrize('name', UPRIGHT)
def test_a_page_is_matched_with_fonts_like_its_own(name, written):
    image, words = written(LINES, font=name, height=22)
    look = print_style._font_look(name)
    matched = [match_print(image, words, np.random.default_rng(seed)) for seed in range(8)]
    for each in matched:
        found = print_style._font_look(each.font)
        assert found.weight / look.weight == pytest.approx(1, abs=0.35)
        assert each.stretch * found.width / look.width == pytest.approx(1, abs=0.25)
    assert 1 < len({each.font for each in matched}) <= LIKE_FONTS


def test_bold_pages_are_matched_with_heavier_fonts_than_light_ones(written):
    weights = []
    for name in ('STIXGeneral', 'DejaVuSans-Bold'):
        image, words = written(LINES, font=name, height=22)
        matched = [match_print(image, words, np.random.default_rng(seed)) for seed in range(6)]
        weights.append(max(print_style._font_look(each.font).weight for each in matched))
        weights.append(min(print_style._font_look(each.font).weight for each in matched))
    assert weights[0] < weights[3]


def test_words_are_not_printed_in_italics(written):
    assert not any('Italic' in name or 'Oblique' in name for name in UPRIGHT)
    assert len(UPRIGHT) == len(fonts.FONTS) - 2
    image, words = written(LINES, font='STIXGeneralItalic', height=20)
    rng = np.random.default_rng(0)
    assert {match_print(image, words, rng).font for _ in range(10)} <= set(UPRIGHT)


@pytest.mark.parametrize('factor', [0.5, 0.9, 1.0, 1.1, 2.0])
def test_wide_letters_are_matched_by_stretching_within_limits(factor, written):
    image, words = written(LINES, font='DejaVuSans', height=22)
    wide = cv2.resize(image, None, fx=factor, fy=1, interpolation=cv2.INTER_AREA)
    boxes = [
        Word((int(x1 * factor), y1, int(np.ceil(x2 * factor)), y2))
        for (x1, y1, x2, y2), *_ in words
    ]
    own = print_style._font_look('DejaVuSans').width
    for seed in range(4):
        matched = match_print(wide, boxes, np.random.default_rng(seed))
        assert STRETCH[0] <= matched.stretch <= STRETCH[1]
        aimed = own * factor / print_style._font_look(matched.font).width
        assert matched.stretch == pytest.approx(np.clip(aimed, *STRETCH), abs=0.12)


@pytest.mark.parametrize('sigma', [0.0, 0.8, 1.2, 4.0])
def test_the_softness_of_a_page_is_measured_up_to_a_limit(sigma, written):
    image, words = written(LINES, height=22)
    sharp = match_print(image, words, np.random.default_rng(0)).softness
    blurred = cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image
    found = match_print(blurred, words, np.random.default_rng(0)).softness
    assert found == pytest.approx(min(np.hypot(sharp, sigma), SOFTEST), abs=0.25)
    assert found <= SOFTEST


def test_one_word_without_a_single_letter_is_enough():
    image = np.full((40, 80, 3), 240, np.uint8)
    image[20:22, 10:70] = 20  # a dash
    found = match_print(image, [Word((10, 20, 70, 22))], np.random.default_rng(0))
    assert found.font in UPRIGHT
    assert np.isfinite([found.stretch, found.softness]).all()


def test_matching_is_a_function_of_the_generator(written):
    image, words = written(LINES, height=22)
    first, same = (match_print(image, words, np.random.default_rng(3)) for _ in range(2))
    assert first == same
