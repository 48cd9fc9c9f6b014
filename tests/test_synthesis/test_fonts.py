import re
from datetime import datetime

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mmomni.synthesis import fonts

NOTATIONS = {'/': '%d/%m/%Y', '.': '%d.%m.%Y', '-': '%Y-%m-%d'}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize('text', ['mast', 'gypsum', '42.50', 'jolly', 'TOTAL,'])
@pytest.mark.parametrize('name', ['DejaVuSans', 'cmb10', 'STIXGeneralItalic'])
def test_glyphs_are_all_of_the_ink_and_little_else(text, name):
    font = fonts.load_font(name, 28)
    ink, baseline = fonts.glyphs(text, font)
    page = Image.new('L', (240, 120))
    ImageDraw.Draw(page).text((60, 60), text, fill=255, font=font, anchor='ls')
    box = np.array(fonts.ink_box(text, font))
    assert ink.shape == (box[3] - box[1], box[2] - box[0])
    assert baseline == -box[1]
    assert np.array_equal(ink * 255, np.asarray(page.crop((box + 60).tolist()), np.float32))
    outside = (box - np.array(page.getbbox()) + 60) * [-1, -1, 1, 1]
    assert outside.min() >= 0, 'no ink is cut off'
    assert outside[[1, 3]].max() == 0, 'tight above and below'
    assert outside.max() <= 3, 'the space that the font leaves beside its letters'


def test_letters_stand_on_or_hang_below_the_baseline():
    font = fonts.load_font('DejaVuSans', 30)
    for text, below in (('H', False), ('p', True)):
        ink, baseline = fonts.glyphs(text, font)
        assert (len(ink) > baseline + 3) == below, text


def test_what_has_no_ink_is_an_empty_pixel():
    ink, _ = fonts.glyphs('', fonts.load_font('DejaVuSans', 20))
    assert ink.shape == (1, 1)
    assert not ink.any()


def test_the_size_of_a_font_is_pixels_an_em():
    heights = [len(fonts.glyphs('H', fonts.load_font('DejaVuSans', size))[0]) for size in (40, 160)]
    assert np.abs(np.divide(heights, (40, 160)) - 0.729).max() < 0.015, 'as the font says'


@pytest.mark.parametrize('name', fonts.FONTS)
def test_only_fonts_of_one_width_are_called_so(name):
    font = fonts.load_font(name, 40)
    assert (font.getlength('i') == font.getlength('m')) == (name in fonts.MONO)


def test_the_vocabulary_is_of_different_plain_words(rng):
    assert len(set(fonts.VOCABULARY)) == len(fonts.VOCABULARY)
    assert all(re.fullmatch('[a-z]{3,}', word) for word in fonts.VOCABULARY)
    drawn = {fonts.word(rng) for _ in range(4000)}
    assert drawn == set(fonts.VOCABULARY)


@pytest.mark.parametrize('digits', [1, 2, 6])
def test_numbers_have_their_digits_and_do_not_begin_with_0(digits, rng):
    numbers = [fonts.number(digits, rng) for _ in range(200)]
    assert all(re.fullmatch(rf'[1-9]\d{{{digits - 1}}}', number) for number in numbers)
    assert {number[0] for number in numbers} == set('123456789')
    assert digits == 1 or {number[-1] for number in numbers} == set('0123456789')


def test_amounts_have_two_decimals_and_one_to_four_digits_before_them(rng):
    amounts = [fonts.amount(rng) for _ in range(400)]
    assert all(re.fullmatch(r'[1-9]\d*\.\d\d', amount) for amount in amounts)
    assert {len(amount) - 3 for amount in amounts} == {1, 2, 3, 4}
    assert any(amount[-2] == '0' for amount in amounts), 'filled up'
    assert {len(fonts.amount(rng, 3)) for _ in range(20)} == {6}


def test_dates_exist_in_three_notations(rng):
    seen = set()
    for _ in range(300):
        text = fonts.date(rng)
        mark = re.search(r'\D', text).group()
        assert 1990 <= datetime.strptime(text, NOTATIONS[mark]).year < 2030
        assert len(text) == 10
        seen.add(mark)
    assert seen == set(NOTATIONS)


@pytest.mark.parametrize(
    ('length', 'kinds'),
    [
        pytest.param(3, {'number', 'word'}, id='too short for a price'),
        pytest.param(6, {'number', 'word', 'price'}, id='a price'),
        pytest.param(8, {'number', 'word'}, id='too long for a price, too short for a date'),
        pytest.param(10, {'number', 'word', 'date'}, id='a date'),
    ],
)
def test_texts_of_a_length_are_of_every_kind_that_has_it(length, kinds, rng):
    seen, cases = set(), set()
    for _ in range(300):
        text = fonts.text_of_length(length, rng)
        if text.isdigit():
            seen.add('number')
        elif text.isalpha():
            seen.add('word')
            cases.add((text.islower(), text.istitle(), text.isupper()))
        else:
            seen.add('price' if length < 9 else 'date')
        assert abs(len(text) - length) <= text.isalpha()
    assert seen == kinds
    assert cases == {(True, False, False), (False, True, False), (False, False, True)}


@pytest.mark.parametrize('length', [1, 2])
def test_texts_too_short_for_words_are_numbers(length, rng):
    texts = [fonts.text_of_length(length, rng) for _ in range(40)]
    assert all(text.isdigit() and len(text) == length for text in texts)


def test_longer_texts_than_any_word_are_words_too(rng):
    texts = [fonts.text_of_length(30, rng) for _ in range(60)]
    assert any(text.lower() in fonts.VOCABULARY for text in texts)
    assert {len(text) for text in texts if text.isdigit()} == {30}


def test_altered_numbers_differ_in_some_digits_and_keep_the_rest(rng):
    text, changed = '31/12/1999', []
    for _ in range(200):
        other = fonts.altered(text, rng)
        differ = [a != b for a, b in zip(text, other, strict=True)]
        assert all(b.isdigit() for b, place in zip(other, differ, strict=True) if place)
        assert not differ[2]
        assert not differ[5]
        changed.append(sum(differ))
    assert set(changed) == set(range(1, 9))


def test_a_word_that_is_drawn_again_is_altered_all_the_same(rng, monkeypatch):
    monkeypatch.setattr(fonts, 'text_of_length', lambda length, rng: 'total')
    assert fonts.altered('total', rng) not in ('total', '')
    assert fonts.altered('gross', rng) == 'total'
