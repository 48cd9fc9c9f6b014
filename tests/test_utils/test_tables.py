"""The three renderings of a table, written out by hand."""

import pytest

from mmomni.utils.tables import framed_table, markdown_table, plain_table

HEADER = ['set', 'IoU']
ROWS = [['a', '0.5'], ['= all', '0.25'], ['b', '-']]


@pytest.mark.host
def test_framed():
    assert framed_table(HEADER, ROWS, 'l', {1}).splitlines() == [
        '+-------+------+',
        '| set   | IoU  |',
        '+-------+------+',
        '| a     | 0.5  |',
        '| = all | 0.25 |',
        '+-------+------+',
        '| b     | -    |',
        '+-------+------+',
    ]


def test_plain():
    assert plain_table([HEADER, *ROWS], 1).splitlines() == [
        'set     IoU',
        'a       0.5',
        '= all  0.25',
        'b         -',
    ]


def test_markdown():
    assert markdown_table(HEADER, ROWS[:1]) == ['| set | IoU |', '| --- | --- |', '| a | 0.5 |']
