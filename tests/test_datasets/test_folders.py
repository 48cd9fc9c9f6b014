"""What in folders of images and masks is a sample, what is refused, and what is only named."""

import os

import numpy as np
import pytest

from mmomni.datasets import ManipulationDataset
from mmomni.datasets.folders import pair_in_folders
from mmomni.datasets.pairing import Suffixes

BESIDE = dict(img_path='', seg_map_path='')


@pytest.fixture
def touch(tmp_path):
    """Files of one byte or more, no two alike: names are all that pairing looks at."""

    def touch_files(*names):
        for number, name in enumerate(names):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f'{number} of {name}')

    return touch_files


def dataset(root, **options):
    options = dict(serialize_data=False) | options  # which takes long and changes no path
    return ManipulationDataset(domain='natural', data_root=str(root), **options)


def pairs(root, **options):
    """``{image: mask}`` relative to ``root``."""
    data = dataset(root, **options)
    infos = [data.get_data_info(index) for index in range(len(data))]
    return {
        os.path.relpath(info['img_path'], root): info['seg_map_path']
        and os.path.relpath(info['seg_map_path'], root)
        for info in infos
    }


# ---- what is not recognised ----------------------------------------------------------------


@pytest.mark.parametrize('name', ['a.exr', 'a.tga', 'a.jp2', 'a.npz', 'a', 'a.json', 'b.h5'])
def test_what_is_no_mask_among_the_masks_is_an_error(name, touch, tmp_path):
    """Its image would count as authentic."""
    touch('images/a.jpg', f'masks/{name}')
    with pytest.raises(ValueError, match=rf"1 files in the mask folder.*masks/{name}'.*as PNG"):
        dataset(tmp_path)


@pytest.mark.parametrize('name', ['masks/.a.png', 'masks/.ipynb_checkpoints/a.png'])
def test_a_mask_folder_without_a_mask_is_an_error(name, touch, tmp_path):
    """All forgeries would count as authentic."""
    touch('images/a.jpg', name)
    with pytest.raises(FileNotFoundError, match=r'expected masks in .*/masks, found none.*if all'):
        dataset(tmp_path)
    assert pairs(tmp_path, data_prefix=dict(img_path='images')) == {'images/a.jpg': None}


def test_an_ending_that_no_mask_has_is_an_error(touch, tmp_path):
    touch('a.jpg', 'a_mask.png', 'b.jpg')
    suffixes = dict(img_suffix='.jpg', seg_map_suffix='_gt.png')
    with pytest.raises(FileNotFoundError, match=r"expected masks whose names end in '_gt\.png'"):
        dataset(tmp_path, data_prefix=BESIDE, **suffixes)


def test_the_first_unrecognised_masks_are_named_and_all_counted(touch, tmp_path):
    touch('images/a.jpg', *(f'masks/{number}.exr' for number in range(5)))
    with pytest.raises(ValueError, match='5 files in the mask folder') as error:
        dataset(tmp_path)
    assert '0.exr' in str(error.value)
    assert '4.exr' not in str(error.value)


@pytest.mark.parametrize('suffix', ['npy', 'mat', 'NPY', 'pgm', 'pbm', 'png', 'tiff', 'webp'])
def test_masks_may_have_any_of_these_suffixes(suffix, touch, tmp_path):
    touch('images/a.jpg', f'masks/a.{suffix}')
    assert pairs(tmp_path) == {'images/a.jpg': f'masks/a.{suffix}'}


def test_what_is_no_image_is_counted_in_the_log(touch, tmp_path, log):
    touch('images/a.jpg', 'images/b.txt', 'images/c.txt', 'images/Thumbs.db', 'images/._a.jpg')
    touch('images/.ipynb_checkpoints/a-checkpoint.jpg', 'masks/.DS_Store', 'masks/a.png')
    assert pairs(tmp_path) == {'images/a.jpg': 'masks/a.png'}
    (images,) = [line for line in log if 'left out of' in line and 'images' in line]
    assert images.endswith('as no samples: 2 hidden, 2 txt, 1 db')
    (masks,) = [line for line in log if 'left out of' in line and 'masks' in line]
    assert masks.endswith('1 hidden')


