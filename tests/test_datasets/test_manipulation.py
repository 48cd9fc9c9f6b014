"""``ManipulationDataset``: pairing of files, list files, files that cannot be read."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmomni.datasets import ManipulationDataset
from mmomni.jpeg import ImageReadError

PIPELINE = [
    dict(type='mmomni.LoadOriginalImage'),
    dict(type='mmomni.LoadManipulationMask'),
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.PackManipulationInputs'),
]


@pytest.fixture
def touch(tmp_path):
    """Empty files: names are all that pairing looks at."""

    def touch_files(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    return touch_files


def dataset(root, **options):
    return ManipulationDataset(domain='natural', data_root=str(root), **options)


def pairs(data, root):
    """``{image: mask}`` relative to ``root``."""
    found = {}
    for number in range(len(data)):
        info = data.get_data_info(number)
        mask = info['seg_map_path']
        found[relative(info['img_path'], root)] = mask and relative(mask, root)
    return found


def relative(path, root):
    return Path(path).relative_to(root).as_posix()


# ---- two folders ---------------------------------------------------------------------------


def test_pairs_by_stem_whatever_the_extension(touch, tmp_path):
    touch('images/a.jpg', 'images/b.PNG', 'images/c.tif', 'images/d.webp')
    touch('masks/a.png', 'masks/b.bmp', 'masks/c.jpeg', 'masks/d.gif')
    assert pairs(dataset(tmp_path), tmp_path) == {
        'images/a.jpg': 'masks/a.png',
        'images/b.PNG': 'masks/b.bmp',
        'images/c.tif': 'masks/c.jpeg',
        'images/d.webp': 'masks/d.gif',
    }


def test_image_without_a_mask_is_authentic(touch, tmp_path):
    touch('images/a.jpg', 'images/b.jpg', 'masks/b.png')
    assert pairs(dataset(tmp_path), tmp_path) == {
        'images/a.jpg': None,
        'images/b.jpg': 'masks/b.png',
    }


def test_sub_folders_are_part_of_the_stem(touch, tmp_path):
    touch('images/x/a.jpg', 'images/y/a.jpg', 'images/y/z/a.b.jpg')
    touch('masks/x/a.png', 'masks/y/a.png', 'masks/y/z/a.b.png')
    assert pairs(dataset(tmp_path), tmp_path) == {
        'images/x/a.jpg': 'masks/x/a.png',
        'images/y/a.jpg': 'masks/y/a.png',
        'images/y/z/a.b.jpg': 'masks/y/z/a.b.png',
    }


def test_other_files_are_passed_over(touch, tmp_path):
    touch('images/a.jpg', 'images/Thumbs.db', 'images/notes.txt', 'images/.DS_Store', 'masks/a.png')
    touch('masks/Thumbs.db', 'masks/.DS_Store', 'masks/.ipynb_checkpoints/a.png')
    assert pairs(dataset(tmp_path), tmp_path) == {'images/a.jpg': 'masks/a.png'}


def test_other_folder_names(touch, tmp_path):
    touch('Tp/a.jpg', 'Gt/a.png')
    data = dataset(tmp_path, data_prefix=dict(img_path='Tp', seg_map_path='Gt'))
    assert pairs(data, tmp_path) == {'Tp/a.jpg': 'Gt/a.png'}


def test_without_a_mask_folder_all_are_authentic(touch, tmp_path):
    touch('images/a.jpg', 'images/b.jpg', 'masks/a.png')
    data = dataset(tmp_path, data_prefix=dict(img_path='images'))
    assert pairs(data, tmp_path) == {'images/a.jpg': None, 'images/b.jpg': None}


def test_masks_without_an_image_are_named(touch, tmp_path):
    touch('images/a.jpg', 'masks/a_gt.png', 'masks/b.png')
    with pytest.raises(ValueError, match=r"2 masks have no image.*\['a_gt', 'b'\].*ann_file"):
        dataset(tmp_path)


def test_all_kinds_of_what_does_not_fit_are_named_at_once(touch, tmp_path):
    touch('images/a.jpg', 'images/b.png', 'images/c.jpg', 'masks/c.exr', 'masks/lost.png')
    for folder in ('images', 'masks'):
        (tmp_path / folder / 'b.png').write_bytes(b'one file')
    with pytest.raises(ValueError, match='masks have no image') as caught:
        dataset(tmp_path)
    message = str(caught.value)
    assert len(message.splitlines()) == 3
    assert "['lost']" in message
    assert 'c.exr' in message
    assert 'b.png itself' in message


@pytest.mark.parametrize('folder', ['images', 'masks'])
def test_two_files_of_one_stem_are_named(folder, touch, tmp_path):
    touch('images/a.jpg', 'masks/a.png', f'{folder}/a.bmp', f'{folder}/a.tif')
    with pytest.raises(ValueError, match=rf"{folder}/a\.bmp.*{folder}/a\.\w+ share the stem 'a'"):
        dataset(tmp_path)


@pytest.mark.parametrize('missing', ['images', 'masks'])
def test_missing_folder_is_named(missing, touch, tmp_path):
    touch({'images': 'masks/a.png', 'masks': 'images/a.jpg'}[missing])
    with pytest.raises(FileNotFoundError, match=rf'expected a folder at .*{missing}, found none'):
        dataset(tmp_path)


def test_empty_folders_are_an_error(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'masks').mkdir()
    with pytest.raises(ValueError, match='no images found'):
        dataset(tmp_path)


# ---- names and meta ------------------------------------------------------------------------


def test_every_sample_knows_its_dataset_and_domain(touch, tmp_path):
    touch('images/a.jpg', 'masks/a.png')
    info = dataset(tmp_path).get_data_info(0)
    assert (info['dataset_name'], info['domain']) == (tmp_path.name, 'natural')
    assert dataset(tmp_path, name='CASIA').get_data_info(0)['dataset_name'] == 'CASIA'


def test_keys_that_stock_transforms_expect(touch, tmp_path):
    touch('images/a.jpg', 'masks/a.png')
    info = dataset(tmp_path).get_data_info(0)
    assert info['seg_fields'] == []
    assert info['reduce_zero_label'] is False
    assert info['label_map'] is None


def test_classes(touch, tmp_path):
    touch('images/a.jpg', 'masks/a.png')
    assert dataset(tmp_path).metainfo['classes'] == ('authentic', 'tampered')


def test_counts_are_logged(touch, tmp_path, log):
    touch('images/a.jpg', 'images/b.jpg', 'images/c.jpg', 'masks/b.png')
    dataset(tmp_path)
    assert f'{tmp_path.name} (natural): 1 images with a mask, 2 authentic' in log


# ---- list file -----------------------------------------------------------------------------


@pytest.fixture
def files_exist(monkeypatch):
    """The list may name files that nobody made."""
    monkeypatch.setattr('mmomni.datasets.lists.osp.isfile', lambda path: True)


def listed(tmp_path, text):
    (tmp_path / 'list.txt').write_text(text, encoding='utf-8')
    return pairs(dataset(tmp_path, ann_file='list.txt'), tmp_path)


@pytest.mark.parametrize(
    ('line', 'image', 'mask'),
    [
        ('a.jpg m/a.png', 'a.jpg', 'm/a.png'),
        ('a.jpg -', 'a.jpg', None),
        ('a.jpg\tm/a.png', 'a.jpg', 'm/a.png'),
        ('my photo.jpg\tmy mask.png', 'my photo.jpg', 'my mask.png'),
        ('my photo.jpg\t-', 'my photo.jpg', None),
        ('  a.jpg    a.png  ', 'a.jpg', 'a.png'),
        ('ä/ö.jpg ü.png', 'ä/ö.jpg', 'ü.png'),
    ],
)
def test_line_of_a_list(line, image, mask, files_exist, tmp_path):
    assert listed(tmp_path, line) == {image: mask}


def test_blank_lines_and_comments_are_passed_over(files_exist, tmp_path):
    text = '# image mask\n\na.jpg -\n   \n# b.jpg -\nc.jpg c.png\n'
    assert listed(tmp_path, text) == {'a.jpg': None, 'c.jpg': 'c.png'}


def test_windows_line_ends(files_exist, tmp_path):
    (tmp_path / 'list.txt').write_bytes(b'a.jpg a.png\r\nb.jpg -\r\n')
    found = pairs(dataset(tmp_path, ann_file='list.txt'), tmp_path)
    assert found == {'a.jpg': 'a.png', 'b.jpg': None}


def test_order_of_the_list_is_kept(files_exist, tmp_path):
    assert list(listed(tmp_path, 'b.jpg -\na.jpg -\nc.jpg -')) == ['b.jpg', 'a.jpg', 'c.jpg']


def test_absolute_paths_stay(files_exist, tmp_path):
    assert listed(tmp_path, f'{tmp_path}/x/a.jpg -') == {'x/a.jpg': None}


@pytest.mark.parametrize('line', ['b.jpg', 'b.jpg m.png extra', 'my photo.jpg mask.png', 'b\tc\td'])
def test_bad_line_is_named_with_its_number(line, tmp_path):
    message = r'list\.txt:3: expected `image mask` or `image -`'
    with pytest.raises(ValueError, match=message) as error:
        listed(tmp_path, f'# comment\na.jpg -\n{line}\n')
    assert repr(line) in str(error.value)


def test_some_missing_files_are_counted_and_named(touch, log, tmp_path):
    touch('a.jpg')
    assert set(listed(tmp_path, 'a.jpg -\ngone.jpg gone.png\n')) == {'a.jpg', 'gone.jpg'}
    assert any('2 files' in line and 'gone.jpg' in line for line in log)


def test_a_list_without_one_existing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'3 files of .*list\.txt do not exist.*data_root'):
        listed(tmp_path, 'a.jpg a.png\nb.jpg -\n')


def test_a_prefix_beside_a_list_is_refused(tmp_path):
    (tmp_path / 'list.txt').write_text('a.jpg -')
    with pytest.raises(ValueError, match='relative to data_root; remove data_prefix'):
        dataset(tmp_path, ann_file='list.txt', data_prefix=dict(img_path='images'))


def test_linked_subfolders_are_followed_once(touch, tmp_path):
    touch('elsewhere/a.jpg')
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'linked').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere' / 'loop').symlink_to(tmp_path / 'elsewhere')
    found = pairs(dataset(tmp_path, data_prefix=dict(img_path='images')), tmp_path)
    assert found == {'images/linked/a.jpg': None}


def test_missing_list_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'expected a list file at .*list\.txt'):
        dataset(tmp_path, ann_file='list.txt')


@pytest.mark.parametrize('root', ['.', ''])
def test_a_set_in_the_working_directory_is_called_by_its_domain(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'^natural: expected a list file at gone\.txt'):
        ManipulationDataset(domain='natural', data_root=root, ann_file='gone.txt')


def test_empty_list_is_an_error(tmp_path):
    (tmp_path / 'list.txt').write_text('# nothing\n')
    with pytest.raises(ValueError, match=r'no images found in .*list\.txt'):
        dataset(tmp_path, ann_file='list.txt')


# ---- files that cannot be read -------------------------------------------------------------


@pytest.fixture
def readable(save):
    """Four images whose mean grey levels are 50, 100, 150, 200, and masks of the first two."""
    for number in range(4):
        grey = np.full((16, 24, 3), 50 * (number + 1), dtype=np.uint8)
        save(f'images/{number}.jpg', grey, quality=95)
    for number in range(2):
        save(f'masks/{number}.png', np.full((16, 24), 255, dtype=np.uint8))


def truncate(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def level(sample):
    """Which of the four images the pixels are of."""
    return round(float(sample['inputs'][0].float().mean()) / 50) - 1


def test_samples_are_packed(readable, tmp_path):
    data = dataset(tmp_path, pipeline=PIPELINE)
    assert [level(sample) for sample in data] == [0, 1, 2, 3]
    assert [int(s['data_samples'].gt_sem_seg.data.max()) for s in data] == [1, 1, 0, 0]


def test_in_training_another_sample_takes_the_place(readable, tmp_path):
    truncate(tmp_path / 'images/2.jpg')
    data = dataset(tmp_path, pipeline=PIPELINE)
    levels = {level(data[2]) for _ in range(40)}
    assert levels == {0, 1, 3}


def test_in_training_it_is_named_once(readable, tmp_path, log):
    truncate(tmp_path / 'images/2.jpg')
    data = dataset(tmp_path, pipeline=PIPELINE)
    for _ in range(20):
        data[2]
    named = [line for line in log if line.startswith('unreadable')]
    assert len(named) == 1
    assert str(tmp_path / 'images/2.jpg') in named[0]


def test_in_testing_count_and_order_stay(readable, tmp_path):
    truncate(tmp_path / 'images/1.jpg')
    data = dataset(tmp_path, pipeline=PIPELINE, test_mode=True)
    assert [level(data[number]) for number in range(4)] == [0, 2, 2, 3]
    samples = [data[number]['data_samples'].metainfo for number in range(4)]
    assert [Path(meta['img_path']).name for meta in samples] == [f'{i}.jpg' for i in range(4)]
    assert ['unreadable' in meta for meta in samples] == [False, True, False, False]
    assert '1.jpg' in samples[1]['unreadable']


def test_in_testing_the_place_after_the_last_is_the_first(readable, tmp_path):
    truncate(tmp_path / 'images/3.jpg')
    assert level(dataset(tmp_path, pipeline=PIPELINE, test_mode=True)[3]) == 0


def test_in_testing_neighbours_may_be_unreadable_too(readable, tmp_path, log):
    for number in (1, 2):
        truncate(tmp_path / f'images/{number}.jpg')
    data = dataset(tmp_path, pipeline=PIPELINE, test_mode=True)
    assert [level(data[number]) for number in range(4)] == [0, 3, 3, 3]
    assert len([line for line in log if line.startswith('unreadable')]) == 2


BAD_FILES = {
    'missing': lambda path: path.unlink(),
    'empty': lambda path: path.write_bytes(b''),
    'text': lambda path: path.write_text('no image'),
    'truncated': truncate,
}


@pytest.mark.parametrize('folder', ['images', 'masks'])
@pytest.mark.parametrize('kind', BAD_FILES)
def test_every_kind_of_bad_file_is_named(kind, folder, readable, tmp_path, log):
    data = dataset(tmp_path, pipeline=PIPELINE, test_mode=True)
    path = tmp_path / folder / {'images': '1.jpg', 'masks': '1.png'}[folder]
    BAD_FILES[kind](path)
    meta = data[1]['data_samples'].metainfo
    assert str(path) in meta['unreadable']
    assert meta['img_path'] == str(tmp_path / 'images/1.jpg')
    assert any(str(path) in line for line in log)


def test_mask_of_another_size_is_named(readable, save, tmp_path, log):
    save('masks/1.png', np.zeros((16, 23), dtype=np.uint8))
    data = dataset(tmp_path, pipeline=PIPELINE)
    assert level(data[1]) != 1
    assert any('masks/1.png' in line and 'images/1.jpg' in line for line in log)


def test_all_unreadable_in_testing(readable, tmp_path):
    for number in range(4):
        truncate(tmp_path / f'images/{number}.jpg')
    data = dataset(tmp_path, pipeline=PIPELINE, test_mode=True)
    with pytest.raises(ImageReadError, match='not one of its 4 images can be read'):
        data[0]


def test_all_unreadable_in_training(readable, tmp_path, log):
    for number in range(4):
        truncate(tmp_path / f'images/{number}.jpg')
    data = dataset(tmp_path, pipeline=PIPELINE)
    with pytest.raises(Exception, match=r'Cannot find valid image|can be read'):
        data[0]
    assert len([line for line in log if line.startswith('unreadable')]) == 4


def test_a_single_unreadable_image(save, photo, tmp_path):
    truncate(Path(save('images/a.jpg', photo())))
    data = dataset(tmp_path, pipeline=PIPELINE, test_mode=True, data_prefix=dict(img_path='images'))
    with pytest.raises(ImageReadError, match='not one of its 1 images'):
        data[0]


def test_error_of_a_wrong_pipeline_is_not_swallowed(readable, photo, save, tmp_path):
    """A wrong order concerns every file: no image is at fault."""
    save('images/0.jpg', photo(16, 24))
    wrong = [*PIPELINE[:3], dict(type='RandomFlip', prob=1.0), PIPELINE[3]]
    with pytest.raises(ValueError, match=r'0\.jpg.*no longer'):
        dataset(tmp_path, pipeline=wrong)[0]


@pytest.mark.parametrize('workers', [0, 2])
def test_loader_gives_the_same_with_and_without_workers(workers, readable, tmp_path):
    truncate(tmp_path / 'images/1.jpg')
    data = dataset(tmp_path, pipeline=PIPELINE, test_mode=True)
    loader = DataLoader(data, batch_size=1, num_workers=workers, collate_fn=pseudo_collate)
    batches = list(loader)
    assert [level(dict(inputs=batch['inputs'][0])) for batch in batches] == [0, 2, 2, 3]
    marked = ['unreadable' in batch['data_samples'][0].metainfo for batch in batches]
    assert marked == [False, True, False, False]


# ---- images held out of training -----------------------------------------------------------------


@pytest.fixture
def ten_images(touch, tmp_path):
    touch(*(f'images/{number:02d}.jpg' for number in range(10)), 'masks/00.png')
    return tmp_path


def numbers(data):
    return [int(Path(data.get_data_info(i)['img_path']).stem) for i in range(len(data))]


def test_held_out_images_are_spaced_evenly_and_not_trained_on(ten_images):
    assert numbers(dataset(ten_images, held_out=3, split='held_out')) == [0, 3, 6]
    assert numbers(dataset(ten_images, held_out=3)) == [1, 2, 4, 5, 7, 8, 9]
    assert numbers(dataset(ten_images)) == list(range(10))


def test_held_out_of_a_list_file(ten_images):
    lines = [f'images/{number:02d}.jpg -\n' for number in (9, 4, 2, 7)]
    (ten_images / 'train.txt').write_text(''.join(lines))
    splits = [dataset(ten_images, ann_file='train.txt', held_out=2, split=split)
              for split in ('held_out', 'train')]  # fmt: skip
    assert list(map(numbers, splits)) == [[9, 2], [4, 7]]


def test_more_held_out_than_trained_on_is_refused_once_they_are_counted(ten_images):
    with pytest.raises(ValueError, match=f'{ten_images.name}: cannot hold out 6 of 10'):
        dataset(ten_images, held_out=6)


@pytest.mark.parametrize('options', [dict(split='val'), dict(held_out=None)], ids=str)
def test_a_wrong_split_is_refused_before_any_file_is_looked_for(options, tmp_path):
    (name,) = options
    with pytest.raises(ValueError, match=f'expected {name} to be'):
        dataset(tmp_path / 'absent', lazy_init=True, **options)
