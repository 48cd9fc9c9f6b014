from datetime import datetime

import numpy as np
import pytest
from evidence_bytes import XMP, directory, exif_bytes, fact, picture, saved
from PIL import Image, PngImagePlugin

from mmomni.evidence import Fact, compression_section, evidence_of, metadata_section
from mmomni.evidence.blocks import blocks_of
from mmomni.evidence.dates import Dated, _dated, date_facts, disagreements
from mmomni.evidence.exif import exif_of
from mmomni.evidence.places import place_fact
from mmomni.evidence.software import software_note
from mmomni.evidence.xmp import Xmp, xmp_of
from mmomni.jpeg import open_image
from mmomni.jpeg.opening import PASSED_OVER

CAMERA = dict(Make='Canon', Model='Canon EOS 5D', Software='Ver 1.0', LensModel='EF 50',
              DateTime='2024:05:01 10:00:00', DateTimeOriginal='2024:05:01 10:00:00')  # fmt: skip


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_camera_lens_and_software_of_every_format(image_format):
    exif = exif_bytes(**CAMERA)
    section = metadata_section(saved(image_format, exif=exif))
    assert fact(section, 'Camera')[0] == 'Canon EOS 5D'
    assert fact(section, 'Lens')[0] == 'EF 50'
    assert fact(section, 'Software (EXIF)') == ('Ver 1.0', '')
    assert fact(section, 'Date (EXIF, taken)')[0] == '2024:05:01 10:00:00'
    assert fact(section, 'Dates against each other')[0] == 'they agree'


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'GIF', 'BMP'])
def test_what_is_absent_is_said_to_be_absent(image_format):
    section = metadata_section(saved(image_format))
    absent = {each.term for each in section.facts if each.value == 'none'}
    assert {'EXIF', 'XMP', 'IPTC', 'Camera', 'Lens', 'Software', 'History', 'Dates', 'Place (GPS)',
            'Author and rights', 'Caption', 'Thumbnail'} <= absent  # fmt: skip
    assert not section.pictures


@pytest.mark.parametrize('image_format', ['JPEG', 'WEBP', 'PNG'])
def test_xmp_gives_software_and_its_history(image_format):
    options = dict(xmp=XMP.encode())
    if image_format == 'PNG':
        info = PngImagePlugin.PngInfo()
        info.add_itxt('XML:com.adobe.xmp', XMP)
        options = dict(pnginfo=info)
    section = metadata_section(saved(image_format, **options))
    value, note = fact(section, 'Software (XMP)')
    assert value == 'Adobe Photoshop 25.0'
    assert 'edits pictures' in note
    assert fact(section, 'History, step 1')[0] == (
        'created 2024-05-01T10:00:00+02:00 by Adobe Photoshop 25.0'
    )
    assert fact(section, 'History, step 2') == ('saved', '/')
    assert fact(section, 'Author and rights')[0] == 'Ann'

TITLES = ['File', 'Metadata', 'Compression', 'Content Credentials']

def test_texts_in_which_generators_note_how():
    info = PngImagePlugin.PngInfo()
    info.add_text('parameters', 'a cat, Steps: 20')
    section = metadata_section(saved('PNG', pnginfo=info))
    value, note = fact(section, 'Text “parameters”')
    assert value == 'a cat, Steps: 20'
    assert 'make pictures' in note


def test_xmp_behind_the_pixels_of_a_png():
    info = PngImagePlugin.PngInfo()
    info.add_itxt('XML:com.adobe.xmp', XMP)
    data = saved('PNG', pnginfo=info)
    start = data.index(b'iTXt') - 4
    end = data.index(b'IDAT') - 4
    behind = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert fact(metadata_section(behind), 'Software (XMP)')[0] == 'Adobe Photoshop 25.0'


def test_a_comment_of_a_jpeg():
    section = metadata_section(saved(comment=b'CREATOR: gd-jpeg v1.0\xff'))
    assert fact(section, 'Comment')[0].startswith('CREATOR: gd-jpeg v1.0')


@pytest.mark.parametrize('comment', [
    'CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 80', 'Created with GIMP',
    'File written by Adobe Photoshop 4.0', 'Lavc59.37.100', 'Optimized by JPEGmini',
])  # fmt: skip
@pytest.mark.parametrize('image_format', ['JPEG', 'GIF', 'PNG'])
def test_a_program_that_signs_in_a_comment_is_software(comment, image_format):
    options = dict(comment=comment.encode())
    if image_format == 'PNG':
        options = dict(pnginfo=PngImagePlugin.PngInfo())
        options['pnginfo'].add_text('Comment', comment)
    section = metadata_section(saved(image_format, **options))
    assert fact(section, 'Software (comment)')[0] == comment
    assert 'Software' not in {each.term for each in section.facts}