@pytest.mark.parametrize(('name', 'claims'), [('b.heic', True), ('b.pgm', True), ('b.txt', False)])
def test_images_of_formats_that_training_does_not_read_are_a_warning(
    name, claims, touch, tmp_path
):
    touch('images/a.jpg', f'images/{name}')
    found = pair_in_folders(str(tmp_path / 'images'), None, Suffixes())
    assert [each.images for each in found.left_out] == [claims]


def test_nothing_is_logged_of_a_clean_folder(touch, tmp_path, log):
    touch('images/a.jpg', 'masks/a.png')
    dataset(tmp_path)
    assert not [line for line in log if 'left out' in line]


@pytest.mark.parametrize('folder', ['images', 'masks'])
def test_a_sub_folder_that_cannot_be_entered_is_an_error(folder, touch, tmp_path, monkeypatch):
    touch('images/a.jpg', 'masks/a.png', f'{folder}/closed/b.png')
    scandir = os.scandir

    def refusing(path='.'):
        if os.path.basename(path) == 'closed':
            raise PermissionError(13, 'Permission denied', str(path))
        return scandir(path)

    monkeypatch.setattr('os.scandir', refusing)
    with pytest.raises(OSError, match=rf'{folder}/closed: this folder cannot be entered'):
        dataset(tmp_path)


# ---- endings of names ----------------------------------------------------------------------


def test_endings_of_names_are_those_of_mmseg(touch, tmp_path):
    touch('images/a.jpg', 'images/x/b.c.jpg', 'masks/a_gt.png', 'masks/x/b.c_gt.png')
    assert pairs(tmp_path, img_suffix='.jpg', seg_map_suffix='_gt.png') == {
        'images/a.jpg': 'masks/a_gt.png',
        'images/x/b.c.jpg': 'masks/x/b.c_gt.png',
    }


def test_one_ending_may_be_left_open(touch, tmp_path):
    touch('images/a.jpg', 'images/b.png', 'masks/a_gt.png', 'masks/b_gt.png')
    expected = {'images/a.jpg': 'masks/a_gt.png', 'images/b.png': 'masks/b_gt.png'}
    assert pairs(tmp_path, seg_map_suffix='_gt.png') == expected
    touch('photos/a_rgb.jpg', 'photos/b_rgb.jpg', 'gt/a.png')
    prefix = dict(img_path='photos', seg_map_path='gt')
    assert pairs(tmp_path, img_suffix='_rgb.jpg', data_prefix=prefix) == {
        'photos/a_rgb.jpg': 'gt/a.png', 'photos/b_rgb.jpg': None,
    }  # fmt: skip


def test_what_ends_otherwise_is_no_sample_and_counted(touch, tmp_path, log):
    touch('images/a.jpg', 'images/b.png', 'masks/a_gt.png', 'masks/a_edge.png')
    options = dict(img_suffix='.jpg', seg_map_suffix='_gt.png')
    assert pairs(tmp_path, **options) == {'images/a.jpg': 'masks/a_gt.png'}
    assert [line.rpartition(': ')[2] for line in log if 'left out' in line] == ['1 png', '1 png']


@pytest.mark.parametrize('name', ['b.png', 'b_gt.PNG', 'b_GT.png', 'b_gt.npy'])
def test_a_mask_that_ends_almost_so_is_not_passed_over(name, touch, tmp_path):
    touch('images/a.jpg', 'images/b.jpg', 'masks/a_gt.png', f'masks/{name}')
    with pytest.raises(ValueError, match=rf"1 files in the mask folder.*masks/{name}'"):
        dataset(tmp_path, img_suffix='.jpg', seg_map_suffix='_gt.png')


