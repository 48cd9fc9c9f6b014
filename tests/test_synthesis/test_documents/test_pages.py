import re
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image

from mmomni.synthesis import fonts
from mmomni.synthesis.documents import pages
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
    found = [render_page(np.random.default_rng(seed), 300) for seed in range(30)]
    assert len({page.image.shape for page in found}) > 20
    assert len({tuple(np.median(page.image, axis=(0, 1)) // 4) for page in found}) > 4
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


def test_opencv_draws_the_same_with_any_number_of_threads():
    threads = cv2.getNumThreads()
    try:
        rendered = []
        for count in (1, 4):
            cv2.setNumThreads(count)
            rendered.append(render_page(np.random.default_rng(0), 512).image)
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*rendered)


def pages_of(kind: str, monkeypatch, num: int = 6, side: int = 360) -> list[pages.Page]:
    """Pages of one kind, such as ``'receipt'``."""
    draw = next(each for each in KINDS if each.__name__ == f'_{kind}')
    monkeypatch.setattr(pages, 'KINDS', (draw,))
    # Small enough for all that belongs on such a page.
    monkeypatch.setattr(pages, 'TEXT_SIZE', (11, 12))
    return [render_page(np.random.default_rng(seed), side) for seed in range(num)]


def texts_of(page: pages.Page) -> list[str]:
    return [word.text for word in page.words]


@pytest.mark.parametrize('kind', ['letter', 'receipt', 'table', 'invoice', 'certificate'])
def test_words_have_the_box_and_the_font_they_were_printed_with(kind, monkeypatch):
    for page in pages_of(kind, monkeypatch, 3):
        height, width = page.image.shape[:2]
        for word in page.words:
            assert word.text == word.text.strip() != ''
            coverage, _ = glyphs(word.text, word.font)
            assert coverage.shape == (word.height, word.width)
            x1, y1, x2, y2 = word.box
            assert min(x1, y1) >= pages.BORDER
            assert x2 <= width - pages.BORDER
            assert y2 <= height - pages.BORDER
            # What is printed there is what is told: ink where the letters are.
            grey = page.image[y1:y2, x1:x2].mean(axis=2)
            if coverage.std() > 0.1 and (coverage < 0.1).any():
                assert grey[coverage > 0.9].mean() < grey[coverage < 0.1].mean() - 10


def test_letters_begin_with_a_heading_and_a_date(monkeypatch):
    for page in pages_of('letter', monkeypatch):
        larger = max(word.font.size for word in page.words)
        usual = np.median([word.font.size for word in page.words])
        assert larger >= usual
        lines = np.unique([word.box[3] // 4 for word in page.words])
        assert len(lines) >= 4


def test_receipts_end_their_lines_with_prices(monkeypatch):
    for page in pages_of('receipt', monkeypatch):
        prices = [word for word in page.words if re.fullmatch(r'\d{1,4}\.\d\d', word.text)]
        assert len(prices) >= 3
        rights = np.array([word.box[2] for word in prices])
        assert np.ptp(rights) <= 4, 'flush right'


def test_tables_have_names_on_the_left_and_amounts_flush_right_below(monkeypatch):
    for page in pages_of('table', monkeypatch):
        amounts = [word for word in page.words if re.fullmatch(r'\d{1,4}\.\d\d', word.text)]
        names = [word for word in page.words if word.text.isalpha()]
        assert amounts
        assert min(word.box[1] for word in amounts) > min(word.box[1] for word in names)
        rights = sorted(word.box[2] for word in amounts)
        columns = 1 + sum(b - a > 12 for a, b in pairwise(rights))
        assert columns <= 5
        assert sum(b - a > 3 for a, b in pairwise(rights)) == columns - 1


def test_invoices_end_with_tax_and_total(monkeypatch):
    for page in pages_of('invoice', monkeypatch, 10):
        tax, total = (
            next(word.box for word in page.words if word.text == text) for text in ('Tax', 'Total')
        )
        assert tax[3] < total[3]
        assert max(word.box[3] for word in page.words) - total[3] <= 4, 'nothing below'
        assert tax[2] == pytest.approx(total[2], abs=2), 'flush right'
        labels = {'Invoice', 'Date:', 'Customer', 'Order', 'Due:'} & set(texts_of(page))
        assert len(labels) == 4


def test_certificates_are_centred(monkeypatch):
    for page in pages_of('certificate', monkeypatch):
        title = next(word for word in page.words if word.text == 'CERTIFICATE')
        line = [word for word in page.words if abs(word.box[3] - title.box[3]) < 4]
        middle = (min(w.box[0] for w in line) + max(w.box[2] for w in line)) / 2
        assert middle == pytest.approx(page.image.shape[1] / 2, abs=4)
        foot = next(word for word in page.words if word.text == 'No.')
        body = [w for w in page.words if title.box[3] < w.box[1] and w.box[3] < foot.box[1]]
        assert len(body) > 8
        left, right = min(word.box[0] for word in body), max(word.box[2] for word in body)
        assert left == pytest.approx(page.image.shape[1] - right, abs=8)


def test_pages_are_a_function_of_the_generator():
    first, same, other = (render_page(np.random.default_rng(seed), 200) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.image, same.image)
    assert first.words == same.words
    assert first.image.shape != other.image.shape or not np.array_equal(first.image, other.image)


@pytest.mark.parametrize('side', [128, 320])
def test_no_side_of_a_page_is_longer_than_asked_for_or_much_shorter(side):
    shapes = [render_page(np.random.default_rng(seed), side).image.shape for seed in range(8)]
    assert all(0.6 * side - 1 <= length <= side for shape in shapes for length in shape[:2])
    assert np.ptp([shape[0] for shape in shapes]) > 0.1 * side


@pytest.fixture
def sheet():
    return pages._Sheet(Image.new('RGB', (200, 60), (255, 255, 255)), (0, 0, 0))


@pytest.fixture
def font():
    return fonts.load_font('DejaVuSans', 14)


def test_text_goes_on_where_it_ended(sheet, font):
    end = sheet.text(10, 30, 'two words', font)
    sheet.text(end, 30, 'more', font)
    assert [word.text for word in sheet.words] == ['two', 'words', 'more']
    lefts = [word.box[0] for word in sheet.words]
    rights = [word.box[2] for word in sheet.words]
    assert abs(lefts[0] - 10) <= 2
    gaps = np.subtract(lefts[1:], rights[:-1])
    assert np.abs(gaps - 0.32 * 14).max() <= 2


def test_text_that_is_flush_right_ends_there(sheet, font):
    sheet.text(180, 30, 'Tax 42.50', font, right=True)
    assert sheet.words[-1].box[2] == pytest.approx(180, abs=2)
    assert sheet.words[0].box[2] < sheet.words[1].box[0]


def test_centred_text_leaves_as_much_on_both_sides(sheet, font):
    sheet.centred(30, 'in the middle', font)
    left, right = sheet.words[0].box[0], 200 - sheet.words[-1].box[2]
    assert left == pytest.approx(right, abs=3)


@pytest.mark.parametrize(
    ('x', 'baseline'), [(-4, 30), (185, 30), (60, 6), (60, 62)], ids=['left', 'right', 'top', 'end']
)
def test_words_that_are_cut_off_are_printed_and_not_told(x, baseline, sheet, font):
    sheet.text(x, baseline, 'nogg', font)
    assert not sheet.words
    assert np.array(sheet.canvas).min() < 100


def test_rules_are_one_pixel_of_ink(sheet):
    sheet.rule(20, 100, 40)
    assert np.unique(np.argwhere(np.array(sheet.canvas)[..., 0] == 0)[:, 0]).tolist() == [40]


def test_scans_are_a_little_darker_softer_and_noisier(written):
    image, _ = written([(40, [(20, 'total'), (90, '42.50')])], size=(80, 160))
    before, corners, grain, same = image.copy(), [], [], 0
    for seed in range(40):
        scan = pages._scanned(image, np.random.default_rng(seed))
        assert scan.shape == image.shape
        assert scan.dtype == np.uint8
        np.testing.assert_array_equal(image, before, 'the page was written into')
        same += np.array_equal(scan, image)
        added = scan[50:, 20:140].astype(float) - 240
        assert -0.26 * 240 < added.mean() < 1
        corners.append(scan[2:6, 2:6].mean() - scan[-6:-2, -6:-2].mean())
        grain.append(np.diff(added.mean(axis=2), axis=1).std() / np.sqrt(2))
        assert np.abs(added - added.mean(axis=2, keepdims=True)).max() <= 1, 'noise is grey'
    assert same < 8, 'three in a hundred'
    assert min(corners) < -10 < 10 < max(corners), 'light from all sides'
    assert min(grain) < 0.3
    assert 2 < max(grain) < 4


def test_stamps_lie_in_the_lower_half_and_only_darken():
    changed = []
    for seed in range(12):
        page = np.full((160, 200, 3), 250, np.uint8)
        pages._stamp(page, np.random.default_rng(seed))
        assert page.max() == 250
        changed += np.flatnonzero((page < 250).any(axis=(1, 2))).tolist()
    assert min(changed) >= 160 // 2 - 160 * 0.45 / 2
    assert np.mean(changed) > 80


def test_a_page_too_small_for_a_stamp_stays_without():
    page = np.full((12, 12, 3), 250, np.uint8)
    pages._stamp(page, np.random.default_rng(0))
    assert (page == 250).all()


def test_three_pages_in_ten_are_stamped(monkeypatch):
    stamped = []
    monkeypatch.setattr(pages, '_stamp', lambda page, rng: stamped.append(1))
    for seed in range(60):
        render_page(np.random.default_rng(seed), 96)
    assert len(stamped) / 60 == pytest.approx(pages.STAMPED, abs=0.15)
