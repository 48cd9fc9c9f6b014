"""What holds for every page, whoever fills it."""

import re

import pytest
from jinja2 import UndefinedError

from mmomni.utils.templates import (
    ENVIRONMENT,
    data_uri,
    policy_hash,
    printable,
    render,
    render_pieces,
)

PAGES = {
    'data_report.html.jinja': dict(
        verdict='nothing', columns=['set'], text_columns=1, rows=[], plots=[], sections=[]
    ),
    'predictions.html.jinja': dict(
        analysis=dict(
            checkpoint='a.pth', checkpoint_sha256='0', threshold=0.5, image_threshold=None,
            words=None, limits=[], dates=[], versions=[],
        ),
        failures={}, unread=dict(none=0, partly=0), account='', kept='', files=0, copies=[],
        rows=[], embedded=True, views=[],
    ),
    'serve.html.jinja': {},
}  # fmt: skip
TEMPLATES = ENVIRONMENT.list_templates(['jinja'])


def test_every_page_is_known_here():
    # The last two are no pages: a notebook and the data report put them into theirs.
    parts = {'base', 'macros', 'reading', 'prediction', 'bar_plot'}
    assert {*PAGES, *(f'{part}.html.jinja' for part in parts)} == set(TEMPLATES)


@pytest.mark.parametrize('name', PAGES)
def test_a_page_is_one_whole_document(name):
    page = render(name, **PAGES[name])
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
    assert page.endswith('</body>\n</html>\n')
    assert ''.join(render_pieces(name, **PAGES[name])) == page


MISSING = [(name, value) for name, values in PAGES.items() for value in values]


@pytest.mark.parametrize(('name', 'value'), MISSING)
def test_a_page_without_one_of_its_values_is_an_error(name, value):
    values = {key: given for key, given in PAGES[name].items() if key != value}
    with pytest.raises(UndefinedError, match=f"'{value}' is undefined"):
        render(name, **values)


def test_undefined_attributes_and_keys_are_errors():
    for source in ('{{ known.other }}', '{% if known.other %}{% endif %}'):
        with pytest.raises(UndefinedError, match='other'):
            ENVIRONMENT.from_string(source).render(known={})


def test_whatever_is_printed_is_escaped():
    template = ENVIRONMENT.from_string('<a title="{{ name }}">{{ name | printable }}</a>')
    escaped = '&lt;b&gt;&#34;&#39;&amp;'
    assert template.render(name='<b>"\'&') == f'<a title="{escaped}">{escaped}</a>'


@pytest.mark.parametrize('name', TEMPLATES)
def test_only_what_is_made_here_is_put_in_unescaped(name):
    source = ENVIRONMENT.loader.get_source(ENVIRONMENT, name)[0]
    assert set(re.findall(r'(\w+)\s*\|\s*safe', source)) <= {'plot', 'script', 'style'}
    assert not re.search('Markup|autoescape', source)


def test_the_policy_of_the_predictions_allows_their_own_style_and_script():
    """A browser takes no other: with a wrong hash the page would be bare."""
    page = render('predictions.html.jinja', **PAGES['predictions.html.jinja'])
    (style,) = re.findall('<style>(.*?)</style>', page, re.DOTALL)
    (script,) = re.findall('<script>(.*?)</script>', page, re.DOTALL)
    assert f"style-src '{policy_hash(style)}'; script-src '{policy_hash(script)}';" in page


def test_json_in_a_page_ends_no_script():
    text = ENVIRONMENT.from_string('{{ value | tojson }}').render(value=['</script>&', 1])
    assert text == '["\\u003c/script\\u003e\\u0026",1]'
    with pytest.raises(ValueError, match='JSON compliant'):
        ENVIRONMENT.from_string('{{ value | tojson }}').render(value=float('nan'))


def test_printable():
    assert printable('Ü \x1b[31m\n\udcff') == 'Ü \\x1b[31m\\n\\udcff'


def test_data_uri():
    assert data_uri(b'\xff\xd8') == 'data:image/jpeg;base64,/9g='
    assert data_uri(b'\x89PNG') == 'data:image/png;base64,iVBORw=='


def test_policy_hash():
    """That of an empty element, as browsers name it in their complaints."""
    assert policy_hash('') == 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
