from pathlib import Path

import jpeglib
import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from mmomni.datasets.transforms import ExtractDCT, LoadOriginalImage, RandomJPEGCompress
from mmomni.jpeg import ImageReadError, decode


def extract(path, *before):
    results = LoadOriginalImage()(dict(img_path=path))
    for transform in (*before, ExtractDCT()):
        results = transform(results)
    return results


def quantised(luma, table):
    """``|q|`` from the pixels, for whole blocks, in float64."""
    rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
    spectrum = dctn(blocks.astype(np.float64) - 128, axes=(2, 3), norm='ortho') / table
    return np.abs(np.rint(spectrum)).transpose(0, 2, 1, 3).reshape(rows * 8, columns * 8)


def luma_of(path):
    with Image.open(path) as image:
        image.draft('L', image.size)
        return np.array(image)


@pytest.mark.parametrize('subsampling', [0, 1, 2], ids=['4:4:4', '4:2:2', '4:2:0'])
@pytest.mark.parametrize('quality', [30, 75, 90])
def test_coefficients_are_those_of_the_pixels(quality, subsampling, photo, save):
    path = save('a.jpg', photo(), quality=quality, subsampling=subsampling)
    results = extract(path)
    expected = quantised(luma_of(path), results['qtable'].astype(float)).clip(max=20)
    np.testing.assert_array_equal(results['dct'], expected)
    assert results['dct_source'] == 'file'


def test_values_are_those_of_the_file_clipped_to_twenty(photo, save):
    path = save('a.jpg', photo(45, 61), quality=95)
    stored = jpeglib.read_dct(path)
    plane = np.abs(stored.Y.transpose(0, 2, 1, 3).reshape(48, 64)[:45, :61])
    assert plane.max() > 20
    results = extract(path)
    np.testing.assert_array_equal(results['dct'], np.minimum(plane, 20))
    np.testing.assert_array_equal(results['qtable'], stored.get_component_qt(0))
    assert results['dct'].dtype == results['qtable'].dtype == np.uint8


def test_table_is_clipped_to_a_byte(photo, save):
    table = [1, 63, 64, 255, 256, 300, *[400] * 58]
    with Image.open(save('a.jpg', photo(), qtables=[table, [1] * 64])) as image:
        stored = np.reshape(image.quantization[0], (8, 8))
    assert stored.max() == 400
    results = extract(save('a.jpg', photo(), qtables=[table, [1] * 64]))
    np.testing.assert_array_equal(results['qtable'], np.minimum(stored, 255))


@pytest.mark.parametrize('size', [(1, 1), (7, 9), (8, 8), (45, 61)])
@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_any_size(size, suffix, photo, save):
    results = extract(save('a' + suffix, photo(*size)))
    assert results['dct'].shape == results['img'].shape[:2] == size


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.webp', '.bmp'])
def test_image_without_coefficients_is_transcoded_once(suffix, photo, save):
    options = dict(lossless=True) if suffix == '.webp' else {}
    results = extract(save('a' + suffix, photo(), **options))
    assert results['dct_source'] == 'transcoded'
    assert results['qtable'].tolist() == [[1] * 8] * 8
    path = save('same.jpg', photo(), quality=100, subsampling=0)
    np.testing.assert_array_equal(results['dct'], extract(path)['dct'])


def test_transcoding_leaves_the_pixels_alone(photo, save):
    np.testing.assert_array_equal(extract(save('a.png', photo()))['img'], photo()[..., ::-1])


@pytest.mark.parametrize(
    ('mode', 'options'), [('CMYK', {}), ('RGB', dict(keep_rgb=True))], ids=['CMYK', 'RGB']
)
def test_jpeg_without_luma_is_transcoded(mode, options, photo, save):
    path = save('a.jpg', Image.fromarray(photo()).convert(mode), **options)
    assert extract(path)['dct_source'] == 'transcoded'


@pytest.mark.parametrize('options', [{}, dict(progressive=True)], ids=['baseline', 'progressive'])
def test_grey_jpeg_keeps_its_coefficients(options, photo, save):
    path = save('a.jpg', photo()[..., 0], quality=80, **options)
    results = extract(path)
    assert results['dct_source'] == 'file'
    expected = quantised(luma_of(path), results['qtable'].astype(float)).clip(max=20)
    np.testing.assert_array_equal(results['dct'], expected)


def test_recompressed_image_has_the_coefficients_of_the_last_save(photo, save, tmp_path):
    path = save('a.jpg', photo(), quality=50)
    results = extract(path, RandomJPEGCompress(quality=(90, 90), times=(3, 3)))
    assert results['dct_source'] == 'recompressed'
    (tmp_path / 'last.jpg').write_bytes(results['img_bytes'])
    last = extract(str(tmp_path / 'last.jpg'))
    np.testing.assert_array_equal(results['dct'], last['dct'])
    np.testing.assert_array_equal(results['qtable'], last['qtable'])
    np.testing.assert_array_equal(results['img'], last['img'])


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_pixels_are_the_decode_of_the_bytes_beside_them(suffix, photo, save):
    for before in ([], [RandomJPEGCompress()]):
        results = extract(save('a' + suffix, photo()), *before)
        np.testing.assert_array_equal(results['img'][..., ::-1], decode(results['img_bytes']))


def test_pixels_changed_without_compression_are_refused(photo, save):
    path = save('a.jpg', photo())
    with pytest.raises(ValueError, match=r'a\.jpg.*ExtractDCT.*RandomJPEGCompress after the last'):
        extract(path, lambda results: {**results, 'img': results['img'][:, ::-1].copy()})


def test_image_from_another_loader_is_refused(photo):
    with pytest.raises(ValueError, match=r'ExtractDCT needs.*LoadOriginalImage'):
        ExtractDCT()(dict(img=photo()))


def test_jpeg_that_only_the_reader_rejects_is_named(photo, save):
    """A segment of length 0, which Pillow forgives."""
    path = Path(save('a.jpg', photo()))
    data = path.read_bytes()
    assert data[2:6] == b'\xff\xe0\x00\x10'
    path.write_bytes(data[:5] + b'\0' + data[6:])
    with pytest.raises(ImageReadError, match=r'a\.jpg'):
        extract(str(path))


def test_image_beyond_the_jpeg_limit_is_named(save):
    """No JPEG has a side above 65,500 pixels, so a longer PNG cannot be transcoded."""
    path = save('long.png', np.zeros((1, 65_536), dtype=np.uint8))
    with pytest.raises(ImageReadError, match=r'long\.png'):
        extract(path)


def test_luma_stored_at_half_resolution_is_not_used(photo, save):
    """Component 0 with factors 1x1 beside chroma of 2x2: legal, and useless here."""
    path = Path(save('a.jpg', photo(), subsampling=0))
    data = bytearray(path.read_bytes())
    frame = data.index(b'\xff\xc0')
    data[frame + 14] = 0x22  # chroma's sampling factors
    path.write_bytes(data)
    results = extract(str(path))
    assert results['dct_source'] == 'transcoded'
    assert results['dct_obstacle'] == 'a JPEG whose chroma is finer than its luma'
