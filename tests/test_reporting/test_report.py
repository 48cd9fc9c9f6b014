import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from chromium import CHROMIUM, NEEDED, Browser

from mmomni.reporting import ImageThreshold, kept_text, model_summary
from mmomni.reporting import report as report_module
from mmomni.utils.templates import asset, render
from mmomni.version import __version__
from mmomni.visualization.maps import NUMBERED as NUMBERED_REGIONS

ATTACK = '<img src=x onerror=alert(1)>.png'
OTHER_ATTACK = '<script><!--<b>&amp;.png'  # a `/` cannot be in a name
BAD_ATTACK = '<svg onload=alert(2)>.png'
NUMBERED = 'b #1 100%.png'


@pytest.fixture
def photos(tmp_path, save):
    folder = tmp_path / 'photos'
    save(folder / 'a.png', (64, 48), (8, 8, 32, 24))
    save(folder / NUMBERED, (200, 100), (-9, -9, -5, -5))
    save(folder / 'sub/c.png', (30, 90), (1, 1, 29, 89))
    save(folder / ATTACK)
    save(folder / OTHER_ATTACK)
    (folder / BAD_ATTACK).write_bytes(b'no image')
    return folder


@pytest.fixture
def page(tmp_path, photos, run):
    """The page of a run."""
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    return tmp_path / 'out/report.html'


