"""The page in a real browser; docs/serve.md says what it needs."""

import re
import threading
from hashlib import sha256
from io import BytesIO

import numpy as np
import pytest
from chromium import CHROMIUM, NEEDED
from PIL import Image

from mmomni.web import Examiner, Page, open_server

playwright = pytest.importorskip('playwright.sync_api', reason='needs `pip install playwright`')
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=NEEDED),
]
MAX_UPLOAD = 100_000
DECODED = "document.getElementById('layer').decode()"
"""Waits for the picture. (``wait_for_function`` is evaluated inside the page from its
second time on, which the page's content security policy forbids.)"""


@pytest.fixture(scope='module')
def browser():
    with playwright.sync_playwright() as driver:
        # --no-sandbox: Chromium as root (in containers) starts only without.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        yield browser
        browser.close()


@pytest.fixture
def url(inferencer, settings):
    about = dict(checkpoint='tiny.pth', version='1.0', max_megapixels=1)
    page = Page(Examiner(inferencer, settings, None), about, MAX_UPLOAD)
    server = open_server(page, '127.0.0.1', 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{server.port}'
    server.shutdown()
    thread.join()


@pytest.fixture
def page(browser, url):
    """The page, opened; afterwards nothing was asked of another host and no script failed."""
    context = browser.new_context(viewport=dict(width=1360, height=1000))
    page = context.new_page()
    asked, errors = [], []
    page.on('request', lambda request: asked.append(request.url))
    page.on('pageerror', lambda error: errors.append(str(error)))
    page.on('console', lambda line: errors.append(line.text) if 'Policy' in line.text else None)
    page.goto(url)
    page.wait_for_selector('#limits:not(:empty)')
    yield page
    context.close()
    own = re.compile(f'(blob:)?{re.escape(url)}/|data:')
    assert [request for request in asked if not own.match(request)] == []
    assert errors == []


def choose(page, data, name='photo.jpg'):
    """Upload through the file dialog; returns when there is an answer."""
    page.locator('#file').set_input_files(dict(name=name, mimeType='', buffer=data))
    page.wait_for_selector('#result:visible, #error:visible')


def wait_for_layer(page):
    """Not by `wait_for_function`, which the page's own policy forbids to look twice."""
    page.evaluate("document.getElementById('layer').decode()")


def text(page, selector):
    return page.locator(selector).text_content()


def test_good_bad_good(page, photo):
    choose(page, photo(quality=95), 'first.jpg')
    assert text(page, '#name') == 'first.jpg'
    assert page.locator('#regions tbody tr').count() == 1
    assert page.locator('#error').is_hidden()

    choose(page, b'this is no image', 'letter.jpg')
    assert 'letter.jpg: expected a whole image' in text(page, '#error')
    assert page.locator('#result').is_hidden()

    choose(page, photo('PNG'), 'second.png')
    assert text(page, '#name') == 'second.png'
    assert 'no ordinary JPEG' in text(page, '#warnings')
    assert page.locator('#error').is_hidden()


@pytest.mark.parametrize(
    ('data', 'reason'), [(b'', 'zero bytes'), (bytes(MAX_UPLOAD + 1), '--max-upload-mb')]
)
def test_some_files_are_not_even_sent(page, inferencer, photo, data, reason):
    sent = []
    page.on('request', lambda request: sent.append(request) if request.method == 'POST' else None)
    choose(page, data)
    assert reason in text(page, '#error')
    assert sent == []
    choose(page, photo())
    assert len(sent) == len(inferencer.received) == 1


def test_the_bytes_survive_the_browser(page, inferencer, photo):
    data = photo(quality=60) + b'behind the end'
    choose(page, data)
    assert inferencer.received == [data]
    assert sha256(data).hexdigest() in text(page, '#facts')


def test_an_image_dropped_anywhere(page, photo):
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], 'dropped.jpg'));
            return transfer;
        }""",
        list(photo()),
    )
    page.dispatch_event('h1', 'drop', dict(dataTransfer=transfer))
    page.wait_for_selector('#result:visible')
    assert text(page, '#name') == 'dropped.jpg'


def columns(page):
    """Colours along the middle row of the viewer, 101 of them from left to right."""
    shot = np.array(Image.open(BytesIO(page.locator('#viewer').screenshot())).convert('RGB'))
    height, width = shot.shape[:2]
    return shot[height // 8, np.linspace(0, width - 1, 101).astype(int)].astype(int)


def test_slider_between_original_and_heat_map(page, photo):
    """The heat map of dark noise is nearly black and bluish, the noise itself is grey."""
    choose(page, photo('PNG'))
    wait_for_layer(page)
    slider, heat = page.locator('#cut'), {}
    for share in (0, 50, 100):
        slider.fill(str(share))
        heat[share] = columns(page)
    changed = np.abs(heat[0] - heat[100]).sum(axis=1) > 30
    assert changed[5:95].mean() > 0.9
    # At 50 the left half is the original (as at 100), the right half the heat map (as at 0).
    np.testing.assert_allclose(heat[50][5:45], heat[100][5:45], atol=3)
    np.testing.assert_allclose(heat[50][55:95], heat[0][55:95], atol=3)


def test_the_picture_itself_is_dragged_and_keys_move_it(page, photo):
    choose(page, photo())
    box = page.locator('#viewer').bounding_box()
    y = box['y'] + box['height'] / 3
    page.mouse.move(box['x'] + box['width'] / 2, y)
    page.mouse.down()
    page.mouse.move(box['x'] + box['width'] / 4, y)
    page.mouse.up()
    assert float(page.locator('#cut').input_value()) == pytest.approx(25, abs=2)
    before = float(page.locator('#cut').input_value())
    page.keyboard.press('ArrowRight')
    assert float(page.locator('#cut').input_value()) > before


def test_layers(page, photo):
    choose(page, photo())
    shown = {}
    for layer in ('heat_map', 'overlay', 'dct'):
        page.locator(f'label:has([value={layer}])').click()
        wait_for_layer(page)
        shown[layer] = page.locator('#layer').get_attribute('src'), text(page, '#legend')
    assert len(set(shown.values())) == 3
    assert '|q|' in shown['dct'][1]


def test_the_page_explains_itself(page, photo):
    choose(page, photo())
    assert 'this model has no calibration' in text(page, '#verdict')
    assert 'not known' in text(page, '#card-content')
    assert page.locator('#facts .term[title]').count() >= 6
    assert page.locator('#regions .number').all_text_contents() == ['1']
    assert page.locator('#boxes text').all_text_contents() == ['1']
    assert 'nothing found wrong' in text(page, '#evidence')
    assert page.locator('#views label').count() == 0


def test_evidence_and_views(page, photo):
    def answer(route):
        content = route.fetch().json()
        software = dict(term='Software', value='<b>editor</b>', note='A note.')
        pictures = [dict(shows='Thumbnail', file='view_ela')]
        content['evidence'] = [dict(title='Metadata', facts=[software], pictures=pictures)]
        content['views'] = [dict(name='ela', title='Levels', explanation='Words.', file='view_ela')]
        content['files']['view_ela'] = content['files']['view']
        route.fulfill(json=content)

    page.route('**/examine**', answer)
    choose(page, photo())
    assert text(page, '#evidence') == 'MetadataSoftware<b>editor</b>A note.Thumbnail'
    assert page.locator('#evidence img').evaluate('image => image.decode().then(() => true)')
    page.locator('label:has([value=view_ela])').click()
    assert text(page, '#legend') == 'Words.'
    wait_for_layer(page)
    page.unroute('**/examine**')
    choose(page, photo())
    assert page.locator('#views label').count() == 0
    assert page.locator('[value=heat_map]').is_checked()


def test_second_opinions_are_asked_for(page, photo):
    asked = []
    page.on('request', lambda request: asked.append(request.url))
    page.locator('#with-views').check()
    choose(page, photo())
    assert next(url for url in asked if '/examine' in url).endswith('&views=1')


def test_paper_has_the_result_without_what_is_clicked(page, photo):
    choose(page, photo())
    page.emulate_media(media='print')
    clicked = ('#drop', '#layers', '#files', '.ends')
    assert not any(page.locator(part).is_visible() for part in clicked)
    assert all(page.locator(part).is_visible() for part in ('#viewer', '#regions', '#evidence'))
    page.emulate_media(media='screen')


def test_a_region_is_marked_where_it_is(page, photo):
    choose(page, photo('PNG', orientation=6))  # on its left side: the square is at 24, 40
    page.locator('#regions tbody tr').hover()
    viewer, marked = (page.locator(part).bounding_box() for part in ('#viewer', '#marker rect'))
    scale = viewer['width'] / 48
    assert (marked['x'] - viewer['x']) / scale == pytest.approx(24, abs=0.3)
    assert (marked['y'] - viewer['y']) / scale == pytest.approx(40, abs=0.3)
    assert marked['width'] / scale == pytest.approx(16, abs=0.3)


def test_save(page, photo, tmp_path, browser):
    choose(page, photo('PNG'), 'bill.png')
    saved = {}
    for link in page.locator('#files a').all():
        with page.expect_download() as download:
            link.click()
        saved[link.text_content()] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[link.text_content()])
    assert {path.name for path in saved.values()} == {
        'bill_report.html', 'bill_mask.png', 'bill_heat-map.png', 'bill_regions.jpg',
        'bill_dct.png',
    }  # fmt: skip
    mask = np.array(Image.open(tmp_path / 'bill_mask.png'))
    assert (mask > 0).sum() == 16 * 16
    report = browser.new_page()
    asked = []
    report.on('request', lambda request: asked.append(request.url))
    report.goto((tmp_path / 'bill_report.html').as_uri())
    assert 'bill.png' in report.locator('body').inner_text()
    report.close()
    assert [url for url in asked if not url.startswith(('file:', 'data:'))] == []


def test_foreign_names_are_text(page, photo):
    name = '<img src=x onerror=alert(1)>.jpg'
    choose(page, photo(), name)
    assert text(page, '#name') == name
    assert page.locator('#name *').count() == 0
    choose(page, b'no image', name)
    assert name in text(page, '#error')
    assert page.locator('#error *').count() == 0


def test_a_server_that_is_gone_is_told(page, photo):
    page.route('**/examine**', lambda route: route.abort())
    choose(page, photo())
    assert 'does not answer' in text(page, '#error')