def test_the_quality_that_a_program_signs_with_is_told_of_the_compression_too():
    comment = 'CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 80'
    section = compression_section(saved(comment=comment.encode()))
    assert fact(section, 'Quality in its own words')[0] == comment


@pytest.mark.parametrize('comment', ['Ann at the sea', 'made with love', 'edited by Ann'])
def test_other_comments_name_no_program(comment):
    section = metadata_section(saved(comment=comment.encode()))
    assert fact(section, 'Software')[0] == 'none'


def test_who_took_the_last_step_and_notes_of_generators_are_not_denied():
    xmp = XMP.replace('xmp:CreatorTool="Adobe Photoshop 25.0"', '')
    section = metadata_section(saved(xmp=xmp.encode()))
    assert fact(section, 'Software (XMP, last step)')[0] == 'Adobe Photoshop 25.0'
    info = PngImagePlugin.PngInfo()
    info.add_text('parameters', 'a cat, Steps: 20')
    assert fact(metadata_section(saved('PNG', pnginfo=info)), 'Software')[0] == 'not named'


def test_credentials_that_lie_elsewhere_are_told():
    xmp = XMP.replace('xmp:CreatorTool', 't:provenance="https://a.example/1" xmp:CreatorTool')
    xmp = xmp.replace('xmlns:xmp', 'xmlns:t="http://purl.org/dc/terms/" xmlns:xmp')
    section = metadata_section(saved(xmp=xmp.encode()))
    assert fact(section, 'Content Credentials elsewhere')[0] == 'https://a.example/1'


def test_all_comments_of_a_jpeg():
    data = saved(comment=b'last')
    data = data[:2] + b'\xff\xfe\0\7first' + data[2:]
    section = metadata_section(data)
    assert fact(section, 'Comment') == ('first', '')
    assert fact(section, 'Comment 2') == ('last', '')


@pytest.mark.parametrize(('text', 'told'), [
    ('GIMP 2.10', 'edits'), ('Microsoft Paint', 'edits'), ('Adobe Firefly', 'makes'),
    ('DALL-E 3', 'makes'), ('DALLMEIER DVR', ''), ('una imagen', ''), ('Influx', ''),
])  # fmt: skip
def test_programs_are_known_by_whole_names(text, told):
    assert (told in software_note(text)) if told else not software_note(text)


@pytest.mark.parametrize('kind', ['iptc', '8bim', 'APP1'])
def test_profiles_of_a_png_that_are_not_read_are_told(kind):
    info = PngImagePlugin.PngInfo()
    info.add_text(f'Raw profile type {kind}', f'\n{kind}\n      4\n38424950\n')
    section = metadata_section(saved('PNG', pnginfo=info))
    assert fact(section, 'Metadata') == ('not all read', f'its raw profile {kind} is not read')


def test_xmp_where_nobody_reads_it_is_told():
    data = saved('GIF')[:-1] + b'\x21\xff\x0bXMP DataXMP' + XMP.encode() + b'\1\0\0;'
    assert 'XMP in a place' in fact(metadata_section(data), 'Metadata')[1]
    with_xmp = metadata_section(saved(xmp=XMP.encode()))
    assert 'Metadata' not in {each.term for each in with_xmp.facts}


def test_a_size_in_exif_that_is_not_that_of_the_picture():
    exif = exif_bytes(ExifImageWidth=640, ExifImageHeight=480)
    value, note = fact(metadata_section(saved(exif=exif)), 'Size in EXIF')
    assert value == '640 x 480 px'
    assert '64 x 48 px' in note


def test_a_size_of_zeros_in_exif_says_nothing():
    section = metadata_section(saved(exif=exif_bytes(ExifImageWidth=0, ExifImageHeight=0)))
    assert 'Size in EXIF' not in {each.term for each in section.facts}


def test_fields_of_iptc_that_occur_again():
    fields = [(55, b'20240501'), (55, b'20240502'), (65, b'GIMP'), (65, b'other')]
    records = b''.join(
        b'\x1c\2' + bytes([number]) + len(text).to_bytes(2, 'big') + text for number, text in fields
    )
    section = metadata_section(saved('TIFF', tiffinfo={33723: records}))
    assert fact(section, 'Software (IPTC)')[0] == 'GIMP other'
    assert fact(section, 'Date (IPTC, created)')[0] == '2024-05-01'


