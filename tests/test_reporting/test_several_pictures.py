"""Files of several pictures in a results folder: each picture has a result, the file one place."""

import json
from collections import Counter

import pytest
from image_bytes import written
from PIL import Image
from predicting import SETTINGS

from mmomni.apis import Failure
from mmomni.jpeg.tiff.directories import directory_at, main_pictures
from mmomni.reporting import (
    PredictionFolder,
    account_of,
    survey_inputs,
    write_predictions,
    write_report,
)


def scan(pages, size=(48, 40), grey=0):
    images = [Image.new('L', size, min(255, grey + 40 * page)) for page in range(pages)]
    return written(images[0], 'TIFF', save_all=True, append_images=images[1:])


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / 'scans'
    (folder / 'sub').mkdir(parents=True)
    (folder / 'a.tif').write_bytes(scan(3))
    (folder / 'sub/a.tif').write_bytes(scan(2))
    (folder / 'one.tif').write_bytes(scan(1))
    return folder


@pytest.fixture
def predict(tmp_path, predictor):
    def predict(*inputs):
        predictor.seen.clear()
        survey = survey_inputs(list(map(str, inputs)), tmp_path / 'out')
        with PredictionFolder(tmp_path / 'out', SETTINGS, ('png', 'json')) as folder:
            summary = write_predictions(folder, survey.files, predictor, lambda *_: None)
            folder.write_account(account_of(survey, summary.failures))
            write_report(folder)
        return summary, folder.account

    return predict


def lines(tmp_path, name='predictions.jsonl'):
    return [json.loads(line) for line in (tmp_path / 'out' / name).read_text().splitlines()]


def outputs(tmp_path):
    masks = tmp_path / 'out/masks'
    return sorted(str(path.relative_to(masks)) for path in masks.rglob('*.png'))


NAMES = ['a_page-1.png', 'a_page-2.png', 'a_page-3.png', 'one.png', 'sub/a_page-1.png',
         'sub/a_page-2.png']  # fmt: skip


def test_each_page_has_a_line_and_outputs_of_its_own(scans, predict, tmp_path):
    summary, account = predict(scans)
    assert summary == (6, 0, {})
    assert account == (3, Counter(), Counter(), 0, ())
    assert outputs(tmp_path) == NAMES
    found = lines(tmp_path)
    assert [line['image'] for line in found] == [
        'a.tif (page 1)', 'a.tif (page 2)', 'a.tif (page 3)', 'one.tif', 'sub/a.tif (page 1)',
        'sub/a.tif (page 2)',
    ]  # fmt: skip
    assert [line['page'] for line in found] == [1, 2, 3, None, 1, 2]
    assert [line['picture'] for line in found][1:4] == ['page 2', 'page 3', None]
    assert {line['path'] for line in found[:3]} == {str(scans / 'a.tif')}
    assert len({line['sha256'] for line in found[:3]}) == 1
    assert [round(line['score'] * 255) for line in found[:3]] == [0, 40, 80]
    report = (tmp_path / 'out/report.html').read_text()
    assert 'a.tif (page 2)' in report
    assert '6 images of 3 files: each page of a TIFF' in report


def test_pages_that_are_done_are_not_predicted_again(scans, predict, predictor, tmp_path):
    predict(scans)
    assert predict(scans)[0] == (0, 6, {})
    (tmp_path / 'out/masks/a_page-2.png').unlink()
    assert predict(scans)[0] == (1, 5, {})
    assert predictor.seen == ['a.tif (page 2)']
    assert outputs(tmp_path) == NAMES


def test_pages_that_are_gone_leave_nothing_behind(scans, predict, tmp_path):
    predict(scans)
    (scans / 'a.tif').write_bytes(scan(2, grey=9))
    assert predict(scans)[0] == (2, 3, {})
    assert 'a_page-3.png' not in outputs(tmp_path)
    (scans / 'a.tif').write_bytes(scan(1))
    predict(scans)
    assert outputs(tmp_path) == ['a.png', *NAMES[3:]]
    assert len(lines(tmp_path)) == 4


