import numpy as np
import pytest
from image_bytes import encoded, with_orientation, written
from PIL import Image

from mmomni.apis.inputs import Source
from mmomni.apis.samples import read_sample

TOLD = 'what was examined are the colours under them'


def pixels(alpha, size=(40, 40)):
    """Noise, or one colour where nothing is seen."""
    made = np.random.default_rng(0).integers(0, 256, (*size, 4), dtype=np.uint8)
    made[..., 3] = 255
    made[:10, :, 3] = alpha
    return made


def notes(data):
    found = read_sample(Source('x', data), 10**6).warnings
    return [note for note in found if TOLD in note]


@pytest.mark.parametrize('image_format', ['PNG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize(
    ('alpha', 'start'),
    [
        (0, '25.0 % of its pixels are transparent (25.0 % fully, where viewers show none of it): '),
        (100, '25.0 % of its pixels are transparent: '),
    ],
)
def test_hidden_colours_are_told(image_format, alpha, start):
    options = dict(lossless=True, exact=True) if image_format == 'WEBP' else {}
    (note,) = notes(written(pixels(alpha), image_format, **options))
    assert note.startswith(start + TOLD)


def test_in_grey():
    assert len(notes(written(Image.fromarray(pixels(0)).convert('LA'), 'PNG'))) == 1


@pytest.mark.filterwarnings('ignore:Palette images with Transparency')
def test_in_a_palette():
    image = Image.fromarray(pixels(0)[..., :3]).quantize(64)
    assert len(notes(written(image, 'PNG', transparency=bytes(64)))) == 1


def test_in_sixteen_bits():
    assert len(notes(encoded('.png', pixels(0).astype(np.uint16) * 257))) == 1


def test_few_pixels_are_told():
    made = pixels(255)
    made[0, :1, 3] = 7
    made[1, 0, 3] = 7
    made = np.tile(made, (2, 2, 1))[:60]
    made[40:, ..., 3] = 255
    (note,) = notes(written(made, 'PNG'))
    assert note.startswith(('0.1 % of', 'less than 0.1 %'))


@pytest.mark.parametrize('orientation', [1, 6])
def test_a_turned_file_is_looked_at_where_its_pixels_are(orientation):
    made = pixels(0, (40, 56))
    made[:10, :, :3] = 9  # one colour: nothing is hidden
    assert not notes(with_orientation(written(made, 'TIFF'), orientation))


@pytest.mark.parametrize('case', ['opaque', 'one colour', 'no alpha', 'GIF'])
def test_nothing_is_told_where_nothing_is_hidden(case):
    made = pixels(255 if case == 'opaque' else 0)
    if case == 'one colour':
        made[:10, :, :3] = (0, 0, 0)
    if case == 'no alpha':
        made = made[..., :3]
    if case == 'GIF':
        image = Image.fromarray(made[..., :3]).quantize(64)
        assert not notes(written(image, 'GIF', transparency=3))
        return
    assert not notes(written(made, 'PNG'))
