"""Words of libjpeg are left out, all others stay."""

import os

import pytest

from mmomni.utils import quiet
from mmomni.utils.quiet import (
    note_of_words,
    to_stderr,
    without_words_of_decoders,
    words_of_wrong_pixels,
)


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


SAID = {
    'Fax4Decode: Bad code word at line 41 of strip 0 (x 93)': True,
    'JPEGLib: Unsupported marker type 0x15': True,
    'tempfile.tif: Using code not yet in table': True,
    'libpng warning: iCCP: known incorrect sRGB profile': False,
    'Warning: unknown JFIF revision number 9.01': False,
}
OTHERS = (
    "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0", 'DecodeError: no',
    'TIFFWarning: of somebody', 'JSONDecodeError: Expecting value', 'my/tempfile.tif: missing',
)  # fmt: skip


def test_libtiff_is_told_from_tracebacks_and_wrong_pixels_from_odd_headers(capfd):
    with without_words_of_decoders() as words:
        os.write(2, '\n'.join([*SAID, *OTHERS, '']).encode())
    assert capfd.readouterr().err.splitlines() == list(OTHERS)
    assert words == list(SAID)
    assert words_of_wrong_pixels(words) == [line for line, wrong in SAID.items() if wrong]


def test_of_many_words_the_first_three_are_named():
    words = [f'Fax3Decode1D: line {number}' for number in range(1203)]
    told = 'Fax3Decode1D: line 0; Fax3Decode1D: line 1; Fax3Decode1D: line 2'
    assert note_of_words(words, []) == [f'its decoder says: {told} and 1,200 more']
    assert note_of_words(words[:3], []) == [f'its decoder says: {told}']


def test_who_ends_the_process_is_heard_at_once(capfd):
    with without_words_of_decoders(), without_words_of_decoders():
        to_stderr(b'stopped\n')
        assert capfd.readouterr().err == 'stopped\n'
    to_stderr(b'again\n')
    assert capfd.readouterr().err == 'again\n'


@pytest.mark.parametrize('place', ['begin', 'end'])
def test_a_signal_leaves_standard_error_where_it_was(capfd, monkeypatch, place):
    """Where one may come beside the block: as the descriptor is replaced, and in flushing."""
    dup2, redirected, flushed = os.dup2, [], []

    def interrupted_dup2(*arguments):
        dup2(*arguments)
        redirected.append(None)
        if len(redirected) == 1:
            raise KeyboardInterrupt

    def interrupted_flush():
        flushed.append(None)
        if len(flushed) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if place == 'begin':
            patched.setattr(os, 'dup2', interrupted_dup2)
        else:
            patched.setattr(quiet, '_flush', interrupted_flush)
        with pytest.raises(KeyboardInterrupt), without_words_of_decoders():
            os.write(2, b'said\n')
    os.write(2, b'after\n')
    to_stderr(b'heard\n')
    assert capfd.readouterr().err == 'said\n' * (place == 'end') + 'after\nheard\n'
