"""What records say of the file itself."""

import io
import json
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from mmomni.reporting.evidence import LARGEST
from mmomni.reporting.json_lines import read_lines

SECTION = dict(title='File', facts=[], pictures=[])


def records(folder):
    return [json.loads(line) for line in (folder / 'predictions.jsonl').read_text().splitlines()]


def facts(record):
    return {fact['term']: fact['value'] for section in record['evidence']
            for fact in section['facts']}  # fmt: skip


def jpeg_with_thumbnail(path):
    """A JPEG with a preview in its EXIF, after the layout of EXIF by hand."""
    small = io.BytesIO()
    Image.new('RGB', (16, 12), 'grey').save(small, 'JPEG')
    data = small.getvalue()
    first = b'II*\0\x08\0\0\0' + b'\x01\0' + b'\x12\x01\x03\0\x01\0\0\0\x01\0\0\0'
    first += (26).to_bytes(4, 'little')
    second = b'\x02\0'
    for tag, value in ((0x0201, 26 + 2 + 24 + 4), (0x0202, len(data))):
        second += tag.to_bytes(2, 'little') + b'\x04\0\x01\0\0\0' + value.to_bytes(4, 'little')
    exif = b'Exif\0\0' + first + second + bytes(4) + data
    Image.new('RGB', (64, 48), 'grey').save(path, exif=exif)


def test_a_record_tells_what_its_file_says(photos, tmp_path, run):
    run(photos)
    for record in records(tmp_path / 'out'):
        titles = [section['title'] for section in record['evidence']]
        assert titles[:2] == ['File', 'Metadata']
        assert facts(record)['SHA-256'] == record['sha256']
        assert facts(record)['Camera'] == 'none'
        assert str(tmp_path) not in json.dumps(record['evidence'])


def test_a_name_that_says_another_format_is_told_in_the_record(tmp_path, run, save):
    save(tmp_path / 'photos/a.png').rename(tmp_path / 'photos/a.jpg')
    run(tmp_path / 'photos')
    (record,) = records(tmp_path / 'out')
    assert facts(record)['Suffix of the name'] == '.jpg'


def test_histograms_do_not_turn_with_the_image(tmp_path, run):
    (tmp_path / 'in').mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'in/a.jpg', exif=exif)
    run(tmp_path / 'in')
    (record,) = records(tmp_path / 'out')
    (chart,) = [each for section in record['evidence'] for each in section['pictures']]
    width, height = Image.open(tmp_path / 'out' / chart['file']).size
    assert width > height


def test_pictures_of_the_evidence_are_outputs(tmp_path, run):
    (tmp_path / 'in').mkdir()
    jpeg_with_thumbnail(tmp_path / 'in/a.jpg')
    run(tmp_path / 'in')
    (record,) = records(tmp_path / 'out')
    pictures = [each for section in record['evidence'] for each in section['pictures']]
    assert pictures[0]['shows'] == 'Embedded thumbnail'
    for each in pictures:
        file = tmp_path / 'out' / each['file']
        assert record['output_bytes'][each['file']] == file.stat().st_size
        assert Image.open(file).size == (16, 12) or each['shows'].startswith('Histograms')
    assert run(tmp_path / 'in')[0].skipped == 1
    (tmp_path / 'out' / pictures[0]['file']).unlink()
    assert run(tmp_path / 'in')[0].predicted == 1


def test_plots_are_not_turned_with_the_photo(tmp_path, run, predictor):
    predictor.orientation = 6
    (tmp_path / 'in').mkdir()
    jpeg_with_thumbnail(tmp_path / 'in/a.jpg')
    run(tmp_path / 'in')
    (record,) = records(tmp_path / 'out')
    width, height = zip(*(
        Image.open(tmp_path / 'out' / each['file']).size
        for section in record['evidence'] for each in section['pictures']
    ), strict=True)  # fmt: skip
    assert (width[0], height[0]) == (12, 16)
    assert width[-1] > height[-1]


@pytest.mark.parametrize('evidence', [
    [3], ['a'], [[]], [{}], [dict(SECTION, pictures=3)], [dict(SECTION, pictures=[3])],
    [dict(SECTION, pictures=[{}])], [dict(SECTION, facts=[{}])], [dict(SECTION, title=3)],
    [dict(SECTION, facts=[dict(term='Size', value=3, note='')])],
])  # fmt: skip
def test_evidence_that_no_run_has_written_is_refused(photos, tmp_path, run, evidence):
    run(photos / 'a.png')
    (record,) = records(tmp_path / 'out')
    line = json.dumps(dict(record, evidence=evidence))
    (tmp_path / 'out/predictions.jsonl').write_text(line + '\n')
    with pytest.raises(ValueError, match="expected 'evidence' as"):
        run(photos / 'a.png')


@pytest.mark.parametrize('file', ['../../x.jpg', '/etc/x', ''])
def test_evidence_outside_of_the_folder_is_refused(photos, tmp_path, run, file):
    run(photos / 'a.png')
    (record,) = records(tmp_path / 'out')
    evidence = [dict(SECTION, pictures=[dict(shows='', file=file)])]
    line = json.dumps(dict(record, evidence=evidence))
    (tmp_path / 'out/predictions.jsonl').write_text(line + '\n')
    with pytest.raises(ValueError, match='expected outputs inside of the folder'):
        run(photos / 'a.png')


def test_lines_of_earlier_versions_have_none(photos, tmp_path, run):
    run(photos / 'a.png')
    (record,) = records(tmp_path / 'out')
    del record['evidence']
    (tmp_path / 'out/predictions.jsonl').write_text(json.dumps(record) + '\n')
    assert run(photos / 'a.png')[0].skipped == 1


def test_pages_tell_of_themselves_and_of_their_file(tmp_path, run):
    (tmp_path / 'in').mkdir()
    path = tmp_path / 'in/a.tif'
    pages = [Image.new('RGB', (64, 48), colour) for colour in ('red', 'blue')]
    for number, page in enumerate(pages, 1):
        page.encoderinfo = dict(tiffinfo={305: f'page {number}'})
    pages[0].save(path, save_all=True, append_images=pages[1:])
    run(tmp_path / 'in')
    found = [facts(record) for record in records(tmp_path / 'out')]
    digest = sha256(path.read_bytes()).hexdigest()
    assert [each['SHA-256'] for each in found] == [digest] * 2
    assert [each['EXIF'] != 'none' for each in found] == [True] * 2


def test_a_file_that_is_very_large_is_not_looked_at(photos, tmp_path, run, monkeypatch):
    assert LARGEST >= 2**27
    monkeypatch.setattr('mmomni.reporting.evidence.LARGEST', 10)
    run(photos / 'a.png')
    (record,) = records(tmp_path / 'out')
    (section,) = record['evidence']
    assert 'up to which a file is looked at' in section['facts'][0]['note']


def test_texts_that_occur_again_are_once_in_memory(photos, tmp_path, run):
    run(photos)
    one, other, *_ = read_lines(tmp_path / 'out/predictions.jsonl', {})
    notes = [
        [fact['note'] for section in record['evidence'] for fact in section['facts']]
        for record in (one, other)
    ]
    assert all(a is b for a, b in zip(*notes, strict=True) if a == b and a)
    assert one == records(tmp_path / 'out')[0]
