"""Every argument of mmseg's ``BaseSegDataset`` does what it says, or is refused."""

import inspect

import pytest
from mmseg.datasets import BaseSegDataset

from mmomni.datasets import DocTamperDataset, ManipulationDataset

HONOURED_ELSEWHERE = {
    'self', 'ann_file', 'data_root', 'data_prefix', 'pipeline', 'test_mode', 'max_refetch',
    'img_suffix', 'seg_map_suffix',
}  # fmt: skip
"""Tested with what they are about: folders, list files, files that cannot be read."""


@pytest.fixture
def root(tmp_path):
    for number in range(4):
        for folder in ('images', 'masks'):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f'{number}.png').write_text(folder)
    return tmp_path


def dataset(root, **options):
    options = dict(serialize_data=False) | options  # which takes long
    return ManipulationDataset(domain='natural', data_root=str(root), **options)


def stems(data):
    return [data.get_data_info(index)['img_path'][-5] for index in range(len(data))]


REFUSED = {
    'reduce_zero_label': (True, 'reduce_zero_label=True has no effect'),
    'filter_cfg': (dict(filter_empty_gt=True), 'filter_cfg=.* has no effect'),
    'ignore_index': (0, 'got ignore_index=0; mask_ignore names'),
    'backend_args': (dict(backend='petrel'), 'read from the disk, got backend_args='),
    'metainfo': (dict(classes=('tampered', 'authentic')), 'masks have the classes'),
}
HARMLESS = {
    'reduce_zero_label': (False,), 'filter_cfg': (None, {}), 'ignore_index': (255,),
    'backend_args': (None, dict(backend='local')),
    'metainfo': (None, dict(classes=['authentic', 'tampered'])),
}  # fmt: skip
HONOURED = {
    'indices': ((2, '01'), (-1, '3'), ([3, 0], '30')),
    'lazy_init': ((True, '0123'), (False, '0123')),
    'serialize_data': ((True, '0123'), (False, '0123')),
}


def test_no_argument_of_the_host_is_forgotten():
    arguments = set(inspect.signature(BaseSegDataset.__init__).parameters)
    assert arguments == HONOURED_ELSEWHERE | set(REFUSED) | set(HONOURED)
    assert set(REFUSED) == set(HARMLESS)


@pytest.mark.parametrize('key', REFUSED)
def test_what_would_have_no_effect_is_refused_before_files_are_looked_for(key, tmp_path):
    value, message = REFUSED[key]
    with pytest.raises(ValueError, match=message):
        dataset(tmp_path / 'absent', lazy_init=True, **{key: value})


@pytest.mark.parametrize('key', HARMLESS)
def test_what_changes_nothing_may_be_said(key, root):
    for value in HARMLESS[key]:
        assert stems(dataset(root, **{key: value})) == list('0123')


@pytest.mark.parametrize('key', HONOURED)
def test_what_has_an_effect_has_it(key, root):
    for value, expected in HONOURED[key]:
        assert stems(dataset(root, **{key: value})) == list(expected)


def test_a_palette_is_that_of_the_set(root):
    palette = [[1, 2, 3], [4, 5, 6]]
    assert dataset(root, metainfo=dict(palette=palette)).metainfo['palette'] == palette


@pytest.mark.parametrize('key', ['img_suffix', 'seg_map_suffix'])
@pytest.mark.parametrize('value', ['', 3, ['.jpg']], ids=str)
def test_an_ending_is_a_text(value, key, tmp_path):
    with pytest.raises(ValueError, match=rf'expected {key} to be the end of names'):
        dataset(tmp_path, lazy_init=True, **{key: value})


def test_an_ending_of_masks_says_nothing_of_a_list_of_pairs(tmp_path):
    with pytest.raises(ValueError, match=r"seg_map_suffix='_gt.png' has no effect on a list file"):
        dataset(tmp_path, lazy_init=True, ann_file='list.txt', seg_map_suffix='_gt.png')


@pytest.mark.parametrize(
    ('prefix', 'message'),
    [
        (dict(img='images'), r"got \['img'\] too"),
        (dict(img_path='images', depth_map_path='d'), r"got \['depth_map_path'\] too"),
        (dict(seg_map_path='masks'), 'expected data_prefix to have img_path'),
        ({}, 'expected data_prefix to have img_path'),
    ],
    ids=str,
)
def test_a_folder_that_nothing_is_looked_for_in_is_refused(prefix, message, root):
    with pytest.raises(ValueError, match=message):
        dataset(root, data_prefix=prefix)


@pytest.mark.parametrize('option', [
    dict(img_suffix='.jpg'), dict(seg_map_suffix='.png'), dict(data_prefix=dict(img_path='x')),
], ids=str)  # fmt: skip
def test_a_database_has_no_folders(option, tmp_path):
    with pytest.raises(ValueError, match='an LMDB has no folders'):
        DocTamperDataset(str(tmp_path), lazy_init=True, **option)


def test_an_unknown_argument_is_an_error(root):
    with pytest.raises(TypeError, match='mask_suffix'):
        dataset(root, mask_suffix='.png')


def test_all_arguments_are_known_without_the_classes():
    from mmomni.datasets.host_options import ARGUMENTS

    classes = (BaseSegDataset, ManipulationDataset, DocTamperDataset)
    taken = {name for each in classes for name in inspect.signature(each).parameters}
    assert set(ARGUMENTS) == taken - {'kwargs'}
