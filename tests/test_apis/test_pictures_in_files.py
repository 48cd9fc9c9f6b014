"""Files of several pictures: each has a sample of its own."""

import os

import numpy as np
import pytest
from image_bytes import written
from pdf_files import flate_image, image, jpeg_image, pdf_file, stream
from PIL import Image
from tiff_bytes import Page, tiff_bytes

from mmomni.apis import Failure
from mmomni.apis.inputs import sources_of
from mmomni.apis.samples import FIRST_OF_SEVERAL, MAX_PIXELS, read_sample, try_to_read
from mmomni.jpeg import pdf, read_luma
from mmomni.jpeg.tiff import directories

PAGES = [
    Image.fromarray(np.random.default_rng(n).integers(0, 256, (40, 40 + 8 * n, 3), dtype=np.uint8))
    for n in range(3)
]
JPEG = written(PAGES[0], 'JPEG', quality=77)


def tiff(pages=PAGES, **options):
    return written(pages[0], 'TIFF', save_all=True, append_images=pages[1:], **options)


def saved(folder, **files):
    for name, data in files.items():
        (folder / name.replace('_', '.')).write_bytes(data)
    return folder


def names(item):
    return [os.path.basename(source.name) for source in sources_of(item)]


def samples(item):
    return [try_to_read(source, MAX_PIXELS) for source in sources_of(item)]


# ---- pages of a TIFF -------------------------------------------------------------------------


@pytest.mark.parametrize('compression', [None, 'tiff_adobe_deflate', 'tiff_lzw'])
@pytest.mark.parametrize('as_bytes', [False, True], ids=['path', 'bytes'])
def test_each_page_is_read_as_if_it_were_alone(tmp_path, compression, as_bytes):
    data = tiff(compression=compression)
    path = saved(tmp_path, scan_tif=data) / 'scan.tif'
    found = samples(data if as_bytes else path)
    name = 'bytes 0' if as_bytes else str(path)
    assert [sample.source for sample in found] == [f'{name} (page {n})' for n in (1, 2, 3)]
    for sample, page in zip(found, PAGES, strict=True):
        alone = read_sample(sources_of(written(page, 'TIFF', compression=compression))[0], 10**6)
        np.testing.assert_array_equal(sample.planes, alone.planes)
        assert sample.warnings == alone.warnings


def test_pages_are_read_when_they_are_asked_for(tmp_path):
    path = saved(tmp_path, scan_tif=tiff()) / 'scan.tif'
    sources = sources_of(path)
    assert {source.content for source in sources} == {path}
    path.unlink()
    assert all(isinstance(try_to_read(source, MAX_PIXELS), Failure) for source in sources)


def test_to_read_a_page_no_other_is_looked_at(monkeypatch):
    """Else ten thousand of them would take hours."""
    tags = {256: 40, 257: 40, 258: 8, 259: 1, 262: 1, 277: 1, 278: 40}
    found = sources_of(tiff_bytes(*[Page(tags, [bytes(1600)]) for _ in range(50)]))
    visited, directory_at = [], directories.directory_at

    def noting(data, offset, most=None):
        visited.append(offset)
        return directory_at(data, offset, most)

    monkeypatch.setattr(directories, 'directory_at', noting)
    read_sample(found[20], MAX_PIXELS)
    assert set(visited) == {found[20].picture.place}


def test_one_page_has_the_name_of_the_file(tmp_path):
    folder = saved(tmp_path, a_tif=tiff(PAGES[:1]), b_tif=tiff(PAGES[:2]), c_tif=b'II*\0cut')
    assert names(folder) == ['a.tif', 'b.tif (page 1)', 'b.tif (page 2)', 'c.tif']


def test_a_preview_is_no_page_and_none_of_several_pictures():
    tags = {256: 40, 257: 40, 258: 8, 259: 1, 262: 1, 277: 1, 278: 40}
    whole, preview = Page(tags, [bytes(1600)], ()), Page(tags | {254: 1}, [bytes(1600)], ())
    (sample,) = samples(tiff_bytes(preview, whole))
    assert sample.source == 'bytes 0'
    assert FIRST_OF_SEVERAL not in sample.warnings


