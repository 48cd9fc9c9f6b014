"""The words that the terminal and the page share (``text.py``), and the terminal's own."""

import hand_made
import pytest

from mmomni.inspection import KINDS, Diagnosis, render_text
from mmomni.inspection.text import COLUMNS, TEXT_COLUMNS, row_of, verdict


def test_a_row_has_a_cell_for_each_column():
    row = hand_made.summary(
        images=12_345, tampered=2_345, formats={'JPEG': 3, 'PNG': 1}, jpeg_quality={75: 1, 90: 2},
        large_steps=1_000, median_area=0.1234, unreadable=7,
    )  # fmt: skip
    assert dict(zip(COLUMNS, row_of(row), strict=True)) == {
        'set': 'set', 'domain': 'face', 'split': 'train', 'images': '12,345', 'tampered': '2,345',
        'authentic': '10,000', 'unreadable': '7', 'not JPEG': '25%', 'JPEG quality': '75 to 90',
        'steps > 63': '1,000', 'median area': '12.3%',
    }  # fmt: skip
    assert COLUMNS[TEXT_COLUMNS - 1 : TEXT_COLUMNS + 1] == ('split', 'images')


def test_what_is_not_known_is_a_dash():
    cells = dict(zip(COLUMNS, row_of(hand_made.summary()), strict=True))
    assert [name for name, cell in cells.items() if cell == '-'] == [
        'not JPEG', 'JPEG quality', 'median area',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('counts', 'words'),
    [
        (dict(formats={'PNG': 4}), '-'),
        (dict(jpeg_quality={90: 4}), '90'),
        (dict(jpeg_quality={90: 1, 100: 1, 5: 1}), '5 to 100'),
        (dict(non_standard=4), '100% other'),
        (dict(jpeg_quality={90: 3}, non_standard=1), '90, 25% other'),
    ],
    ids=['none', 'one', 'several', 'of other making', 'both'],
)
def test_the_quality_of_the_jpegs_in_words(counts, words):
    assert row_of(hand_made.summary(**counts))[COLUMNS.index('JPEG quality')] == words


def test_names_of_sets_are_made_printable():
    assert row_of(hand_made.summary(name='a\nb', domain='\x1b'))[:2] == ['a\\nb', '\\x1b']


@pytest.mark.parametrize(
    ('sets', 'kinds', 'words'),
    [
        ([], [], '0 images in 0 sets: 0 errors, 0 warnings, 0 notes'),
        ([1], ['mask-size', 'alpha'], '1 image in 1 set: 1 error, 0 warnings, 1 note'),
        (
            [1_000, 234], ['mask-size'] * 1_001 + ['mask-full'],
            '1,234 images in 2 sets: 1,001 errors, 1 warning, 0 notes',
        ),
    ],
    ids=['nothing', 'one', 'many'],
)  # fmt: skip
def test_the_verdict_counts_images_sets_and_findings(sets, kinds, words):
    rows = [hand_made.summary(images=images) for images in sets]
    assert verdict(Diagnosis(rows, [hand_made.finding(kind) for kind in kinds])) == words


# ---- the terminal ---------------------------------------------------------------------------


def lines_of(*findings):
    return render_text(Diagnosis([hand_made.summary()], findings)).splitlines()


def test_the_whole_text_of_a_sound_set():
    assert lines_of() == [
        ('set  domain  split  images  tampered  authentic  unreadable  not JPEG  JPEG quality  '
        'steps > 63  median area'),
        ('set  face    train       5         3          2           0         -             -  '
        '         0            -'),
        '',
        '5 images in 1 set: 0 errors, 0 warnings, 0 notes',
    ]


def test_findings_follow_by_kind_with_their_remedy():
    found = lines_of(hand_made.finding('mask-empty', 'm.png'), hand_made.finding('alpha', 'i.png'))
    assert found[3:] == [
        'WARNING mask marks nothing [mask-empty]: 1',
        '  m.png: so it is',
        f'  -> {KINDS["mask-empty"].remedy}',
        'NOTE    image has transparency [alpha]: 1',
        '  i.png: so it is',
        '',
        '5 images in 1 set: 0 errors, 1 warning, 1 note',
    ]


@pytest.mark.parametrize(
    ('kind', 'count', 'shown', 'rest'),
    [
        ('mask-size', 5, 5, []),
        ('mask-size', 6, 5, ['  ... and 1 more']),
        ('mask-size', 1_006, 5, ['  ... and 1,001 more']),
        ('deep', 1, 1, []),
        ('deep', 3, 1, ['  ... and 2 more']),
    ],
)
def test_the_first_files_of_a_kind_are_named_and_of_notes_one(kind, count, shown, rest):
    found = lines_of(*(hand_made.finding(kind, f'{number}.png') for number in range(count)))
    assert f': {count:,}' in found[3]
    named = [line for line in found if line.endswith('so it is')]
    assert named == [f'  {number}.png: so it is' for number in range(shown)]
    assert [line for line in found if line.startswith('  ...')] == rest


def test_one_kind_of_two_levels_is_two_paragraphs():
    found = lines_of(
        hand_made.finding('image-rotated'), hand_made.finding('image-rotated', level='note')
    )
    assert [line.split()[0] for line in found if '[image-rotated]' in line] == ['WARNING', 'NOTE']
    assert sum(line.startswith('  ->') for line in found) == 1


@pytest.mark.parametrize(
    ('kind', 'related', 'end'),
    [
        ('train-test-exact', ('b.png',), '; b.png'),
        ('duplicate-exact', ('b.png', 'c.png'), '; b.png, ...'),
        ('stem-collision', ('b.png',), '; b.png'),
        ('duplicate-exact', (), ''),
        ('mask-size', ('image.png',), ''),
    ],
)
def test_copies_are_named_with_the_first_of_the_others(kind, related, end):
    assert f'  a.png: so it is{end}' in lines_of(hand_made.finding(kind, related=related))


def test_names_of_files_are_made_printable():
    odd = hand_made.finding('duplicate-exact', 'a\n.png', '\x1b[31m', related=('\udcff',))
    assert '  a\\n.png: \\x1b[31m; \\udcff' in lines_of(odd)
