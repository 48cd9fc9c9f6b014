import io
import json
import sys

import pytest
from evidence_bytes import fact, saved

from mmomni.evidence import credentials_section
from mmomni.evidence.credentials import TITLE, _facts

MARKED = saved(comment=b'....jumb....c2pa')
REPORT = dict(
    active_manifest='a', validation_state='Valid',
    validation_status=[dict(code='signingCredential.untrusted', explanation='untrusted')],
    manifests=dict(a=dict(
        claim_generator_info=[dict(name='Camera', version='1')],
        signature_info=dict(issuer='Press', common_name='Signer', time='2024-05-01T10:00:00Z'),
        ingredients=[dict(title='a.jpg')],
        assertions=[dict(label='c2pa.actions.v2', data=dict(actions=[
            dict(action='c2pa.created', digitalSourceType='http://x/trainedAlgorithmicMedia')]))],
    )),
)  # fmt: skip


def test_a_file_without_any_says_so_and_needs_no_reader(monkeypatch):
    monkeypatch.setitem(sys.modules, 'c2pa', None)
    assert fact(credentials_section(saved()), TITLE)[0] == 'none'


def test_without_the_reader_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'c2pa', None)
    value, note = fact(credentials_section(MARKED), TITLE)
    assert value == 'present, but not read'
    assert "pip install 'mmomni[c2pa]'" in note


def test_what_a_manifest_states():
    facts = {each.term: (each.value, each.note) for each in _facts(REPORT)}
    assert facts['Signed by'][0] == 'Press, Signer'
    assert facts['Signed at'][0] == '2024-05-01T10:00:00Z'
    assert facts['Stated actions'][0] == 'created'
    assert 'a machine made it' in facts['Stated source'][1]
    assert facts['Made from'][0] == 'a.jpg'
    assert 'was not changed' in facts['Seal'][1]
    assert facts['Check that failed'][0] == 'signingCredential.untrusted'


def test_marks_without_a_manifest_end_in_a_fact():
    pytest.importorskip('c2pa')
    value, _ = fact(credentials_section(MARKED), TITLE)
    assert value in ('none', 'marks of them, but they cannot be read')


@pytest.mark.parametrize('report', [
    '[]', '{"manifests": 3}', '{"manifests": {"a": []}, "active_manifest": "a"}',
])  # fmt: skip
def test_a_report_of_another_form_ends_in_a_fact(monkeypatch, report):
    c2pa = pytest.importorskip('c2pa')

    class Reader(io.BytesIO):
        def __init__(self, *_, **__):
            super().__init__()

        def json(self):
            return json.dumps(json.loads(report))

    monkeypatch.setattr(c2pa, 'Reader', Reader)
    assert credentials_section(MARKED).facts
