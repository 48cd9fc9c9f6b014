import numpy as np
import pytest

from mmomni.apis.results import Region, choice_of_gate, find_regions, score_of
from mmomni.evaluation.image_score import image_score


def test_regions_are_boxes_areas_and_means_largest_first():
    mask = np.zeros((40, 60), np.uint8)
    probability = np.full((40, 60), 0.1, np.float32)
    mask[2:12, 5:13] = 1  # 80 pixels
    probability[2:12, 5:13] = 0.75
    mask[20:40, 30:40] = 1  # 200 pixels
    probability[20:30, 30:40], probability[30:40, 30:40] = 0.5, 1.0
    assert find_regions(mask, probability) == (
        Region((30, 20, 40, 40), 200, 0.75),
        Region((5, 2, 13, 12), 80, 0.75),
    )


def test_diagonal_neighbours_are_one_region():
    mask = np.kron(np.eye(2, dtype=np.uint8), np.ones((8, 8), np.uint8))
    (region,) = find_regions(mask, mask.astype(np.float32))
    assert region == Region((0, 0, 16, 16), 128, 1.0)


def test_mean_is_of_the_regions_pixels_not_of_its_box():
    mask = np.tri(16, dtype=np.uint8)
    (region,) = find_regions(mask, np.where(mask == 1, 0.75, 0).astype(np.float32))
    assert (region.area, region.mean_probability) == (136, 0.75)


@pytest.mark.parametrize(('width', 'found'), [(7, 0), (8, 1)])
def test_specks_below_a_block_are_left_out(width, found):
    mask = np.zeros((20, 20), np.uint8)
    mask[:8, :width] = 1
    assert len(find_regions(mask, mask.astype(np.float32))) == found


@pytest.mark.parametrize('value', [0, 1])
def test_regions_of_an_empty_and_of_a_full_mask(value):
    mask = np.full((16, 16), value, np.uint8)
    assert len(find_regions(mask, mask.astype(np.float32))) == value


@pytest.mark.parametrize(
    ('logit', 'modality', 'confidence'),
    [
        (0.0, 'vision + frequency', 0.5),  # round(0.5) is 0, as in the encoder
        (np.log(3), 'vision', 0.75),
        (-np.log(3), 'vision + frequency', 0.75),
        (-800.0, 'vision + frequency', 1.0),
        (800.0, 'vision', 1.0),
    ],
)
def test_choice_of_gate(logit, modality, confidence):
    choice = choice_of_gate(float(logit))
    assert choice.modality == modality
    assert choice.confidence == pytest.approx(confidence)


def test_gate_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match='NaN'):
        choice_of_gate(float('nan'))


def test_regions_of_many_stripes():
    mask, rng = np.zeros((1500, 12), np.uint8), np.random.default_rng(0)
    mask[100:1400, 2:9] = 1
    probability = rng.random(mask.shape, np.float32)
    (region,) = find_regions(mask, probability)
    assert region.area == 1300 * 7
    expected = probability[100:1400, 2:9].mean(dtype=np.float64)
    assert region.mean_probability == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('pooling', ['max', 'top_k_mean'])
@pytest.mark.parametrize('shape', [(1, 1), (9, 11), (123, 200)])
def test_score_is_that_of_the_whole_map_in_float64(pooling, shape):
    log_odds = np.random.default_rng(0).normal(0, 10, shape).astype(np.float32)
    expected = image_score(1 / (1 + np.exp(-log_odds.astype(float))), pooling)
    assert score_of(log_odds, pooling) == pytest.approx(expected, rel=1e-12)


def test_sure_images_keep_different_scores():
    one, other = (score_of(np.full((4, 4), value, np.float32), 'max') for value in (30.0, 31.0))
    assert one < other < 1


def test_score_of_no_numbers_is_refused():
    with pytest.raises(ValueError, match='NaN'):
        score_of(np.array([[0.0, np.nan]], np.float32), 'max')