@pytest.mark.parametrize(
    ('image', 'mask', 'options'),
    [
        ('a.jpg', 'a.png', dict(img_suffix='.jpg', seg_map_suffix='.png')),
        ('a.jpg', 'a.png', dict(img_suffix='.jpg')),
        ('a.jpg', 'a.png', dict(seg_map_suffix='.png')),
        ('a.png', 'a_gt.png', dict(img_suffix='.png', seg_map_suffix='_gt.png')),
        ('a.jpg', 'a_gt.png', dict(seg_map_suffix='_gt.png')),
        ('a_rgb.png', 'a.png', dict(img_suffix='_rgb.png', seg_map_suffix='.png')),
        ('a_rgb.png', 'a_gt.png', dict(img_suffix='_rgb.png', seg_map_suffix='_gt.png')),
    ],
)
@pytest.mark.parametrize('folder', ['', 'all/', 'x/y/'])
def test_masks_may_lie_beside_their_images(folder, image, mask, options, touch, tmp_path):
    touch(folder + image, folder + mask)
    prefix = dict(img_path=folder.partition('/')[0], seg_map_path=folder.partition('/')[0])
    expected = {folder + image: folder + mask}
    assert pairs(tmp_path, data_prefix=prefix, **options) == expected


@pytest.mark.parametrize('prefix', [BESIDE, dict(img_path='x', seg_map_path='x')], ids=str)
@pytest.mark.parametrize('options', [{}, dict(img_suffix='.jpg', seg_map_suffix='.jpg')], ids=str)
def test_every_image_its_own_mask_is_refused(options, prefix, touch, tmp_path):
    touch('x/a.jpg', 'x/b.jpg')
    with pytest.raises(ValueError, match=r'nothing tells them apart; .*seg_map_suffix='):
        dataset(tmp_path, data_prefix=prefix, **options)


def test_a_folder_by_another_name_is_the_same_folder(touch, tmp_path):
    touch('images/a.jpg')
    (tmp_path / 'masks').symlink_to('images')
    with pytest.raises(ValueError, match='nothing tells them apart'):
        dataset(tmp_path)


def test_masks_in_a_folder_below_are_no_images(touch, tmp_path, log):
    touch('a.jpg', 'x/b.jpg', 'masks/a.png', 'masks/x/b.png')
    prefix = dict(img_path='', seg_map_path='masks')
    expected = {'a.jpg': 'masks/a.png', 'x/b.jpg': 'masks/x/b.png'}
    assert pairs(tmp_path, data_prefix=prefix) == expected
    assert not [line for line in log if 'left out' in line]


