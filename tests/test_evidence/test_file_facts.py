from hashlib import sha256

import pytest
from evidence_bytes import fact, saved

from mmomni.evidence import file_section
from mmomni.evidence.file import NO_FLAWS


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG', 'TIFF', 'WEBP', 'BMP', 'GIF'])
def test_file_facts(image_format):
    data = saved(image_format)
    section = file_section(data, modified=86_400.5)
    assert fact(section, 'Size')[0] == f'{len(data):,} bytes'
    assert fact(section, 'SHA-256')[0] == sha256(data).hexdigest()
    assert fact(section, 'Format')[0].startswith(f'{image_format}, 64 x 48 px')
    assert fact(section, 'Changed on disk')[0] == '1970-01-02 00:00:00 UTC'
    assert fact(section, 'Integrity')[0] == NO_FLAWS


@pytest.mark.parametrize('modified', [None, 1e30, float('nan'), -1e30])
def test_a_date_that_is_none_is_not_known(modified):
    assert fact(file_section(saved(), modified), 'Changed on disk')[0] == 'not known'


def test_flaws_are_those_that_the_reader_finds():
    data = saved(quality=95)
    cut = [f.value for f in file_section(data[:-40]).facts if f.term == 'Integrity']
    assert 'the end of a JPEG, are missing' in cut[0]
    assert 'its data end before its picture does' in cut[1]
    assert 'ZIP' in fact(file_section(data + b'PK\x03\x04' + bytes(40)), 'Integrity')[0]


def test_flaws_that_are_known_are_not_looked_for(monkeypatch):
    monkeypatch.setattr('mmomni.evidence.file.examined', None)
    assert fact(file_section(saved(), notes=['cut']), 'Integrity')[0] == 'cut'


@pytest.mark.parametrize(('data', 'kind'), [
    (b'', 'EMPTY'), (b'%PDF-1.7', 'PDF'), (b'x', 'not known'), (saved()[:30], 'JPG'),
])  # fmt: skip
def test_what_is_no_image_is_said_to_be_none(data, kind):
    section = file_section(data)
    assert fact(section, 'Format')[0] == kind
    assert 'not opened' in fact(section, 'Format')[1]
    assert fact(section, 'Integrity')[0] != ''


@pytest.mark.parametrize(('image_format', 'name', 'told'), [
    ('PNG', 'a.jpg', '.jpg'), ('JPEG', 'a.heic', '.heic'), ('WEBP', 'a.b.PNG', '.PNG'),
    ('JPEG', 'a.JPE', None), ('TIFF', 'a.dng', None), ('JPEG', 'a', None), ('JPEG', '', None),
])  # fmt: skip
def test_a_name_that_says_another_format_is_told(image_format, name, told):
    section = file_section(saved(image_format), name=name)
    found = [each for each in section.facts if each.term == 'Suffix of the name']
    assert [each.value for each in found] == ([told] if told else [])
    kind = dict(JPEG='JPG').get(image_format, image_format)
    assert not told or f'which is {kind}' in found[0].note
