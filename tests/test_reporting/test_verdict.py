import json

import pytest

from mmomni.reporting import ImageThreshold, carried_threshold, threshold_from_file
from mmomni.reporting.verdict import no_verdict_text

CALIBRATION = dict(
    threshold=0.875, pooling='max', fpr=0.05, checkpoint='c.pth', checkpoint_sha256='ab' * 32
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'calibration.json'
    path.write_text(json.dumps(CALIBRATION))
    return path


def test_the_rate_chooses_among_carried_calibrations():
    carried = [dict(CALIBRATION, fpr=0.01, threshold=0.9), CALIBRATION]
    assert carried_threshold(carried, 0.05) == ImageThreshold(0.875, 'max', 0.05)


DOCUMENT = dict(CALIBRATION, threshold=0.25, domain='document')


@pytest.mark.parametrize('carried', [[DOCUMENT, CALIBRATION], [CALIBRATION, DOCUMENT]])
def test_a_kind_of_images_has_its_own_and_any_kind_none_of_these(carried):
    assert carried_threshold(carried, 0.05).value == 0.875
    found = carried_threshold(carried, 0.05, domain='document')
    assert found == ImageThreshold(0.25, 'max', 0.05, domain='document')
    assert found.as_setting()['domain'] == 'document'
    assert found.words()['tampered'] == 'flagged at 5 % false alarms (document)'
    with pytest.raises(ValueError, match=r'--domain face, it carries .*0\.05 --domain doc'):
        carried_threshold(carried, 0.05, domain='face')


def test_a_calibration_of_one_kind_alone_is_not_for_any(tmp_path):
    with pytest.raises(ValueError, match=r'it carries 0\.05 --domain document; make one'):
        carried_threshold([DOCUMENT], 0.05)
    assert 'for 5 % (document) (--fpr, --domain).' in no_verdict_text([DOCUMENT])
    both = [CALIBRATION, CALIBRATION, DOCUMENT, dict(DOCUMENT, fpr=0.01)]
    assert 'for 5 %, 5 % (document), 1 % (document) (--fpr, --domain).' in no_verdict_text(both)


@pytest.mark.parametrize('domain', [None, 'document'])
def test_a_calibration_file_of_one_kind(file, domain):
    file.write_text(json.dumps(DOCUMENT))
    assert threshold_from_file(file, 'ab' * 32, None, domain).domain == 'document'
    with pytest.raises(ValueError, match='--domain face, got one for document'):
        threshold_from_file(file, 'ab' * 32, None, 'face')


@pytest.mark.parametrize('carried', [(), (CALIBRATION,)])
def test_no_calibration_for_the_rate_names_the_command(carried):
    with pytest.raises(ValueError, match=r'calibrate AUTHENTIC --checkpoint FILE --fpr 0\.01'):
        carried_threshold(carried, 0.01)


@pytest.mark.parametrize('fpr', [None, 0.05])
def test_a_calibration_file(file, fpr):
    assert threshold_from_file(file, 'ab' * 32, fpr) == ImageThreshold(0.875, 'max', 0.05)


def test_a_calibration_of_another_checkpoint_is_refused(file):
    with pytest.raises(ValueError, match='of this checkpoint'):
        threshold_from_file(file, 'cd' * 32, None)


def test_a_calibration_for_another_rate_is_refused(file):
    with pytest.raises(ValueError, match=r'one for 0\.05'):
        threshold_from_file(file, 'ab' * 32, 0.01)


@pytest.mark.parametrize('text', ['', '[]', '{"threshold": 0.5}', 'null', '{"threshold": "x"}'])
def test_any_other_file_is_refused(file, text):
    file.write_text(text)
    with pytest.raises(ValueError, match='mmomni calibrate wrote'):
        threshold_from_file(file, 'ab' * 32, None)


@pytest.mark.parametrize(('content', 'told'), [
    (b'\xff\xd8\xff\xe0photo', 'got no JSON; give its .json with --calibration'),
    (b'[1]', 'got other JSON; '), (None, 'got a folder; '),
    (b'{"threshold": 0.5, "pooling": "max", "fpr": 0.05}', 'got JSON that names no checkpoint'),
])  # fmt: skip
def test_what_a_wrong_file_is_instead_is_said_without_names_of_python(tmp_path, content, told):
    path = tmp_path / 'photo.jpg'
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises((ValueError, OSError)) as error:
        threshold_from_file(path, 'ab' * 32, None)
    assert str(error.value).startswith(f'{path}: expected a file that mmomni calibrate wrote, ')
    assert told in str(error.value)
    assert 'Error' not in str(error.value)


@pytest.mark.parametrize('changed', [
    dict(threshold=float('nan')), dict(threshold=1.5), dict(fpr=0), dict(fpr=-3),
    dict(fpr=float('nan')), dict(pooling='median'), dict(domain=3), dict(domain=''),
    dict(domain='a b'), dict(domain='a\x1b[2J'), dict(domain='a' * 41),
])  # fmt: skip
def test_a_calibration_that_decides_nothing_is_refused(file, changed):
    file.write_text(json.dumps({**CALIBRATION, **changed}))
    with pytest.raises(ValueError, match='mmomni calibrate wrote'):
        threshold_from_file(file, 'ab' * 32, None)


@pytest.mark.parametrize(('fpr', 'words'), [(0.05, '5 %'), (0.001, '0.1 %'), (0.29, '29 %')])
def test_people_are_told_of_flags_and_never_of_authentic_images(fpr, words):
    told = ImageThreshold(0.5, 'max', fpr).words()
    assert told == dict(tampered=f'flagged at {words} false alarms', authentic='not flagged')


@pytest.mark.parametrize(
    ('fpr', 'images', 'expected'),
    [
        (0.05, 100, 'rests on 100 images only, too few for 5 %: its rate of false alarms is 5.0 %'),
        (0.05, 198, 'With 199 or more'),
        (0.01, 998, 'With 999 or more'),
        (0.05, None, 'does not say on how many images'),
        (0.05, 199, None),
        (0.01, 999, None),
    ],
)
def test_too_few_images_for_a_rate_are_told(fpr, images, expected):
    caution = ImageThreshold(0.5, 'max', fpr, num_images=images).caution()
    assert caution is None if expected is None else expected in caution


@pytest.mark.parametrize('number', [100, None, 'many', True, -1])
def test_the_number_of_images_comes_with_the_calibration(number):
    found = carried_threshold([dict(CALIBRATION, num_images=number)], 0.05)
    assert found.num_images == (100 if number == 100 else None)


def test_a_model_without_calibration_says_so_in_plain_words():
    assert 'this model has no calibration' in no_verdict_text([])
    assert 'carries a calibration for 5 %' in no_verdict_text([CALIBRATION])


def test_a_calibration_that_is_not_there_is_told_with_its_option(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.json: expected .*, found none .--calibration'):
        threshold_from_file(tmp_path / 'a.json', 'ab' * 32, None)
