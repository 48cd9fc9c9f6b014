from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmomni.datasets.transforms import ExtractDCT, PackManipulationInputs, Perturb
from mmomni.jpeg import decode, read_luma

SIZE = (48, 80)
PERTURBATIONS = [
    ('jpeg', 70), ('blur', 7), ('noise', 11), ('resize', 0.75), ('resize', 1.25), ('shared', 70),
]  # fmt: skip


@pytest.fixture
def loaded(load, photo, save):
    """A JPEG and its mask; pixels of the image in float64 RGB beside them."""

    def make(name='a.jpg', pixels=None):
        pixels = photo(*SIZE) if pixels is None else pixels
        image = save(name, pixels, **(dict(quality=90) if name.endswith('.jpg') else {}))
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[10:30, 20:50] = 255
        return load(image, save('mask.png', mask))

    return make


def rgb(results):
    return results['img'][..., ::-1].astype(np.float64)


# ---- equations -------------------------------------------------------------------------------


def reflected(index, size):
    """dcb|abcd|cba: the edge is not repeated."""
    index = abs(index)
    return 2 * (size - 1) - index if index >= size else index


@pytest.mark.parametrize('kernel', [3, 7, 23])
def test_blur_is_a_convolution_with_a_gaussian(kernel, loaded):
    results = loaded()
    image = rgb(results)
    sigma = 0.3 * ((kernel - 1) / 2 - 1) + 0.8
    offsets = np.arange(kernel) - kernel // 2
    # OpenCV has tables of its own for small kernels without a sigma: rows of Pascal's triangle.
    weights = {3: np.array([1.0, 2, 1]), 7: np.array([2, 7, 14, 18, 14, 7, 2.0])}.get(
        kernel, np.exp(-(offsets**2) / (2 * sigma**2))
    )
    weights = weights / weights.sum()
    expected = image
    for axis in (0, 1):
        size = image.shape[axis]
        expected = sum(
            weight * expected.take([reflected(i + offset, size) for i in range(size)], axis=axis)
            for weight, offset in zip(weights, offsets, strict=True)
        )
    np.testing.assert_allclose(rgb(Perturb('blur', kernel)(results)), expected, atol=1.01)


def test_blur_of_one_pixel_changes_nothing(loaded):
    results = loaded()
    image = rgb(results)
    np.testing.assert_array_equal(rgb(Perturb('blur', 1)(results)), image)


@pytest.mark.parametrize('variance', [0, 3, 23])
def test_noise_has_the_variance_asked_for(variance, loaded):
    results = loaded('a.png', np.full((200, 300, 3), 128, np.uint8))
    noise = rgb(Perturb('noise', variance)(results)) - 128
    rounding = 1 / 12 if variance else 0
    assert noise.var() == pytest.approx(variance + rounding, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.03)


def test_noise_of_channels_is_independent(loaded):
    results = loaded('a.png', np.full((200, 300, 3), 128, np.uint8))
    noise = rgb(Perturb('noise', 23)(results)) - 128
    correlation = np.corrcoef(noise.reshape(-1, 3).T)
    np.testing.assert_allclose(correlation, np.eye(3), atol=0.02)


def test_noise_is_clipped_not_wrapped(loaded):
    black_and_white = np.zeros((40, 60, 3), np.uint8)
    black_and_white[:, 30:] = 255
    perturbed = rgb(Perturb('noise', 23)(loaded('a.png', black_and_white)))
    assert perturbed[:, :30].max() < 50
    assert perturbed[:, 30:].min() > 205
    assert (perturbed == 0).mean() == pytest.approx(0.25, abs=0.05)


def test_noise_depends_on_the_files_name_alone(loaded):
    flat = np.full((*SIZE, 3), 128, np.uint8)
    first, again, moved, other = (
        rgb(Perturb('noise', 11)(loaded(name, flat)))
        for name in ('a.png', 'a.png', 'folder/a.png', 'b.png')
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, moved)
    assert (first != other).mean() > 0.5


@pytest.mark.parametrize('scale', [0.5, 0.75, 1.25])
def test_resize_is_bilinear(scale, loaded):
    results = loaded()
    image = rgb(results)
    height, width = (round(side * scale) for side in SIZE)
    expected = np.empty((height, width, 3))
    for y in range(height):
        for x in range(width):
            # Pixel centres fall on pixel centres; beyond the edge the edge goes on.
            source = [
                min(max((i + 0.5) * old / new - 0.5, 0), old - 1)
                for i, old, new in ((y, SIZE[0], height), (x, SIZE[1], width))
            ]
            (top, dy), (left, dx) = ((int(s), s - int(s)) for s in source)
            bottom, right = min(top + 1, SIZE[0] - 1), min(left + 1, SIZE[1] - 1)
            expected[y, x] = (
                (1 - dy) * ((1 - dx) * image[top, left] + dx * image[top, right])
                + dy * ((1 - dx) * image[bottom, left] + dx * image[bottom, right])
            )
    np.testing.assert_allclose(rgb(Perturb('resize', scale)(results)), expected, atol=1.01)


