import io
import os
from pathlib import Path

import pytest

from mmomni.apis.inputs import sources_of
from mmomni.apis.lists import NOT_A_LIST
from mmomni.apis.samples import MAX_PIXELS, try_to_read


@pytest.fixture
def folder(tmp_path):
    """Names are enough: nothing is read here."""
    for name in ('images/a.jpg', 'images/b c.jpg', 'images/ü.jpg', 'masks/a.png', '#1.jpg'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.fixture
def listed(folder):
    def listed(content, name='list.txt'):
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
        found = [Path(source.name) for source in sources_of(str(folder / name))]
        return [str(path.relative_to(folder)) for path in found]

    return listed


@pytest.fixture
def standard_input(monkeypatch):
    def give(data):
        monkeypatch.setattr('sys.stdin', io.TextIOWrapper(io.BytesIO(data)))

    return give


@pytest.mark.parametrize(
    ('line', 'path'),
    [
        ('images/a.jpg', 'images/a.jpg'),
        ('images/b c.jpg', 'images/b c.jpg'),
        ('  images/a.jpg  ', 'images/a.jpg'),
        ('images/a.jpg\tmasks/a.png', 'images/a.jpg'),
        ('images/b c.jpg\t-', 'images/b c.jpg'),
        ('images/a.jpg masks/a.png', 'images/a.jpg'),
        ('images/a.jpg -', 'images/a.jpg'),
        ('images/a.jpg, masks/a.png', 'images/a.jpg'),
        ('images/b c.jpg,None', 'images/b c.jpg'),
        ('images/a.jpg Negative', 'images/a.jpg'),
        ('images/a.jpg, masks/a.png, x, 90', 'images/a.jpg'),
        ('images/a.jpg masks/a.png # good', 'images/a.jpg'),
        (r'images\a.jpg', 'images/a.jpg'),
        ('images\\a.jpg\tmasks\\a.png', 'images/a.jpg'),
        ('#1.jpg', '#1.jpg'),
        ('images/a.jpg of last year.jpg', 'images/a.jpg of last year.jpg'),
        ('gone.jpg\tmasks/gone.png', 'gone.jpg'),
        ('images/a.jpg,/elsewhere/m.png', 'images/a.jpg'),
        ('images/a.jpg, mask.png', 'images/a.jpg'),
        ('images/a.jpg;mask.png', 'images/a.jpg'),
        ('images/a.jpg mask.png', 'images/a.jpg'),
        ('images/a.jpg,mask.png,1', 'images/a.jpg'),
        ('images/b c.jpg, the mask.png', 'images/b c.jpg'),
        ('images/b c.jpg masks/gone.png', 'images/b c.jpg'),
        ('images/b c.jpg None', 'images/b c.jpg'),
        ('images/b c.jpg Negative', 'images/b c.jpg'),
        ('"images/b c.jpg"', 'images/b c.jpg'),
        ('"images/b c.jpg","the mask.png"', 'images/b c.jpg'),
        ('"images/b c.jpg" None', 'images/b c.jpg'),
        ('"images\\b c.jpg"\t-', 'images/b c.jpg'),
        ('images/a.jpg # good', 'images/a.jpg'),
        ('images/a.jpg of this year.jpg', 'images/a.jpg of this year.jpg'),
    ],
)
def test_the_first_column_of_a_line_is_the_image(listed, line, path):
    assert listed(f'images/ü.jpg\n{line}\n') == ['images/ü.jpg', path]


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('x.csv', 'image,mask\nimages/a.jpg,/elsewhere/m.png\nimages/b c.jpg,\ngone.jpg,x.png\n'),
        ('x.CSV', 'images/a.jpg,/elsewhere/m.png\nimages/b c.jpg,None\ngone.jpg,x.png\n'),
        ('x.tsv', 'path\tlabel\nimages/a.jpg\t1\nimages/b c.jpg\t0\ngone.jpg\t0\n'),
        ('x.json', '["images/a.jpg", "images/b c.jpg", "gone.jpg"]'),
        ('x.json', '[["images/a.jpg", "m.png"], ["images\\\\b c.jpg", "None"], ["gone.jpg", "-"]]'),
        ('x.jsonl', '{"image": "images/a.jpg"}\n{"path": "images/b c.jpg"}\n{"img": "gone.jpg"}'),
    ],
)
def test_tables_are_lists_too(listed, name, content):
    assert listed(content, name) == ['images/a.jpg', 'images/b c.jpg', 'gone.jpg']


