import base64
import json
import re
import struct
import tempfile
import zlib
from hashlib import sha256
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmomni.evidence.views import VIEWS
from mmomni.jpeg import ImageReadError, read_luma
from mmomni.reporting import ImageThreshold
from mmomni.web import Examiner

SQUARE = [40, 8, 56, 24]


@pytest.fixture
def examine(inferencer, settings):
    return Examiner(inferencer, settings, None)


def content(answer, kind):
    return base64.b64decode(answer['files'][kind]['base64'])


def picture(answer, kind):
    return np.array(Image.open(BytesIO(content(answer, kind))))


def test_the_inferencer_gets_the_bytes_of_the_upload(examine, inferencer, photo):
    data = photo(quality=70) + b'bytes behind the end stay, too'
    answer = examine(data, 'photo.jpg')
    (received,) = inferencer.received
    assert sha256(received).digest() == sha256(data).digest()
    assert answer['sha256'] == sha256(data).hexdigest()


def test_record(examine, photo):
    answer = examine(photo(quality=95), 'photo.jpg')
    assert answer['image'] == 'photo.jpg'
    assert (answer['width'], answer['height'], answer['size']) == (64, 48, [64, 48])
    assert answer['gate'] == dict(modality='vision + frequency', confidence=0.75)
    assert answer['dct_source'] == 'file'
    assert answer['verdict'] is answer['image_threshold'] is None
    (region,) = answer['regions']
    np.testing.assert_allclose(region['box'], SQUARE, atol=1)
    assert answer['upright_boxes'] == [tuple(region['box'])]
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize(('value', 'verdict'), [(0.5, 'tampered'), (0.99, 'authentic')])
def test_verdict(inferencer, settings, photo, value, verdict):
    limit = ImageThreshold(value, 'top_k_mean', 0.01)
    answer = Examiner(inferencer, settings, limit)(photo(), 'photo.jpg')
    assert answer['verdict'] == verdict
    shown = dict(value=value, pooling='top_k_mean', fpr=0.01)
    assert answer['image_threshold'] == shown


@pytest.mark.parametrize('orientation', [1, 6])
def test_planes_of_the_file_itself(examine, photo, orientation):
    data = photo(quality=60, orientation=orientation)
    answer = examine(data, 'photo.jpg')
    luma = read_luma(data)
    with Image.open(BytesIO(data)) as image:
        assert answer['quantisation_table'] == np.reshape(image.quantization[0], (8, 8)).tolist()
    expected = np.abs(luma.coefficients[:48, :64]).clip(max=20) / 20 * 255
    if orientation == 6:  # stored on its left side
        expected = np.rot90(expected, -1)
    np.testing.assert_allclose(picture(answer, 'dct'), expected, atol=0.5)


def test_no_jpeg(examine, photo):
    answer = examine(photo('PNG'), 'photo.png')
    assert answer['dct_source'] == 'transcoded'
    assert answer['quantisation_table'] == [[1] * 8] * 8
    assert any('no ordinary JPEG' in warning for warning in answer['warnings'])


def test_a_table_larger_than_the_image_is_cut(examine):
    buffer = BytesIO()
    Image.new('RGB', (5, 3)).save(buffer, 'JPEG')
    assert np.shape(examine(buffer.getvalue(), 'speck.jpg')['quantisation_table']) == (3, 5)


def test_pictures_are_turned_upright_and_the_mask_is_not(examine, photo):
    answer = examine(photo('PNG', orientation=6), 'photo.png')
    assert answer['size'] == [48, 64]
    assert answer['upright_boxes'] == [(24, 40, 40, 56)]
    assert answer['regions'][0]['box'] == tuple(SQUARE)
    x1, y1, x2, y2 = SQUARE
    mask = np.zeros((48, 64))
    mask[y1:y2, x1:x2] = 255
    np.testing.assert_array_equal(picture(answer, 'mask'), mask)
    heat = picture(answer, 'heat_map')  # a palette of 256: levels of probability
    assert heat.shape == (64, 48)
    assert (heat[40:56, 24:40] == 230).all()
    for kind in ('view', 'overlay'):
        assert picture(answer, kind).shape == (64, 48, 3)


def test_report_is_one_file_of_this_image(examine, photo):
    answer = examine(photo(), 'invoice <1>.jpg')
    report = content(answer, 'report').decode()
    assert answer['files']['report']['name'].endswith('_report.html')
    assert 'invoice <1>' not in report
    assert answer['sha256'] in report
    assert 'id="view-0"' in report
    assert 'masks/' not in report


