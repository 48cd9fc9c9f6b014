"""Sets are opened as the dataset opens them; what it refuses has a name."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from mmomni.inspection.kinds import KINDS
from mmomni.inspection.opening import open_config, open_sets
from mmomni.inspection.pairing import pair_folders, pair_list
from mmomni.inspection.records import DataSet


def touch(root, *names):
    """Empty files: nothing is decoded when a set is opened."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def a_set():
    return DataSet('set', '-', 'train', 'root')


def write_config(path, **loaders):
    path.write_text(json.dumps({f'{key}_dataloader': dict(dataset=each)
                                for key, each in loaders.items()}))  # fmt: skip
    return path


def kinds_of(data_set):
    return [finding.kind for finding in data_set.findings]


# ---- the same as the dataset ----------------------------------------------------------------

PAIRED = ('images/a.jpg', 'images/sub/b.png', 'images/c.webp', 'masks/a.png', 'masks/sub/b.tif')
TEN = tuple(f'images/{number}.png' for number in range(10))
LISTED = '# image, mask\nimages/a.jpg  masks/a.png\n\nimages/c.webp -\r\nmy images/d e.png\t-\n'

SOUND = {
    'folders': (PAIRED, {}),
    'authentic images alone': (TEN, dict(data_prefix=dict(img_path='images'))),
    'folders of other names': (
        ('x/a.png', 'y/z/a.png'), dict(data_prefix=dict(img_path='x', seg_map_path='y/z')),
    ),
    'a list file': (PAIRED, dict(ann_file='train.txt')),
    'a list file elsewhere': (PAIRED, dict(ann_file='lists/a.txt')),
    'but those held out': ((*TEN, 'masks/3.png'), dict(held_out=3)),
    'those held out': ((*TEN, 'masks/3.png'), dict(held_out=3, split='held_out')),
    'endings of names': (
        ('images/a.jpg', 'images/b.png', 'masks/a_gt.png', 'masks/a_edge.png'),
        dict(img_suffix='.jpg', seg_map_suffix='_gt.png'),
    ),
    'masks beside images': (
        ('a.jpg', 'x/b.png', 'x/b_gt.png'),
        dict(data_prefix=dict(img_path='', seg_map_path=''), seg_map_suffix='_gt.png'),
    ),
    'a list of stems': (('images/a.jpg',), dict(ann_file='stems.txt', img_suffix='.jpg')),
    'the first': (TEN, dict(indices=3, data_prefix=dict(img_path='images'))),
    'some held out': (
        (*TEN, 'masks/3.png'), dict(indices=[1, 0], held_out=3, split='held_out'),
    ),
    'those held out of a list': (PAIRED, dict(ann_file='train.txt', held_out=1, split='held_out')),
}  # fmt: skip

