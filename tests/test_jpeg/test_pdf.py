import builtins
import io
import zlib

import numpy as np
import pytest
from image_bytes import written
from pdf_files import flate_image, image, jpeg_image, pdf_file, stream
from PIL import Image

from mmomni.jpeg import decode
from mmomni.jpeg.pdf import finding
from mmomni.jpeg.pdf.filters import unwrapped
from mmomni.jpeg.pdf.finding import PdfError, has_streams, pictures_of
from mmomni.jpeg.pdf.pictures import read_picture

MOST = 1_000_000
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
JPEG = written(PIXELS, 'JPEG', quality=77)


@pytest.fixture(autouse=True)
def _extra():
    pytest.importorskip('pikepdf', reason='needs `pip install pikepdf`')


def form(*numbers, drawing=b'q Q'):
    entries = ' '.join(f'/Im{n} {n} 0 R' for n in numbers)
    resources = f'<< /XObject << {entries} >> >>'
    return stream(
        drawing, Type='/XObject', Subtype='/Form', BBox='[0 0 9 9]', Resources=resources
    )


def inline(data, header=b'/W 40 /H 40 /CS /RGB /BPC 8 /F /DCT'):
    return b'q BI ' + header + b' ID ' + data + b'\nEI Q'


def names(data):
    return [each.name for each in pictures_of(data)]


def read(data, number=0, most=MOST):
    return read_picture(data, pictures_of(data)[number], most)


# ---- finding ---------------------------------------------------------------------------------


def test_pictures_are_numbered_by_page_and_each_counts_once(tmp_path):
    objects = [jpeg_image(JPEG), jpeg_image(JPEG), form(10, 13), flate_image(PIXELS)]
    data = pdf_file(objects, pages=[(), (11,), (12, 11)])
    expected = ['image 1, page 2', 'image 2, page 3', 'image 3, page 3']
    assert names(data) == expected
    path = tmp_path / 'x.pdf'
    path.write_bytes(data)
    assert names(path) == expected


def test_pictures_that_no_page_shows_are_found_too():
    assert names(pdf_file([jpeg_image(JPEG), jpeg_image(JPEG)], pages=[(11,)])) == [
        'image 1, page 1', 'image 2',
    ]  # fmt: skip


def test_masks_of_pictures_are_no_pictures_and_are_told():
    mask = image(bytes(1600), colours='/DeviceGray')
    data = pdf_file([jpeg_image(JPEG, SMask='11 0 R'), mask], pages=[(10,)])
    assert names(data) == ['image 1, page 1']
    assert read(data).notes == ('the PDF shows it through a mask, which was not examined',)


def test_pictures_in_drawings_of_pages_and_forms_are_found():
    objects = [form(drawing=inline(JPEG))]
    data = pdf_file(objects, pages=[(), (10,)], drawings={1: inline(JPEG) + inline(JPEG)})
    assert names(data) == ['image 1, page 1', 'image 2, page 1', 'image 3, page 2']
    assert [read(data, number).data for number in range(3)] == [JPEG] * 3


def test_forms_that_draw_each_other_end():
    data = pdf_file([form(11), form(10), jpeg_image(JPEG)], pages=[(10, 12)])
    assert names(data) == ['image 1, page 1']


def test_a_pdf_without_pictures():
    assert names(pdf_file()) == []


def test_more_pictures_than_anybody_has_are_told(monkeypatch):
    monkeypatch.setattr(finding, 'MOST_PICTURES', 3)
    data = pdf_file([jpeg_image(JPEG)] * 5, pages=[tuple(range(10, 15))])
    *found, rest = pictures_of(data)
    assert len(found) == 3
    with pytest.raises(PdfError, match='more than 3 pictures in one PDF: the rest was not'):
        read_picture(data, rest, MOST)


def test_more_objects_than_anybody_has_are_told(monkeypatch):
    monkeypatch.setattr(finding, 'MOST_OBJECTS', 3)
    data = pdf_file([jpeg_image(JPEG)] * 5, pages=[tuple(range(10, 15))])
    assert any('objects in a PDF: the rest' in each.obstacle for each in pictures_of(data))