def test_a_hostile_name_is_no_markup_of_the_report(examine, photo):
    name = '<script>alert("1")\'\x1b[31m.jpg'
    report = content(examine(photo(), name), 'report').decode()
    assert '<script>alert' not in report
    assert '\x1b' not in report
    (data,) = re.findall('id="data">(.*)</script>', report)
    (row,) = json.loads(data)['rows']
    assert row['name'] == '<script>alert("1")\'\\x1b[31m.jpg'


def test_nothing_is_left_on_the_disk(examine, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    examine(photo(), 'photo.jpg')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['..', 'a\0b.jpg', '<img src=x onerror=f(1)>.jpg', '"\r\n.jpg'])
def test_names_of_saved_files_are_harmless(examine, photo, name):
    answer = examine(photo(), name)
    assert answer['image'].isprintable()
    for file in answer['files'].values():
        assert not set(file['name']) & set('\0/\\<>"\r\n')
        assert not file['name'].startswith('.')


def bomb():
    """Kilobytes that declare 60,000 x 60,000 pixels."""

    def chunk(kind, data=b''):
        checksum = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + checksum

    header = chunk(b'IHDR', struct.pack('>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0))
    pixels = chunk(b'IDAT', zlib.compress(bytes(1_000_000), 9))
    return b'\x89PNG\r\n\x1a\n' + header + pixels + chunk(b'IEND')


BAD = {
    'text.jpg': lambda photo: b'this is no image',
    'truncated.jpg': lambda photo: photo(quality=95)[:300],
    'truncated.png': lambda photo: photo('PNG')[:900],
    'header.jpg': lambda photo: b'\xff\xd8\xff\xe0',
    'bomb.png': lambda photo: bomb(),
}


@pytest.mark.parametrize('name', BAD)
def test_a_bad_file_is_named(examine, photo, name):
    with pytest.raises(ImageReadError, match=name):
        examine(BAD[name](photo), name)
    assert examine(photo(), 'photo.jpg')['num_regions'] == 1


def test_more_pixels_than_allowed_are_named(examine):
    with pytest.raises(ImageReadError, match='at most 1,000,000 pixels'):
        examine(bomb(), 'bomb.png')


def test_an_image_of_just_so_many_pixels_is_examined(inferencer, settings, photo):
    inferencer.max_pixels = 48 * 64
    assert Examiner(inferencer, settings, None)(photo(), 'photo.jpg')['width'] == 64
    inferencer.max_pixels -= 1
    with pytest.raises(ImageReadError, match='64 x 48'):
        Examiner(inferencer, settings, None)(photo(), 'photo.jpg')


def pages(photo):
    images = [Image.open(BytesIO(photo())), Image.new('RGB', (40, 40), 'white')]
    buffer = BytesIO()
    images[0].save(buffer, 'TIFF', save_all=True, append_images=images[1:])
    return buffer.getvalue()


def test_a_file_of_several_pages_shows_one_and_names_all(examine, photo):
    data = pages(photo)
    first, second = examine(data, 'scan.tif'), examine(data, 'scan.tif', 2)
    assert first['pictures'] == second['pictures'] == ['page 1', 'page 2']
    assert [first['image'], second['image']] == ['scan.tif (page 1)', 'scan.tif (page 2)']
    assert [first['size'], second['size']] == [[64, 48], [40, 40]]
    assert (first['page'], second['page']) == (1, 2)
    assert second['files']['mask']['name'] == 'scan_page-2_mask.png'
    assert first['sha256'] == sha256(data).hexdigest()


@pytest.mark.parametrize('number', [0, 3])
def test_a_picture_that_is_not_there(examine, photo, number):
    with pytest.raises(ImageReadError, match='expected a picture from 1 to 2'):
        examine(pages(photo), 'scan.tif', number)


def test_a_file_of_one_picture_names_none(examine, photo):
    assert examine(photo(), 'photo.jpg')['pictures'] == []


def test_views_are_drawn_only_where_they_are_asked_for(examine, photo):
    answer = examine(photo(), 'photo.jpg')
    assert answer['views'] == []
    assert not [kind for kind in answer['files'] if kind.startswith('view_')]


@pytest.mark.parametrize('orientation', [1, 6])
def test_views_are_files_of_the_answer(examine, photo, orientation):
    answer = examine(photo(orientation=orientation), 'photo.jpg', 1, True)
    assert [view['name'] for view in answer['views']] == list(VIEWS)
    for view in answer['views']:
        assert (view['title'], view['explanation']) == VIEWS[view['name']][1:]
        assert answer['files'][view['file']]['name'] == f'photo_{view["name"]}.jpg'
        assert picture(answer, view['file']).shape[1::-1] == tuple(answer['size'])
    json.dumps(answer, allow_nan=False)
