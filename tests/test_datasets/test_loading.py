import io
from pathlib import Path

import jpeg_damage
import numpy as np
import pytest
from hostile_files import REASONS, make_hostile, many_scans, png_that_says
from mmengine.fileio import HTTPBackend
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


@pytest.mark.parametrize('backend_args', [None, dict(backend='local')])
@pytest.mark.parametrize('kind', REASONS)
def test_what_would_hang_or_fill_the_memory_is_refused(kind, backend_args, tmp_path):
    """In a run, such a file is named and another sample takes its place."""
    path = str(make_hostile(tmp_path, kind))
    for loading in (LoadOriginalImage, LoadManipulationMask):
        results = dict(img_path=path, seg_map_path=path, ori_shape=(4, 4), seg_fields=[])
        with pytest.raises(ImageReadError) as caught:
            loading(backend_args)(results)
        assert str(caught.value).startswith(f'{path}: expected ')
        assert REASONS[kind] in str(caught.value)


def test_what_comes_from_elsewhere_has_the_same_limits(monkeypatch):
    files = dict(bomb=png_that_says(20_000, 20_000), scans=many_scans())
    monkeypatch.setattr(HTTPBackend, 'get', lambda _, path: files[path.rpartition('/')[2]])
    for kind in files:
        with pytest.raises(ImageReadError) as caught:
            load_image(f'http://files/{kind}')
        assert str(caught.value).startswith(f'http://files/{kind}: expected ')
        assert REASONS[kind] in str(caught.value)


def test_a_name_that_no_file_can_have_is_named():
    with pytest.raises(ImageReadError, match='no file can have the name'):
        load_image('a\0b.jpg')


@pytest.mark.parametrize('kind', jpeg_damage.ALL)
def test_a_jpeg_whose_pixels_were_made_up_is_refused(kind, photo, save):
    path = Path(save('a.jpg', photo(), quality=90, restart_marker_blocks=3 * ('rest' in kind)))
    damage = jpeg_damage.ALL[kind](path.read_bytes(), np.random.default_rng(0))
    if damage is None:  # of progressive files
        return
    path.write_bytes(damage[0])
    if kind in jpeg_damage.HARMLESS:
        assert load_image(str(path))['img'].shape[1:] == (80, 3)
    else:
        with pytest.raises(ImageReadError, match=r'a\.jpg: expected a whole .*; (replace|check)'):
            load_image(str(path))


def test_text_file_is_named(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_text('no image')
    with pytest.raises(ImageReadError, match=r'a\.jpg: expected a whole image'):
        load_image(str(path))


# ---- masks ---------------------------------------------------------------------------------

TOY = np.array([[0, 1, 0, 0], [1, 1, 0, 1]], dtype=np.uint8)


def test_a_mask_becomes_zero_and_one(save):
    """What else may mean tampered is tested with :mod:`mmomni.datasets.masks`."""
    results = load_mask(save('mask.png', TOY * 255), TOY.shape)
    assert results['gt_seg_map'].dtype == np.uint8
    np.testing.assert_array_equal(results['gt_seg_map'], TOY)
    assert results['seg_fields'] == ['gt_seg_map']


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


def test_inference_needs_no_mask(photo, save):
    results = load_image(save('a.png', photo()))
    assert 'gt_seg_map' not in LoadManipulationMask()(results)


def test_error_of_an_unknown_format_names_no_object(tmp_path):
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(ImageReadError, match=r'a\.jpg.*\(no known format\); replace'):
        load_image(str(tmp_path / 'a.jpg'))