REFUSED = {
    'no folder': ((), {}, 'set-missing'),
    'no mask folder': (TEN, {}, 'set-missing'),
    'no images': (('images/a.txt', 'masks/Thumbs.db'), {}, 'set-missing'),
    'a mask of no known kind': (('images/a.png', 'masks/a.exr'), {}, 'mask-unrecognised'),
    'a mask that ends almost so': (
        ('images/a.png', 'masks/a_gt.PNG'), dict(seg_map_suffix='_gt.png'), 'mask-unrecognised',
    ),
    'a mask among the images': (
        ('images/a.png', 'images/a_gt.png', 'masks/a.png'), {}, 'image-is-mask',
    ),
    'images and masks in one folder': (
        TEN, dict(data_prefix=dict(img_path='images', seg_map_path='images')), 'mask-is-image',
    ),
    'a file that is both': (
        ('a.png', 'b.png'), dict(ann_file='both.txt'), 'image-is-mask',
    ),
    'a folder of another name': (TEN, dict(data_prefix=dict(img='images')), 'set-missing'),
    'a list and an ending': (
        PAIRED, dict(ann_file='train.txt', seg_map_suffix='.png'), 'set-missing',
    ),
    'an ending that is none': (PAIRED, dict(img_suffix=3), 'set-missing'),
    'a channel that is none': (PAIRED, dict(mask_channel='red'), 'set-missing'),
    'what has no effect': (PAIRED, dict(reduce_zero_label=True), 'set-missing'),
    'indices beyond the last': (
        TEN, dict(indices=[10], data_prefix=dict(img_path='images')), 'set-missing',
    ),
    'a mask without an image': (('images/a.png', 'masks/b.png'), {}, 'mask-orphan'),
    'images of one stem': (('images/a.png', 'images/a.jpg', 'masks/a.png'), {}, 'stem-collision'),
    'masks of one stem': (('images/a.png', 'masks/a.png', 'masks/a.tif'), {}, 'stem-collision'),
    'no list file': (PAIRED, dict(ann_file='absent.txt'), 'set-missing'),
    'a list file of comments': ((), dict(ann_file='comments.txt'), 'set-missing'),
    'a line of one column': (('a.png',), dict(ann_file='one.txt'), 'list-line'),
    'a line of three columns': (('a.png',), dict(ann_file='three.txt'), 'list-line'),
    'a list file and folders': (
        PAIRED, dict(ann_file='train.txt', data_prefix=dict(img_path='images')), 'set-missing',
    ),
    'too many held out': ((*TEN, 'masks/1.png'), dict(held_out=6), 'set-missing'),
    'none held out': ((*TEN, 'masks/1.png'), dict(split='held_out'), 'set-missing'),
    'no such split': ((*TEN, 'masks/1.png'), dict(split='val'), 'set-missing'),
    'nothing held out': ((*TEN, 'masks/1.png'), dict(held_out=None), 'set-missing'),
    'a word held out': ((*TEN, 'masks/1.png'), dict(held_out='3'), 'set-missing'),
    'a share held out': ((*TEN, 'masks/1.png'), dict(held_out=1.0), 'set-missing'),
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """A folder with list files and no images yet."""
    root = tmp_path / 'root'
    lists = dict(train=LISTED, comments='# nothing\n\n')
    lists.update(both='a.png b.png\nb.png -\n', stems='a\n\nb\n')
    lists.update(one='a.png -\nb.png\n', three='a.png -\na b c\n')
    (root / 'lists').mkdir(parents=True)
    for name, text in lists.items():
        (root / f'{name}.txt').write_text(text)
    (root / 'lists' / 'a.txt').write_text('images/a.jpg masks/a.png\n')
    return root


def built(root, **options):
    from mmomni.datasets import ManipulationDataset

    return ManipulationDataset('face', data_root=str(root), pipeline=[], **options)


def opened(root, **options):
    entry = dict(type='mmomni.ManipulationDataset', domain='face', data_root=str(root), **options)
    (data_set,) = open_config(write_config(root / 'config.json', train=entry))
    return data_set


@pytest.mark.parametrize('layout', SOUND)
def test_pairs_are_those_of_the_dataset(layout, root):
    files, options = SOUND[layout]
    touch(root, *files)
    data_set, dataset = opened(root, **options), built(root, **options)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert data_set.pairs == [(info['img_path'], info['seg_map_path']) for info in infos]
    assert data_set.pairs != []
    assert [each for each in data_set.findings if each.kind != 'files-left-out'] == []


@pytest.mark.parametrize('layout', REFUSED)
def test_what_the_dataset_refuses_is_an_error_here(layout, root):
    files, options, kind = REFUSED[layout]
    touch(root, *files)
    with pytest.raises((FileNotFoundError, IndexError, ValueError)):
        built(root, **options)
    data_set = opened(root, **options)
    assert {each.kind for each in data_set.findings if each.level == 'error'} == {kind}
    assert KINDS[kind].level == 'error'


@pytest.mark.parametrize(
    'layout', ['a list file and folders', 'too many held out', 'no such split', 'a word held out']
)
def test_what_one_rule_refuses_is_refused_in_its_words_and_has_no_images(layout, root):
    """Of a set that cannot be split, all images would look as if they leaked."""
    files, options, _ = REFUSED[layout]
    touch(root, *files)
    with pytest.raises(ValueError) as error:  # noqa: PT011  (whatever its words are)
        built(root, **options)
    data_set = opened(root, **options)
    assert [finding.message for finding in data_set.findings] == [str(error.value)]
    assert data_set.pairs == []


def test_images_held_out_of_training_are_no_leak(tmp_path):
    """Of one list, training and validation have different images."""
    touch(tmp_path, *TEN, 'masks/1.png')
    entry = dict(type='ManipulationDataset', data_root=str(tmp_path), held_out=2)
    held = dict(entry, split='held_out')
    train, val = open_config(write_config(tmp_path / 'c.json', train=entry, val=held, test=held))
    assert (train.split, val.split) == ('train', 'val/test')
    assert [Path(image).stem for image, _ in val.pairs] == ['0', '5']
    assert {image for image, _ in train.pairs} & {image for image, _ in val.pairs} == set()
    assert len(train.pairs) + len(val.pairs) == 10


# ---- what a person names --------------------------------------------------------------------


def test_folders_and_lists_are_training_sets_unless_said_otherwise(root):
    touch(root, *PAIRED)
    sets = open_sets([str(root), str(root / 'train.txt')], [str(root / 'lists' / 'a.txt')])
    assert [(each.name, each.split, each.domain) for each in sets] == [
        ('root', 'train', '-'), ('root/train.txt', 'train', '-'), ('lists/a.txt', 'test', '-'),
    ]  # fmt: skip


def test_a_list_file_is_relative_to_its_own_folder(root):
    (data_set,) = open_sets([str(root / 'lists' / 'a.txt')])
    folder = root / 'lists'
    assert data_set.pairs == [(str(folder / 'images/a.jpg'), str(folder / 'masks/a.png'))]


def test_a_folder_without_images_and_masks_holds_authentic_images(tmp_path):
    touch(tmp_path, 'b.png', 'deep/a.JPG', 'notes.txt')
    (data_set,) = open_sets([str(tmp_path)])
    assert data_set.pairs == [(str(tmp_path / name), None) for name in ('b.png', 'deep/a.JPG')]


def test_sets_of_one_name_and_split_are_numbered(tmp_path):
    """With their findings, which else would be those of the first."""
    for folder in 'abc':
        touch(tmp_path / folder / 'set', 'images/x.png', 'masks/y.png')
    paths = [str(tmp_path / folder / 'set') for folder in 'abc']
    sets = open_sets(paths[:2], paths[2:])
    assert [each.name for each in sets] == ['set', 'set (2)', 'set']
    assert [each.findings[0].dataset for each in sets] == ['set', 'set (2)', 'set']
    assert sets[1].samples()[0].dataset == 'set (2)'


def test_nothing_to_check_is_an_error():
    with pytest.raises(ValueError, match='expected a config, a list file or a folder, got nothing'):
        open_sets([])


def test_a_path_to_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'at .*nowhere, found nothing; check the path'):
        open_sets([], [str(tmp_path / 'nowhere')])