@pytest.mark.parametrize('exif', [{}, dict(Make='Canon'), dict(CAMERA)])
@pytest.mark.parametrize('pages', [1, 3])
def test_of_a_tiff_only_exif_is_counted(exif, pages):
    more = dict(save_all=True, append_images=[picture()] * (pages - 1)) if pages > 1 else {}
    if exif:
        more.update(exif=exif_bytes(**exif))
    expected = {0: 'none', 1: '1 field', 6: '6 fields'}[len(exif)]
    assert fact(metadata_section(saved('TIFF', **more)), 'EXIF') == (expected, '')


@pytest.mark.parametrize('order', ['II', 'MM'])
def test_an_empty_directory_of_exif_is_said_to_be_empty(order):
    exif = b'Exif\0\0II*\0\x08\0\0\0\0\0' if order == 'II' else b'Exif\0\0MM\0*\0\0\0\x08\0\0'
    assert fact(metadata_section(saved(exif=exif + bytes(4))), 'EXIF')[0] == 'empty'


# ---- dates --------------------------------------------------------------------------------------


def dated(term, text, kind='taken'):
    return Dated(term, text, kind, datetime.fromisoformat(text))


TAKEN = ('EXIF, taken', '2024-05-01 10:00:00')


@pytest.mark.parametrize(('one', 'other', 'agree'), [
    (TAKEN, ('EXIF, digitised', '2024-05-01 10:00:01'), True),
    (TAKEN, ('EXIF, digitised', '2024-05-01 12:00:00'), False),
    (TAKEN, ('XMP, taken', '2024-05-01 12:00:00'), True),
    (TAKEN, ('XMP, taken', '2024-05-01 12:07:00'), False),
    (TAKEN, ('XMP, taken', '2024-05-03 10:00:00'), False),
    (TAKEN, ('EXIF, changed', '2024-04-01 10:00:00', 'changed'), False),
    (TAKEN, ('EXIF, changed', '2024-06-01 10:00:00', 'changed'), True),
    (TAKEN, ('GPS', '2024-05-01 22:59:00', 'utc'), True),
    (TAKEN, ('GPS', '2024-05-02 22:59:00', 'utc'), False),
])  # fmt: skip
def test_dates_against_each_other(one, other, agree):
    (verdict,) = [each for each in date_facts([dated(*one), dated(*other)])
                  if each.term == 'Dates against each other']  # fmt: skip
    assert verdict.value == ('they agree' if agree else 'they disagree')
    assert agree or other[0] in verdict.note


def test_a_later_change_is_told():
    taken = dated('EXIF, taken', '2024-05-01 10:00:00')
    change = dated('EXIF, changed', '2024-05-11 10:00:00', 'changed')
    assert Fact('Saved after it was taken', '10 days (EXIF, changed)',
                'by the dates of EXIF and XMP') in list(date_facts([taken, change]))  # fmt: skip


@pytest.mark.parametrize(('one', 'other', 'agree'), [
    ('XMP, created|2024-05-01T10:00:00+02:00', 'XMP, changed|2024-05-01T09:37:11Z', True),
    ('XMP, created|2024-05-01T10:00:00+02:00', 'XMP, changed|2024-05-01T07:37:11Z', False),
    ('EXIF, taken|2024:05:01 10:00:00', 'XMP, changed|2024-05-01T09:37:11Z', True),
    ('EXIF, taken|2024:05:01 10:00:00', 'XMP, changed|2024-04-30T09:37:11Z', False),
    ('XMP, created|2024-05-01T10:00:00', 'XMP, changed|2024-05-01T09:37:11', False),
    ('EXIF, taken|2024:05:01 23:00:00', 'GPS|2024:05:01', True),
    ('XMP, Photoshop|2024-05-01', 'GPS|2024:05:01 20:00:00 Z', True),
    ('EXIF, taken|2024:05:03 01:00:00', 'GPS|2024:05:01', False),
])  # fmt: skip
def test_zones_that_differ_and_days_without_an_hour_are_no_contradiction(one, other, agree):
    kinds = dict(changed='changed', GPS='utc')
    dates = [
        _dated(term, text, kinds.get(term.split(', ')[-1], 'taken'), '')
        for term, text in (each.split('|') for each in (one, other))
    ]
    assert bool(list(disagreements(dates))) != agree


@pytest.mark.parametrize('text', ['2024:13:45 99:99:99', 'yesterday', '9999999'])
def test_a_date_that_cannot_be(text):
    value, note = fact(metadata_section(saved(exif=exif_bytes(DateTimeOriginal=text))),
                       'Date (EXIF, taken)')  # fmt: skip
    assert value == text
    assert note == 'no date that can be'


# ---- place --------------------------------------------------------------------------------------


