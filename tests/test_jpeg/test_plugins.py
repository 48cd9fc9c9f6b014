"""Formats that Pillow reads by a plugin."""

import builtins

import numpy as np
import pytest
from image_bytes import turned, written
from PIL import Image, features

from mmomni.apis.inputs import Source
from mmomni.apis.samples import read_sample, try_to_read
from mmomni.datasets.transforms import LoadOriginalImage
from mmomni.jpeg import ImageReadError, decode, open_image

HEIC_HEAD = b'\0\0\0\x18ftypheic\0\0\0\0mif1heic'
AVIF_HEAD = b'\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf'


def picture(size=(48, 64)):
    rows = np.linspace(0, 255, size[0] * size[1] * 3).reshape(*size, 3)
    return Image.fromarray(rows.astype(np.uint8))


@pytest.fixture
def heic():
    """A photo as telephones save it."""
    plugin = pytest.importorskip('pillow_heif', reason='needs `pip install pillow-heif`')
    try:
        plugin.register_heif_opener()
        return written(picture(), 'HEIF', quality=95)
    except (OSError, ValueError, KeyError, RuntimeError):
        pytest.skip('this build of pillow-heif writes no HEIC')
    finally:
        forget()


def forget():
    Image.OPEN.pop('HEIF', None)
    if 'HEIF' in Image.ID:
        Image.ID.remove('HEIF')


def test_heic_is_read_everywhere_without_a_word_before(heic, tmp_path):
    path = tmp_path / 'x.heic'
    path.write_bytes(heic)
    with open_image(path) as image:
        assert (image.format, image.size) == ('HEIF', (64, 48))
    assert np.abs(decode(heic).astype(int) - np.asarray(picture())).mean() < 3
    sample = read_sample(Source('x', path), 10**6)
    assert sample.dct_source == 'transcoded'
    assert any('how it was compressed is not examined' in note for note in sample.warnings)
    loaded = LoadOriginalImage()(dict(img_path=str(path)))
    np.testing.assert_array_equal(loaded['img'][..., ::-1], sample.image)


def test_a_heic_is_as_its_container_turns_it(heic):
    import pillow_heif

    pillow_heif.register_heif_opener()
    data = written(picture(), 'HEIF', quality=95, exif=turned(6))
    sample = read_sample(Source('x', data), 10**6)
    assert sample.image.shape[:2] in ((64, 48), (48, 64))
    expected = picture().rotate(-90, expand=True) if sample.image.shape[0] == 64 else picture()
    assert np.abs(sample.image.astype(int) - np.asarray(expected)).mean() < 3
    assert sample.orientation == (1 if sample.image.shape[0] == 64 else 6)


@pytest.mark.parametrize('again', [False, True])
def test_a_damaged_heic_says_so(heic, again):
    if again:
        decode(heic)
    for data in (HEIC_HEAD, heic[:100]):
        reason = try_to_read(Source('x', data), 10**6).reason
        assert 'its format is HEIC, but it is damaged' in reason or 'cannot be decoded' in reason


def test_too_large_a_heic_is_not_decoded(heic):
    reason = try_to_read(Source('x', heic), 2000).reason
    assert reason.startswith('expected at most 2,000 pixels, got 64 x 48')


def test_without_the_extra_the_command_is_named(monkeypatch, tmp_path):
    load = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == 'pillow_heif':
            raise ModuleNotFoundError(name)
        return load(name, *args, **kwargs)

    forget()
    monkeypatch.setattr(builtins, '__import__', missing)
    path = tmp_path / 'x.heic'
    path.write_bytes(HEIC_HEAD)
    expected = "a HEIC photo, which is read by pillow-heif: pip install 'mmomni[heif]'"
    assert try_to_read(Source('x', path), 10**6).reason == expected
    with pytest.raises(ImageReadError, match=r"pip install 'mmomni\[heif\]'"):
        decode(HEIC_HEAD)


def test_avif():
    if not features.check('avif'):
        pytest.skip('this build of Pillow reads no AVIF')
    sample = read_sample(Source('x', written(picture(), 'AVIF', quality=95)), 10**6)
    assert sample.dct_source == 'transcoded'
    assert np.abs(sample.image.astype(int) - np.asarray(picture())).mean() < 3
    reason = try_to_read(Source('x', AVIF_HEAD), 10**6).reason
    assert 'its format is AVIF, but it is damaged' in reason


def test_a_pillow_without_avif_says_which_has_it(monkeypatch):
    monkeypatch.setattr('PIL.features.check', lambda name: False)
    reason = try_to_read(Source('x', AVIF_HEAD), 10**6).reason
    assert "pip install -U 'Pillow>=11.3'" in reason


def test_training_names_a_pdf():
    with pytest.raises(ImageReadError, match='expected an image, got a PDF; give it to `mmomni'):
        decode(b'%PDF-1.7\n', 'x.jpg')