def test_a_single_image_is_no_set(tmp_path):
    touch(tmp_path, 'a.JPEG')
    with pytest.raises(ValueError, match=r'a\.JPEG is a single image; give the folder or a list'):
        open_sets([str(tmp_path / 'a.JPEG')])


def test_masks_alone_are_no_set(tmp_path):
    touch(tmp_path, 'masks/a.png')
    with pytest.raises(ValueError, match='has a folder masks/ but no images/; expected both'):
        open_sets([str(tmp_path)])


# ---- configs --------------------------------------------------------------------------------


def test_sets_that_validate_and_test_alike_are_opened_once(tmp_path):
    touch(tmp_path, *TEN)
    entry = dict(type='ManipulationDataset', data_root=str(tmp_path), domain='face')
    entry['data_prefix'] = dict(img_path='images')
    other = dict(entry, ann_file='absent.txt')
    config = write_config(tmp_path / 'c.json', train=entry, val=entry, test=[entry, other])
    assert [each.split for each in open_config(config)] == ['train', 'val/test', 'test']


def test_what_is_not_said_of_a_split_is_the_same_said(tmp_path):
    """Opened twice, every image of the set would be a duplicate."""
    touch(tmp_path, *TEN, 'masks/1.png')
    entry = dict(type='ManipulationDataset', data_root=str(tmp_path))
    said = [dict(entry, held_out=0), dict(entry, split='train'), entry]
    (data_set,) = open_config(write_config(tmp_path / 'c.json', val=said[:2], test=said[2:]))
    assert (data_set.split, len(data_set.pairs)) == ('val/test', 10)


