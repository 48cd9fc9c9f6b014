"""``DocTamperDataset``: the published LMDBs, read by several processes."""

import io
import os
import pickle
import sys

import numpy as np
import pytest
from mmengine import fileio
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import DataLoader

from mmomni.datasets import DocTamperDataset, lmdb_files
from mmomni.jpeg import read_luma

lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
MMLogger.get_current_instance()  # made here, it does not hold the captured stream of one test

@pytest.fixture(autouse=True)
def closed():
    """The next test may get the folder of this one (pytest below 9.2), and other entries in it."""
    yield
    lmdb_files._opened.cache_clear()


COUNT, SIDE = 6, 32
LOAD = [dict(type='mmomni.LoadOriginalImage'), dict(type='mmomni.LoadManipulationMask')]
PIPELINE = [*LOAD, dict(type='mmomni.ExtractDCT'), dict(type='mmomni.PackManipulationInputs')]


def encoded(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, **options)
    return buffer.getvalue()


def image_file(index):
    pixels = np.random.default_rng(index).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return encoded(pixels, format='JPEG', quality=60 + index)


def label(index):
    """0 and 1, as in the original; the tampered square moves with the index."""
    values = np.zeros((SIDE, SIDE), np.uint8)
    values[index : index + 8, 2:12] = 1
    return values


def write(folder, entries):
    with lmdb.open(str(folder), map_size=1 << 22) as env, env.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key.encode(), value)
    (folder / 'lock.mdb').unlink()  # not everybody copies it
    return folder


def entries():
    made = {'num-samples': str(COUNT).encode()}
    for index in range(COUNT):
        made[f'image-{index:09d}'] = image_file(index)
        made[f'label-{index:09d}'] = encoded(label(index), format='PNG')
    return made


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / 'DocTamperV1-FCD', entries())


def dataset(root, pipeline=LOAD, **options):
    return DocTamperDataset(data_root=str(root), pipeline=pipeline, **options)


# ---- what a sample is ----------------------------------------------------------------------


def test_every_sample_is_listed(root):
    data = dataset(root)
    assert len(data) == COUNT
    assert data.name == 'DocTamperV1-FCD'
    assert data[0]['domain'] == 'document'
    assert [data[index]['record_index'] for index in range(COUNT)] == list(range(COUNT))


def test_held_out_samples_keep_their_number(root):
    records = [
        [each['record_index'] for each in dataset(root, held_out=2, split=split)]
        for split in ('train', 'held_out')
    ]
    assert records == [[1, 2, 4, 5], [0, 3]]


@pytest.mark.parametrize('index', range(COUNT))
def test_bytes_and_mask_are_those_of_the_keys(index, root):
    sample = dataset(root)[index]
    assert sample['img_bytes'] == image_file(index)
    np.testing.assert_array_equal(sample['gt_seg_map'], label(index))


def test_coefficients_are_the_files_own(root):
    sample = dataset(root, [*LOAD, dict(type='mmomni.ExtractDCT')])[3]
    luma = read_luma(image_file(3))
    assert sample['dct_source'] == 'file'
    np.testing.assert_array_equal(sample['dct'], np.abs(luma.coefficients).clip(max=20))
    np.testing.assert_array_equal(sample['qtable'], luma.table)


def test_paths_open_wherever_mmengine_reads_a_path(root):
    assert fileio.get(dataset(root)[2]['img_path']) == image_file(2)


def test_factors_of_the_evaluation_follow_the_sample(root, tmp_path):
    factors = [[75 + index] for index in range(COUNT)]
    (tmp_path / 'a.pk').write_bytes(pickle.dumps(factors))
    schedule = dict(type='mmomni.DocTamperJPEG', schedule='last', factors=str(tmp_path / 'a.pk'))
    data = dataset(root, [*LOAD, schedule], indices=[4, 1])  # a subset keeps the numbers
    assert [data[0]['quality_factors'], data[1]['quality_factors']] == [[79], [76]]


# ---- processes -----------------------------------------------------------------------------


@pytest.mark.parametrize('context', ['fork', 'spawn'])
def test_workers_read_for_themselves(context, root):
    data = dataset(root, [*LOAD, dict(type='mmomni.ExtractDCT')])
    parent = [data[index] for index in range(COUNT)]  # its environment is open now
    loader = DataLoader(
        data, batch_size=COUNT, num_workers=1, collate_fn=list, multiprocessing_context=context
    )  # fmt: skip
    batch = next(iter(loader))
    for ours, theirs in zip(parent, batch, strict=True):
        for key in ('img', 'dct', 'gt_seg_map'):
            np.testing.assert_array_equal(ours[key], theirs[key])


def test_nothing_is_written(root):
    before = {path: path.read_bytes() for path in root.iterdir()}
    dataset(root)[0]
    assert {path: path.read_bytes() for path in root.iterdir()} == before


# ---- errors --------------------------------------------------------------------------------


def test_no_lmdb(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'expected an LMDB \(data\.mdb\) in the folder'):
        dataset(tmp_path)