@pytest.mark.parametrize('working', [True, False])
def test_no_data_root_means_the_working_directory(working, touch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch('a.jpg', 'a.png')
    data = ManipulationDataset(
        'natural', data_root='' if working else None, data_prefix=BESIDE, seg_map_suffix='.png'
    )
    assert data.get_data_info(0)['seg_map_path'].endswith('a.png')


# ---- masks and images that are each other --------------------------------------------------


@pytest.mark.parametrize(
    'mask', ['a_gt', 'a_mask', 'a_GT', 'a_edgemask', 'a-mask', 'mask_a', 'GT_a']
)
def test_an_image_that_is_called_as_the_mask_of_another_is_refused(mask, touch, tmp_path):
    touch('images/a.jpg', f'images/{mask}.png')
    with pytest.raises(ValueError, match=rf"1 images look like masks: .*images/{mask}\.png'"):
        dataset(tmp_path, data_prefix=dict(img_path='images'))


@pytest.mark.parametrize(
    ('image', 'mask'),
    [
        ('a.jpg', 'masks/a.png'),
        ('y/a.jpg', 'Gt/y/a.png'),
        ('images/y/a.jpg', 'masks/y/a.png'),
        ('x/img/a.jpg', 'x/groundtruth/a.png'),
    ],
)
def test_masks_in_a_folder_among_the_images_are_refused(image, mask, touch, tmp_path):
    """All of them would be authentic images."""
    touch(image, mask)
    with pytest.raises(ValueError, match=rf"1 images look like masks: .*{mask}'\].*{image}"):
        dataset(tmp_path, data_prefix=dict(img_path=''))


@pytest.mark.parametrize('name', ['masks/b', 'gt', 'x/masks/a'])
def test_a_folder_that_only_sounds_like_one_of_masks_is_none(name, touch, tmp_path):
    touch('a.jpg', f'{name}.png')
    assert len(pairs(tmp_path, data_prefix=dict(img_path=''))) == 2


@pytest.mark.parametrize('name', ['b_gt', 'a_mask2', 'gt', '_gt', 'mask'])
def test_an_image_that_only_sounds_like_a_mask_is_none(name, touch, tmp_path):
    touch('images/a.jpg', f'images/{name}.png')
    assert len(pairs(tmp_path, data_prefix=dict(img_path='images'))) == 2


def link(source, target):
    target.symlink_to(source)


def hard_link(source, target):
    os.link(source, target)


def copy(source, target):
    target.write_bytes(source.read_bytes())


@pytest.mark.parametrize('make', [link, hard_link, copy])
@pytest.mark.parametrize('listed', [False, True])
def test_a_mask_that_is_its_image_is_refused(listed, make, touch, tmp_path):
    touch('images/a.jpg', 'images/b.jpg', 'masks/b.png')
    make(tmp_path / 'images/a.jpg', tmp_path / 'masks/a.png')
    (tmp_path / 'list.txt').write_text(
        'images/a.jpg masks/a.png\nimages/b.jpg masks/b.png\n'
    )
    with pytest.raises(ValueError, match=r'the mask .*masks/a\.png is its image .*a\.jpg itself'):
        dataset(tmp_path, **(dict(ann_file='list.txt') if listed else {}))


def test_a_file_that_is_listed_as_image_and_as_mask_is_refused(touch, tmp_path):
    touch('a.jpg', 'a_gt.png')
    (tmp_path / 'list.txt').write_text('a.jpg a_gt.png\na_gt.png -\n')
    with pytest.raises(ValueError, match=r'1 images look like masks.*it is the mask of .*a\.jpg'):
        dataset(tmp_path, ann_file='list.txt')


def test_a_list_may_have_images_that_are_called_like_masks(touch, tmp_path, log):
    """Of inpainting, ``_gt`` may be the original; the list says so, and the log asks."""
    touch('a.jpg', 'a_gt.jpg', 'm.png')
    (tmp_path / 'list.txt').write_text('a.jpg m.png\na_gt.jpg -\n')
    assert pairs(tmp_path, ann_file='list.txt') == {'a.jpg': 'm.png', 'a_gt.jpg': None}
    (line,) = [line for line in log if 'called like masks' in line]
    assert '1 listed images' in line
    assert 'a_gt.jpg: its name is that of a mask of ' in line


def test_empty_files_and_pipes_are_not_compared(tmp_path):
    """These are unreadable, each for itself; opening a pipe would wait for ever."""
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'a.png').touch()
        os.mkfifo(tmp_path / folder / 'b.png')
    assert len(dataset(tmp_path)) == 2


def test_the_bytes_of_the_image_are_no_mask_wherever_they_come_from(load, photo, save, tmp_path):
    from mmomni.jpeg import ImageReadError

    image = save('a.png', photo())
    copy(tmp_path / 'a.png', tmp_path / 'b.png')
    with pytest.raises(ImageReadError, match=r'b\.png: expected a mask, got the bytes of .*a\.png'):
        load(image, str(tmp_path / 'b.png'))


# ---- mmseg's lists of stems ----------------------------------------------------------------