def gps(latitude=(48, 51, 30), reference='S'):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: reference, 2: latitude, 3: 'E', 4: (2.0, 17.0, 40.2)})
    return exif_of(exif.tobytes().removeprefix(b'Exif\0\0'))


def test_a_place_in_degrees():
    assert place_fact(gps(), Xmp({})).value == '-48.85833, 2.29450'
    of_xmp = Xmp({'exif:GPSLatitude': ['48,51.5N'], 'exif:GPSLongitude': ['2,17,40.2W']})
    assert place_fact(exif_of(b''), of_xmp).value == '48.85833, -2.29450'


def test_a_place_that_cannot_be():
    assert place_fact(gps((248, 0, 0)), Xmp({})).value == 'present, but no place that can be'


# ---- thumbnail ----------------------------------------------------------------------------------


def with_thumbnail(image, small):
    return saved(image=image, exif=exif_bytes(saved(image=small, quality=90), Make='Canon'))


def test_a_thumbnail_of_the_picture_is_alike():
    image = picture((128, 96))
    section = metadata_section(with_thumbnail(image, image.resize((32, 24))))
    assert fact(section, 'Thumbnail')[0].startswith('32 x 24 px')
    value, note = fact(section, 'Thumbnail against picture')
    assert float(value.split()[-1]) > 0.95
    assert 'do not show the same' not in note
    assert [each.shape for each in section.pictures.values()] == [(24, 32, 3)] * 3


def test_a_thumbnail_of_another_picture_is_not():
    section = metadata_section(with_thumbnail(picture(), picture().rotate(180).resize((32, 24))))
    assert 'do not show the same' in fact(section, 'Thumbnail against picture')[1]


def test_what_is_in_the_thumbnail_alone_shows_in_the_difference():
    image = picture((128, 96))
    small = image.resize((32, 24))
    small.paste((255, 255, 255), (20, 12, 28, 20))
    difference = [*metadata_section(with_thumbnail(image, small)).pictures.values()][2]
    assert difference[13:19, 21:27].mean() > 2 * difference.mean()


@pytest.mark.parametrize(('size', 'note'), [((32, 32), 'not that of the picture'),
                                            ((24, 32), 'lies on another side')])  # fmt: skip
def test_a_thumbnail_of_another_shape(size, note):
    section = metadata_section(with_thumbnail(picture(), picture().resize(size)))
    assert note in fact(section, 'Thumbnail')[1]


def test_black_bars_are_no_part_of_it():
    small = Image.new('RGB', (32, 32))
    small.paste(picture().resize((32, 24)), (0, 4))
    section = metadata_section(with_thumbnail(picture(), small))
    assert 'black bars' in fact(section, 'Thumbnail')[1]
    shapes = [each.shape for each in section.pictures.values()]
    assert shapes == [(32, 32, 3), (24, 32, 3), (24, 32, 3)]


@pytest.mark.parametrize('small', [b'no picture', saved()[:200], b'\xff\xd8\xff'])
def test_a_thumbnail_that_cannot_be_read(small):
    section = metadata_section(saved(exif=exif_bytes(small, Make='Canon')))
    assert fact(section, 'Thumbnail')[0] == 'present, but cannot be read'
    assert fact(section, 'Camera')[0] == 'Canon'


# ---- hostile ------------------------------------------------------------------------------------

BOMBS = {
    'a directory that follows itself': directory([(0x010F, 2, 4, 0)], following=8),
    'EXIF below itself': directory([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)]),
    'fields that all claim all': directory([(tag, 2, 60_000, 8) for tag in range(1, 5000)])
    + b'a' * 4000,
    'numbers without end': directory([(tag, 5, 999, 8) for tag in range(1, 5000)]),
    'a text of four gigabytes': directory([(0x010F, 2, 2**32 - 1, 8)]),
    'directories beyond the end': directory([(0x8769, 4, 1, 2**31)], following=2**31),
    'no TIFF': b'what is this',
    'nothing': b'',
    'a thumbnail beyond the end': directory([(0x010F, 2, 4, 0)], following=26)
    + directory([(0x0201, 4, 1, 2**31), (0x0202, 4, 1, 2**31)])[8:],
}


@pytest.mark.parametrize('name', BOMBS)
def test_hostile_exif_ends_in_a_fact(name):
    found = exif_of(BOMBS[name])
    assert found.tags or found.problem or not BOMBS[name]
    assert sum(len(str(tag)) for tag in found.tags.values()) < 2**23


