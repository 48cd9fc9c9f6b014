import pickle

import hand_made
import pytest

from mmomni.inspection.kinds import KINDS
from mmomni.inspection.records import DataSet, Fault, Finding, ListedImage


@pytest.mark.parametrize(
    ('split', 'held_out'),
    [('train', False), ('val', True), ('test', True), ('val/test', True)],
)
def test_validation_and_test_images_are_held_out(split, held_out):
    assert ListedImage('set', '-', split, 'a.png', None).held_out == held_out


def test_a_finding_has_the_level_of_its_kind_unless_given():
    for kind, words in KINDS.items():
        assert Finding.of(hand_made.SAMPLE, kind, 'a.png', 'words').level == words.level, kind
    assert Finding.of(hand_made.SAMPLE, 'mask-size', 'a.png', 'words', level='note').level == 'note'


def test_a_finding_of_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError, match='mask-odd'):
        Finding.of(hand_made.SAMPLE, 'mask-odd', 'a.png', 'words')


def test_a_finding_of_a_set_and_of_its_image_name_it_alike():
    data_set = DataSet('mine', 'face', 'val', 'root', [('a.png', None)])
    data_set.add('deep', 'a.png', 'words', ('b.png',))
    (sample,) = data_set.samples()
    expected = Finding('deep', 'mine', 'val', 'a.png', 'words', ('b.png',), 'note')
    assert data_set.findings == [expected]
    assert Finding.of(sample, 'deep', 'a.png', 'words', ('b.png',)) == expected


def test_samples_are_the_pairs_in_their_order():
    pairs = [('b.png', 'mask.png'), ('a.png', None)]
    assert DataSet('set', 'face', 'train', 'root', pairs).samples() == [
        ListedImage('set', 'face', 'train', 'b.png', 'mask.png'),
        ListedImage('set', 'face', 'train', 'a.png', None),
    ]


def test_sets_share_no_lists():
    first, second = (DataSet(name, '-', 'train', name) for name in 'ab')
    first.add('set-missing', 'a', 'words')
    first.pairs.append(('a.png', None))
    assert (second.findings, second.pairs) == ([], [])


@pytest.mark.parametrize(
    'record',
    [
        hand_made.record(hand_made.jpeg()),
        hand_made.record(Fault(True, 'lost'), Fault(False, 'broken')),
        hand_made.record(mask=None),
    ],
    ids=['sound', 'faults', 'authentic'],
)
def test_records_travel_between_processes(record):
    """With their classes, which the checks tell facts from faults by."""
    travelled = pickle.loads(pickle.dumps(record))
    assert travelled == record
    assert [type(part) for part in travelled] == [type(part) for part in record]
