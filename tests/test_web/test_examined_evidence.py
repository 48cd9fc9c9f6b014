"""What the answer of `serve` tells of the file itself."""

import json

import pytest

from mmomni.evidence.file import NO_FLAWS
from mmomni.web import Examiner


@pytest.fixture
def examine(inferencer, settings):
    return Examiner(inferencer, settings, None)


def test_the_answer_tells_what_the_file_says(examine, photo):
    answer = examine(photo(quality=95), 'photo.jpg')
    facts = {fact['term']: fact['value'] for each in answer['evidence'] for fact in each['facts']}
    assert facts['SHA-256'] == answer['sha256']
    assert facts['Changed on disk'] == 'not known'
    assert facts['Thumbnail'] == 'none'
    json.dumps(answer, allow_nan=False)


def test_what_the_network_lacks_is_no_flaw_of_the_file(examine, photo):
    answer = examine(photo(kind='PNG'), 'photo.png')
    facts = [fact for each in answer['evidence'] for fact in each['facts']]
    assert any('no ordinary JPEG' in warning for warning in answer['warnings'])
    assert [each['value'] for each in facts if each['term'] == 'Integrity'] == [NO_FLAWS]


def test_pictures_of_the_evidence_are_among_the_files(examine, photo, monkeypatch):
    import numpy as np

    from mmomni.evidence import Section

    section = Section('A', (), {'this': np.zeros((8, 8, 3), np.uint8)})
    monkeypatch.setattr('mmomni.web.examiner.evidence_in', lambda *_: [section])
    answer = examine(photo(), 'photo.jpg')
    assert answer['evidence'] == [
        dict(title='A', facts=[], pictures=[dict(shows='this', file='evidence_1')])
    ]
    assert answer['files']['evidence_1']['name'] == 'photo_evidence_1.jpg'
