import pytest

from mmomni.reporting.archives import digests, listed_files

pa = pytest.importorskip('pyarrow', reason='needs Ray and pyarrow: the extra ray')
pq = pytest.importorskip('pyarrow.parquet', reason='needs Ray and pyarrow: the extra ray')

REASON = 'needs Ray and pyarrow: the extra ray'
pa = pytest.importorskip('pyarrow', reason=REASON)
pq = pytest.importorskip('pyarrow.parquet', reason=REASON)


def parquet(file, columns):
    pq.write_table(pa.table(columns), file)
    return file


def found(*arguments):
    files, repeated = listed_files(*arguments)
    return [str(file.relative) for file in files], repeated


def test_each_name_of_a_list_is_one_file(text_list, names):
    assert found([text_list]) == (names, 1)
    assert found([text_list, text_list]) == (names, len(names) + 2)


@pytest.mark.parametrize('kind', [pa.string(), pa.large_string(), pa.binary()])
def test_parquet_of_paths(photos, names, kind):
    path = parquet(photos / 'list.parquet', dict(path=pa.array(names, kind), width=[1] * 6))
    assert found([path]) == (names, 0)
    files, _ = listed_files([path])
    assert files[0].path == photos / '0.png'


def test_a_folder_of_parquet_and_absolute_paths(photos, tmp_path):
    folder = tmp_path / 'lists'
    folder.mkdir()
    for number in range(2):
        parquet(folder / f'{number}.parquet', dict(image=[str(photos / f'{number}.png')]))
    assert found([folder]) == (['0.png', '1.png'], 0)
    assert len(digests([folder])) == 2


def test_lists_that_are_missing_are_named_before_anything_is_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'expected a list of images .* x, y do not exist'):
        digests(['x', 'y'])


def test_a_list_may_name_files_above_it(photos, text_list):
    (photos / 'lists').mkdir()
    path = photos / 'lists/list.txt'
    path.write_text('../0.png\n')
    files, repeated = listed_files([text_list, path])
    assert [file.path.name for file in files].count('0.png') == 1
    assert repeated == 2
    assert found([path]) == (['../0.png'], 0)


@pytest.mark.parametrize(
    ('columns', 'column', 'message'),
    [
        (dict(path=['0.png'], file=['0.png']), None, r"got \['path', 'file'\]; name it"),
        (dict(url=['0.png']), None, r"one column of paths, got \['url'\]"),
        (dict(url=['0.png']), 'uri', "a column of text 'uri', got"),
        (dict(path=[1]), None, r"one column of paths, got \['path'\]"),
        (dict(path=['0.png', None]), None, "'path' is null in 1 of them"),
    ],
)
def test_parquet_without_the_column(photos, columns, column, message):
    with pytest.raises(ValueError, match=message):
        listed_files([parquet(photos / 'list.parquet', columns)], column)


def test_a_column_is_chosen_by_its_name(photos):
    path = parquet(photos / 'list.parquet', dict(path=['0.png'], url=['1.png']))
    assert found([path], 'url') == (['1.png'], 0)


def test_what_is_no_list(photos, text_list):
    (photos / 'folder').mkdir()
    (photos / 'b.parquet').write_bytes(b'no Parquet')
    (photos / 'c.txt').write_text('nothing.png\n')
    for path, message in (
        (text_list.with_name('folder'), 'find FOLDER -type f'),
        (photos / '0.png', 'expected a list of images'),
        (photos / 'b.parquet', 'expected Parquet with a column of paths'),
        (photos / 'c.txt', 'no line of it names a file that exists'),
    ):
        with pytest.raises(ValueError, match=message):
            listed_files([path])
    with pytest.raises(FileNotFoundError, match='does not exist'):
        listed_files([photos / 'a.txt'])
    with pytest.raises(ValueError, match='--column is of Parquet'):
        listed_files([text_list], 'path')