XML_BOMBS = {
    'a billion laughs': '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
    'a file of the machine': '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    'too deep': '<a>' * 10_000,
    'too many': '<a>' + '<b/>' * 60_000 + '</a>',
    'too large': ' ' * 2**23 + '<a/>',
    'no XML': 'hello',
    'cut': XMP[:700],
}


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
@pytest.mark.parametrize('name', XML_BOMBS)
def test_hostile_xmp_ends_in_a_fact(name, encoding):
    found = xmp_of(XML_BOMBS[name].encode(encoding))
    assert found.problem
    assert 'root' not in str(found.values)


def test_what_came_before_xmp_was_cut_counts():
    assert xmp_of(XMP[:700].encode()).text('xmp:CreatorTool') == 'Adobe Photoshop 25.0'


@pytest.mark.parametrize('front', [b'\xff' * 2000, b'\xff\xfe\0\2' * 500, b''])
@pytest.mark.parametrize('on_disk', [False, True])
def test_metadata_of_many_megabytes_are_not_read(monkeypatch, tmp_path, on_disk, front):
    monkeypatch.setattr('mmomni.jpeg.opening.MOST_METADATA', 1000)
    data = saved(comment=b'' if front else b'a' * 2000, exif=exif_bytes(**CAMERA))
    data = data[:2] + front + data[2:]
    (tmp_path / 'a.jpg').write_bytes(data)
    assert 'its metadata have more than' in blocks_of(data).problems[0]
    with open_image(tmp_path / 'a.jpg' if on_disk else data) as image:
        assert image.size == (64, 48)
        assert 'exif' not in image.info
        assert image.info[PASSED_OVER]


def test_broken_iptc_leaves_the_rest():
    options = dict(tiffinfo={271: 'Canon', 33723: b'no records at all'})
    section = metadata_section(saved('TIFF', **options))
    assert fact(section, 'Camera')[0] == 'Canon'
    assert 'IPTC cannot be read' in fact(section, 'Metadata')[1]


def whole():
    return saved(exif=exif_bytes(saved(image=picture((16, 12))), **CAMERA), xmp=XMP.encode())


@pytest.mark.parametrize('seed', range(20))
def test_damaged_files_end_in_facts(seed):
    random = np.random.default_rng(seed)
    data = bytearray(whole())
    for place in random.integers(0, len(data), 30):
        data[place] = random.integers(256)
    sections = evidence_of(bytes(data[: random.integers(1, len(data) + 1)]))
    assert [each.title for each in sections] == TITLES
    assert all(str(text).isprintable() for each in sections for one in each.facts for text in one)


@pytest.mark.parametrize('data', [b'', b'\xff\xd8\xff', b'II*\0', b'II+\0' + bytes(20),
                                  b'\x89PNG\r\n\x1a\n', b'%PDF-1.4', b'\0' * 100])  # fmt: skip
def test_what_is_no_image_ends_in_facts(data):
    assert all(section.facts for section in evidence_of(data))


def test_libjpeg_says_nothing_of_a_damaged_file(capfd):
    data = saved(quality=95)
    assert evidence_of(data[:-200])
    assert evidence_of(data[:-200], notes=['cut'])
    assert capfd.readouterr() == ('', '')


def test_a_reader_that_fails_is_named(monkeypatch):
    def fail(*_):
        raise MemoryError('no more')

    monkeypatch.setattr('mmomni.evidence.metadata_section', fail)
    assert evidence_of(saved())[1].facts == (Fact('Metadata', 'not read', 'MemoryError: no more'),)


@pytest.mark.parametrize(('time', 'told'), [
    (0.010449, '1/96 s'), (0.4, '1/2 s'), (0.5, '0.5 s'), (30.0, '30 s'),
])  # fmt: skip
def test_exposure_times_are_told_as_on_cameras(time, told):
    section = metadata_section(saved(exif=exif_bytes(ExposureTime=time, ISOSpeedRatings=64)))
    assert fact(section, 'Exposure')[0] == f'{told}, ISO 64'


@pytest.mark.parametrize(('reach', 'told'), [
    ((18.0, 55.0, 3.5, 5.6), '18 to 55 mm'), ((50.0, 50.0, 1.8, 1.8), '50 mm'),
])  # fmt: skip
def test_a_lens_without_a_name_is_told_by_its_focal_lengths(reach, told):
    section = metadata_section(saved(exif=exif_bytes(Model='A', LensSpecification=reach)))
    assert fact(section, 'Lens')[0] == told


def test_how_far_dates_lie_apart_is_not_rounded_to_hours():
    taken = dated('EXIF, taken', '2024-05-01 10:00:00', 'taken')
    (words,) = disagreements([taken, dated('EXIF, changed', '2024-04-30 12:02:00', 'changed')])
    assert '21 h 58 min' in words