def test_a_drawing_that_unpacks_to_too_much_is_told(monkeypatch):
    monkeypatch.setattr(finding, 'CONTENT_BYTES', 2**16)
    bomb = stream(
        zlib.compress(bytes(2**20)), Subtype='/Form', BBox='[0 0 9 9]', Filter='/FlateDecode'
    )
    first, told = pictures_of(pdf_file([jpeg_image(JPEG), bomb], pages=[(10, 11)]))
    assert (first.name, told.name) == ('image 1, page 1', 'page 1')
    assert 'cannot be searched for pictures (it unpacks to more than 65,536 bytes)' in told.obstacle


def test_a_drawing_of_too_many_pictures_is_told(monkeypatch):
    monkeypatch.setattr(finding, 'MOST_INLINE', 2)
    drawings = {1: inline(JPEG) * 2, 2: inline(JPEG) * 3}
    *found, told = pictures_of(pdf_file(pages=[(), ()], drawings=drawings))
    assert [each.name for each in found] == ['image 1, page 1', 'image 2, page 1']
    assert told.name == 'page 2'
    assert 'it has more than 2 of them' in told.obstacle


def test_a_picture_of_another_page_is_found_beyond_the_visits(monkeypatch):
    monkeypatch.setattr(finding, 'MOST_VISITS', 1)
    data = pdf_file([jpeg_image(JPEG), jpeg_image(JPEG)], pages=[(10,), (11,)])
    assert names(data) == ['image 1, page 1', 'image 2']


# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('data', 'filters'),
    [
        (JPEG, '/DCTDecode'),
        (JPEG, '[/DCTDecode]'),
        (zlib.compress(JPEG), '[/FlateDecode /DCTDecode]'),
        (JPEG.hex().encode() + b'>', '[/ASCIIHexDecode /DCTDecode]'),
        (zlib.compress(JPEG.hex().encode()), '[/FlateDecode /ASCIIHexDecode /DCTDecode]'),
    ],
)
def test_an_embedded_jpeg_has_its_own_bytes(data, filters):
    extracted = read(pdf_file([jpeg_image(data, Filter=filters)], pages=[(10,)]))
    assert extracted == (JPEG, ())


def test_an_embedded_jpeg_2000_has_its_own_bytes():
    data = written(PIXELS, 'JPEG2000')
    made = pdf_file([image(data, Filter='/JPXDecode')], pages=[(10,)])
    assert read(made) == (data, ())


def test_a_locked_file_without_password_has_the_bytes_too():
    import pikepdf

    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf_file([jpeg_image(JPEG)], pages=[(10,)]))) as made:
        made.save(buffer, encryption=pikepdf.Encryption(owner='secret', user=''))
    assert read(buffer.getvalue()).data == JPEG


def test_what_the_pdf_does_to_the_values_is_told():
    data = pdf_file([jpeg_image(JPEG, Decode='[1 0 1 0 1 0]')], pages=[(10,)])
    assert 'changes its values when shown (Decode)' in read(data).notes[0]


def test_other_pictures_are_unpacked_with_a_note():
    extracted = read(pdf_file([flate_image(PIXELS)], pages=[(10,)]))
    assert extracted.notes == ('unpacked from the PDF (FlateDecode)',)
    np.testing.assert_array_equal(decode(extracted.data), PIXELS)


@pytest.mark.parametrize('mode', ['1', 'L', 'CMYK'])
def test_pictures_of_other_colours_are_unpacked(mode):
    source = Image.fromarray(PIXELS).convert(mode)
    bits, colours = (1, '/DeviceGray') if mode == '1' else (8, '/DeviceGray')
    colours = '/DeviceCMYK' if mode == 'CMYK' else colours
    made = image(source.tobytes(), colours=colours).replace(b'Component 8', b'Component %d' % bits)
    extracted = read(pdf_file([made], pages=[(10,)]))
    np.testing.assert_array_equal(decode(extracted.data), np.asarray(source.convert('RGB')))