@pytest.fixture
def stems(touch, tmp_path):
    touch('img/a.jpg', 'img/x/b.jpg', 'ann/a_gt.png', 'ann/x/b_gt.png')
    (tmp_path / 'train.txt').write_bytes(b'\xef\xbb\xbfa\r\nx/b \n\n')
    return dict(ann_file='train.txt', data_prefix=dict(img_path='img', seg_map_path='ann'))


def test_a_list_of_stems_is_read_as_mmseg_does(stems, tmp_path):
    options = dict(stems, img_suffix='.jpg', seg_map_suffix='_gt.png')
    expected = {'img/a.jpg': 'ann/a_gt.png', 'img/x/b.jpg': 'ann/x/b_gt.png'}
    assert pairs(tmp_path, **options) == expected
    options['data_prefix'] = dict(img_path='img')
    assert pairs(tmp_path, **options) == dict.fromkeys(expected)


def test_masks_of_a_list_of_stems_that_are_missing_are_named(stems, tmp_path, log):
    assert len(dataset(tmp_path, **stems, img_suffix='.jpg')) == 2
    assert any('2 files' in line and 'ann/a.png' in line for line in log)


def test_a_list_of_stems_without_one_file_is_an_error(stems, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'4 files of .*train\.txt do not exist'):
        dataset(tmp_path, **stems, img_suffix='.tif')


# ---- what a set says of its masks ----------------------------------------------------------


def test_what_a_set_says_of_its_masks_reaches_the_loader(save, load, photo, tmp_path):
    from mmomni.datasets.transforms import LoadManipulationMask, LoadOriginalImage

    mask = np.zeros((48, 80), np.uint8)
    mask[:10], mask[10:20] = 255, 128
    save('images/a.png', photo()), save('masks/a.png', mask)
    load_both = [LoadOriginalImage(), LoadManipulationMask()]
    labels = dataset(tmp_path, mask_ignore=128, pipeline=load_both)[0]['gt_seg_map']
    assert (labels == np.where(mask == 128, 255, mask > 0)).all()
    save('masks/a.png', np.dstack([photo(), mask]))
    for channel, expected in (('alpha', mask > 0), ('transparency', mask < 255)):
        data = dataset(tmp_path, mask_channel=channel, pipeline=load_both)
        assert (data[0]['gt_seg_map'] == expected).all()


@pytest.mark.parametrize('options', [dict(mask_channel='red'), dict(mask_ignore=[0])], ids=str)
def test_what_no_mask_can_say_is_refused(options, tmp_path):
    (key,) = options
    with pytest.raises(ValueError, match=key):
        dataset(tmp_path, lazy_init=True, **options)


def test_authentic_pixels_and_ignored_ones_alone_are_packed(save, photo, tmp_path):
    mask = np.zeros((48, 80), np.uint8)
    mask[:10] = 128
    save('images/a.png', photo()), save('masks/a.png', mask)
    pipeline = [
        dict(type=f'mmomni.{name}') for name in
        ('LoadOriginalImage', 'LoadManipulationMask', 'ExtractDCT', 'MaskToBoxes',
         'PackManipulationInputs')
    ]  # fmt: skip
    sample = dataset(tmp_path, mask_ignore=128, pipeline=pipeline)[0]['data_samples']
    assert (sample.gt_sem_seg.data[0].numpy() == np.where(mask, 255, 0)).all()
    assert len(sample.gt_instances) == 0


def test_no_more_than_a_thousand_pairs_are_compared_at_the_start(touch, tmp_path, monkeypatch):
    """Folders of a hundred thousand files lie on servers; the loader compares the others."""
    monkeypatch.setattr('mmomni.datasets.manipulation.MOST_LOOKED_AT', 10)
    touch(*(f'{kind}/{n}.png' for kind in ('images', 'masks') for n in range(45)))
    compared = []
    monkeypatch.setattr('mmomni.datasets.pairing.is_its_image', lambda *pair: compared.append(pair))

    assert len(dataset(tmp_path)) == 45

    assert 5 < len(compared) <= 10
