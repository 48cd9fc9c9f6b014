"""Which images are held out, by known answers, and what nothing can be split by."""

import pytest

from mmomni.datasets.splits import check_split, indices_of_split


@pytest.mark.parametrize(
    ('total', 'held_out', 'expected'),
    [
        (10, 1, [0]),
        (10, 2, [0, 5]),
        (10, 3, [0, 3, 6]),
        (10, 5, [0, 2, 4, 6, 8]),
        (7, 3, [0, 2, 4]),
        (2, 1, [0]),
    ],
)
def test_held_out_images_are_spaced_evenly_and_the_others_trained_on(total, held_out, expected):
    assert indices_of_split(total, held_out, 'held_out', 'set') == expected
    others = [index for index in range(total) if index not in expected]
    assert indices_of_split(total, held_out, 'train', 'set') == others


def test_all_are_trained_on_where_none_are_held_out():
    assert indices_of_split(3, 0, 'train', 'set') == [0, 1, 2]
    assert indices_of_split(0, 0, 'train', 'set') == []


@pytest.mark.parametrize(
    ('held_out', 'split', 'message'),
    [
        (6, 'train', 'mine: cannot hold out 6 of 10 .* from 0 to 5, the same in training'),
        (6, 'held_out', 'cannot hold out 6 of 10 .* from 1 to 5'),
        (-1, 'train', 'cannot hold out -1'),
        (0, 'held_out', 'cannot hold out 0 of 10 .* from 1 to 5'),
    ],
)
def test_too_many_and_too_few_are_named_with_what_is_possible(held_out, split, message):
    with pytest.raises(ValueError, match=message):
        indices_of_split(10, held_out, split, 'mine')


WRONG = [
    (0, 'val', r"one of \('train', 'held_out'\), got 'val'"),
    (0, None, 'one of .*, got None'),
    (None, 'train', 'expected held_out to be an int, .* got None'),
    ('3', 'train', "got '3'"),
    (1.0, 'train', r'got 1\.0'),
    (True, 'held_out', 'got True'),
]


@pytest.mark.parametrize(('held_out', 'split', 'message'), WRONG)
def test_what_no_set_can_be_split_by_is_refused_with_and_without_one(held_out, split, message):
    with pytest.raises(ValueError, match=message):
        check_split(split, held_out)
    with pytest.raises(ValueError, match=message):
        indices_of_split(10, held_out, split, 'mine')
