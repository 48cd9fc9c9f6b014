import numpy as np
import pytest

from mmomni.utils.arrays import sigmoid, unmirrored


def numbered(*shape):
    return np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)


@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 3), (1, 1), (4, 1, 3)])
@pytest.mark.parametrize('axes', [1, (0, 1)], ids=['horizontal', 'diagonal'])
def test_rows_of_a_mirrored_view_run_forwards(axes, shape):
    view = np.flip(numbered(*shape), axes)
    found = unmirrored(view)
    np.testing.assert_array_equal(found, view)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    'pixels',
    [
        numbered(5, 7),
        numbered(9, 9, 3)[2:5, 1:4],
        np.flip(numbered(5, 7), 0),
        np.flip(numbered(5, 7).astype(np.int64), 1),
        np.flip(numbered(5, 7) > 3, 1),
    ],
    ids=['contiguous', 'crop', 'upside down', 'int64', 'bool'],
)
def test_others_stay_what_they_are(pixels):
    assert unmirrored(pixels) is pixels


def test_sigmoid_of_all_sizes_of_numbers():
    x = np.array([[-1000, -88.8, -1, 0], [1, 88.8, 1000, np.nan]], np.float32)
    with np.errstate(all='raise', under='ignore'):
        found = sigmoid(x)
    assert found.dtype == np.float32
    wide = x.astype(np.float64)
    with np.errstate(over='ignore'):
        expected = 1 / (1 + np.exp(-wide))
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=1e-37)
    assert sigmoid(wide).dtype == np.float64
    assert sigmoid(x, out=x) is x
    np.testing.assert_array_equal(x, found)