def test_sides_of_one_split_are_two_sets(tmp_path):
    """Also if both are for testing."""
    touch(tmp_path, *TEN, 'masks/1.png')
    entry = dict(type='ManipulationDataset', data_root=str(tmp_path), held_out=2)
    held = dict(entry, split='held_out')
    sets = open_config(write_config(tmp_path / 'c.json', val=held, test=entry))
    assert [(each.split, len(each.pairs)) for each in sets] == [('val', 2), ('test', 8)]


def test_pipelines_and_names_make_no_other_set(tmp_path):
    """Sets are told apart by the files they read."""
    entry = dict(type='ManipulationDataset', data_root=str(tmp_path), name='first')
    again = dict(entry, name='second', pipeline=[dict(type='PackSegInputs')], test_mode=True)
    sets = open_config(write_config(tmp_path / 'c.json', val=entry, test=again))
    assert [(each.name, each.split) for each in sets] == [('first', 'val/test')]


@pytest.mark.parametrize(
    ('entry', 'name'),
    [
        (dict(name='mine', data_root='data/CASIA', domain='face'), 'mine'),
        (dict(data_root='data/CASIA/', domain='face'), 'CASIA'),
        (dict(ann_file='/a.txt', domain='face'), 'face'),
        (dict(ann_file='/a.txt'), 'ManipulationDataset'),
    ],
    ids=['of its own', 'the folder', 'the domain', 'the type'],
)
def test_a_set_is_called_by_the_first_name_there_is(entry, name, tmp_path):
    entry = dict(type='mmomni.ManipulationDataset', **entry)
    (data_set,) = open_config(write_config(tmp_path / 'c.json', train=entry))
    assert data_set.name == name
    assert data_set.domain == entry.get('domain', '-')
    assert data_set.findings[0].dataset == name


def test_a_set_of_another_package_is_named_not_opened(tmp_path):
    entry = dict(type='mmseg.CityscapesDataset', data_root=str(tmp_path))
    (data_set,) = open_config(write_config(tmp_path / 'c.json', train=entry))
    assert data_set.pairs == []
    (finding,) = data_set.findings
    assert (finding.kind, finding.level) == ('set-unchecked', 'note')
    assert finding.message == 'its type is CityscapesDataset'


@pytest.mark.parametrize('kind', ['ManipulationDataSet', 'mmomni.ManipulationDataSet'])
def test_a_type_that_nobody_knows_is_an_error(kind, tmp_path):
    entry = dict(type=kind, data_root=str(tmp_path))
    (data_set,) = open_config(write_config(tmp_path / 'c.json', train=entry))
    (finding,) = data_set.findings
    assert (finding.kind, finding.level) == ('set-missing', 'error')
    assert f'{kind} is in no registry; is it mmomni.ManipulationDataset?' in finding.message


def test_a_type_that_imported_code_may_know_is_a_note(tmp_path):
    entry = dict(type='ManipulationDataSet', data_root=str(tmp_path))
    config = dict(custom_imports=dict(imports=['own']), train_dataloader=dict(dataset=entry))
    path = tmp_path / 'c.json'
    path.write_text(json.dumps(config))
    (finding,) = open_config(path)[0].findings
    assert (finding.kind, finding.level) == ('set-unchecked', 'note')
    assert finding.message.endswith('is it mmomni.ManipulationDataset?')