def test_a_page_keeps_what_is_above_its_picture():
    """As in photos of cameras: the orientation stands beside the preview alone."""
    tags = {256: 40, 257: 40, 258: 8, 259: 1, 262: 1, 277: 1, 278: 40}
    raw = {**tags, 258: 32, 339: 3}  # floats
    pages = [
        Page(tags | {254: 1, 274: 6}, [bytes([n]) * 1600], [Page(below, [bytes([50 * n]) * size])])
        for n, (below, size) in enumerate([(tags, 1600), (tags, 1600), (raw, 6400)], 1)
    ]
    found = samples(tiff_bytes(*pages))
    assert [sample.orientation for sample in found] == [6, 6, 6]
    assert [int(sample.image[0, 0, 0]) for sample in found] == [50, 100, 3]
    assert 'only a preview' in found[2].warnings[0]


def test_a_page_that_is_announced_and_not_there_is_told():
    data = bytearray(tiff())
    place = end_of_last_directory(data)
    data[place : place + 4] = b'\xff\xff\xff\x7f'
    told = 'the file says that it has more pages, which are not there'
    found = samples(bytes(data))
    assert len(found) == 3
    assert all(told in sample.warnings for sample in found)


def end_of_last_directory(data):
    place = 4
    while offset := int.from_bytes(data[place : place + 4], 'little'):
        place = offset + 2 + 12 * int.from_bytes(data[offset : offset + 2], 'little')
    return place


# ---- pictures of a PDF -----------------------------------------------------------------------


@pytest.fixture
def _extra():
    pytest.importorskip('pikepdf', reason='needs `pip install pikepdf`')


CONTRACT = pdf_file(
    [jpeg_image(JPEG), flate_image(np.asarray(PAGES[1])), image(b'x', Filter='/JBIG2Decode')],
    pages=[(10,), (11, 12)],
)


@pytest.mark.usefixtures('_extra')
def test_an_embedded_jpeg_has_its_own_coefficients(tmp_path):
    path = saved(tmp_path, contract_pdf=CONTRACT) / 'contract.pdf'
    jpeg, pixels, unreadable = samples(path)
    assert jpeg.source == f'{path} (image 1, page 1)'
    assert (jpeg.dct_source, jpeg.warnings) == ('file', ())
    np.testing.assert_array_equal(
        jpeg.planes[3], np.abs(read_luma(JPEG).coefficients).clip(max=20)[:40, :40]
    )
    assert pixels.dct_source == 'transcoded'
    assert pixels.warnings[0] == 'unpacked from the PDF (FlateDecode)'
    np.testing.assert_array_equal(pixels.image, PAGES[1])
    assert unreadable.source == f'{path} (image 3, page 2)'
    assert unreadable.reason.startswith('a picture of a PDF (JBIG2Decode) that cannot be unpacked')


@pytest.mark.usefixtures('_extra')
def test_a_pdf_of_a_folder_is_looked_into(tmp_path):
    saved(
        tmp_path, a_pdf=CONTRACT, b_pdf=pdf_file(), c_pdf=b'%PDF-1.7', d_jpg=JPEG, e_jpg=CONTRACT,
        f_pdf=b'no PDF', g_pdf=b'%PDF-1.7\n10 0 obj\n' + stream(b'x'),
    )  # fmt: skip
    numbers = ('(image 1, page 1)', '(image 2, page 2)', '(image 3, page 2)')
    expected = [f'a.pdf {n}' for n in numbers] + ['d.jpg']
    assert names(tmp_path) == [*expected, *(f'e.jpg {n}' for n in numbers), 'g.pdf']
    assert 'a PDF that is damaged' in samples(tmp_path)[-1].reason


@pytest.mark.usefixtures('_extra')
@pytest.mark.parametrize(
    ('data', 'message'),
    [(pdf_file(), 'got a PDF without pictures'), (b'%PDF-1.7', 'a PDF that is damaged')],
)
def test_a_named_pdf_without_pictures_says_so(data, message):
    (failure,) = samples(data)
    assert message in failure.reason


def test_without_the_extra_a_named_pdf_says_what_it_needs(tmp_path, monkeypatch):
    def missing():
        raise pdf.PdfError(f'a PDF; {pdf.NEEDED}')

    monkeypatch.setattr('mmomni.jpeg.pdf.finding._pikepdf', missing)
    monkeypatch.setattr(pdf, 'is_available', lambda: False)
    saved(tmp_path, a_pdf=CONTRACT, b_jpg=JPEG)
    assert names(tmp_path) == ['b.jpg']
    (failure,) = samples(tmp_path / 'a.pdf')
    assert failure.reason == "a PDF; its pictures are read by pikepdf: pip install 'mmomni[pdf]'"
