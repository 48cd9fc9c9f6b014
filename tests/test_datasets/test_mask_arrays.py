"""Masks as arrays of NumPy and MATLAB: the same meaning as in an image, or refused by name."""

import io
import sys

import numpy as np
import pytest
from mask_files import TRUTH

from mmomni.datasets.masks import mask_values, tampered_pixels
from mmomni.jpeg import ImageReadError


def npy(values, **options):
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


def mat(**variables):
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, variables, do_compression=True)
    return buffer.getvalue()


SOFT = np.where(TRUTH, 0.75, 0.25)
ARRAYS = {
    'booleans': TRUTH,
    'bytes 0/1': TRUTH.astype(np.uint8),
    'bytes 0/255': TRUTH.astype(np.uint8) * 255,
    '16 bits': TRUTH.astype(np.uint16) * 40000,
    '64 bits': TRUTH.astype(np.int64),
    'big-endian': TRUTH.astype('>i4'),
    'floats 0/1': TRUTH.astype(np.float32),
    'floats 0/255': TRUTH * 255.0,
    'half floats': TRUTH.astype(np.float16),
    'shares': SOFT,
    'columns first': np.asfortranarray(TRUTH),
    'one channel': TRUTH[..., None],
    'one channel first': TRUTH[None],
}


@pytest.mark.parametrize('kind', ARRAYS)
def test_an_array_of_numpy_means_what_an_image_does(kind):
    found = tampered_pixels(npy(ARRAYS[kind]), 'a.npy')
    assert found.dtype == bool
    np.testing.assert_array_equal(found, TRUTH)


@pytest.mark.parametrize('kind', [kind for kind in ARRAYS if 'channel' not in kind])
def test_the_only_array_of_a_mat_file_does_too(kind):
    pytest.importorskip('scipy', reason='needs `pip install scipy`')
    data = mat(mask=ARRAYS[kind], note='a text', threshold=0.5, sizes=[[24, 40]])
    np.testing.assert_array_equal(tampered_pixels(data, 'a.mat'), TRUTH)


def test_an_array_is_known_by_its_first_bytes():
    np.testing.assert_array_equal(tampered_pixels(npy(TRUTH), 'label-000000001'), TRUTH)


@pytest.mark.parametrize(('share', 'tampered'), [(0.49, False), (0.5, True), (0.51, True)])
def test_shares_are_cut_at_one_half(share, tampered):
    values = np.array([[0, 1, share]])
    assert tampered_pixels(npy(values))[0].tolist() == [False, True, tampered]


@pytest.mark.parametrize('value', [1, 7, 255, 256, 65535])
def test_whole_numbers_are_kept_as_they_are(value):
    values = mask_values(npy(TRUTH * value))
    assert (values.source, values.threshold) == ('array', 0)
    np.testing.assert_array_equal(values.colours[..., 1], TRUTH * value)


REFUSED = {
    'three channels': (np.dstack([TRUTH] * 3), r'expected an array of \(height, width\)'),
    'one dimension': (TRUTH.ravel(), r'expected an array of \(height, width\)'),
    'nothing': (TRUTH[:0], r'expected an array of \(height, width\)'),
    'negative': (TRUTH.astype(int) - 1, 'expected values from 0 to 65535, got -1 to 0'),
    'too large': (TRUTH * 65536, 'expected values from 0 to 65535'),
    'no number': (np.where(TRUTH, np.nan, 0), 'no numbers'),
    'scores': (np.where(TRUTH, 3.5, -2), 'expected floats from 0 to 1'),
    'complex': (TRUTH.astype(complex), 'expected numbers or booleans'),
    'texts': (TRUTH.astype(str), 'expected numbers or booleans'),
}


@pytest.mark.parametrize('kind', REFUSED)
def test_what_says_no_mask_is_refused_by_name(kind):
    values, message = REFUSED[kind]
    with pytest.raises(ImageReadError, match=rf'm\.npy: .*{message}'):
        tampered_pixels(npy(values), 'm.npy')


def test_objects_are_never_loaded():
    class Evil:
        def __reduce__(self):
            return pytest.fail, ('a mask ran a program',)

    data = npy(np.array([[Evil(), 1]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageReadError, match=r'm\.npy: holds Python objects'):
        tampered_pixels(data, 'm.npy')


def test_a_file_that_claims_more_than_it_has_reserves_no_memory():
    data = npy(TRUTH).replace(b'(24, 40)', b'(99999999999, 40)')
    with pytest.raises(ImageReadError, match=r'm\.npy: '):
        tampered_pixels(data, 'm.npy')


@pytest.mark.parametrize('name', ['m.npy', 'm.mat'])
@pytest.mark.parametrize('data', [b'', b'x', b'no array', npy(TRUTH)[:100], npy(TRUTH)[:-1]])
def test_what_is_no_whole_array_is_refused_by_name(data, name):
    with pytest.raises(ImageReadError, match=name.replace('.', r'\.')):
        tampered_pixels(data, name)


MATS = {
    'none': (dict(note='a text'), r"got 0 among \['note'\]"),
    'two': (dict(a=TRUTH, b=TRUTH), r"got 2 among \['a', 'b'\]"),
    'a record': (dict(made=dict(mask=TRUTH)), r"got 0 among \['made'\]"),
    'a row': (dict(row=[1, 2, 3]), 'got 0 among'),
}


@pytest.mark.parametrize('kind', MATS)
def test_a_mat_file_has_one_array_or_is_refused(kind):
    pytest.importorskip('scipy', reason='needs `pip install scipy`')
    variables, message = MATS[kind]
    with pytest.raises(ImageReadError, match=rf'm\.mat: expected one variable.*{message}'):
        tampered_pixels(mat(**variables), 'm.mat')


def test_a_mat_file_of_hdf5_is_named():
    header = b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(124) + b'\x00\x02IM'
    with pytest.raises(ImageReadError, match=r"m\.mat: .*version 7\.3 \(HDF5\).*'-v7'"):
        tampered_pixels(header + bytes(400), 'm.mat')


def test_without_scipy_the_error_says_how_to_get_it_and_ends_the_run(monkeypatch):
    """No file is at fault, so that none may be left out for it."""
    monkeypatch.setitem(sys.modules, 'scipy.io', None)
    with pytest.raises(ImportError, match=r'm\.mat: .*pip install scipy'):
        tampered_pixels(b'MATLAB 5.0 MAT-file', 'm.mat')
