import os
from pathlib import Path, PurePath

import pytest

from mmomni.reporting import ImageFile, assign_names, survey_inputs


def named(*relatives, taken=()):
    files = [ImageFile(Path('/in', str(n), PurePath(r).name), PurePath(r))
             for n, r in enumerate(relatives)]  # fmt: skip
    return list(assign_names(files, dict(taken)).values())


def found(tmp_path, *inputs):
    files = survey_inputs([str(item) for item in inputs], tmp_path / 'out').files
    return [file.relative.as_posix() for file in files]


def test_folders_files_and_globs_are_opened(tmp_path, photos):
    assert found(tmp_path, photos) == ['a.png', 'b.png', 'sub/a.png']
    assert found(tmp_path, photos / 'b.png') == ['b.png']
    assert found(tmp_path, photos / '*' / '*.png') == ['sub/a.png']


def test_a_file_counts_once(tmp_path, photos):
    (tmp_path / 'link').symlink_to(photos)
    inputs = (photos, photos / 'a.png', photos / '../photos/b.png', tmp_path / 'link')
    assert found(tmp_path, *inputs) == ['a.png', 'b.png', 'sub/a.png']


def test_results_are_no_input(tmp_path, photos, save):
    save(tmp_path / 'out/heat_maps/a.png')
    assert found(tmp_path, tmp_path) == ['photos/a.png', 'photos/b.png', 'photos/sub/a.png']
    with pytest.raises(ValueError, match='results folder'):
        survey_inputs([str(tmp_path / 'out')], tmp_path / 'out')


def test_results_are_no_input_by_a_link_either(tmp_path, photos, save):
    save(tmp_path / 'out/heat_maps/x.png')
    (photos / 'link').symlink_to(tmp_path / 'out')
    assert found(tmp_path, photos) == ['a.png', 'b.png', 'sub/a.png']


@pytest.mark.parametrize(
    ('item', 'message'),
    [
        ('nothing', 'nothing: does not exist$'),
        ('photo', "photo: does not exist; the closest name there is 'photos'"),
        ('photos/c.png', "c.png: does not exist; the closest name there is '[ab].png'"),
        ('empty', 'expected images in this folder, got no file'),
        ('photos/*.tif', 'no file matches'),
    ],
)
def test_nothing_found_is_an_error(tmp_path, photos, item, message):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match=message):
        survey_inputs([str(tmp_path / item)], tmp_path / 'out')


def test_every_file_is_counted_once(tmp_path, photos, save):
    save(tmp_path / 'photos/out/masks/a.png')
    (photos / 'notes.txt').write_text('text')
    (photos / '.hidden.png').touch()
    (tmp_path / 'link').symlink_to(photos)
    inputs = [str(photos), str(tmp_path / 'link'), str(photos / '.hidden.png')]
    survey = survey_inputs(inputs, photos / 'out')
    names = [file.path.name for file in survey.files]
    assert names == ['a.png', 'b.png', 'a.png', '.hidden.png']
    assert survey.others == {
        photos / 'notes.txt': 'txt', photos / 'out/masks/a.png': 'own results',
    }  # fmt: skip


def test_one_missing_file_among_others_is_kept_for_the_list_of_bad_files(tmp_path, photos):
    assert found(tmp_path, photos / 'gone.jpg', photos / 'a.png') == ['gone.jpg', 'a.png']


def test_names_are_the_paths_below_the_input_folder():
    assert named('a.jpg', 'sub/deep/b.c.jpg') == ['a', 'sub/deep/b.c']


def test_names_that_would_collide_get_the_suffix_or_a_digest():
    first, second, third, fourth = named('x.jpg', 'x.png', 'x.jpg', 'X.JPG')
    assert (first, second) == ('x', 'x_png')
    assert third == 'x_jpg'
    assert fourth.startswith('X_')
    assert len({name.casefold() for name in (first, second, third, fourth)}) == 4


def test_many_files_of_one_name_differ():
    names = named(*['x.jpg'] * 50)
    assert len(set(names)) == 50


def test_a_suffix_behind_a_name_may_collide_with_a_name():
    assert named('x_png.jpg', 'x.jpg', 'x.png')[:2] == ['x_png', 'x']
    assert len(set(named('x_png.jpg', 'x.jpg', 'x.png'))) == 3


def test_accents_composed_and_decomposed_are_one_name():
    assert len({name.casefold() for name in named('\u00e9.jpg', 'e\u0301.jpg')}) == 2
    assert named('\u00e9.jpg', 'e\u0301.jpg')[1] == 'e\u0301_jpg'


def test_a_folder_is_not_called_like_an_output_file():
    assert named('x.jpg', 'x.png/y.jpg') == ['x', 'x.png_/y']


def test_a_known_file_keeps_its_name_and_others_avoid_it():
    taken = {Path('/in/1/x.jpg'): 'old', Path('/elsewhere/x.jpg'): 'x'}
    assert named('x.jpg', 'x.jpg', taken=taken) == ['x_jpg', 'old']


HOSTILE = [
    '../../etc/passwd.jpg',
    '/etc/passwd.jpg',
    'a/../../b.jpg',
    '...jpg',
    '.. .jpg',
    'line\nbreak\x1b[31m\u202e.jpg',
    'C:\\windows\\x.jpg',
    os.fsdecode(b'broken\xff\xfe.jpg'),
    '<img src=x onerror=alert(1)>.jpg',
    'n' * 251 + '.jpg',
    '\U0001f600' * 60 + '.jpg',
    'deep/' * 700 + 'x.jpg',
    'con/NUL.tar.jpg',
]


@pytest.mark.parametrize('relative', HOSTILE, ids=lambda text: ascii(text)[:30])
def test_no_name_leaves_the_folder_or_breaks_a_file_system(relative, tmp_path):
    (name,) = named(relative)
    assert name.isprintable()
    assert not PurePath(name).is_absolute()
    assert not {'', '.', '..'} & set(name.split('/'))
    assert not set('<>:"\\|?*') & set(name)
    assert (tmp_path / name).resolve().is_relative_to(tmp_path)
    target = tmp_path / f'{name}.jpg'
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()


@pytest.mark.parametrize(
    ('relative', 'name'),
    [
        ('con.jpg', '_con'),
        ('aux/x.jpg', '_aux/x'),
        ('Nul.tar.jpg', '_Nul.tar'),
        ('com1 .x.jpg', '_com1 .x'),
        ('lpt².jpg', '_lpt²'),
        ('contract.jpg', 'contract'),
        ('com10.jpg', 'com10'),
    ],
)
def test_names_of_windows_devices_are_changed(relative, name):
    assert named(relative) == [name]


def test_hostile_names_stay_different():
    names = named(*HOSTILE, *HOSTILE)
    assert len(set(names)) == 2 * len(HOSTILE)


def test_long_names_that_differ_late_stay_different():
    first, second = named('n' * 240 + 'a.jpg', 'n' * 240 + 'b.jpg')
    assert first != second
    assert len(first) <= 120


def test_all_inputs_that_are_wrong_are_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'a.jpg').touch()
    inputs = [tmp_path / name for name in ('nope', '*.png', 'empty', 'a.jpg')]
    with pytest.raises(ValueError, match='nope: does not exist') as error:
        survey_inputs([str(path) for path in inputs], tmp_path / 'out')
    first, second, third = str(error.value).splitlines()
    assert '*.png: expected images there, no file matches' in second
    assert 'empty: expected images in this folder, got no file' in third
    assert first.endswith('does not exist')
