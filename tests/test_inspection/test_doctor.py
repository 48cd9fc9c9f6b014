"""The whole examination: what it counts, in which order it names, which rows belong to whom."""

import json

import hand_made
import numpy as np
import pytest
from planting import SIZE, Builder

from mmomni.inspection import KINDS, LEVELS, Diagnosis, check_data


def diagnosis_of(*kinds):
    return Diagnosis([hand_made.summary()], [hand_made.finding(kind) for kind in kinds])


@pytest.mark.parametrize(
    ('kinds', 'status', 'strict'),
    [
        ((), 0, 0),
        (('alpha', 'deep'), 0, 0),
        (('alpha', 'mask-full'), 0, 2),
        (('mask-size',), 2, 2),
        (('mask-full', 'mask-size'), 2, 2),
    ],
    ids=['nothing', 'notes', 'a warning', 'an error', 'both'],
)
def test_errors_are_bad_and_warnings_if_strict(kinds, status, strict):
    diagnosis = diagnosis_of(*kinds)
    assert (diagnosis.status(), diagnosis.status(strict=True)) == (status, strict)


def test_levels_are_those_of_the_findings_not_of_their_kinds():
    noted = hand_made.finding('image-rotated', level='note')
    diagnosis = Diagnosis([], [hand_made.finding('image-rotated'), noted])
    assert [diagnosis.count(level) for level in LEVELS] == [0, 1, 1]
    assert list(diagnosis.groups()) == [('warning', 'image-rotated'), ('note', 'image-rotated')]


def test_groups_keep_the_order_of_the_findings():
    names = ['b', 'a', 'c']
    found = [hand_made.finding('deep', name) for name in names]
    found.insert(1, hand_made.finding('alpha'))
    groups = Diagnosis([], found).groups()
    assert list(groups) == [('note', 'deep'), ('note', 'alpha')]
    assert [each.file for each in groups['note', 'deep']] == names


def test_plain_values_count_each_kind_in_the_order_of_the_kinds():
    plain = diagnosis_of('alpha', 'mask-full', 'mask-size', 'alpha').as_dict()
    assert plain['levels'] == {'error': 1, 'warning': 1, 'note': 2}
    assert list(plain['kinds'].items()) == [('mask-size', 1), ('mask-full', 1), ('alpha', 2)]
    assert plain['findings'][0] == dict(
        kind='alpha', dataset='set', split='train', file='a.png', message='so it is', related=(),
        level='note',
    )  # fmt: skip
    assert json.loads(json.dumps(plain))['sets'][0]['name'] == 'set'


def test_findings_are_sorted_by_level_kind_set_and_file(planted):
    train, test, _ = planted
    findings = check_data([str(train)], [str(test)]).findings
    kinds = list(KINDS)
    ranks = [
        (LEVELS.index(each.level), kinds.index(each.kind), each.dataset, each.file)
        for each in findings
    ]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_each_set_has_the_row_of_its_own_images(tmp_path):
    """Also beside a set of none."""
    for name, suffix, count in (('first', 'png', 2), ('empty', '', 0), ('last', 'bmp', 3)):
        build = Builder(tmp_path / name, 10 * len(name))
        (build.root / 'images').mkdir(parents=True)
        for index in range(count):
            build.add(f'{index}.{suffix}', mask=False)
    paths = [str(tmp_path / name) for name in ('first', 'empty', 'last')]
    diagnosis = check_data(paths[:2], paths[2:])
    assert [(row.name, row.split, row.images, row.formats) for row in diagnosis.sets] == [
        ('first', 'train', 2, {'PNG': 2}), ('empty', 'train', 0, {}),
        ('last', 'test', 3, {'BMP': 3}),
    ]  # fmt: skip
    assert [each.dataset for each in diagnosis.findings] == ['empty']


def test_what_is_found_twice_is_said_once(tmp_path):
    """An image on two lines of a list has one fault."""
    Builder(tmp_path).add('a.png', mask=np.zeros(SIZE, np.uint8))
    (tmp_path / 'list.txt').write_text('images/a.png masks/a.png\n' * 2)
    kinds = [each.kind for each in check_data([str(tmp_path / 'list.txt')]).findings]
    assert kinds == ['mask-empty', 'duplicate-exact']


@pytest.mark.host
def test_images_held_out_of_a_set_are_no_leak_of_it(tmp_path):
    """As the README has it: one folder, of which some images are validated on."""
    build = Builder(tmp_path / 'set')
    for index in range(6):
        build.add(f'{index}.png')
    entry = dict(type='mmomni.ManipulationDataset', domain='face', data_root=str(build.root))
    entry['held_out'] = 2
    loaders = dict(train_dataloader=entry, val_dataloader=dict(entry, split='held_out'))
    config = tmp_path / 'config.json'
    config.write_text(json.dumps({name: dict(dataset=each) for name, each in loaders.items()}))
    diagnosis = check_data([str(config)])
    assert diagnosis.findings == []
    assert [(row.split, row.images) for row in diagnosis.sets] == [('train', 4), ('val', 2)]
