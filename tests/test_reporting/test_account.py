"""Every file of a run is accounted for, and the numbers add up."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from predicting import SETTINGS

from mmomni.reporting import (
    Account,
    PredictionFolder,
    account_of,
    copies,
    survey_inputs,
    write_predictions,
    write_report,
)

JPEG = ('a.jpg', 'no_suffix', 'b.jpg_large', 'really_jpeg.heic', 'c.JPEG', 'd.txt', 'e.jpe')
WRITTEN = ('f.png', 'g.tif', 'h.webp', 'i.bmp', 'j.gif', 'k.pgm', 'l.ppm')
BROKEN = {
    'broken.jpg': b'text', 'photo.heic': b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'empty.png': b'',
    'photo.nef': b'MM\0*' + bytes(40), 'work.psd': b'8BPS\0\1' + bytes(40),
    'new.jxl': b'\xff\x0a' + bytes(40),
}  # fmt: skip
OTHERS = {
    'a.pdf': b'%PDF-1.7', 'b.pdf': b'%PDF-1.4', 'pdf_without_suffix': b'%PDF-1.4',
    'clip.mp4': b'\0\0\0\x18ftypisom', 'clip.mov': b'\0\0\0\x14ftypqt  ', 'README': b'text',
    'sheet.xlsx': b'PK\3\4', 'all.zip': b'PK\3\4', 'notes.txt': b'text', 'list.csv': b'a,b',
    'drawing.svg': b'<svg/>', 'Thumbs.db': b'x', 'page.html': b'<p>', 'facts.json': b'{}',
    '.DS_Store': b'x', '._a.jpg': b'\xff\xd8\xff', '.ipynb_checkpoints/a.jpg': b'\xff\xd8\xff',
    'nothing': b'', 'sub/sound.mp3': b'ID3', 'sub/mask.npy': b'\x93NUMPY',
}  # fmt: skip


@pytest.fixture
def odd(tmp_path):
    """A folder of thirty kinds of files."""
    folder = tmp_path / 'odd'
    for name in (*JPEG, *WRITTEN):
        (folder / name).parent.mkdir(exist_ok=True)
        image = Image.new('L' if name.endswith('.pgm') else 'RGB', (40, 40))
        image.save(folder / name, 'JPEG' if name in JPEG else None)
    for name, content in (BROKEN | OTHERS).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    os.mkfifo(folder / 'pipe')
    return folder


@pytest.fixture
def account_for(tmp_path, predictor):
    def account_for(*inputs):
        survey = survey_inputs(list(map(str, inputs)), tmp_path / 'out')
        with PredictionFolder(tmp_path / 'out', SETTINGS, ('json',)) as folder:
            summary = write_predictions(folder, survey.files, predictor, lambda *_: None)
            folder.write_account(account_of(survey, summary.failures))
            write_report(folder)
        return folder.account, summary

    return account_for


def test_the_account_of_thirty_kinds_adds_up(odd, account_for, tmp_path):
    account, summary = account_for(odd)
    assert account.examined == len(JPEG) + len(WRITTEN)
    assert {path.name for path in summary.failures} == BROKEN.keys()
    assert account.unreadable == Counter(['jpg', 'heic', 'empty', 'nef', 'psd', 'jxl'])
    expected = dict(pdf=3, hidden=3)
    assert expected.items() <= account.not_images.items()
    files = sum(len(files) for _, _, files in os.walk(odd))
    numbers = json.loads((tmp_path / 'out/account.json').read_text())
    assert numbers == account.numbers()
    parts = (numbers['examined'], numbers['unreadable'], numbers['not_images'])
    assert numbers['files'] == files == sum(parts)
    assert sum(numbers['unreadable_kinds'].values()) == numbers['unreadable']
    assert sum(numbers['not_image_kinds'].values()) == numbers['not_images']
    assert account.text() in (tmp_path / 'out/report.html').read_text()
    assert account.text().startswith(f'{files} files: 14 examined, 6 unreadable (1 empty, 1 heic, ')
    assert f'{len(OTHERS) + 1} not images (3 hidden, 3 pdf, ' in account.text()


def test_a_second_run_counts_what_was_done_before(odd, account_for):
    first, _ = account_for(odd)
    again, summary = account_for(odd)
    assert again == first
    assert summary.predicted == 0


def test_a_folder_that_cannot_be_entered_is_unreadable(photos, account_for, monkeypatch):
    scandir = os.scandir

    def refusing(path='.'):
        if path in (photos / 'sub', str(photos / 'sub')):
            raise PermissionError(13, 'Permission denied', str(path))
        return scandir(path)

    monkeypatch.setattr('os.scandir', refusing)
    account, summary = account_for(photos)
    assert account == (2, Counter(folder=1), Counter(), 0, ())
    (reason,) = summary.failures.values()
    expected = 'a folder that cannot be entered (Permission denied), nothing in it'
    assert reason.startswith(expected)


def test_an_input_that_does_not_exist_is_unreadable(photos, account_for):
    account, summary = account_for(photos / 'a.png', photos / 'bb.png')
    assert account == (1, Counter(missing=1), Counter(), 0, ())
    (reason,) = summary.failures.values()
    assert reason == "does not exist; the closest name there is 'b.png'"


def test_an_account_of_an_earlier_run_does_not_stay(photos, account_for, run, tmp_path):
    account_for(photos)
    assert (tmp_path / 'out/account.json').is_file()
    run(photos, formats=('json',), report=True)
    assert not (tmp_path / 'out/account.json').exists()
    assert 'given in the last run' not in (tmp_path / 'out/report.html').read_text()


@pytest.mark.parametrize(
    ('account', 'text'),
    [
        (Account(1, Counter(), Counter()), '1 file: 1 examined, 0 unreadable, 0 not images'),
        (
            Account(3, Counter(heic=1), Counter(txt=1, pdf=2)),
            '7 files: 3 examined, 1 unreadable (1 heic), 3 not images (2 pdf, 1 txt)',
        ),
        (
            Account(3, Counter(), Counter(), 1, (Path('a.jpg'), Path('b.jpg'))),
            '4 files: 3 examined (2 of them damaged), 0 unreadable, 0 not images, 1 not reached',
        ),
    ],
)
def test_the_text(account, text):
    assert account.text() == text


def test_a_damaged_file_counts_once_and_only_where_it_was_examined(photos, tmp_path):
    survey = survey_inputs([str(photos)], tmp_path / 'out')
    a, b, c = (file.path for file in survey.files)
    known = [(a, ['x']), (a, ['y']), (b, None), (c, ['x']), (tmp_path / 'earlier.jpg', ['x'])]
    records = [dict(path=str(path), damage=damage) for path, damage in known]
    assert account_of(survey, [], [], records).damaged == (a, c)
    assert account_of(survey, [a], [], records).damaged == (c,)
    assert account_of(survey, [], [a, c], records).damaged == ()


def test_files_with_the_same_bytes_are_named_once_each():
    lines = [('a.tif', 'x'), ('a.tif', 'x'), ('b.jpg', 'y'), ('c/a.tif', 'x'), ('d.jpg', 'z')]
    assert copies(dict(path=path, sha256=digest) for path, digest in lines) == [
        ['a.tif', 'c/a.tif']
    ]
    assert copies([]) == []
