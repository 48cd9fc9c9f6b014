"""``DocTamperJPEG``: the four readings of DocTamper's evaluation."""

import io
import pickle
import tempfile

import jpeglib
import numpy as np
import pytest
from PIL import Image

from mmomni.datasets.transforms import (
    AlignedRandomCrop,
    DocTamperJPEG,
    ExtractDCT,
    PackManipulationInputs,
)
from mmomni.datasets.transforms.jpeg_schedule import read_factors, to_grey

FACTORS = [[60], [90, 70], [95, 80, 50]]


@pytest.fixture
def rgb():
    """Structure and noise, no side a multiple of 8."""
    y, x = np.mgrid[:44, :60]
    noise = np.random.default_rng(0).normal(0, 12, (44, 60, 3))
    smooth = np.stack([x * 4, y * 5, 120 + 60 * np.sin(x / 5)], axis=-1)
    return (smooth + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def pks(tmp_path):
    """The official file format: a pickled list with a list of factors for each image."""
    path = tmp_path / 'DocTamperV1-FCD_75.pk'
    path.write_bytes(pickle.dumps(FACTORS))
    return str(path)


def sample(rgb, index=0):
    return dict(
        img=np.ascontiguousarray(rgb[..., ::-1]), img_bytes=b'as loaded', img_path='a.jpg',
        ori_shape=rgb.shape[:2], seg_fields=[], record_index=index,
    )  # fmt: skip


def saved(image, quality):
    """What Pillow writes for ``image.save(quality=...)``."""
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=quality)
    return buffer.getvalue()


def coefficients_and_table(data, shape):
    with tempfile.NamedTemporaryFile(suffix='.jpg') as file:
        file.write(data)
        file.flush()
        jpeg = jpeglib.read_dct(file.name)
        rows, columns = jpeg.Y.shape[:2]
        blocks = jpeg.Y.transpose(0, 2, 1, 3).reshape(rows * 8, columns * 8)
        magnitude = np.abs(blocks)[: shape[0], : shape[1]].clip(max=20)
        return magnitude, np.array(jpeg.get_component_qt(0))


def by_hand(schedule, grey, factors):
    """The table of the protocol, written out with Pillow: coefficients, table, pixels."""
    first, last = factors[0], factors[-1]
    if schedule == 'intended':
        for factor in factors[:-1]:
            grey = Image.open(io.BytesIO(saved(grey, factor)))
        return *coefficients_and_table(saved(grey, last), grey.size[::-1]), np.asarray(grey)
    used = last if schedule == 'last' else first
    data = saved(grey, used)
    coefficients, table = coefficients_and_table(data, grey.size[::-1])
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    if schedule == 'ffdn':
        table = table.clip(max=63)
    if schedule == 'official':
        table = coefficients_and_table(saved(grey, last), grey.size[::-1])[1]
        pixels = np.asarray(grey) if len(factors) == 1 else pixels
    return coefficients, table, pixels


# ---- the four schedules --------------------------------------------------------------------


@pytest.mark.parametrize('index', [0, 1, 2], ids=['one save', 'two', 'three'])
@pytest.mark.parametrize('schedule', ['intended', 'official', 'ffdn', 'last'])
def test_schedule_is_that_of_the_protocol(schedule, index, rgb, pks):
    results = DocTamperJPEG(schedule, factors=pks)(sample(rgb, index))
    grey = Image.fromarray(rgb).convert('L')
    coefficients, table, pixels = by_hand(schedule, grey, FACTORS[index])
    np.testing.assert_array_equal(results['dct'], coefficients)
    np.testing.assert_array_equal(results['qtable'], table)
    np.testing.assert_array_equal(results['img'], np.repeat(pixels[..., None], 3, axis=2))
    assert results['dct'].dtype == results['qtable'].dtype == results['img'].dtype == np.uint8
    assert results['dct_source'] == f'doctamper-{schedule}'
    assert results['quality_factors'] == FACTORS[index]


def test_schedules_differ(rgb, pks):
    made = [DocTamperJPEG(name, pks)(sample(rgb, 2)) for name in ('intended', 'official', 'ffdn',
                                                                 'last')]  # fmt: skip
    kinds = {tuple(results[key].tobytes() for key in ('img', 'dct', 'qtable')) for results in made}
    assert len(kinds) == 4


