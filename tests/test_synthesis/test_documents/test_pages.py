import sys

import cv2
import numpy as np
import pytest

from mmomni.synthesis import fonts
from mmomni.synthesis.documents.pages import KINDS, render_page
from mmomni.synthesis.documents.words import find_words, measure
from mmomni.synthesis.fonts import glyphs


@pytest.mark.parametrize('seed', range(12))
def test_word_boxes_hold_the_ink(seed):
    page = render_page(np.random.default_rng(seed), 400)
    height, width = page.image.shape[:2]
    assert min(height, width) >= 240
    assert max(height, width) <= 400
    assert len(page.words) >= 5
    grey = page.image.mean(axis=2)
    for word in page.words:
        x1, y1, x2, y2 = word.box
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert grey[y1:y2, x1:x2].min() < np.median(grey) - 40, word.text


def test_pages_differ_in_kind_paper_and_size():
    pages = [render_page(np.random.default_rng(seed), 300) for seed in range(30)]
    assert len({page.image.shape for page in pages}) > 20
    assert len({tuple(np.median(page.image, axis=(0, 1)) // 4) for page in pages}) > 4
    assert len(KINDS) == 5


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


@pytest.mark.parametrize('text', ['42.50', 'total', '01/02/2003', 'No.', 'a'])
def test_altered_text_is_another(text):
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = fonts.altered(text, rng)
        assert other
        assert other != text
        if any(letter.isdigit() for letter in text):
            assert len(other) == len(text)


@pytest.mark.parametrize('length', [1, 2, 5, 9, 15])
def test_text_has_about_the_length_asked_for(length):
    rng = np.random.default_rng(0)
    lengths = [len(fonts.text_of_length(length, rng)) for _ in range(50)]
    assert all(1 <= n <= max(10, length) for n in lengths)
    assert abs(np.mean(lengths) - length) <= 6


@pytest.mark.parametrize('name', fonts.FONTS)
def test_fonts_have_all_glyphs(name):
    font = fonts.load_font(name, 24)
    missing = glyphs('\uffff', font)[0]
    for letter in '0123456789.,/-:abcxyzABCXYZ':
        ink, _ = glyphs(letter, font)
        assert ink.max() > 0.3, letter
        assert ink.shape != missing.shape or not np.array_equal(ink, missing), letter


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    with pytest.raises(ImportError, match='pip install matplotlib'):
        fonts.ttf_folder()


def test_opencv_draws_the_same_with_any_number_of_threads():
    threads = cv2.getNumThreads()
    try:
        pages = []
        for count in (1, 4):
            cv2.setNumThreads(count)
            pages.append(render_page(np.random.default_rng(0), 512).image)
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*pages)
