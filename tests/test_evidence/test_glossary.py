"""The words of the pages about a file are the terms that the evidence has."""

import re

import pytest
from evidence_bytes import exif_bytes, picture, saved

from mmomni.evidence import evidence_of
from mmomni.utils.templates import asset

EXPLAINED = re.findall(r'<dt>(.*?)</dt>', asset('reading.html.jinja').partition('SHA-256</dt>')[2])


@pytest.fixture(scope='module')
def stated():
    """Titles, terms and pictures of a photo saved again, one with dates, and a PNG."""
    size = (256, 256)
    once = saved(image=picture(size), quality=70)
    again = saved(image=picture(size).effect_spread(3), quality=95)
    dated = saved(
        exif=exif_bytes(
            thumbnail=saved(image=picture((16, 12))), Software='Photoshop',
            DateTime='2024:05:01 10:00:00', DateTimeOriginal='2024:05:01 10:00:00',
        )
    )  # fmt: skip
    words = set()
    for data in (once, again, dated, saved('PNG', picture(size))):
        for section in evidence_of(data):
            words |= {section.title, *section.pictures, *(fact.term for fact in section.facts)}
    return words


@pytest.mark.parametrize('word', EXPLAINED)
def test_what_is_explained_is_stated(stated, word):
    assert any(re.fullmatch(re.escape(word) + r'( \(.*\))?', term) for term in stated)
