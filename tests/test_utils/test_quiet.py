"""Words of libjpeg are left out, all others stay."""

import os

import pytest

from mmomni.utils.quiet import without_words_of_libjpeg


def test_only_lines_of_libjpeg_are_left_out(capfd):
    with without_words_of_libjpeg():
        os.write(2, b'Corrupt JPEG data: premature end of data segment\nsomething else\n')
        os.write(2, b'a warning\n')
        os.write(2, b'Premature end of JPEG file\n')
    os.write(2, b'after\n')
    assert capfd.readouterr().err == 'something else\na warning\nafter\n'


def test_an_error_loses_nothing(capfd):
    def fail():
        with without_words_of_libjpeg():
            os.write(2, b'said\n')
            raise ValueError('x')

    with pytest.raises(ValueError, match='x'):
        fail()
    assert capfd.readouterr().err == 'said\n'