def test_rows_of_a_table_that_cannot_be_understood_are_named(listed):
    with pytest.raises(ValueError, match=r'x\.csv: expected .*\n  line 3: got 1 columns, but'):
        listed('image,mask\nimages/a.jpg,-\nimages/b.jpg\n', 'x.csv')


@pytest.mark.parametrize('name', ['facts.json', 'table.csv', 'lines.jsonl'])
@pytest.mark.parametrize('content', ['{}', 'a,b\n1,2\n', '[', '["gone.jpg"]', '[1, 2]'])
def test_a_table_that_names_no_file_is_no_list(folder, name, content):
    (folder / name).write_text(content)
    (source,) = sources_of(folder / name)
    assert NOT_A_LIST in try_to_read(source, MAX_PIXELS).reason


@pytest.mark.parametrize(
    'content',
    [
        b'\xef\xbb\xbfimages/a.jpg\nimages/\xc3\xbc.jpg',
        'images/a.jpg\nimages/ü.jpg\n'.encode('utf-16'),
        'images/a.jpg\r\n\r\nimages/ü.jpg\r\n'.encode(),
        '# a comment\n\n  \n  # another\nimages/a.jpg\nimages/ü.jpg'.encode(),
        'images/a.jpg\0images/ü.jpg\0'.encode(),
    ],
    ids=['BOM', 'UTF-16', 'CRLF', 'comments', 'NUL'],
)
def test_lists_of_whoever_wrote_them(listed, content):
    assert listed(content) == ['images/a.jpg', 'images/ü.jpg']


def test_names_that_are_no_text_are_found(folder, listed):
    name = b'images/\xfc.jpg'
    Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).touch()
    assert listed(name + b'\n') == [os.fsdecode(name)]


def test_paths_are_relative_to_the_list_or_to_the_working_directory(folder, listed, monkeypatch):
    monkeypatch.chdir(folder / 'images')
    (folder / 'lists').mkdir()
    (folder / 'lists/x.txt').write_text('a.jpg\n')
    assert [source.name for source in sources_of(folder / 'lists/x.txt')] == ['a.jpg']
    (folder / 'lists/a.jpg').touch()
    assert [source.content for source in sources_of(folder / 'lists/x.txt')] == [
        folder / 'lists/a.jpg'
    ]
    absolute = str(folder / 'images/a.jpg')
    assert listed(f'{absolute}\n') == ['images/a.jpg']


def test_a_folder_in_a_list_is_opened_up_and_a_list_is_not(folder, listed):
    (folder / 'x.txt').write_text('images/a.jpg')
    found = ['images/a.jpg', 'images/b c.jpg', 'images/ü.jpg', 'x.txt']
    assert listed('images\nx.txt\n') == found


@pytest.mark.parametrize('content', ['', 'some notes\n', 'gone.jpg\n', '# nothing\n'])
def test_text_that_names_no_file_is_no_list(folder, content):
    path = folder / 'notes.txt'
    path.write_text(content)
    (source,) = sources_of(path)
    assert source.content == path
    reason = try_to_read(source, MAX_PIXELS).reason
    assert (NOT_A_LIST in reason) == bool(content)


def test_an_image_that_is_called_txt_is_no_list(folder):
    (folder / 'photo.txt').write_bytes(b'\xff\xd8\xff\xe0')
    assert [source.content for source in sources_of(folder / 'photo.txt')] == [folder / 'photo.txt']


@pytest.mark.parametrize('end', [b'\n', b'\0'])
def test_standard_input(folder, standard_input, monkeypatch, end):
    monkeypatch.chdir(folder)
    names = ['images/a.jpg', 'images/b c.jpg', 'gone.jpg']
    standard_input(b''.join(name.encode() + end for name in names))
    assert [source.name for source in sources_of('-')] == names


def test_nothing_on_standard_input_is_an_error(standard_input):
    standard_input(b'\n')
    with pytest.raises(ValueError, match='standard input: expected the path of an image in each'):
        sources_of('-')
