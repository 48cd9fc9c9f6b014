"""A result in a notebook: small, upright, escaped, without the paths of this machine."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mmomni.apis import GateChoice, Prediction, Region
from mmomni.apis.card import SIDE, WARNINGS
from mmomni.jpeg import decode


@pytest.fixture
def make():
    def make(**changes):
        rng = np.random.default_rng(0)
        mask = np.zeros((60, 90), np.uint8)
        mask[:30, :40] = 1
        values = dict(
            source='/home/ann/case 7/photo.jpg',
            image=rng.integers(0, 256, (60, 90, 3), np.uint8),
            probability=mask.astype(np.float32),
            threshold=0.5,
            mask=mask,
            score=0.87654,
            pooling='top_k_mean',
            regions=(Region((0, 0, 40, 30), 1200, 1.0),),
            gate=GateChoice('vision', 0.75),
            dct_source='file',
            orientation=1,
            windows=1,
            seconds=0.1,
        )
        return Prediction(**{**values, **changes})

    return make


class Page(HTMLParser):
    """Texts and pictures of a page whose tags are closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.sources, self.text = [], [], [], ''
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ('src', 'href')]
        if tag != 'img':
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def pictures(self):
        start = 'data:image/jpeg;base64,'
        assert all(source.startswith(start) for source in self.sources)
        return [decode(base64.b64decode(source[len(start) :])) for source in self.sources]


def test_image_map_score_and_gate_are_shown(make):
    page = Page(make()._repr_html_())
    image, heat = page.pictures()
    assert image.shape == heat.shape == (60, 90, 3)
    assert heat[:25, :35].mean() > heat[35:, 45:].mean() + 50
    for text in ('photo.jpg', '0.877', 'top_k_mean', 'vision, 75 %', '1, 22.2 % above 0.5', 'file'):
        assert text in page.text
    assert 'authentic' not in page.text


def test_paths_of_this_machine_are_not_told(make):
    assert 'ann' not in Page(make()._repr_html_()).text


def test_without_a_gate(make):
    assert re.search(r'gate\s*none', Page(make(gate=None)._repr_html_()).text)


def test_pictures_are_upright_and_small(make):
    shape = (2 * SIDE, 6 * SIDE)
    large = make(
        image=np.zeros((*shape, 3), np.uint8), mask=np.zeros(shape, np.uint8),
        probability=np.zeros(shape, np.float32), orientation=6,
    )  # fmt: skip
    html = large._repr_html_()
    pictures = Page(html).pictures()
    assert [picture.shape[:2] for picture in pictures] == [(SIDE, round(SIDE / 3))] * 2
    assert len(html) < 40_000


@pytest.mark.parametrize('shape', [(1, 1), (1, 4000), (4000, 1)])
def test_odd_sizes(make, shape):
    odd = make(
        image=np.zeros((*shape, 3), np.uint8), mask=np.zeros(shape, np.uint8),
        probability=np.zeros(shape, np.float32), regions=(),
    )  # fmt: skip
    assert len(Page(odd._repr_html_()).pictures()) == 2


@pytest.mark.parametrize('hostile', ['<script>alert(1)</script>', '"><img src=x onerror=x>'])
def test_names_and_warnings_are_escaped(make, hostile):
    page = Page(make(source=hostile, warnings=(hostile,))._repr_html_())
    assert page.tags.count('img') == 2
    assert 'script' not in page.tags
    assert hostile in page.text


def test_control_characters_are_written_out(make):
    html = make(source='a\x1b[2J.jpg', warnings=('b\x07',))._repr_html_()
    assert '\x1b' not in html
    assert '\x07' not in html
    assert 'a\\x1b[2J.jpg' in html


def test_many_warnings_are_counted(make):
    warnings = tuple(f'warning {n}' for n in range(WARNINGS + 3))
    text = Page(make(warnings=warnings)._repr_html_()).text
    assert f'warning {WARNINGS - 1}' in text
    assert f'warning {WARNINGS}' not in text
    assert 'and 3 more' in text


def test_a_result_is_not_changed(make):
    result = make(orientation=3)
    before = {name: np.copy(getattr(result, name)) for name in ('image', 'mask', 'probability')}
    result._repr_html_()
    assert all(np.array_equal(getattr(result, name), value) for name, value in before.items())
