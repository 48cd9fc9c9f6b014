"""What each kind says, and that each of them can be found and is shown."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from image_bytes import png_bytes
from markupsafe import escape
from planting import Builder

from mmomni.datasets.masks import LOSSY_THRESHOLD
from mmomni.inspection import KINDS, LEVELS, check_data, render_text
from mmomni.inspection.checks import LARGEST_STEP, LEAST_SIDE
from mmomni.inspection.html_report import render_html
from mmomni.inspection.opening import FILE_KEYS

PAGE = Path(__file__).parents[2] / 'docs' / 'check-data.md'


def test_a_kind_has_a_level_a_title_and_a_remedy():
    for kind, (level, title, remedy) in KINDS.items():
        assert level in LEVELS, kind
        assert title[-1] not in '.:', kind
        assert remedy.endswith('.'), kind
        assert '  ' not in title + remedy, kind


def test_no_two_kinds_have_one_title():
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize(('number', 'level'), enumerate(LEVELS))
def test_the_documentation_has_each_kind_under_its_level(number, level):
    section = PAGE.read_text(encoding='utf-8').split('\n## ')[1 + number]
    assert section.lower().startswith(level)
    rows = [line.split('|')[1] for line in section.splitlines() if line.startswith('| `')]
    documented = [kind for row in rows for kind in re.findall('`([a-z-]+)`', row)]
    assert sorted(documented) == sorted(kind for kind in KINDS if KINDS[kind].level == level)


@pytest.mark.parametrize(
    ('kind', 'number'),
    [('mask-jpeg', LOSSY_THRESHOLD), ('image-tiny', LEAST_SIDE), ('large-steps', LARGEST_STEP)],
)
def test_numbers_in_words_are_those_of_the_code(kind, number):
    assert str(number) in re.findall(r'\d+', KINDS[kind].title + KINDS[kind].remedy)
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f'| `{kind}`'))
    assert str(number) in re.findall(r'\d+', row)


def test_the_remedy_of_a_set_names_all_that_says_which_files_it_has():
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith('| `set-missing`'))
    for key in set(FILE_KEYS) - {'type'}:
        assert re.search(rf'\b{key}\b', KINDS['set-missing'].remedy), key
        assert f'`{key}`' in row


@pytest.fixture
def all_kinds(planted, tmp_path):
    """Sets with a finding of every kind."""
    train, test, _ = planted
    listed = Builder(tmp_path / 'listed', 200)
    for name in ('a.png', 'a.tif', 'b.png'):
        listed.add(name)
    dark = png_bytes(np.full((40, 40, 1), 9, np.uint16))
    (listed.root / 'images' / 'dark.png').write_bytes(dark)
    path = listed.root / 'train.txt'
    authentic = [f'images/{name} -' for name in ('a.png', 'a.tif', 'dark.png')]
    names = (*authentic, 'lost.png -', 'images/b.png gone.png', 'alone')
    names += ('images/b.png -',)
    path.write_text('\n'.join(names))
    config = tmp_path / 'config.json'
    others = [dict(type='CityscapesDataset'), dict(type='ManipulationDataset', data_root='absent')]
    config.write_text(json.dumps(dict(train_dataloader=dict(dataset=others))))
    return [str(config), str(path), str(train)], [str(test)]


@pytest.mark.host
def test_every_kind_can_be_found_and_both_reports_say_what_it_means(all_kinds):
    diagnosis = check_data(*all_kinds)
    assert {finding.kind for finding in diagnosis.findings} == set(KINDS)
    text, page = render_text(diagnosis), render_html(diagnosis)
    for kind, words in KINDS.items():
        assert f'{words.title} [{kind}]: ' in text
        assert f'{escape(words.title)}: ' in page
        assert str(escape(words.remedy)) in page
        assert (f'-> {words.remedy}' in text) == (words.level != 'note')
