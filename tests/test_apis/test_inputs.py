import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmomni.apis.inputs import Source, sources_of
from mmomni.apis.samples import MAX_PIXELS, try_to_read
from mmomni.utils.files import missing_text


@pytest.fixture
def folder(tmp_path):
    """Names are enough: nothing is read here."""
    for name in ('b.jpg', 'a.PNG', 'notes.txt', 'sub/c.webp', 'sub/d.jpg.txt'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / 'empty').mkdir()
    return tmp_path


def names(inputs):
    return [source.name for source in sources_of(inputs)]


def test_a_path_is_one_source_whether_text_or_path(folder):
    path = folder / 'b.jpg'
    assert sources_of(path) == sources_of(str(path)) == [Source(str(path), path)]


def test_a_named_file_needs_no_image_suffix(folder):
    assert names(folder / 'notes.txt') == [str(folder / 'notes.txt')]


def test_a_folder_stands_for_all_images_below_it_sorted(folder):
    assert names(folder) == [str(folder / name) for name in ('a.PNG', 'b.jpg', 'sub/c.webp')]


def test_a_glob_stands_for_the_files_that_match(folder):
    assert names(f'{folder}/*.[jP]*') == [str(folder / name) for name in ('a.PNG', 'b.jpg')]
    everything = ('a.PNG', 'b.jpg', 'notes.txt', 'sub/c.webp', 'sub/d.jpg.txt')
    assert names(f'{folder}/**') == [str(folder / name) for name in everything]


def test_a_file_whose_name_looks_like_a_glob(folder):
    path = folder / 'scan[1].jpg'
    path.touch()
    assert names(path) == [str(path)]


def test_arrays_and_bytes_are_called_by_their_place():
    array = np.zeros((4, 4), np.uint8)
    sources = sources_of([b'abc', array, 'x.jpg'])
    assert [source.name for source in sources] == ['bytes 0', 'array 1', 'x.jpg']
    assert sources[0].content == b'abc'
    assert sources[1].content is array


def test_one_array_is_one_image_not_many_rows():
    assert len(sources_of(np.zeros((4, 4, 3), np.uint8))) == 1


def test_any_iterable_in_its_order(folder):
    inputs = ['b.jpg', folder / 'sub', 'a.jpg']
    expected = ['b.jpg', str(folder / 'sub/c.webp'), 'a.jpg']
    assert names(inputs) == names(item for item in inputs) == expected


def test_missing_and_impossible_names_are_told_on_reading():
    impossible = ['missing.jpg', 'a\0b.jpg', 'x' * 5000]
    assert names(impossible) == impossible


@pytest.mark.parametrize('item', ['*.bmp', 'missing/*'])
def test_a_glob_without_files_is_refused(folder, item):
    with pytest.raises(ValueError, match='expected images there, no file matches'):
        sources_of(str(folder / item))


def test_a_folder_without_images_says_what_it_holds(folder):
    with pytest.raises(ValueError, match=r'images in this folder, got no file$'):
        sources_of(folder / 'empty')
    for name in ('a.txt', 'b.txt', '.c.jpg'):
        (folder / 'empty' / name).write_text('text')
    with pytest.raises(ValueError, match=r'in this folder, got 2 txt, 1 hidden$'):
        sources_of(folder / 'empty')


def test_content_decides_which_files_of_a_folder_are_images(folder):
    for name in ('sub/no_suffix', 'sub/photo.txt', '.hidden.jpg'):
        (folder / name).write_bytes(b'\xff\xd8\xff\xe0')
    found = [str(folder / 'sub' / name) for name in ('c.webp', 'no_suffix', 'photo.txt')]
    assert names(folder / 'sub') == found
    assert str(folder / '.hidden.jpg') not in names(folder)


def test_a_folder_that_cannot_be_entered_is_a_source(folder, monkeypatch):
    scandir = os.scandir

    def refusing(path='.'):
        if str(path).endswith('sub'):
            raise PermissionError(13, 'Permission denied', str(path))
        return scandir(path)

    monkeypatch.setattr('os.scandir', refusing)
    assert names(folder) == [str(folder / name) for name in ('a.PNG', 'b.jpg', 'sub')]


