"""Pages have short lines, links that lead somewhere and a place in the site (``make docs``)."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import mmomni.apis
import mmomni.checkpoints
from mmomni import registry

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
PAGES = sorted(page for page in DOCS.rglob('*.md') if '_build' not in page.parts)
COMMUNITY = ('CODE_OF_CONDUCT.md', 'CONTRIBUTING.md', 'SECURITY.md')
ALL = [*(ROOT / name for name in ('README.md', 'CHANGELOG.md', *COMMUNITY)), *PAGES]
LINE = 120
REGISTRIES = (
    'MODELS', 'TRANSFORMS', 'DATASETS', 'DATA_SAMPLERS', 'METRICS', 'HOOKS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
)  # fmt: skip

every_page = pytest.mark.parametrize('page', ALL, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_lines_are_short_but_for_rows_of_tables(page):
    lines = page.read_text(encoding='utf-8').splitlines()
    long = [n for n, line in enumerate(lines, 1) if len(line) > LINE and not line.startswith('|')]
    assert not long


def prose(page):
    """Text of a page without its blocks of code."""
    text = page.read_text(encoding='utf-8')
    return re.sub(r'^```.*?^```', '', text, flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """What a link can name, as on GitHub: the headings of a page, the lines of a module."""
    if page.suffix == '.py':
        return {f'L{number}' for number, _ in enumerate(page.open(encoding='utf-8'), start=1)}
    headings = re.findall(r'^#+ (.*)$', prose(page), flags=re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@every_page
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', re.sub(r'`[^`]*`', '', prose(page))):
        path, _, anchor = target.partition('#')
        leads_to = page.parent / path if path else page
        if not target.startswith('https://'):
            assert leads_to.exists(), target
            assert not anchor or anchor in anchors(leads_to), target


def test_links_in_rows_have_their_address_below():
    text = re.sub(r'`[^`]*`', '', (DOCS / 'datasets.md').read_text(encoding='utf-8'))
    rows = '\n'.join(line for line in text.splitlines() if line.startswith('|'))
    links = re.findall(r'\[([^][]+)\](?:\[([^][]+)\])?', rows)
    assert len(links) > 15
    assert {label or name for name, label in links} == set(
        re.findall(r'^\[(.+)\]: https://', text, re.MULTILINE)
    )


def navigation(page):
    """Pages that the tables of contents of a page list, and those that these list."""
    text = page.read_text(encoding='utf-8')
    tables = re.findall(r'^```\{toctree\}\n(.*?)^```', text, flags=re.MULTILINE | re.DOTALL)
    for entry in re.findall(r'^[\w/-]+$', '\n'.join(tables), flags=re.MULTILINE):
        (found,) = (page.parent / entry).parent.glob(f'{Path(entry).name}.*')
        yield found
        yield from navigation(found)


def test_every_page_is_in_the_navigation_once():
    index = DOCS / 'index.md'
    pages = {*PAGES, *DOCS.glob('api/*.rst')} - {index}
    assert sorted(navigation(index)) == sorted(pages)


def test_the_api_has_all_that_is_public_or_registered():
    text = '\n'.join(page.read_text(encoding='utf-8') for page in DOCS.glob('api/*.rst'))
    modules = map(import_module, re.findall(r'automodule:: (\S+)', text))
    shown = [getattr(module, name) for module in modules for name in module.__all__]
    wanted = [
        getattr(module, name)
        for module in (mmomni.apis, mmomni.checkpoints)
        for name in module.__all__
    ]
    for name in REGISTRIES:
        types = getattr(registry, name)
        types.import_from_location()
        wanted += types.module_dict.values()
    for thing in filter(callable, wanted):
        assert any(thing is other for other in shown), thing
        assert inspect.getdoc(thing), thing  # without one, Sphinx leaves it out
