"""The page, read back as a browser reads it."""

import base64
import io
import re
from html import unescape
from pathlib import Path

import hand_made
import pytest
from image_bytes import turned
from PIL import Image
from planting import make_mask, make_picture, save

from mmomni.inspection import Diagnosis, check_data
from mmomni.inspection.html_report import ALIKE_SHOWN, THUMBNAILS, render_html


def page_of(*findings):
    return render_html(Diagnosis([hand_made.summary()], findings))


def sections_of(page):
    return re.findall('<section.*?</section>', page, re.DOTALL)


def cards_of(section):
    """The sizes of the pictures, and the caption, of each card."""
    for figure in re.findall('<figure>.*?</figure>', section, re.DOTALL):
        sizes = []
        for data in re.findall('src="data:image/jpeg;base64,(.*?)"', figure):
            with Image.open(io.BytesIO(base64.b64decode(data))) as image:
                sizes.append(image.size)
        caption = re.search('<figcaption>(.*?)</figcaption>', figure)[1]
        yield sizes, [unescape(line) for line in caption.split('<br>')]


def items_of(section):
    items = re.findall('<li>(.*?)</li>', section, re.DOTALL)
    return [unescape(re.sub('<.*?>|\n', '', item)) for item in items]


@pytest.fixture
def files(tmp_path):
    """Paths of images and a mask, by name."""
    paths = {
        'image': save(tmp_path / 'set' / 'image.png', make_picture(1)),
        'turned': save(tmp_path / 'set' / 'turned.jpg', make_picture(2), exif=turned(6)),
        'mask': save(tmp_path / 'set' / 'mask.png', make_mask()),
        'small': save(tmp_path / 'set' / 'small.png', make_picture(3, (20, 30))),
        'broken': tmp_path / 'set' / 'broken.png',
        'absent': tmp_path / 'set' / 'absent.png',
    }
    paths['broken'].write_bytes(b'broken')
    return {name: str(path) for name, path in paths.items()}


WIDE, UPRIGHT, SMALL = (128, 96), (96, 128), (30, 20)


@pytest.mark.parametrize(
    ('kind', 'names', 'sizes'),
    [
        ('mask-empty', ('mask', 'image'), [WIDE, WIDE]),
        ('mask-orphan', ('mask',), [WIDE]),
        ('mask-unreadable', ('broken', 'image'), [WIDE]),
        ('mask-missing', ('absent', 'broken'), None),
        ('image-rotated', ('turned', 'mask'), [WIDE, UPRIGHT]),
        ('image-rotated', ('turned',), [WIDE, UPRIGHT]),
        ('image-tiny', ('small', 'mask'), [SMALL]),
        ('image-unreadable', ('broken', 'mask'), None),
        ('duplicate-exact', ('image', 'small', 'turned'), [WIDE, SMALL, WIDE]),
        ('train-test-similar', ('image',) + 9 * ('small',), [WIDE] + 3 * [SMALL]),
        ('stem-collision', ('broken', 'image'), [WIDE]),
        ('duplicate-similar', ('image', 'image'), None),
        ('deep', ('image',), None),
        ('set-missing', ('image',), None),
        ('list-line', ('image',), None),
    ],
)
def test_a_card_shows_the_files_that_can_be_shown(kind, names, sizes, files):
    """And no card where there are none, of notes, and of what is no picture."""
    assert ALIKE_SHOWN == 4
    file, *related = (files[name] for name in names)
    (section,) = sections_of(page_of(hand_made.finding(kind, file, related=tuple(related))))
    assert [card[0] for card in cards_of(section)] == ([] if sizes is None else [sizes])
    assert len(items_of(section)) == 1


def test_a_note_of_a_usual_warning_has_no_card(files):
    (section,) = sections_of(page_of(hand_made.finding('image-rotated', files['turned'],
                                                       level='note')))  # fmt: skip
    assert section.startswith('<section class="note">')
    assert list(cards_of(section)) == []


def test_a_card_names_the_file_in_its_folder_and_what_was_found(files):
    (section,) = sections_of(page_of(hand_made.finding('image-tiny', files['small'], 'tiny & odd')))
    assert [caption for _, caption in cards_of(section)] == [['set/small.png', 'tiny & odd']]


def test_a_card_names_the_folder_of_a_path_with_backslashes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Path('C:\\data\\set\\a.png'), make_picture(1))
    (section,) = sections_of(page_of(hand_made.finding('image-tiny', 'C:\\data\\set\\a.png')))
    assert [caption[0] for _, caption in cards_of(section)] == ['set/a.png']


def test_the_first_of_a_kind_have_cards_and_all_are_listed(files):
    found = [hand_made.finding('image-tiny', files['small'], f'no {n}') for n in range(30)]
    (section,) = sections_of(page_of(*found))
    assert [caption[1] for _, caption in cards_of(section)] == [f'no {n}' for n in range(24)]
    assert THUMBNAILS == 24
    assert [item.rpartition(': ')[2] for item in items_of(section)] == [
        f'no {n}' for n in range(30)
    ]


@pytest.mark.parametrize(('number', 'last'), [(500, 'a.png: so it is'), (501, None)])
def test_of_very_many_files_the_page_lists_500(number, last):
    (section,) = sections_of(page_of(*(hand_made.finding('deep') for _ in range(number))))
    items = items_of(section)
    assert len(items) == number
    last = last or 'and 1 more, all of them in report.json'
    assert items[-1].endswith(last)


@pytest.mark.parametrize(('number', 'end'), [(20, '19.png'), (21, '19.png and 1 more')])
def test_of_very_many_copies_the_page_names_20(number, end):
    related = tuple(f'{index}.png' for index in range(number))
    (section,) = sections_of(page_of(hand_made.finding('duplicate-similar', related=related)))
    (item,) = items_of(section)
    assert item.startswith('set (train): a.png: so it iswith 0.png, 1.png')
    assert item.endswith(end)


@pytest.mark.parametrize(
    ('kind', 'number', 'unfolded'),
    [('mask-missing', 10, True), ('mask-missing', 11, False), ('deep', 1, False)],
)
def test_a_few_files_are_seen_at_once(kind, number, unfolded):
    (section,) = sections_of(page_of(*[hand_made.finding(kind, 'absent')] * number))
    assert ('<details class="files" open>' in section) == unfolded


def test_sections_follow_the_findings():
    page = page_of(*map(hand_made.finding, ('mask-size', 'mask-size', 'mask-full', 'deep')))
    heads = [re.search('class="(.*?)">.*<code>(.*?)</code>', section).groups()
             for section in sections_of(page)]  # fmt: skip
    assert heads == [('error', 'mask-size'), ('warning', 'mask-full'), ('note', 'deep')]
    assert 'mask has another size than its image: 2 <code>' in page
    assert '<p>5 images in 1 set: 2 errors, 1 warning, 1 note.</p>' in page


def test_a_page_without_findings_says_so():
    page = page_of()
    assert '<p>None.</p>' in page
    assert sections_of(page) == []


def test_the_table_has_a_row_for_each_set(clean):
    page = render_html(check_data([str(clean[0])], [str(clean[1])]))
    head, *rows = (
        [unescape(cell) for cell in re.findall('<t[hd].*?>(.*?)</t[hd]>', row)]
        for row in re.findall('<tr>(.*?)</tr>', page, re.DOTALL)
    )
    assert head[:4] == ['set', 'domain', 'split', 'images']
    assert [row[:4] for row in rows] == [
        ['clean', '-', 'train', '5'], ['clean_test', '-', 'test', '4'],
    ]  # fmt: skip
    assert page.count('<svg') == 3