class Elements(HTMLParser):
    """All tags with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._script = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == 'script':
            self.scripts.append((dict(attrs), ''))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == 'script' and self.scripts:
            attrs, text = self.scripts[-1]
            self.scripts[-1] = attrs, text + data


def data_of(page):
    scripts = Elements(page.read_text()).scripts
    (text,) = [text for attrs, text in scripts if attrs.get('id') == 'data']
    return json.loads(text)


def test_names_are_no_markup(page):
    text = page.read_text()
    for name in (ATTACK, OTHER_ATTACK, BAD_ATTACK):
        assert name[:-4] not in text
    elements = Elements(text)
    assert not any(key.startswith('on') for _, attrs in elements.tags for key in attrs)
    assert [attrs['src'] for tag, attrs in elements.tags if 'src' in attrs] == []
    assert ATTACK in {row['name'] for row in data_of(page)['rows']}


def test_names_of_bad_files_and_settings_are_no_markup(tmp_path, run):
    name = '<script>alert("1")\'\x1b[31m.png'
    (tmp_path / name).write_bytes(b'no image')
    run(tmp_path / name, report=True, checkpoint='<b>"\x07.pth')
    text = (tmp_path / 'out/report.html').read_text()
    assert '&lt;script&gt;alert(&#34;1&#34;)&#39;\\x1b[31m.png</b>: expected a whole' in text
    assert '<dd>&lt;b&gt;&#34;\\x07.pth (SHA-256 ' in text


def test_nothing_is_loaded_from_elsewhere(page):
    text = page.read_text()
    assert not re.search(r'(src|href)\s*=\s*["\']?\s*(https?:|//)', text)
    assert "default-src 'none'" in text
    assert 'url(' not in text


def test_rows_and_bad_files(page, photos):
    rows = {row['name']: row for row in data_of(page)['rows']}
    assert rows.keys() == {'a.png', NUMBERED, 'sub/c.png', ATTACK, OTHER_ATTACK}
    assert (rows['a.png']['verdict'], rows[NUMBERED]['verdict']) == ('tampered', 'authentic')
    heading = '5 images examined, 4 flagged at 1 % false alarms, 1 file could not be read'
    assert heading in page.read_text()
    assert 'each page of a TIFF' not in page.read_text()
    words = data_of(page)['analysis']['words']
    assert words == dict(tampered='flagged at 1 % false alarms', authentic='not flagged')
    assert '&lt;svg onload=alert(2)&gt;.png' in page.read_text()


def test_the_kind_of_images_of_a_threshold_is_told(tmp_path, photos, run):
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01, domain='document'), report=True)
    text = (tmp_path / 'out/report.html').read_text()
    assert '1 % of false alarms among images of the kind document' in text
    assert '4 flagged at 1 % false alarms (document)' in text


def test_a_resumed_run_reports_everything(tmp_path, page, photos, run, save):
    save(photos / 'new.png')
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    assert len(data_of(page)['rows']) == 6


def test_copies_are_told_and_their_names_are_no_markup(page):
    attacks = '&lt;img src=x onerror=alert(1)&gt;.png = &lt;script&gt;&lt;!--&lt;b&gt;&amp;amp;.png'
    (told,) = re.findall('<dt>the same bytes</dt><dd>(.*)</dd>', page.read_text())
    assert told.startswith(attacks)


def test_without_bad_files_and_threshold_neither_is_told(tmp_path, save, run):
    save(tmp_path / 'a.png')
    run(tmp_path / 'a.png', report=True)
    text = (tmp_path / 'out/report.html').read_text()
    assert '<h1>1 image examined</h1>' in text
    assert 'the same bytes' not in text
    assert 'No image is flagged: this model has no calibration.' in text


def test_boxes_are_turned_with_the_picture(page, photos, run, predictor):
    predictor.orientation = 6
    (photos / 'a.png').rename(photos / 'turned.png')
    run(photos / 'turned.png', limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    (row,) = [row for row in data_of(page)['rows'] if row['name'] == 'turned.png']
    assert row['regions'][0]['box'] == [8, 8, 32, 24]
    assert row['upright_boxes'][0] == [24, 8, 40, 32]  # 48 px high: x = 48 - y


def test_an_empty_run_has_a_page(tmp_path, run):
    (tmp_path / 'bad.jpg').touch()
    run(tmp_path / 'bad.jpg', report=True)
    text = (tmp_path / 'out/report.html').read_text()
    assert '0 images examined, 1 file could not be read' in text


def test_results_of_files_that_are_gone_are_told_apart(tmp_path, photos, run):
    run(photos, report=True)
    assert 'kept from before' not in (tmp_path / 'out/report.html').read_text()
    (photos / 'a.png').unlink()
    _, folder = run(photos, report=True)
    text = (tmp_path / 'out/report.html').read_text()
    told = '1 image, file gone or not given in the last run: a.png'
    assert kept_text(folder) == told
    assert f'<dt>kept from before</dt><dd>{told}</dd>' in text
    assert '5 images examined' in text


def test_large_reports_link_to_the_pictures(page, photos, run, monkeypatch):
    assert 'All pictures are inside this file.' in page.read_text()
    small = page.stat().st_size
    monkeypatch.setattr(report_module, 'EMBEDDED_BYTES', 100)
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    assert 'report_files, which must stay beside this one' in page.read_text()
    assert page.stat().st_size < small
    for row in data_of(page)['rows']:
        assert len(row['pictures']) == 2


def test_pictures_that_were_removed_are_left_out(page, tmp_path, photos, run):
    shutil.rmtree(tmp_path / 'out/report_files')
    for photo in photos.iterdir():
        photo.unlink() if photo.is_file() else shutil.rmtree(photo)
    (photos / 'bad.jpg').touch()
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    assert {row['thumbnail'] for row in data_of(page)['rows']} == {''}


def test_no_absolute_path_is_in_a_report(tmp_path, photos, run, save, predictor):
    (tmp_path / 'other').mkdir()
    save(tmp_path / 'other/a.png')
    (tmp_path / 'other' / BAD_ATTACK).write_bytes(b'')
    run(photos, tmp_path / 'other', report=True, checkpoint='/home/me/models/small.pth')
    text = (tmp_path / 'out/report.html').read_text()
    assert str(tmp_path) not in text
    assert '/home/me' not in text
    assert 'small.pth' in text
    rows = data_of(tmp_path / 'out/report.html')['rows']
    assert {'photos/a.png', 'other/a.png'} < {row['name'] for row in rows}


@pytest.mark.parametrize(
    ('path', 'text', 'expected'),
    [
        ('/a/b/c.jpg', '/a/b/c.jpg: cut off', 'c.jpg: cut off'),
        ('/a/b/c.jpg', 'see /a/b/d.jpg', 'see d.jpg'),
        ('/c.jpg', 'at 1/2 of /c.jpg', 'at 1/2 of c.jpg'),
        ('c.jpg', 'c.jpg and a/b', 'c.jpg and a/b'),
    ],
)
def test_sentences_lose_the_place_of_their_file(path, text, expected):
    assert report_module.without_path(text, path, 'c.jpg') == expected


def test_the_analysis_is_told(page):
    told = data_of(page)['analysis']
    assert (told['checkpoint'], told['checkpoint_sha256']) == ('c.pth', 'ab' * 32)
    assert told['dates'][0].endswith('+00:00')
    assert told['versions'] == [__version__]
    text = page.read_text()
    assert f'by mmomni {__version__}</dd>' in text
    assert 'does not say on how many images' in text


def test_lines_of_earlier_versions_have_no_date(page, photos, run, tmp_path):
    path = tmp_path / 'out/predictions.jsonl'
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line['examined_at'], line['mmomni']
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    assert data_of(page)['analysis']['dates'] == []
    assert '<dt>examined</dt>' not in page.read_text()


SPOKEN = (
    'score', 'verdict', 'false alarms', 'tampered area', 'regions', 'gate', 'coefficients',
    'transcoded', 'windows', 'size', 'mean p', 'x1, y1, x2, y2', 'DCT |q|',
)  # fmt: skip


@pytest.mark.parametrize('term', SPOKEN)
def test_every_term_is_in_the_glossary_of_report_and_page(page, term):
    for text in (page.read_text(), render('serve.html.jinja')):
        assert f'<dt>{term}</dt>' in text


@pytest.mark.parametrize('page', ['predictions', 'serve', 'reading'])
def test_no_person_reads_that_an_image_is_authentic(page):
    assert 'authentic' not in asset(f'{page}.html.jinja')


def test_pictures_and_pages_number_as_many_regions():
    assert f'const NUMBERED = {NUMBERED_REGIONS};' in asset('reading.js')


# ---- in a browser ---------------------------------------------------------------------------

NAMES = "[...document.querySelectorAll('td.name')].map(cell => cell.textContent)"


@pytest.fixture
def open_page(tmp_path):
    if CHROMIUM is None:
        pytest.skip(NEEDED)
    browsers = []

    def open_page(page, fragment=''):
        browser = Browser(tmp_path / 'profile')
        browsers.append(browser)
        browser.open(page.as_uri() + fragment)
        return browser

    yield open_page
    for browser in browsers:
        browser.__exit__(None, None, None)


def click(browser, selector, number=0):
    browser.run(f'document.querySelectorAll({json.dumps(selector)})[{number}].click()')


LOADED = """
    Promise.all(['image', 'heat'].map((id) => document.getElementById(id).decode()))
    .then(() => ['image', 'heat'].map((id) => document.getElementById(id).naturalWidth))
