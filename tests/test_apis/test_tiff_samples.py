"""What predictions, training and check-data make of TIFFs."""

import numpy as np
import pytest
from image_bytes import png_bytes, turned, written
from mmcv.transforms import Compose
from tiff_bytes import Page, tiff_bytes

from mmomni.apis import Failure
from mmomni.apis.inputs import Source
from mmomni.apis.samples import MAX_PIXELS, read_sample, try_to_read
from mmomni.datasets.transforms import ExtractDCT, LoadOriginalImage, PackManipulationInputs
from mmomni.inspection.checks import check_record
from mmomni.inspection.reading import read_record
from mmomni.inspection.records import ImageFacts, ListedImage

HEIGHT, WIDTH = 40, 56


def noise(depth=8, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 1 << depth, (HEIGHT, WIDTH, channels)).astype(np.uint16)


def page(values, bits, compression=1, strips=None, **tags):
    """A page of (H, W, C) in one strip; further tags by their numbers, as ``t254=1``."""
    samples = values.shape[2]
    more = {int(name[1:]): number for name, number in tags.items()}
    basic = {256: values.shape[1], 257: values.shape[0], 258: [bits] * samples, 259: compression,
             262: 1 if samples == 1 else 2, 277: samples, 278: values.shape[0]}  # fmt: skip
    return Page(basic | more, strips or [values.astype(f'u{bits // 8}').tobytes()])


def jpeg_page(meaning=6, **options):
    stream = written(noise().astype(np.uint8), 'JPEG', quality=70, **options)
    return page(noise(), 8, 7, [stream], t262=meaning), stream


def read(data):
    return read_sample(Source('a.tif', data), MAX_PIXELS)


def facts(tmp_path, data):
    (tmp_path / 'a.tif').write_bytes(data)
    record = read_record(ListedImage('set', '-', 'train', str(tmp_path / 'a.tif'), None))
    assert isinstance(record.image, ImageFacts)
    return record.image, {finding.kind: finding.message for finding in check_record(record)}


def trained(tmp_path, data):
    """Pixels (RGB) and planes of the training pipeline."""
    (tmp_path / 'a.tif').write_bytes(data)
    results = LoadOriginalImage()(dict(img_path=str(tmp_path / 'a.tif')))
    packed = Compose([ExtractDCT(), PackManipulationInputs()])(dict(results))
    return results['img'][..., ::-1], packed['inputs'].numpy()


def test_a_tiff_made_of_a_jpeg_is_predicted_as_that_jpeg():
    tiff, stream = jpeg_page()
    found, jpeg = read(tiff_bytes(tiff)), read(stream)
    np.testing.assert_array_equal(found.planes, jpeg.planes)
    assert (found.dct_source, found.warnings) == ('file', jpeg.warnings)


def test_jpegs_without_luma_are_transcoded_with_the_reason():
    tiff, _ = jpeg_page(2, keep_rgb=True, subsampling=0)
    found = read(tiff_bytes(tiff))
    assert found.dct_source == 'transcoded'
    assert found.warnings[0].startswith('JPEG in a TIFF without luma')


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('coding', [None, 'tiff_lzw', 'jpeg'])
def test_a_turned_tiff_lies_as_it_is_stored_everywhere(coding, orientation, tmp_path):
    values = noise().astype(np.uint8)
    data = written(values, 'TIFF', exif=turned(orientation), compression=coding)
    expected = read(written(values, 'TIFF', compression=coding)).image
    found = read(data)
    np.testing.assert_array_equal(found.image, expected)
    np.testing.assert_array_equal(trained(tmp_path, data)[0], expected)
    image, findings = facts(tmp_path, data)
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    assert found.orientation == image.orientation == orientation
    assert ('image-rotated' in findings) == (orientation > 1)


def preview_first():
    small = page(noise()[:16, :16], 8, t254=1)
    small.below = [page(noise(), 8, t254=0)]
    return tiff_bytes(small), 'besides the picture, this TIFF has 1 preview'


def raw_with_preview():
    preview, raw = page(noise(), 8, t254=1), page(noise(16, 1), 16, t254=0, t262=32803)
    preview.below = [raw]
    return tiff_bytes(preview), 'only a preview of 56 x 40'


FILES = {
    'preview first': preview_first,
    'raw': raw_with_preview,
    'TIFF of 12 bits in 16': lambda: (tiff_bytes(page(noise(12), 16)), 'to be of 12 bits'),
    'PNG of 12 bits in 16': lambda: (png_bytes(noise(12)), 'to be of 12 bits'),
    'PNG of 10 bits in grey': lambda: (png_bytes(noise(10, 1)), 'to be of 10 bits'),
}


@pytest.mark.parametrize('kind', FILES)
def test_what_was_assumed_of_a_file_is_said_and_the_same_in_training(kind, tmp_path):
    data, note = FILES[kind]()
    found = read(data)
    assert [each for each in found.warnings if note in each]
    pixels, planes = trained(tmp_path, data)
    np.testing.assert_array_equal(found.image, pixels)
    np.testing.assert_array_equal(found.planes, planes)
    assert found.image.shape[:2] == (HEIGHT, WIDTH)
    assert found.image.max() > 240
    assert note in facts(tmp_path, data)[1]['image-assumed']


@pytest.mark.parametrize('deep', [noise(16), noise(16, 1)], ids=['colours', 'grey'])
def test_nothing_is_assumed_of_sixteen_bits_in_use(deep, tmp_path):
    for data in (tiff_bytes(page(deep, 16)), png_bytes(deep)):
        assert len(read(data).warnings) == 1  # there is no JPEG
        assert 'image-assumed' not in facts(tmp_path, data)[1]


def test_other_pages_are_told_of():
    data = tiff_bytes(page(noise(), 8), page(noise(), 8), page(noise()[:16, :16], 8, t254=1))
    notes = read(data).warnings
    assert [each for each in notes if 'first of several pictures' in each]
    assert [each for each in notes if '1 preview' in each]


def test_previews_and_masks_are_no_other_pages():
    data = tiff_bytes(page(noise(), 8), page(noise()[:16, :16], 8, t254=4))
    notes = read(data).warnings
    assert not [each for each in notes if 'several' in each]
    assert [each for each in notes if '1 mask' in each]


def test_raw_data_alone_are_refused_by_their_name():
    failure = try_to_read(Source('a.dng', tiff_bytes(page(noise(16, 1), 16, t262=32803))), 1 << 20)
    assert isinstance(failure, Failure)
    assert failure.reason.startswith('expected a TIFF that can be decoded, but it has pixels of')
    assert 'raw mosaic' in failure.reason


def test_the_size_of_the_picture_counts_not_that_of_its_preview():
    data, _ = preview_first()
    failure = try_to_read(Source('a.tif', data), 40 * 55)
    assert 'got 56 x 40' in failure.reason