@pytest.mark.parametrize('scale', [0.5, 0.75, 1.25])
def test_mask_is_resized_to_the_nearest_pixel(scale, loaded):
    results = loaded()
    mask = results['gt_seg_map']
    resized = Perturb('resize', scale)(results)['gt_seg_map']
    assert resized.shape == tuple(round(side * scale) for side in SIZE)
    for (y, x), value in np.ndenumerate(resized):
        # Half way between two pixels, both are nearest.
        rows, columns = ({int((i + 0.5) / scale + e) for e in (-1e-6, 1e-6)} for i in (y, x))
        assert value in {mask[row, column] for row in rows for column in columns}
    assert resized.dtype == np.uint8
    assert resized.max() == 1


def test_mask_is_resized_on_the_grid_of_the_image(loaded):
    """Half way between two pixels the later; OpenCV's other nearest neighbour has 0, 2, 4, 6."""
    results = loaded('a.png', np.zeros((8, 8, 3), np.uint8))
    results['gt_seg_map'] = np.tile(np.arange(8, dtype=np.uint8), (8, 1))
    resized = Perturb('resize', 0.5)(results)['gt_seg_map']
    np.testing.assert_array_equal(resized, [[1, 3, 5, 7]] * 4)


@pytest.mark.parametrize('quality', [50, 100])
def test_jpeg_is_pillows_with_halved_chroma(quality, loaded):
    results = loaded()
    buffer = BytesIO()
    Image.fromarray(np.uint8(rgb(results))).save(buffer, 'JPEG', quality=quality, subsampling=2)
    perturbed = Perturb('jpeg', quality)(results)
    assert perturbed['img_bytes'] == buffer.getvalue()
    np.testing.assert_array_equal(rgb(perturbed), decode(buffer.getvalue()))


def test_what_was_shared_was_shrunk_and_then_saved(loaded):
    shrunk = Perturb('resize', 0.75)(loaded())
    expected = Perturb('jpeg', 70)(shrunk)
    shared = Perturb('shared', 70)(loaded())
    assert shared['img_bytes'] == expected['img_bytes']
    assert shared['dct_source'] == 'recompressed'
    np.testing.assert_array_equal(shared['gt_seg_map'], shrunk['gt_seg_map'])


# ---- what goes with the pixels ---------------------------------------------------------------


@pytest.mark.parametrize(('kind', 'value'), PERTURBATIONS)
def test_bytes_hold_the_pixels(kind, value, loaded):
    results = Perturb(kind, value)(loaded())
    np.testing.assert_array_equal(decode(results['img_bytes']), rgb(results))
    assert results['img'].dtype == np.uint8
    assert results['img'].flags.c_contiguous


def test_coefficients_are_those_of_the_saved_jpeg(loaded):
    results = ExtractDCT()(Perturb('jpeg', 60)(loaded()))
    luma = read_luma(results['img_bytes'])
    np.testing.assert_array_equal(results['qtable'], luma.table)
    np.testing.assert_array_equal(results['dct'], np.abs(luma.coefficients).clip(max=20))
    assert results['dct_source'] == 'recompressed'


@pytest.mark.parametrize(('kind', 'value'), PERTURBATIONS[1:-1])
def test_coefficients_of_a_lossless_file_are_transcoded(kind, value, loaded):
    """Not those of the JPEG that the image was before."""
    results = ExtractDCT()(Perturb(kind, value)(loaded()))
    assert results['dct_source'] == 'transcoded'
    assert (results['qtable'] == 1).all()


@pytest.mark.parametrize(('kind', 'value'), PERTURBATIONS)
def test_packs_at_the_size_of_the_perturbed_image(kind, value, loaded):
    results = Perturb(kind, value)(loaded())
    packed = PackManipulationInputs()(ExtractDCT()(results))
    scale = dict(resize=value, shared=0.75).get(kind, 1)
    size = tuple(round(side * scale) for side in SIZE)
    sample = packed['data_samples']
    assert packed['inputs'].shape == (5, *size)
    assert sample.gt_sem_seg.shape == size
    assert tuple(sample.ori_shape) == tuple(sample.img_shape) == size


@pytest.mark.parametrize(('kind', 'value'), PERTURBATIONS[:3])
def test_mask_stays_unless_the_image_is_resized(kind, value, loaded):
    results = loaded()
    mask = results['gt_seg_map'].copy()
    np.testing.assert_array_equal(Perturb(kind, value)(results)['gt_seg_map'], mask)


def test_images_without_a_mask_are_resized(loaded):
    results = loaded()
    del results['gt_seg_map']
    assert Perturb('resize', 0.5)(results)['ori_shape'] == (24, 40)


def test_one_pixel_survives_shrinking(loaded):
    results = Perturb('resize', 0.25)(loaded('a.png', np.zeros((1, 60, 3), np.uint8)))
    assert results['img'].shape == (1, 15, 3)
    assert results['gt_seg_map'].shape == (1, 15)


# ---- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('kind', 'value', 'message'),
    [
        ('rotate', 1, "one of .*'jpeg', 'blur', 'noise', 'resize'.*'rotate'"),
        ('jpeg', 0, 'quality of 1 to 100, got 0'),
        ('jpeg', 101, 'got 101'),
        ('jpeg', 75.5, 'whole'),
        ('blur', 4, 'odd kernel size'),
        ('blur', 0, 'odd kernel size'),
        ('blur', 33, 'to 31'),
        ('noise', -1, 'at least 0'),
        ('resize', 0, 'above 0'),
        ('resize', 5, 'at most 4'),
    ],
)
def test_senseless_values(kind, value, message):
    with pytest.raises(ValueError, match=message):
        Perturb(kind, value)
