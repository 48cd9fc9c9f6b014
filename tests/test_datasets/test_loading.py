import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmomni.datasets.transforms import LoadManipulationMask, LoadOriginalImage
from mmomni.jpeg import ImageReadError


def load_image(path):
    return LoadOriginalImage()(dict(img_path=path))


def load_mask(path, size, image='image.jpg'):
    results = dict(img_path=image, seg_map_path=path, ori_shape=size, seg_fields=[])
    return LoadManipulationMask()(results)


# ---- images --------------------------------------------------------------------------------


def test_image_keeps_the_bytes_of_the_file(photo, save):
    path = save('a.jpg', photo())
    assert load_image(path)['img_bytes'] == Path(path).read_bytes()


def test_image_is_bgr_contiguous_and_measured(photo, save):
    results = load_image(save('a.png', photo(20, 30)))
    np.testing.assert_array_equal(results['img'], photo(20, 30)[..., ::-1])
    assert results['img'].flags.c_contiguous
    assert results['img_shape'] == results['ori_shape'] == (20, 30)
    assert results['dct_source'] == 'file'


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', '1', 'CMYK'])
def test_image_of_any_mode_has_three_channels(mode, photo, save):
    image = Image.fromarray(photo(20, 30)).convert(mode)
    results = load_image(save('a.tif', image))
    expected = np.array(image.convert('RGB'))[..., ::-1]
    np.testing.assert_array_equal(results['img'], expected)


def test_image_with_exif_orientation_is_not_rotated(photo, save):
    exif = Image.Exif()
    exif[0x0112] = 6
    results = load_image(save('a.jpg', photo(20, 30), exif=exif))
    assert results['img_shape'] == (20, 30)


def test_missing_image_is_named(tmp_path):
    path = str(tmp_path / 'absent.jpg')
    with pytest.raises(ImageReadError, match=r'absent\.jpg: expected an image.*check data_root'):
        load_image(path)


def test_folder_instead_of_an_image_is_named(tmp_path):
    with pytest.raises(ImageReadError, match=tmp_path.name):
        load_image(str(tmp_path))


def test_text_file_is_named(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_text('no image')
    with pytest.raises(ImageReadError, match=r'a\.jpg: expected a whole image'):
        load_image(str(path))


# ---- masks ---------------------------------------------------------------------------------

TOY = np.array([[0, 1, 0, 0], [1, 1, 0, 1]], dtype=np.uint8)


def palette_mask(colours):
    image = Image.fromarray(TOY).convert('P')
    image.putdata(TOY.ravel().tolist())
    image.putpalette(np.ravel(colours).tolist())
    return image


MASKS = {
    '0/1': TOY,
    '0/255': TOY * 255,
    '0/128': TOY * 128,
    'bool': Image.fromarray(TOY * 255).convert('1'),
    'red': np.dstack([TOY * 255, TOY * 0, TOY * 0]),
    'blue one': np.dstack([TOY * 0, TOY * 0, TOY]),
    'palette': palette_mask([[0, 0, 0], [0, 128, 0]]),
    '16 bit 0/1': TOY.astype(np.uint16),
    '16 bit 0/65535': TOY.astype(np.uint16) * 65535,
    '16 bit low byte': TOY.astype(np.uint16) * 255,
    'opaque RGBA': np.dstack([TOY * 255] * 3 + [TOY * 0 + 255]),
    'transparent RGBA': np.dstack([TOY * 255] * 3 + [TOY * 0]),
    'grey and alpha': Image.merge('LA', [Image.fromarray(TOY * 255), Image.fromarray(TOY * 0 + 9)]),
}


@pytest.mark.parametrize('kind', MASKS)
def test_mask_of_any_kind_becomes_zero_and_one(kind, save):
    results = load_mask(save('mask.png', MASKS[kind]), TOY.shape)
    assert results['gt_seg_map'].dtype == np.uint8
    np.testing.assert_array_equal(results['gt_seg_map'], TOY)
    assert results['seg_fields'] == ['gt_seg_map']


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.tif', '.gif', '.webp'])
def test_mask_of_any_format(suffix, save):
    options = dict(lossless=True) if suffix == '.webp' else {}
    results = load_mask(save('mask' + suffix, TOY * 255, **options), TOY.shape)
    np.testing.assert_array_equal(results['gt_seg_map'], TOY)


def test_opaque_black_mask_is_authentic(save):
    """The alpha channel alone says nothing."""
    mask = np.dstack([TOY * 0] * 3 + [TOY * 0 + 255])
    assert not load_mask(save('mask.png', mask), TOY.shape)['gt_seg_map'].any()


def test_ringing_of_a_jpeg_mask_is_no_ground_truth(save):
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[5:20, 3:21] = 255
    path = save('mask.jpg', mask, quality=40)
    stored = np.array(Image.open(path))
    assert ((stored > 0) & (mask == 0)).any(), 'the case needs ringing'
    np.testing.assert_array_equal(load_mask(path, mask.shape)['gt_seg_map'], mask // 255)


def test_no_mask_means_authentic():
    results = load_mask(None, (3, 5))
    assert results['gt_seg_map'].tolist() == [[0] * 5] * 3
    assert results['gt_seg_map'].dtype == np.uint8


def test_one_pixel_mask(save):
    path = save('mask.png', np.full((1, 1), 255, dtype=np.uint8))
    assert load_mask(path, (1, 1))['gt_seg_map'].tolist() == [[1]]


def test_mask_of_another_size_names_both_files_and_sizes(save):
    path = save('mask.png', TOY)
    with pytest.raises(ImageReadError) as error:
        load_mask(path, (4, 2), image='folder/image.jpg')
    for part in (path, 'folder/image.jpg', '(2, 4)', '(4, 2)', 'nearest-neighbour'):
        assert part in str(error.value)


def test_missing_mask_is_named(tmp_path):
    with pytest.raises(ImageReadError, match=r'absent\.png'):
        load_mask(str(tmp_path / 'absent.png'), TOY.shape)


def test_truncated_mask_is_named(tmp_path):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, 'PNG')
    path = tmp_path / 'mask.png'
    path.write_bytes(buffer.getvalue()[:200])
    with pytest.raises(ImageReadError, match=r'mask\.png'):
        load_mask(str(path), noise.shape)


@pytest.mark.parametrize('dtype', [np.float32, np.int32])
def test_pixels_without_a_known_white_are_refused(dtype, load, save):
    path = save('a.tif', np.ones((16, 16), dtype=dtype))
    with pytest.raises(ImageReadError, match=rf'a\.tif.*{np.dtype(dtype)}'):
        load(path)


def test_mask_of_16_bit_colours_and_small_values(load, photo, save, tmp_path):
    mask = np.zeros((48, 80, 3), dtype=np.uint16)
    mask[8:16, 8:24, 1] = 1
    cv2.imwrite(str(tmp_path / 'mask.png'), mask)
    found = load(save('a.png', photo()), str(tmp_path / 'mask.png'))['gt_seg_map']
    assert np.array_equal(found, mask.max(axis=2))


def test_inference_needs_no_mask(photo, save):
    results = load_image(save('a.png', photo()))
    assert 'gt_seg_map' not in LoadManipulationMask()(results)


def test_error_of_an_unknown_format_names_no_object(tmp_path):
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(ImageReadError, match=r'a\.jpg.*no known image format\); replace'):
        load_image(str(tmp_path / 'a.jpg'))
