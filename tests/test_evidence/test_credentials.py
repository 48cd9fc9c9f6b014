import datetime as dt
import io
import json
import sys

import numpy as np
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


@pytest.fixture(scope='module')
def signed():
    """A JPEG with a manifest, signed by a certificate of our own."""
    c2pa = pytest.importorskip('c2pa')
    x509 = pytest.importorskip('cryptography.x509')
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = dt.datetime.now(dt.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    usage = dict(content_commitment=False, key_encipherment=False, data_encipherment=False,
                 key_agreement=False, encipher_only=False, decipher_only=False)  # fmt: skip

    def certificate(number, is_authority):
        names = [
            x509.Name([x509.NameAttribute(x509.OID_ORGANIZATION_NAME, 'Test Press'),
                       x509.NameAttribute(x509.OID_COMMON_NAME, name)])
            for name in ('Authority' if is_authority else 'Signer', 'Authority')
        ]  # fmt: skip
        key = keys[number].public_key()
        made = (
            x509.CertificateBuilder(*names[::-1], key, number + 1)
            .not_valid_before(now - dt.timedelta(1))
            .not_valid_after(now + dt.timedelta(9))
            .add_extension(x509.BasicConstraints(is_authority, None), True)
            .add_extension(x509.KeyUsage(digital_signature=not is_authority, crl_sign=False,
                                         key_cert_sign=is_authority, **usage), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), False
            )
        )  # fmt: skip
        if not is_authority:
            mail = x509.ExtendedKeyUsage([x509.OID_EMAIL_PROTECTION])
            made = made.add_extension(mail, False)
        return made.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    key = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    chain = certificate(1, False) + certificate(0, True)
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b'es256', chain, key, None))
    manifest = dict(claim_generator_info=[dict(name='a test', version='1')], title='a',
                    assertions=REPORT['manifests']['a']['assertions'])  # fmt: skip
    found = io.BytesIO()
    c2pa.Builder(manifest).sign(signer, 'image/jpeg', io.BytesIO(saved()), found)
    return found.getvalue()


def test_a_signed_file(signed):
    section = credentials_section(signed)
    assert fact(section, 'Seal')[0] == 'Valid'
    assert fact(section, 'Signed by')[0] == 'Test Press, Signer'
    assert fact(section, 'Written by')[0].startswith('a test 1')
    assert 'a machine made it' in fact(section, 'Stated source')[1]


def test_a_file_that_was_changed_since_it_was_signed(signed):
    changed = bytearray(signed)
    changed[-40] ^= 1
    assert fact(credentials_section(bytes(changed)), 'Seal')[0] == 'Invalid'


@pytest.mark.parametrize('seed', range(10))
def test_a_damaged_manifest_ends_in_facts(signed, seed):
    random = np.random.default_rng(seed)
    data = bytearray(signed)
    for place in random.integers(20, len(data), 20):
        data[place] = random.integers(256)
    assert credentials_section(bytes(data)).facts