def test_lmdb_of_something_else(tmp_path):
    write(tmp_path / 'other', {'length': b'3'})
    with pytest.raises(ValueError, match=r"expected the key 'num-samples'"):
        dataset(tmp_path / 'other')


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (b'7', "at most 6 samples.*'num-samples' says 7;"),
        (b'1000000000000', "at most 6 samples.*'num-samples' says 1,000,000,000,000;"),
        *[(value, 'a number of samples above 0 under') for value in (b'0', b'-6', b'', b'six')],
        (b'9' * 5000, 'a number of samples above 0 under'),
        (b'\xff\x00', 'a number of samples above 0 under'),
    ],
    ids=lambda value: repr(value[:14]),
)
def test_a_wrong_number_of_samples(value, message, tmp_path):
    write(tmp_path / 'wrong', {**entries(), 'num-samples': value})
    with pytest.raises(ValueError, match=message):
        dataset(tmp_path / 'wrong')


def test_samples_beyond_their_number_are_named(tmp_path, log):
    write(tmp_path / 'more', {**entries(), 'num-samples': b' 4\n', 'image-note': b'', 'zoo': b''})
    assert len(dataset(tmp_path / 'more')) == 4
    assert "2 samples are left out, because 'num-samples' says 4 of 6" in '\n'.join(log)


@pytest.mark.parametrize('missing', [1, 4096, 3 * 4096])
def test_a_file_that_was_cut_is_not_mapped(missing, root):
    """Reading what lies behind its end would end the process, by SIGBUS."""
    size = (root / 'data.mdb').stat().st_size
    os.truncate(root / 'data.mdb', size - missing)
    cut = f'expected {size:,} bytes.*got {size - missing:,}: it is cut'
    with pytest.raises(OSError, match=cut):
        dataset(root)


@pytest.mark.parametrize('kept', [0, 100, 4096, 4096 + 100])
def test_a_file_that_lost_its_begin_or_more(kept, root):
    os.truncate(root / 'data.mdb', kept)
    with pytest.raises(OSError, match='that do not begin as those of one do'):
        dataset(root)


def test_a_file_of_another_kind(root):
    (root / 'data.mdb').write_bytes(b'no database' * 1000)
    with pytest.raises(OSError, match='that do not begin as those of one do'):
        dataset(root)


@pytest.mark.parametrize('size', [0, 3, 1 << 20])
def test_pages_of_no_possible_size(size, root):
    data = bytearray((root / 'data.mdb').read_bytes())
    data[40:44] = size.to_bytes(4, sys.byteorder)
    (root / 'data.mdb').write_bytes(data)
    with pytest.raises(OSError, match='that do not begin as those of one do'):
        dataset(root)


def test_the_later_of_two_states_counts(root):
    """The file grows by a second transaction, whose state is in the other of its first pages."""
    before = (root / 'data.mdb').stat().st_size
    with lmdb.open(str(root), map_size=1 << 22) as env, env.begin(write=True) as transaction:
        transaction.put(b'more', bytes(100_000))
    os.truncate(root / 'data.mdb', before)
    with pytest.raises(OSError, match='it is cut'):
        dataset(root)


def test_what_liblmdb_says_of_a_file_is_an_error_of_the_system(root):
    data = bytearray((root / 'data.mdb').read_bytes())
    for page in (0, 4096):
        data[page + 20 : page + 24] = (7).to_bytes(4, sys.byteorder)  # its version
    (root / 'data.mdb').write_bytes(data)
    with pytest.raises(OSError, match=r'expected an LMDB that can be read, got .*Error '):
        dataset(root)


def test_a_list_file_is_refused(root):
    with pytest.raises(ValueError, match='takes no ann_file'):
        dataset(root, ann_file='train.txt')


def test_a_missing_sample_is_counted_as_unreadable(tmp_path):
    left = entries()
    del left['image-000000002']
    data = dataset(write(tmp_path / 'torn', left), PIPELINE, test_mode=True)
    stand_in = data[2]['data_samples']
    assert "no key 'image-000000002'" in stand_in.unreadable
    assert stand_in.img_path.endswith('torn/image-000000002')


def test_without_the_package(root, monkeypatch):
    monkeypatch.setitem(sys.modules, 'lmdb', None)
    with pytest.raises(ImportError, match=r'pip install mmomni\[lmdb\]'):
        dataset(root)


# ---- tools/dataset_converters/doctamper.py -------------------------------------------------


@pytest.fixture
def check(load_tool):
    return load_tool('dataset_converters/doctamper.py').main


def test_check_compares_counts_and_factors(root, check, capsys):
    pks = root.parent / 'pks'
    pks.mkdir()
    (pks / 'DocTamperV1-FCD_75.pk').write_bytes(pickle.dumps([[75]] * COUNT))
    (pks / 'DocTamperV1-FCD_80.pk').write_bytes(pickle.dumps([[80]] * 3))
    check([str(root.parent)])
    printed = capsys.readouterr().out
    assert 'DocTamperV1-FCD: 6 tampered images, DIFFERS from the published 2000' in printed
    assert 'DocTamperV1-FCD_75.pk: quality factors of 6 images, fits' in printed
    assert 'DocTamperV1-FCD_80.pk: quality factors of 3 images, does NOT fit 6 images' in printed


def test_check_finds_missing_samples(tmp_path, check):
    left = entries()
    del left[f'label-{COUNT - 1:09d}']
    write(tmp_path / 'DocTamperV1-SCD', left)
    with pytest.raises(SystemExit, match=r"DocTamperV1-SCD: no key 'label-000000005'"):
        check([str(tmp_path)])


def test_check_of_an_empty_folder(tmp_path, check):
    with pytest.raises(SystemExit, match='none of'):
        check([str(tmp_path)])
