import sys

import cv2
import numpy as np
import pytest

from mmomni.synthesis import fonts
from mmomni.synthesis.documents.pages import KINDS, render_page
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
