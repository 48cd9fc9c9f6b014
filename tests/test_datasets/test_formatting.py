import numpy as np
import pytest
import torch

from mmomni.datasets.transforms import (
    AlignedRandomCrop,
    ExtractDCT,
    LoadManipulationMask,
    LoadOriginalImage,
    MaskToBoxes,
    PackManipulationInputs,
)


def pack(results):
    packed = PackManipulationInputs()(results)
    return packed['inputs'], packed['data_samples']


def test_five_planes_of_bytes(extracted):
    planes, _ = pack(extracted(20, 30))
    assert planes.shape == (5, 20, 30)
    assert planes.dtype == torch.uint8
    assert planes.is_contiguous()


def test_first_planes_are_red_green_blue(extracted):
    results = extracted(20, 30)
    planes, _ = pack(results)
    for number, channel in enumerate((2, 1, 0)):
        np.testing.assert_array_equal(planes[number], results['img'][..., channel])


def test_fourth_plane_holds_the_coefficients(extracted):
    results = extracted(20, 30)
    np.testing.assert_array_equal(pack(results)[0][3], results['dct'])


@pytest.mark.parametrize('size', [(1, 1), (8, 8), (20, 30), (33, 15)])
def test_fifth_plane_is_the_step_of_each_pixels_frequency(size, extracted):
    results = extracted(*size)
    plane = pack(results)[0][4]
    y, x = np.mgrid[: size[0], : size[1]]
    np.testing.assert_array_equal(plane, results['qtable'][y % 8, x % 8])


def test_mask_and_meta_travel_along(extracted):
    results = extracted(20, 30)
    results.update(domain='face', dataset_name='toy')
    _, sample = pack(results)
    assert sample.gt_sem_seg.data.shape == (1, 20, 30)
    assert set(sample.gt_sem_seg.data.unique().tolist()) == {0, 1}
    meta = sample.metainfo
    assert meta['img_path'].endswith('image.jpg')
    assert meta['seg_map_path'].endswith('mask.png')
    assert (meta['domain'], meta['dataset_name'], meta['dct_source']) == ('face', 'toy', 'file')
    assert meta['ori_shape'] == meta['img_shape'] == (20, 30)


def test_a_mask_flipped_by_a_view_is_packed_as_it_looks(extracted):
    results = extracted(20, 30)
    results['gt_seg_map'] = np.flip(results['gt_seg_map'], 1)
    _, sample = pack(results)
    np.testing.assert_array_equal(sample.gt_sem_seg.data[0], results['gt_seg_map'].copy())


def test_boxes_become_instances_of_class_zero(extracted):
    _, sample = pack(MaskToBoxes()(extracted(30, 40)))
    assert sample.gt_instances.bboxes.tolist() == [[10, 10, 21, 16]]
    assert sample.gt_instances.labels.tolist() == [0]
    assert sample.gt_instances.labels.dtype == torch.long


def test_authentic_image_has_an_empty_list_of_instances(load, photo, save):
    results = MaskToBoxes()(ExtractDCT()(load(save('a.jpg', photo()))))
    _, sample = pack(results)
    assert sample.gt_instances.bboxes.shape == (0, 4)
    assert len(sample.gt_instances.labels) == 0


def test_without_boxes_there_are_no_instances(extracted):
    assert 'gt_instances' not in pack(extracted())[1]


def test_without_a_mask_there_is_none(photo, save):
    results = LoadOriginalImage()(dict(img_path=save('a.jpg', photo())))
    assert 'gt_sem_seg' not in pack(ExtractDCT()(results))[1]


def test_the_sample_given_is_not_changed(extracted):
    results = extracted(20, 30)
    pack(results)
    assert results['img'].shape == (20, 30, 3)


def test_missing_extraction_is_named(load, photo, save):
    with pytest.raises(ValueError, match=r'needs mmomni\.ExtractDCT'):
        pack(load(save('a.jpg', photo())))


@pytest.mark.parametrize('key', ['dct', 'gt_seg_map'])
def test_planes_of_unequal_size_name_file_sizes_and_order(key, extracted):
    results = extracted(20, 30)
    results[key] = results[key][:10]
    with pytest.raises(ValueError, match=r'image\.jpg: planes differ in size') as error:
        pack(results)
    for part in (str((10, 30)), str((20, 30)), 'resize before', 'AlignedRandomCrop'):
        assert part in str(error.value)


def test_original_mask_beside_a_resized_image_is_fine(extracted):
    """As in testing, where predictions are scored at the original size."""
    results = extracted(20, 30)
    results['gt_seg_map'] = np.zeros((50, 70), dtype=np.uint8)
    results.update(ori_shape=(50, 70), scale_factor=(3 / 7, 2 / 5))
    assert pack(results)[1].gt_sem_seg.data.shape == (1, 50, 70)


def test_mask_loaded_after_the_crop_is_refused(photo, save):
    """The mask of the whole image beside a window of it: training would run on nonsense."""
    results = dict(
        img_path=save('a.jpg', photo()),
        seg_map_path=save('m.png', photo()[..., 0]),
        seg_fields=[],
    )
    for transform in (LoadOriginalImage(), ExtractDCT(), AlignedRandomCrop((16, 16))):
        results = transform(results)
    results = LoadManipulationMask()(results)
    with pytest.raises(ValueError, match=r'a\.jpg'):
        pack(results)


def test_every_pixel_changed_by_one_is_noticed(extracted):
    results = extracted()
    results['img'][0, 0, 0] ^= 1
    with pytest.raises(ValueError, match=r'image\.jpg.*no longer'):
        pack(results)


def test_mask_whose_tampered_pixels_would_be_ignored_is_refused(extracted):
    """As mmseg's own LoadAnnotations gives a 0/255 mask."""
    results = extracted(20, 30)
    results['gt_seg_map'] *= 255
    with pytest.raises(ValueError, match=r'image\.jpg.*LoadManipulationMask'):
        pack(results)
