import numpy as np
import pytest

from mmomni.evaluation import image_score as home
from mmomni.evaluation.image_score import highest, image_score


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(home, 'PART', 100)


@pytest.mark.parametrize('share', [1e-6, 0.01, 0.3, 1.0])
@pytest.mark.parametrize('shape', [(1, 1), (7, 9), (40, 51)])
def test_the_highest_are_found_part_by_part(shape, share, small_parts):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32).round(1)  # with ties
    count = max(1, round(share * values.size))
    found = highest(values, share)
    assert found.dtype == np.float32
    assert np.array_equal(np.sort(found), np.sort(values, axis=None)[-count:])


@pytest.mark.parametrize('pooling', home.IMAGE_POOLINGS)
@pytest.mark.parametrize('row', [0, 20, 39])
def test_a_nan_in_any_part_is_told(pooling, row, small_parts):
    probability = np.zeros((40, 51))
    probability[row, 4] = np.nan
    with pytest.raises(ValueError, match='got NaN'):
        image_score(probability, pooling)
