import json

import pytest

from mmomni.reporting import ImageThreshold, carried_threshold, threshold_from_file

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


@pytest.mark.parametrize('carried', [(), (CALIBRATION,)])
def test_no_calibration_for_the_rate_names_the_command(carried):
    with pytest.raises(ValueError, match=r'calibrate CONFIG CHECKPOINT AUTHENTIC --fpr 0\.01'):
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
