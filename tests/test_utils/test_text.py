import codecs
import os

import pytest

from mmomni.utils.text import counted, decode_text, read_text, text_lines

TEXT = 'images/ünï.jpg\tmasks/ünï.png\nb.jpg\t-\n'


@pytest.mark.parametrize(
    'data',
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode('utf-16-le'),
        codecs.BOM_UTF16_BE + TEXT.encode('utf-16-be'),
        codecs.BOM_UTF32_LE + TEXT.encode('utf-32-le'),
        codecs.BOM_UTF32_BE + TEXT.encode('utf-32-be'),
    ],
    ids=['UTF-8', 'UTF-8 BOM', 'UTF-16 LE', 'UTF-16 BE', 'UTF-32 LE', 'UTF-32 BE'],
)
def test_the_mark_at_the_start_says_the_encoding(data, tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(data)

    assert read_text(path) == TEXT


@pytest.mark.parametrize(
    ('data', 'line', 'offset', 'found'),
    [
        (b'a.jpg -\n\xfcn.jpg -\n', 2, 8, 'fc'),
        (b'a.jpg -\r\n\r\n\xfcn.jpg', 3, 11, 'fc'),
        (codecs.BOM_UTF8 + b'\xe9.jpg', 1, 3, 'e9'),
        ('a.jpg -\n'.encode('utf-16-le'), 1, 1, '00'),
        (codecs.BOM_UTF16_LE + 'a\nb'.encode('utf-16-le') + b'x', 2, 8, '78'),
        (codecs.BOM_UTF16_BE + 'a\n\0'.encode('utf-16-be'), 2, 6, '00'),
        (b'\x89PNG\r\n\x1a\n', 1, 0, '89'),
    ],
    ids=['LATIN1', 'CRLF', 'BOM and LATIN1', 'UTF-16 unmarked', 'cut UTF-16', 'NUL', 'PNG'],
)
def test_other_bytes_are_named_with_line_offset_and_remedy(data, line, offset, found):
    with pytest.raises(ValueError, match=rf'^x\.txt:{line}: expected text.* byte {offset} ') as e:
        decode_text(data, 'x.txt')

    assert f' comes {found} (hex)' in str(e.value)
    assert 'save it as UTF-8, for example by `iconv -f ' in str(e.value)


def test_no_pipe_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'list.txt')

    with pytest.raises(OSError, match=r'list\.txt: expected a text file, got a pipe'):
        read_text(tmp_path / 'list.txt')


def test_a_folder_and_nothing_are_no_text(tmp_path):
    with pytest.raises(OSError, match='expected a text file, got a folder'):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / 'none.txt')


def test_only_ends_of_lines_end_lines():
    text = 'a\nb\r\nc\rd\x0be\x0cf\x85g\u2028h\n\ufeffi'

    assert text_lines(text) == ['a', 'b', 'c', 'd\x0be\x0cf\x85g\u2028h', 'i']
    assert text_lines('') == ['']


@pytest.mark.parametrize(('number', 'words'), [(0, '0 images'), (1, '1 image'), (2, '2 images')])
def test_one_is_singular(number, words):
    assert counted(number, 'image') == words
