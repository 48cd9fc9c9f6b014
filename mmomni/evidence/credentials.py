"""Content Credentials (C2PA): what a signed statement in a file says of its making."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from mmomni.utils.file_kinds import HEAD_BYTES, certain_image_format, is_pdf

from .sections import Fact, Section
from .wording import NONE, reason_of, shown

NEEDED = "pip install 'mmomni[c2pa]'"
TITLE = 'Content Credentials'
LISTED = 20
_MARKS = (b'jumb', b'c2pa')
"""Of every store of manifests, however it is embedded; few other files hold both."""
_NAMES = {'jpg': 'jpeg', 'tif': 'tiff'}
"""Of formats that MIME calls otherwise."""
_STATES = {
    'Trusted': 'signed by a signer on the list of trusted ones; not changed since',
    'Valid': 'the file was not changed since it was signed; nobody vouches for who signed',
    'Invalid': 'does not hold: the file was changed since, or the statement is broken',
}
_OFFLINE = {'verify': {'remote_manifest_fetch': False, 'ocsp_fetch': False}}


def credentials_section(data: bytes) -> Section:
    """Whether a file carries Content Credentials, who signed them and what they state.

    Read by c2pa-python; nothing is fetched. Whatever the bytes are, it raises nothing.
    """
    if not all(mark in data for mark in _MARKS):
        note = 'none in the file; most have none, and anybody can remove them: that says nothing'
        return Section(TITLE, (Fact(TITLE, NONE, note),))
    try:
        import c2pa
    except ImportError as error:
        reason = '' if isinstance(error, ModuleNotFoundError) else f' (it failed: {shown(error)})'
        note = f'c2pa-python reads them{reason}: {NEEDED}'
        return Section(TITLE, (Fact(TITLE, 'present, but not read', note),))
    try:
        context = c2pa.Context(settings=c2pa.Settings.from_dict(_OFFLINE))
        with c2pa.Reader(_format(data), io.BytesIO(data), context=context) as reader:
            report = json.loads(reader.json())
        return Section(TITLE, tuple(_facts(report)))
    except Exception as error:  # noqa: BLE001  (broken manifests make c2pa raise anything)
        absent = 'ManifestNotFound' in type(error).__name__
        value = NONE if absent else 'marks of them, but they cannot be read'
        return Section(TITLE, (Fact(TITLE, value, '' if absent else reason_of(error)),))


def _format(data: bytes) -> str:
    if is_pdf(data[:HEAD_BYTES]):
        return 'application/pdf'
    kind = certain_image_format(data[:HEAD_BYTES])
    return f'image/{_NAMES.get(kind, kind)}'


def _facts(report: Mapping[str, Any]) -> Iterator[Fact]:
    state = str(report.get('validation_state', 'not known'))
    yield Fact(TITLE, 'present')
    yield Fact('Seal', shown(state), _STATES.get(state, ''))
    manifest = report.get('manifests', {}).get(report.get('active_manifest'), {})
    yield from _of_signature(manifest.get('signature_info') or {})
    generators = manifest.get('claim_generator_info') or []
    names = [f'{each.get("name", "")} {each.get("version", "")}' for each in generators]
    made_by = ', '.join(names) or manifest.get('claim_generator') or 'not said'
    yield Fact('Written by', shown(made_by))
    yield from _of_actions(manifest)
    titles = [each.get('title') or 'without a name' for each in manifest.get('ingredients') or []]
    yield Fact('Made from', shown(', '.join(map(str, titles[:LISTED]))) if titles else NONE)
    yield from _of_failures(report)


def _of_signature(info: Mapping[str, Any]) -> Iterator[Fact]:
    names = [info[key] for key in ('issuer', 'common_name') if info.get(key)]
    signer = ', '.join(dict.fromkeys(map(str, names))) or 'not said'
    yield Fact('Signed by', shown(signer), 'as the certificate says; who that is was not checked')
    yield Fact('Signed at', shown(info.get('time') or 'not said'))


def _of_actions(manifest: Mapping[str, Any]) -> Iterator[Fact]:
    assertions = manifest.get('assertions') or []
    actions = [
        action
        for each in assertions if str(each.get('label', '')).startswith('c2pa.actions')
        for action in each.get('data', {}).get('actions', [])
    ]  # fmt: skip
    names = [str(action.get('action', '')).removeprefix('c2pa.') for action in actions]
    more = f', {len(names) - LISTED} more' if len(names) > LISTED else ''
    yield Fact('Stated actions', shown(', '.join(names[:LISTED])) + more if names else NONE)
    sources = [action.get('digitalSourceType') for action in actions]
    kinds = [str(each).rpartition('/')[2] for each in sources if each]
    if kinds:
        yield Fact('Stated source', shown(', '.join(dict.fromkeys(kinds))), source_note(kinds))
    others = [str(each.get('label', '')) for each in assertions]
    rest = [label for label in others if not label.startswith('c2pa.actions')]
    if rest:
        yield Fact('Other statements', shown(', '.join(rest[:LISTED])))


def source_note(kinds: list[str]) -> str:
    """What a digital source type of IPTC means, where it speaks of a machine."""
    made = any('lgorithmicMedia' in kind for kind in kinds)
    return 'says itself that a machine made it, or parts of it' if made else ''


def _of_failures(report: Mapping[str, Any]) -> Iterator[Fact]:
    statuses = report.get('validation_status') or []
    for each in statuses[:LISTED]:
        yield Fact('Check that failed', shown(each.get('code')), shown(each.get('explanation')))
