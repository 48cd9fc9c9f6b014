"""Fonts to print with, and the words and numbers to print."""

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SANS = ('DejaVuSans', 'DejaVuSans-Bold', 'DejaVuSans-Oblique', 'cmss10')
SERIF = ('DejaVuSerif', 'DejaVuSerif-Bold', 'STIXGeneral', 'STIXGeneralBol', 'cmr10', 'cmb10')
MONO = ('DejaVuSansMono', 'DejaVuSansMono-Bold', 'cmtt10')
FONTS = SANS + SERIF + MONO + ('STIXGeneralItalic',)
FOLDER = Path(__file__).with_name('typefaces')

_VOCABULARY = (
    'account address agreement amount annual applied approved article balance bank before bill '
    'board branch budget business cash central change charge city claim clause client code '
    'company contract copy cost council country credit customer daily date days debit delivery '
    'department deposit detail director discount due each east effective eight eleven entry '
    'evidence exchange extra fee file final first five four freight from general goods grand '
    'gross group have hereby house import index inform interest invoice issue item january june '
    'kind known label large last law letter license limit list local loan main manager march '
    'market material member method mile minimum month name national net nine north note notice '
    'number office only order original other owner page paid part party payment pension per '
    'period person phone place plan point policy post present price product project public '
    'quantity quarter rate receipt record reference refund region report request result return '
    'road room sale schedule school second section seller service seven share sheet ship shop '
    'since six small south staff state station stock store street subtotal sum supply table tax '
    'ten term thank that the their third this three time title total town trade transfer travel '
    'twelve two under union unit until upon valid value vendor version very via visit wage water '
    'week weight were west which will with within work world year your zone'
)
VOCABULARY = tuple(_VOCABULARY.split())


@lru_cache(maxsize=512)
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """One of ``FONTS`` at ``size`` pixels an em."""
    # The basic layout engine gives the same glyph positions with and without libraqm.
    path = str(FOLDER / f'{name}.ttf')
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def ink_box(text: str, font: ImageFont.FreeTypeFont) -> tuple[int, int, int, int]:
    """Box of a text's ink around the origin of its baseline: whole pixels, y pointing down."""
    x1, y1, x2, y2 = font.getbbox(text, anchor='ls')
    return math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)


def glyphs(text: str, font: ImageFont.FreeTypeFont) -> tuple[np.ndarray, int]:
    """A text drawn tightly, and how many pixels its baseline lies below its first row.

    It is coverage, ``float32`` (h, w) in [0, 1].
    """
    x1, y1, x2, y2 = ink_box(text, font)
    canvas = Image.new('L', (max(x2 - x1, 1), max(y2 - y1, 1)))
    ImageDraw.Draw(canvas).text((-x1, -y1), text, fill=255, font=font, anchor='ls')
    return np.asarray(canvas, dtype=np.float32) / 255, -y1


def number(digits: int, rng: np.random.Generator) -> str:
    """``digits`` random digits, the first of them not 0."""
    return str(rng.integers(1, 10)) + ''.join(map(str, rng.integers(0, 10, digits - 1)))


def amount(rng: np.random.Generator, digits: int | None = None) -> str:
    """A price such as ``42.50``, ``digits`` before the point (1 to 4)."""
    whole = number(digits or int(rng.integers(1, 5)), rng)
    return f'{whole}.{rng.integers(0, 100):02d}'


def date(rng: np.random.Generator) -> str:
    """A date in one of three common notations."""
    day, month, year = rng.integers([1, 1, 1990], [29, 13, 2030])
    notation = rng.choice(['{0:02d}/{1:02d}/{2}', '{0:02d}.{1:02d}.{2}', '{2}-{1:02d}-{0:02d}'])
    return str(notation).format(day, month, year)


def word(rng: np.random.Generator) -> str:
    """A word of the vocabulary in lower case."""
    return VOCABULARY[rng.integers(len(VOCABULARY))]


def text_of_length(length: int, rng: np.random.Generator) -> str:
    """A number, price, date or word of about ``length`` characters (1 or more)."""
    if length >= 9 and rng.random() < 0.5:
        return date(rng)
    if 4 <= length <= 7 and rng.random() < 0.5:
        return amount(rng, length - 3)
    if rng.random() < 0.4 or length < 3:
        return number(max(length, 1), rng)
    close = [entry for entry in VOCABULARY if abs(len(entry) - length) <= 1]
    text = close[rng.integers(len(close))] if close else word(rng)
    return [text, text.capitalize(), text.upper()][rng.integers(3)]


def altered(text: str, rng: np.random.Generator) -> str:
    """Another text in place of ``text``: other digits where it has any, else another word."""
    places = [i for i, letter in enumerate(text) if letter.isdigit()]
    if not places:
        other = text_of_length(len(text), rng)
        return other if other != text else other[::-1] + 's'
    letters = list(text)
    for i in rng.choice(places, rng.integers(1, len(places) + 1), replace=False):
        letters[i] = str((int(letters[i]) + rng.integers(1, 10)) % 10)
    return ''.join(letters)