def test_none_alone_is_refused():
    with pytest.raises(TypeError, match='got NoneType'):
        sources_of(None)


def test_a_path_is_no_glob(folder):
    (source,) = sources_of(folder / 'gone[1].jpg')
    assert source.content == folder / 'gone[1].jpg'


@pytest.mark.parametrize('item', [3, None, [b'abc']])
def test_other_things_are_refused(item):
    with pytest.raises(TypeError, match=r'input 1: expected a path, .* got (int|NoneType|list)'):
        sources_of(['x.jpg', item])


def test_a_glob_that_matches_folders_opens_them_up(folder):
    (folder / 'sub/deep').mkdir()
    (folder / 'sub/deep/e.jpg').touch()
    (folder / 'sub/photo').write_bytes(b'\xff\xd8\xff\xe0')
    found = ['sub/c.webp', 'sub/deep/e.jpg', 'sub/photo']
    assert names(f'{folder}/s*') == [str(folder / name) for name in found]
    everything = ['a.PNG', 'b.jpg', 'notes.txt', *found]
    assert names(f'{folder}/*') == [str(folder / name) for name in everything]


def test_a_glob_that_matches_folders_without_images_says_what_they_hold(folder):
    (folder / 'empty/a.txt').touch()
    with pytest.raises(ValueError, match='expected images there, got 1 empty'):
        names(f'{folder}/em*')


def test_a_source_is_taken_as_it_is(folder):
    source = Source('a name', folder)
    assert sources_of(source) == sources_of([source]) == [source]


def test_open_files_give_their_bytes_and_are_called_by_their_names(folder):
    path = folder / 'b.jpg'
    path.write_bytes(b'abcdef')
    with path.open('rb') as file:
        (whole,) = sources_of(file)
        (again,) = sources_of(file)  # read to its end: nothing else can be meant
        file.seek(4)
        named, memory = sources_of([file, io.BytesIO(b'xyz')])
    assert whole == again == Source(str(path), b'abcdef')
    assert named.content == b'ef'
    assert memory == Source('file 1', b'xyz')


@pytest.mark.parametrize('several', [False, True])
def test_a_file_opened_as_text_is_refused(folder, several):
    (folder / 'b.jpg').write_bytes(b'\xff\xd8')
    with (folder / 'b.jpg').open() as file, pytest.raises(TypeError, match=r"b\.jpg: .*'rb'"):
        sources_of([file] if several else file)
    with pytest.raises(TypeError, match=r"file 0: .*'rb'"):
        sources_of(io.StringIO('text'))


def test_an_image_of_pillow_is_one_input():
    image = Image.new('RGB', (4, 4))
    assert sources_of(image) == [Source('Pillow image 0', image)]
    assert names([image, image]) == ['Pillow image 0', 'Pillow image 1']


@pytest.mark.parametrize('kind', [bytearray, memoryview])
def test_bytes_in_other_containers(kind):
    assert sources_of(kind(b'abc')) == [Source('bytes 0', b'abc')]


def test_what_a_list_names_twice_is_one_source(tmp_path, monkeypatch):
    (tmp_path / 'a.jpg').touch()
    (tmp_path / 'x.txt').write_text(f'a.jpg\n./a.jpg\n{tmp_path}/a.jpg\na.jpg\t-\n')
    assert [source.content for source in sources_of(tmp_path / 'x.txt')] == [tmp_path / 'a.jpg']
    twice = [tmp_path / 'a.jpg', tmp_path / 'a.jpg']
    assert [source.content for source in sources_of(twice)] == twice, 'one result for each input'


@pytest.mark.parametrize('wrong', [3, 0.5, True, object()])
def test_what_cannot_be_iterated_is_named(wrong):
    with pytest.raises(TypeError, match=f'input 0: expected a path.*, got {type(wrong).__name__}'):
        sources_of(wrong)


@pytest.mark.parametrize('url', ['http://127.0.0.1/a.jpg', 'https://x.org/a.jpg?size=[1]'])
def test_a_url_is_not_fetched(url):
    (source,) = sources_of(url)
    assert 'URLs are not fetched' in try_to_read(source, MAX_PIXELS).reason
    assert missing_text(Path('/work', url)).startswith(f'{url}: a URL, and URLs are not fetched')