def test_a_result_of_an_earlier_version_is_replaced_by_those_of_the_pages(
    scans, predict, run, tmp_path, caplog
):
    predict(scans / 'one.tif')
    path = tmp_path / 'out/predictions.jsonl'
    (line,) = lines(tmp_path)
    del line['picture'], line['page']
    path.write_text(json.dumps(line) + '\n')
    assert predict(scans / 'one.tif')[0] == (0, 1, {})
    (scans / 'one.tif').write_bytes(scan(2))
    predict(scans / 'one.tif')
    assert caplog.messages[-1].startswith('1 file has other bytes than when examined before')
    assert outputs(tmp_path) == ['one_page-1.png', 'one_page-2.png']


def test_files_called_like_pages_keep_their_own_outputs(scans, predict, save, tmp_path):
    for name in ('a_page-1.png', 'a.tif (page 2)', 'a_tif_page-1.png'):
        save(scans / name, format='PNG')
    assert predict(scans)[0] == (9, 0, {})
    found = lines(tmp_path)
    assert len({line['name'] for line in found}) == len({str(line) for line in found}) == 9


@pytest.fixture
def bad_pages(scans):
    """A file of six pages, of which two have data of nothing."""
    images = [Image.effect_noise((40, 40), 90) for _ in range(6)]
    data = bytearray(
        written(images[0], 'TIFF', save_all=True, append_images=images[1:],
                compression='tiff_adobe_deflate')
    )  # fmt: skip
    for page in (1, 4):
        place = strip_of(bytes(data), page)
        data[place : place + 20] = bytes(20)
    (scans / 'a.tif').write_bytes(data)
    return scans


def strip_of(data, page):
    return directory_at(data, main_pictures(data)[page]).number(273)


def test_a_file_is_unreadable_if_any_of_its_pictures_is(bad_pages, predict, tmp_path):
    for predicted, before in ((7, 0), (0, 7)):
        summary, account = predict(bad_pages)
        assert (summary.predicted, summary.skipped) == (predicted, before)
        assert account == (2, Counter(tif=1), Counter(), 0, ())
        ((path, reason),) = summary.failures.items()
        assert path == bad_pages / 'a.tif'
        assert reason.startswith('page 2: ')
        assert '; page 5: ' in reason
        listed = lines(tmp_path, 'failures.jsonl')
        places = [(line['picture'], line['page']) for line in listed]
        assert places == [('page 2', 2), ('page 5', 5)]
    report = (tmp_path / 'out/report.html').read_text()
    assert 'a.tif (page 5)</b>' in report
    assert '7 images examined, 1 file only in part</h1>' in report
    assert '1 bad file</summary>' in report


def test_many_bad_pictures_of_a_file_are_summed_up(scans, tmp_path):
    def nothing(sources):
        return (Failure(source.name, 'too dark') for source in sources)

    (scans / 'a.tif').write_bytes(scan(6))
    files = survey_inputs([str(scans / 'a.tif')], tmp_path / 'out').files
    with PredictionFolder(tmp_path / 'out', SETTINGS, ('json',)) as folder:
        summary = write_predictions(folder, files, nothing, lambda *_: None)
    (reason,) = summary.failures.values()
    expected = 'page 1: too dark; page 2: too dark; page 3: too dark; 3 more pictures: see failures'
    assert reason == f'{expected}.jsonl'


def test_a_file_given_more_than_once_is_examined_once(scans, tmp_path):
    (tmp_path / 'list.txt').write_text('scans/a.tif\nscans/one.tif\nscans/one.tif\n')
    survey = survey_inputs([str(scans), str(tmp_path / 'list.txt')], tmp_path / 'out')
    assert len(survey.files) == 6
    assert survey.repeated == 2


def test_names_of_a_list_are_those_below_its_folder(scans, tmp_path):
    (tmp_path / 'list.txt').write_text(f'scans/sub/a.tif\n{scans}/one.tif\n')
    files = survey_inputs([str(tmp_path / 'list.txt')], tmp_path / 'out').files
    assert [file.relative.as_posix() for file in files] == ['scans/sub/a.tif'] * 2 + ['one.tif']