"""


@pytest.mark.browser
def test_the_page_in_a_browser(page, open_page):
    """One browser for all of it: starting one takes seconds."""
    browser = open_page(page)
    names = browser.run(NAMES)
    assert set(names) == {'a.png', NUMBERED, 'sub/c.png', ATTACK, OTHER_ATTACK}
    assert names[-1] == NUMBERED  # the lowest score

    click(browser, '#head button', 0)
    assert browser.run(NAMES) == sorted(names)
    click(browser, '#head button', 0)
    assert browser.run(NAMES) == sorted(names, reverse=True)
    assert browser.run("document.querySelector('[aria-sort]').ariaSort") == 'descending'
    click(browser, '#head button', 6)
    assert browser.run(NAMES)[0] == NUMBERED  # the largest

    browser.run("byId('filter').value = 'c.PNG 30x90'; update()")
    assert browser.run(NAMES) == ['sub/c.png']
    browser.run("byId('filter').value = ''; update()")

    click(browser, 'td.name button', browser.run(NAMES).index('a.png'))
    assert browser.run(LOADED) == [64, 64]
    assert browser.run('document.activeElement.id') == 'slider'
    before = browser.run("byId('heat').style.clipPath")
    browser.press('ArrowRight', 39)
    assert browser.run("byId('heat').style.clipPath") == 'inset(0px 0px 0px 51%)' != before
    boxes = "[...document.querySelectorAll('#boxes rect')].map(b => b.getAttribute('width'))"
    assert browser.run(boxes) == ['24']
    browser.press('n', 78, 'n')
    assert browser.run("byId('view-title').textContent") != 'a.png'
    browser.press('Escape', 27)
    assert browser.run("byId('view').open") is False

    assert browser.run("document.querySelectorAll('td img[onerror], svg[onload]').length") == 0
    assert browser.complaints() == []
    assert all(url.startswith(('file:', 'data:')) for url in browser.requested())


@pytest.mark.browser
def test_rates_and_means_of_the_model_in_a_browser(tmp_path, photos, run, open_page):
    rows = [dict(name=name, domain='real', images=n, scores=dict(IoU=0.5))
            for name, n in (('a', 4), ('b', 2), ('real', 6))]  # fmt: skip
    made = [dict(threshold=0.5, pooling='max', fpr=0.05, num_images=91, domain='document')]
    limit = ImageThreshold(0.5, 'max', 0.05, num_images=91, domain='document')
    run(photos, limit=limit, report=True, model=model_summary(dict(metrics=rows), made))
    browser = open_page(tmp_path / 'out/report.html')
    told = browser.run("byId('card-content').textContent")
    expected = '4.3 % give or take 2.1 %'
    assert f'document: --fpr 0.05: {expected} to be expected, from 91 images' in told
    assert f'its rate of false alarms is {expected}.' in limit.caution()
    assert 'real (mean of a, b)6' in told
    assert browser.complaints() == []


@pytest.mark.browser
def test_linked_pictures_and_addresses_of_images_in_a_browser(
    page, photos, run, monkeypatch, open_page
):
    monkeypatch.setattr(report_module, 'EMBEDDED_BYTES', 100)
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    browser = open_page(page, '#b%20%231%20100%25.png')
    assert browser.run("byId('view-title').textContent") == NUMBERED
    assert browser.run(LOADED) == [200, 200]
    links = browser.run("[...document.querySelectorAll('#links a')].map(a => a.href)")
    assert [link.rpartition('/out/')[2] for link in links] == [
        'masks/b%20%231%20100%25.png',
        'heat_maps/b%20%231%20100%25.png',
        'overlays/b%20%231%20100%25.jpg',
    ]
    assert browser.complaints() == []


@pytest.mark.browser
def test_a_malformed_link_opens_nothing_in_a_browser(page, open_page):
    browser = open_page(page, '#100%.png')
    assert browser.run("byId('view').open") is False
    assert browser.complaints() == []


@pytest.mark.browser
def test_many_rows_are_paged_in_a_browser(tmp_path, photos, run, save, open_page):
    for number in range(110):
        save(photos / f'many/{number:03}.png', (16, 16), (0, 0, 4, 4))
    run(photos, formats=('json',), report=True)
    browser = open_page(tmp_path / 'out/report.html')
    assert len(browser.run(NAMES)) == 100
    click(browser, '#next-page')
    assert len(browser.run(NAMES)) == 15
    assert browser.run("byId('count').textContent") == '115 of 115 images'
    assert browser.complaints() == []


EVIDENCE = [
    dict(title='File', facts=[dict(term='Size', value='9 bytes', note='')], pictures=[]),
    dict(
        title='Metadata', facts=[dict(term='Software', value=ATTACK, note='An editor.')],
        pictures=[],
    ),
]


@pytest.fixture
def told(page, photos, run, tmp_path):
    """The page of an image with evidence and a view."""
    path = tmp_path / 'out/predictions.jsonl'
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        file = f'views/ela/{line["name"]}.jpg'
        for folder in ('views', 'report_files'):
            copy = tmp_path / f'out/{folder}/ela/{line["name"]}.jpg'
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / f'out/report_files/heat_maps/{line["name"]}.jpg', copy)
        line['evidence'] = EVIDENCE
        line['views'] = [dict(name='ela', title='Levels', explanation='Words.', file=file)]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    return page


@pytest.mark.browser
def test_evidence_and_views_in_a_browser(told, open_page):
    browser = open_page(told, '#a.png')
    panel = "byId('evidence').textContent"
    assert browser.run(panel) == f'FileSize9 bytesMetadataSoftware{ATTACK}An editor.'
    assert browser.run("byId('tabs').textContent") == 'Heat mapLevels'
    heat = browser.run("byId('heat').src")
    click(browser, '#tabs input', 1)
    assert browser.run("byId('explanation').textContent") == 'Words.'
    assert browser.run("byId('map-legend').hidden")
    assert browser.run("byId('heat').decode().then(() => byId('heat').src)") == heat  # a copy of it
    assert browser.run("byId('right-name').textContent") == 'Levels'
    assert browser.complaints() == []


@pytest.mark.browser
def test_the_way_back_leads_through_what_was_opened_in_a_browser(page, open_page):
    def after(script):
        # Events of the history come later than the call.
        browser.run(f'new Promise((done) => {{ {script}; setTimeout(done, 300); }})')
        return browser.run("byId('view').open ? byId('view-title').textContent : null")

    browser = open_page(page)
    assert after("open(data.rows.find((row) => row.name === 'a.png'))") == 'a.png'
    assert after('history.back()') is None
    assert after('history.forward()') == 'a.png'
    assert after("location.hash = '#sub%2Fc.png'") == 'sub/c.png'
    assert after('history.back()') == 'a.png'
    assert after("byId('close').click()") is None
    assert browser.run('location.hash') == ''
    assert browser.complaints() == []


@pytest.mark.browser
def test_it_prints_a_sheet_for_each_image_in_a_browser(told, open_page):
    browser = open_page(told)
    browser.run('layOut()')
    assert browser.run("document.querySelectorAll('.sheet').length") == 5
    assert browser.run("document.querySelectorAll('.sheet .pair img').length") == 10
    browser.call('Emulation.setEmulatedMedia', media='print')
    kept = "[...document.querySelectorAll('.reading')].every((part) => part.open)"
    assert browser.run(kept)
    break_before = "getComputedStyle(document.querySelector('.sheet')).breakBefore"
    assert browser.run(break_before) == 'page'
    first = "document.querySelector('.sheet .pair').children"
    assert browser.run(f'{first}[0].offsetTop === {first}[1].offsetTop')
    browser.call('Emulation.setEmulatedMedia', media='')
    browser.run('open(data.rows[0]); layOut()')
    assert browser.run("document.querySelectorAll('.sheet').length") == 1
    assert browser.complaints() == []


@pytest.mark.browser
@pytest.mark.parametrize('width', [390, 800, 1200])
def test_no_column_is_cut_in_a_browser(told, open_page, width):
    browser = open_page(told)
    size = dict(width=width, height=844, deviceScaleFactor=1, mobile=False)
    browser.call('Emulation.setDeviceMetricsOverride', **size)
    assert browser.run('document.documentElement.scrollWidth') <= width
    assert browser.run("(t => t.scrollWidth - t.clientWidth)(byId('table').parentNode)") <= 0
    browser.run('open(data.rows[0])')
    assert browser.run("byId('view').scrollWidth - byId('view').clientWidth") <= 0


@pytest.mark.browser
def test_one_column_has_the_verdict_before_the_evidence_in_a_browser(told, open_page):
    browser = open_page(told, '#a.png')
    top = '(id => Math.round(byId(id).getBoundingClientRect().top))'
    assert browser.run(f"{top}('verdict') < {top}('slider')")  # beside the picture
    size = dict(width=390, height=844, deviceScaleFactor=1, mobile=True)
    browser.call('Emulation.setDeviceMetricsOverride', **size)
    assert browser.run(f"{top}('slider') < {top}('verdict')")
    assert browser.run(f"{top}('regions') < {top}('evidence')")


@pytest.mark.browser
def test_the_next_image_is_shown_from_its_top_in_a_browser(told, open_page):
    browser = open_page(told, '#a.png')
    size = dict(width=390, height=400, deviceScaleFactor=1, mobile=True)
    browser.call('Emulation.setDeviceMetricsOverride', **size)
    assert browser.run("byId('view').scrollTop = 300; byId('view').scrollTop") > 0
    browser.run('step(byId("next").disabled ? -1 : 1)')
    assert browser.run("byId('view').scrollTop") == 0


@pytest.mark.browser
def test_what_was_unfolded_stays_so_after_printing_in_a_browser(page, open_page):
    browser = open_page(page)
    browser.run("byId('words').open = true; layOut(); dispatchEvent(new Event('afterprint'))")
    unfolded = "[...document.querySelectorAll('.reading[open]')].map(part => part.id)"
    assert browser.run(unfolded) == ['words']


@pytest.mark.browser
def test_a_view_that_is_gone_is_missed_in_its_tab_alone_in_a_browser(
    told, open_page, tmp_path, monkeypatch, run, photos
):
    monkeypatch.setattr(report_module, 'EMBEDDED_BYTES', 0)
    run(photos, limit=ImageThreshold(0.5, 'max', 0.01), report=True)
    (tmp_path / 'out/report_files/ela/a.jpg').unlink()
    browser = open_page(told, '#a.png')
    wait = "new Promise((done) => setTimeout(() => done(!byId('missing').hidden), 300))"
    click(browser, '#tabs input', 1)
    assert browser.run(wait)
    click(browser, '#tabs input', 0)
    assert not browser.run(wait)


@pytest.mark.browser
def test_terms_have_tooltips_in_a_browser(page, open_page):
    browser = open_page(page, '#a.png')
    terms = "[...document.querySelectorAll('#facts .term')].filter(t => t.title.length > 20).length"
    assert browser.run(terms) >= 6
    assert browser.run("byId('card-content').textContent").count('no calibration') == 1
    numbers = "document.querySelectorAll('#regions .number, #boxes text')"
    assert browser.run(f'[...{numbers}].map(number => number.textContent)') == ['1', '1']
