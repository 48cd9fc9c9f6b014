"""Words of libjpeg are left out, all others stay."""

import os

import pytest

from mmomni.utils.quiet import note_of_words, without_words_of_decoders


def test_only_lines_of_libjpeg_are_left_out(capfd):
    with without_words_of_decoders():
        os.write(2, b'Corrupt JPEG data: premature end of data segment\nsomething else\n')
        os.write(2, b'a warning\n')
        os.write(2, b'Premature end of JPEG file\n')
    os.write(2, b'after\n')
    assert capfd.readouterr().err == 'something else\na warning\nafter\n'


def test_what_was_left_out_is_at_hand_once_each(capfd):
    said = [b'libpng warning: iCCP: x', b'ZIPDecode: Decoding error', b'JPEGLib: Not a JPEG']
    with without_words_of_decoders() as words:
        with without_words_of_decoders() as inner:
            os.write(2, said[0] + b'\nDecoding: no word of theirs\n')
        os.write(2, b'\n'.join([*said[1:], *said[1:], b'']))
    assert (inner, words) == ([said[0].decode()], [line.decode() for line in said[1:]])
    assert capfd.readouterr().err == 'Decoding: no word of theirs\n'
    assert note_of_words(words, []) == [f'its decoder says: {words[0]}; {words[1]}']
    assert note_of_words([], []) == note_of_words(words, ['told better']) == []


def test_an_error_loses_nothing(capfd):
    def fail():
        with without_words_of_decoders():
            os.write(2, b'said\n')
            raise ValueError('x')

    with pytest.raises(ValueError, match='x'):
        fail()
    assert capfd.readouterr().err == 'said\n'