def test_pictures_that_drawings_hold_as_pixels_are_unpacked():
    drawing = inline(PIXELS.tobytes(), b'/W 40 /H 40 /CS /RGB /BPC 8 /L 4800')
    extracted = read(pdf_file(drawings={1: drawing}))
    np.testing.assert_array_equal(decode(extracted.data), PIXELS)


@pytest.mark.parametrize(
    ('made', 'message'),
    [
        (image(b'x', Filter='/JBIG2Decode'), r'a picture of a PDF \(JBIG2Decode\) that cannot be'),
        (image(b'x', Filter='/Nonsense'), r'\(Nonsense\) that cannot be unpacked'),
        (image(b'xyzxyz', Filter='/FlateDecode'), 'damaged data of FlateDecode'),
        (image(b'x', Filter='[' + '/FlateDecode ' * 9 + ']'), 'expected at most 8 filters, got 9'),
        (image(b'x', (2000, 2000)), 'expected at most 1,000,000 pixels, got 2000 x 2000'),
        (image(b'x', (-4, -4)), 'got -4 x -4'),
        (image(b'x', ('/a', 4)), 'does not say its size'),
        (
            image(zlib.compress(bytes(80_000_000), 1), Filter='/FlateDecode'),
            'it unpacks to more than 75,108,864 bytes',
        ),
        (image(bytes(60_000), Filter='/LZWDecode'), 'it could unpack to more than'),
    ],
)
def test_what_cannot_be_unpacked_says_why(made, message):
    with pytest.raises(PdfError, match=message):
        read(pdf_file([made], pages=[(10,)]))


def test_a_picture_that_is_gone_is_told():
    place = pictures_of(pdf_file(drawings={1: inline(JPEG)}))[0]
    with pytest.raises(PdfError, match='not where it was before'):
        read_picture(pdf_file(), place, MOST)


# ---- files that cannot be opened ---------------------------------------------------------------


def test_locked_and_damaged_files_say_so():
    import pikepdf

    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf_file())) as made:
        made.save(buffer, encryption=pikepdf.Encryption(owner='secret', user='secret'))
    with pytest.raises(PdfError, match='locked by a password'):
        pictures_of(buffer.getvalue())
    with pytest.raises(PdfError, match=r'a PDF that is damaged \(\w[^)]*\), so that'):
        pictures_of(b'%PDF-1.7\n')


def test_without_the_extra_the_command_is_named(monkeypatch):
    load = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == 'pikepdf':
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', missing)
    with pytest.raises(PdfError, match=r"pip install 'mmomni\[pdf\]'"):
        pictures_of(pdf_file())


@pytest.mark.parametrize('filler', [0, 2**20 - 3])
def test_streams_are_found_wherever_they_are(tmp_path, filler):
    path = tmp_path / 'x.pdf'
    path.write_bytes(bytes(filler) + b'stream')
    assert has_streams(path)
    path.write_bytes(bytes(filler) + b'strea')
    assert not has_streams(path)


def test_the_limit_holds_for_each_packing():
    data = zlib.compress(zlib.compress(bytes(10_000)))
    assert unwrapped(data, ['/FlateDecode'] * 2, 10_000) == (bytes(10_000), [])
    with pytest.raises(ValueError, match='more than 9,999 bytes'):
        unwrapped(data, ['/FlateDecode'] * 2, 9_999)
    assert unwrapped(b'<~87cURD]~>', ['/ASCII85Decode', '/X'], 99) == (b'Hello', ['/X'])


def test_what_the_reader_of_pdfs_changes_is_a_note(recwarn):
    deep = np.arange(40 * 40 * 3, dtype='>u2').reshape(40, 40, 3)
    packed = image(zlib.compress(deep.tobytes()), Filter='/FlateDecode')
    data = pdf_file([packed.replace(b'/BitsPerComponent 8', b'/BitsPerComponent 16')], [(10,)])
    found = read(data)
    np.testing.assert_array_equal(decode(found.data), deep >> 8)
    assert any('16-bit' in note for note in found.notes)
    assert not recwarn.list
