"""Which images are named together, and on which sides of the split they are."""

import hand_made
import pytest

from mmomni.inspection.duplicates import check_duplicates
from mmomni.inspection.records import Fault
from mmomni.inspection.similarity import Appearance

LOOK = Appearance(0, bytes(range(256)))
OTHER = Appearance(2**64 - 1, bytes(reversed(range(256))))


def image(name, digest, split='train', appearance=None, dataset='set'):
    facts = hand_made.image(digest=digest, appearance=appearance)
    return hand_made.record(facts, None, name, split=split, dataset=dataset)


def test_images_of_their_own_are_not_named():
    records = [image('a', '1', appearance=LOOK), image('b', '2', appearance=OTHER), image('c', '3')]
    assert check_duplicates(records) == []
    assert check_duplicates([]) == []


@pytest.mark.parametrize(
    ('splits', 'kind'),
    [
        (('train', 'train'), 'duplicate'),
        (('val', 'test'), 'duplicate'),
        (('train', 'val'), 'train-test'),
        (('val/test', 'train'), 'train-test'),
    ],
)
@pytest.mark.parametrize('likeness', ['exact', 'similar'])
def test_copies_cross_the_split_or_do_not(likeness, splits, kind):
    digests = '11' if likeness == 'exact' else '12'
    (found,) = check_duplicates([
        image('a', digests[0], splits[0], LOOK), image('b', digests[1], splits[1], LOOK)
    ])  # fmt: skip
    assert found.kind == f'{kind}-{likeness}'


def test_a_leak_is_named_by_an_image_held_out():
    """That is the one whose results are too good."""
    records = [
        image('a', '1', 'train', dataset='first'), image('c', '1', 'test', dataset='other'),
        image('b', '1', 'test', dataset='other'), image('d', '1', 'train', dataset='first'),
    ]  # fmt: skip
    (found,) = check_duplicates(records)
    assert (found.file, found.related) == ('b', ('c', 'a', 'd'))
    assert (found.dataset, found.split) == ('other', 'test')
    assert found.message == '4 images in first (train) and other (test), 2 for training'


def test_the_order_of_the_records_does_not_matter():
    records = [image(name, '1', split) for name, split in zip('abc', ['train'] * 2 + ['val'],
                                                              strict=True)]  # fmt: skip
    assert check_duplicates(records) == check_duplicates(records[::-1])


def test_one_side_of_the_split_is_told_without_a_count_for_training():
    (found,) = check_duplicates([image('a', '1'), image('b', '1')])
    assert (found.file, found.related) == ('a', ('b',))
    assert found.message == '2 images in set (train)'


@pytest.mark.parametrize(
    ('second', 'kind', 'message'),
    [
        ('train', 'duplicate-exact', 'listed 2 times in set (train)'),
        (
            'test', 'train-test-exact',
            'listed 2 times in set (test) and set (train), 1 for training',
        ),
    ],
)  # fmt: skip
def test_one_file_listed_twice_is_no_second_file(second, kind, message):
    (found,) = check_duplicates([image('a', '1'), image('a', '1', second)])
    assert (found.kind, found.file, found.related) == (kind, 'a', ())
    assert found.message == message


def test_equal_files_are_not_named_as_look_alikes_as_well():
    records = [image('a', '1', appearance=LOOK), image('b', '1', appearance=LOOK)]
    assert [found.kind for found in check_duplicates(records)] == ['duplicate-exact']


def test_look_alikes_of_equal_files_are_named_with_all_of_them():
    records = [
        image('a', '1', appearance=LOOK), image('b', '1', appearance=LOOK),
        image('c', '2', 'test', LOOK), image('d', '3', 'test', OTHER),
    ]  # fmt: skip
    exact, similar = check_duplicates(records)
    assert (exact.kind, exact.related) == ('duplicate-exact', ('b',))
    assert (similar.kind, similar.file, similar.related) == ('train-test-similar', 'c', ('a', 'b'))
    assert similar.message == '3 images in set (test) and set (train), 2 for training'


def test_flat_images_can_be_equal_but_look_like_nothing():
    records = [image('a', '1'), image('b', '1'), image('c', '2'), image('d', '3')]
    assert [found.file for found in check_duplicates(records)] == ['a']


def test_files_that_cannot_be_read_are_no_copies_of_each_other():
    lost = hand_made.record(Fault(True, 'lost'), None)
    assert check_duplicates([lost, lost, image('a', '1')]) == []
