"""What a file is by its first bytes, and by its name only where they say nothing."""

import os
import socket

import pytest
from PIL import Image

from mmomni.utils.file_kinds import Kind, claims_image, kind_of, untold_format

TEXT = b'nothing that is known'
HEADS = {
    'jpg': b'\xff\xd8\xff\xe0\0\x10JFIF',
    'heic': b'\0\0\0\x18ftypheic\0\0\0\0mif1',
    'avif': b'\0\0\0\x1cftypavif\0\0\0\0',
    'jp2': b'\0\0\0\x0cjP  \r\n\x87\n',
    'jxl': b'\0\0\0\x0cJXL \r\n\x87\n',
    'psd': b'8BPS\0\1' + bytes(20),
    'exr': b'v/1\1' + bytes(20),
    'raw': b'IIU\0\x18\0\0\0',
    'dcm': bytes(128) + b'DICM',
}


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.mark.parametrize(('name', 'head'), HEADS.items())
@pytest.mark.parametrize('file', ['file', 'file.txt', 'file.jpg_large', 'file.heic'])
def test_images_are_known_by_content(write, name, head, file):
    kind = kind_of(write(file, head))
    assert kind.is_image
    assert kind.name == ('heic' if name == 'raw' and file == 'file.heic' else name)


@pytest.mark.parametrize(
    'pillow_name', ['JPEG', 'PNG', 'TIFF', 'WEBP', 'BMP', 'GIF', 'PPM', 'JPEG2000', 'ICO', 'MPO']
)
def test_whatever_pillow_writes_is_an_image_without_a_suffix(tmp_path, pillow_name):
    Image.new('RGB', (32, 32)).save(tmp_path / 'file', pillow_name)
    assert kind_of(tmp_path / 'file').is_image


@pytest.mark.parametrize(
    ('text', 'name'),
    [('BMW, a car', 'BMW.txt'), ('P5 is a format', 'notes'), ('Please read', 'README')],
)
def test_texts_that_begin_like_an_image_are_none(write, text, name):
    assert not kind_of(write(name, text.encode())).is_image


@pytest.mark.parametrize(
    ('file', 'head', 'name'),
    [
        ('a.pdf', b'%PDF-1.7', 'pdf'),
        ('a.dat', b'%PDF-1.7', 'pdf'),
        ('clip', b'\0\0\0\x18ftypisom', 'mp4'),
        ('clip.MOV', b'\0\0\0\x14ftypqt  ', 'mov'),
        ('sheet.docx', b'PK\3\4', 'docx'),
        ('archive', b'PK\3\4', 'zip'),
        ('a.txt', TEXT, 'txt'),
        ('README', TEXT, 'no suffix'),
        ('a.<b>\x1b[31m', TEXT, 'no suffix'),
        ('a.txt', b'', 'empty'),
    ],
)
def test_other_kinds_are_named(write, file, head, name):
    assert kind_of(write(file, head)) == Kind(name, False)


@pytest.mark.parametrize('head', [TEXT, b'', b'%PDF-1.7', b'PK\3\4'])
@pytest.mark.parametrize('file', ['a.JPG', 'a.png', 'a.heic', 'a.nef', 'a.jpg_large', 'a.pgm'])
def test_a_broken_file_that_is_called_an_image_stays_one(write, file, head):
    assert kind_of(write(file, head)).is_image


def test_raw_photos_are_called_by_their_suffix(write):
    assert kind_of(write('a.NEF', b'MM\0*')) == Kind('nef', True)
    assert kind_of(write('a', b'MM\0*')) == Kind('tif', True)
    assert kind_of(write('a.kdc', b'MM\0*')) == Kind('kdc', True)
    assert kind_of(write('a.gpr', TEXT)) == Kind('gpr', False)  # a project of a compiler


@pytest.mark.parametrize(
    ('name', 'claims'), [('a.jpg_large', True), ('a.jpg!d', True), ('a.jpg.txt', False),
                         ('a.jpgx', False), ('jpg', False), ('a.', False)],
)  # fmt: skip
def test_suffixes_that_say_image(tmp_path, name, claims):
    assert claims_image(tmp_path / name) is claims


def test_pipes_sockets_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'zeros').symlink_to('/dev/zero')
    (tmp_path / 'gone').symlink_to(tmp_path / 'nowhere')
    assert kind_of(tmp_path / 'pipe') == Kind('pipe', False)
    assert kind_of(tmp_path / 'pipe.jpg') == Kind('pipe', True)
    assert kind_of(tmp_path / 'zeros') == Kind('device', False)
    assert kind_of(tmp_path / 'gone') == Kind('broken link', False)
    assert kind_of(tmp_path / 'nowhere') == Kind('missing', False)


def test_a_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind('s')
        assert kind_of(tmp_path / 's') == Kind('socket', False)


def test_what_cannot_be_opened_may_be_an_image(write, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, 'Permission denied')

    path, bare = write('notes.txt', TEXT), write('bare', TEXT)
    monkeypatch.setattr('builtins.open', refuse)
    assert kind_of(path) == Kind('txt', True)
    assert kind_of(bare) == Kind('locked', True)


@pytest.mark.parametrize(
    ('name', 'head', 'untold'),
    [
        ('a.jpg', 'jpg', ''), ('a.JPEG', 'jpg', ''), ('a.heif', 'heic', ''), ('a.j2k', 'jp2', ''),
        ('a', 'jpg', 'jpg'), ('a.txt', 'psd', 'psd'), ('a.png', 'jpg', 'jpg'),
        ('a.jpg', 'avif', 'avif'), ('a.jpg_large', 'jpg', 'jpg'), ('a.avif', 'heic', ''),
        ('a.jls', 'jpg', ''), ('a.fit', 'fits', ''), ('a.fts', 'fits', ''),
        *((f'a.{camera}', 'tif', '') for camera in ('KDC', 'mrw', 'erf', 'fff', 'gpr', 'raw')),
        ('a.rwl', 'raw', ''),
    ],
)  # fmt: skip
def test_a_format_that_no_suffix_tells(write, name, head, untold):
    heads = HEADS | dict(tif=b'MM\0*', fits=b'SIMPLE  =                    T')
    assert untold_format(write(name, heads[head])) == untold


def test_what_is_no_image_has_no_untold_format(write, tmp_path):
    assert untold_format(write('a.jpg', TEXT)) == untold_format(write('a', b'%PDF-1.7')) == ''
    assert untold_format(write('a.dng', b'II*\0' + bytes(40))) == ''  # a TIFF inside, as they are
    assert untold_format(tmp_path / 'gone') == untold_format(tmp_path) == ''