@pytest.mark.parametrize('index', [0, 1, 2])
def test_official_is_what_the_script_executes(index, rgb, pks):
    """Several JPEGs one after another in one file: every reader sees the first."""
    grey = image = Image.fromarray(rgb).convert('L')
    with tempfile.NamedTemporaryFile(suffix='.jpg') as file:
        for factor in FACTORS[index]:
            if factor != FACTORS[index][0]:
                image = Image.open(file)
            image.save(file, 'JPEG', quality=factor)
        blocks = jpeglib.read_dct(file.name).Y
        pixels = np.asarray(image)
    results = DocTamperJPEG('official', factors=pks)(sample(rgb, index))
    first = np.abs(blocks[0, 0]).clip(max=20)
    np.testing.assert_array_equal(results['dct'][:8, :8], first)
    np.testing.assert_array_equal(results['img'][..., 0], pixels)
    assert len(FACTORS[index]) > 1 or np.array_equal(pixels, np.asarray(grey))


def test_ffdn_alone_clips_the_table(rgb, tmp_path):
    path = tmp_path / 'low.pk'
    path.write_bytes(pickle.dumps([[10]]))
    largest = {name: DocTamperJPEG(name, str(path))(sample(rgb))['qtable'].max()
               for name in ('ffdn', 'official', 'intended', 'last')}  # fmt: skip
    assert largest.pop('ffdn') == 63
    assert set(largest.values()) == {255}


def test_grey_is_pillows(rgb):
    np.testing.assert_array_equal(to_grey(rgb), np.asarray(Image.fromarray(rgb).convert('L')))


def test_goes_on_to_crop_and_pack(rgb, pks):
    results = DocTamperJPEG('official', pks)(sample(rgb, 2))
    results['gt_seg_map'] = np.zeros(rgb.shape[:2], np.uint8)
    results['seg_fields'] = ['gt_seg_map']
    packed = PackManipulationInputs()(AlignedRandomCrop((24, 32))(results))
    assert packed['inputs'].shape == (5, 24, 32)
    assert packed['data_samples'].dct_source == 'doctamper-official'


def test_no_second_extraction_by_mistake(rgb, pks):
    """It would silently replace the table that the protocol hands over."""
    results = DocTamperJPEG('official', pks)(sample(rgb, 2))
    with pytest.raises(KeyError, match='img_bytes'):
        ExtractDCT()(results)


@pytest.mark.parametrize('options', [dict(schedule='dtd'), dict(schedule='last', min_quality=0)])
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match='must be'):
        DocTamperJPEG(**options)


# ---- where the factors come from -----------------------------------------------------------


def test_random_factors_are_one_to_three_and_within_the_bound(rgb):
    transform = DocTamperJPEG('last', min_quality=88)
    drawn = [transform(sample(rgb[:8, :8]))['quality_factors'] for _ in range(600)]
    counts = np.bincount([len(factors) for factors in drawn])
    assert set(np.flatnonzero(counts)) == {1, 2, 3}
    assert min(counts[1:]) > 150  # a third each
    qualities = np.concatenate(drawn)
    assert (qualities.min(), qualities.max()) == (88, 100)
    assert min(np.bincount(qualities)[88:]) > 40  # uniform: 92 expected of each


def test_numpy_numbers_in_the_file(tmp_path):
    path = tmp_path / 'a.pk'
    path.write_bytes(pickle.dumps([[np.int64(75), np.int64(80)], [100]], protocol=2))
    assert read_factors(str(path)) == [[75, 80], [100]]


class Attack:
    def __repr__(self):  # the tests' names must not hold an address
        return 'Attack()'

    def __reduce__(self):
        return exec, ('raise SystemExit("ran the code of a pickle")',)


@pytest.mark.parametrize(
    'content', [Attack(), [[Attack()]], [[75], []], [[75, 80, 85, 90]], [[0]], [101], 'abc', None],
    ids=str,
)  # fmt: skip
def test_anything_but_qualities_is_refused(content, tmp_path):
    path = tmp_path / 'a.pk'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r'a\.pk: expected'):
        read_factors(str(path))


def test_no_pickle_at_all(tmp_path):
    (tmp_path / 'a.pk').write_bytes(b'')
    with pytest.raises(ValueError, match='expected a pickled list'):
        read_factors(str(tmp_path / 'a.pk'))


def test_the_file_of_another_subset(rgb, pks):
    with pytest.raises(ValueError, match=r'for 3 images, this is number 3: .* another subset'):
        DocTamperJPEG('last', pks)(sample(rgb, 3))


def test_a_sample_without_its_number(rgb, pks):
    results = sample(rgb)
    del results['record_index']
    with pytest.raises(ValueError, match=r'mmomni\.DocTamperDataset'):
        DocTamperJPEG('last', pks)(results)