def test_an_argument_that_nobody_knows_is_named_wherever_it_stands(tmp_path):
    touch(tmp_path, *PAIRED)
    entry = dict(type='mmomni.ManipulationDataset', data_root=str(tmp_path))
    wrong = dict(entry, seg_map_sufix='.png')
    _, data_set = open_config(write_config(tmp_path / 'c.json', val=entry, test=wrong))
    (finding,) = data_set.findings
    assert (finding.kind, finding.level) == ('set-missing', 'error')
    assert 'no argument seg_map_sufix, is it seg_map_suffix?' in finding.message


def test_a_prefix_without_images_is_a_finding(tmp_path):
    entry = dict(type='ManipulationDataset', data_root=str(tmp_path))
    entry['data_prefix'] = dict(seg_map_path='masks')
    (data_set,) = open_config(write_config(tmp_path / 'c.json', train=entry))
    assert kinds_of(data_set) == ['set-missing']
    assert 'img_path' in data_set.findings[0].message


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('c.py', 'raise RuntimeError("of its own")', r'cannot be read as a config \(.*of its own'),
        ('c.json', '{', r'c\.json: cannot be read as a config'),
        ('c.yaml', 'model: {}', 'has no dataset in train_, val_ or test_dataloader'),
        ('c.yml', 'train_dataloader: {batch_size: 2}', 'has no dataset in train_'),
    ],
)
def test_a_config_of_no_use_is_an_error(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        open_sets([str(tmp_path / name)])


# ---- lists and folders ----------------------------------------------------------------------


def test_bad_lines_are_numbered_as_editors_number_them(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('# of two\n\na.png -\nb.png\n' + 'c ' * 400 + '\nd.png d_mask.png\n')
    pair_list(data_set := a_set(), str(path), '/data')
    assert data_set.pairs == [('/data/a.png', None), ('/data/d.png', '/data/d_mask.png')]
    first, second = data_set.findings
    assert (first.kind, first.file) == ('list-line', str(path))
    assert first.message.startswith('line 4: expected `image mask` or `image -`')
    assert first.message.endswith("got 1 column: 'b.png'")
    assert 'line 5: ' in second.message
    assert 'got 400 columns' in second.message
    assert len(second.message) < 350


@pytest.mark.parametrize(
    ('make', 'reason'),
    [
        (lambda path: path.write_bytes('Bäume.png -'.encode('latin-1')), 'expected text'),
        (lambda path: path.mkdir(), 'expected a text file, got a folder'),
        (lambda path: None, 'No such file or directory'),
    ],
    ids=['latin-1', 'a folder', 'nothing'],
)
def test_a_list_that_cannot_be_read_is_a_finding(make, reason, tmp_path):
    make(tmp_path / 'list.txt')
    pair_list(data_set := a_set(), str(tmp_path / 'list.txt'), '')
    (finding,) = data_set.findings
    assert finding.kind == 'set-missing'
    assert re.match(rf'the list file cannot be read \((?:/.*: )?{reason}', finding.message)


def test_listed_images_that_are_called_like_masks_are_a_warning(tmp_path):
    (tmp_path / 'list.txt').write_text('a.jpg m.png\na_GT.png -\n')
    (data_set,) = open_sets([str(tmp_path / 'list.txt')])
    (finding,) = data_set.findings
    assert (finding.kind, finding.level) == ('image-is-mask', 'warning')
    assert (Path(finding.file).name, Path(finding.related[0]).name) == ('a_GT.png', 'a.jpg')
    assert len(data_set.pairs) == 2


def test_stems_shared_in_a_list_are_named_once(tmp_path):
    path = tmp_path / 'list.txt'
    names = ('a.tif', 'a.png', 'a.png', 'a.jpg', 'b.png', 'b.png', 'sub/a.png')
    path.write_text(''.join(f'{name} -\n' for name in names))
    pair_list(data_set := a_set(), str(path), '')
    (finding,) = data_set.findings
    assert (finding.kind, finding.file, finding.related) == (
        'stem-shared', 'a.jpg', ('a.png', 'a.tif')
    )  # fmt: skip


def test_images_of_one_stem_are_all_looked_at(tmp_path):
    touch(tmp_path, 'images/a.jpg', 'images/a.png', 'masks/a.png')
    images, mask = tmp_path / 'images', str(tmp_path / 'masks' / 'a.png')
    pair_folders(data_set := a_set(), str(images), str(tmp_path / 'masks'))
    assert data_set.pairs == [(str(images / 'a.jpg'), mask), (str(images / 'a.png'), mask)]
    (finding,) = data_set.findings
    assert (finding.file, finding.related) == (str(images / 'a.jpg'), (str(images / 'a.png'),))
    assert finding.message == "2 files have the stem 'a'"


def test_masks_in_another_subfolder_are_orphans(tmp_path):
    touch(tmp_path, 'images/sub/a.jpg', 'masks/a.png')
    images, masks = str(tmp_path / 'images'), str(tmp_path / 'masks')
    pair_folders(data_set := a_set(), images, masks)
    (finding,) = data_set.findings
    assert (finding.kind, finding.file) == ('mask-orphan', str(tmp_path / 'masks' / 'a.png'))
    assert finding.message == f"no image in {images} has the stem 'a'"
    assert data_set.pairs == [(str(tmp_path / 'images' / 'sub' / 'a.jpg'), None)]


# ---- databases ------------------------------------------------------------------------------


def doctamper(tmp_path, **options):
    entry = dict(type='mmomni.DocTamperDataset', data_root=str(tmp_path), **options)
    return open_config(write_config(tmp_path / 'config.json', train=entry))[0]


def test_records_of_a_database_are_pairs(tmp_path):
    lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    with lmdb.open(str(tmp_path), map_size=1 << 20) as db, db.begin(write=True) as transaction:
        transaction.put(b'num-samples', b'4')
        transaction.put(b'image-000000003', b'the last one')
    root = f'lmdb://{tmp_path}'
    pairs = [(f'{root}/image-{n:09d}', f'{root}/label-{n:09d}') for n in range(4)]
    assert doctamper(tmp_path).pairs == pairs
    assert doctamper(tmp_path, held_out=2, split='held_out').pairs == pairs[::2]


def test_a_database_that_is_not_there_is_a_finding(tmp_path):
    pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    (finding,) = doctamper(tmp_path).findings
    assert finding.kind == 'set-missing'
    assert f'expected an LMDB (data.mdb) in the folder {tmp_path}' in finding.message


@pytest.mark.parametrize('count', [b'5', b'1000000000000', b'-1', b'many'])
def test_a_database_whose_number_of_samples_is_wrong_is_a_finding(count, tmp_path):
    lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    with lmdb.open(str(tmp_path), map_size=1 << 20) as db, db.begin(write=True) as transaction:
        transaction.put(b'num-samples', count)
        transaction.put(b'image-000000003', b'the last one')
    data_set = doctamper(tmp_path)
    assert data_set.pairs == []
    assert [finding.kind for finding in data_set.findings] == ['set-missing']
    assert "'num-samples'" in data_set.findings[0].message


@pytest.mark.parametrize('kept', [0, 100, 4096, 8192, 12288])
def test_a_database_that_is_cut_is_a_finding(kept, tmp_path):
    lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    with lmdb.open(str(tmp_path), map_size=1 << 20) as db, db.begin(write=True) as transaction:
        transaction.put(b'num-samples', b'1')
        transaction.put(b'image-000000000', bytes(100_000))
    os.truncate(tmp_path / 'data.mdb', kept)
    (finding,) = doctamper(tmp_path).findings
    assert finding.kind == 'set-missing'
    assert 'copy or unpack it again' in finding.message


def test_a_database_without_its_package_is_a_finding(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'lmdb', None)
    (finding,) = doctamper(tmp_path).findings
    assert finding.kind == 'set-missing'
    assert 'pip install mmomni[lmdb]' in finding.message
