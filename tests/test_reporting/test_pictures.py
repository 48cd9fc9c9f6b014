from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmomni.apis.results import Prediction, find_regions
from mmomni.reporting import pictures
from mmomni.visualization import heat_map

ORIENTATION = 0x0112


@pytest.fixture
def make_prediction():
    def make(orientation=1, height=40, width=56):
        rng = np.random.default_rng(0)
        probability = np.zeros((height, width), np.float32)
        probability[4:20, 6:30] = rng.random((16, 24), np.float32) / 2 + 0.5
        mask = (probability > 0.5).astype(np.uint8)
        return Prediction(
            source='x.jpg', image=rng.integers(0, 256, (height, width, 3), np.uint8),
            probability=probability, threshold=0.5, mask=mask, score=1.0, pooling='max',
            regions=find_regions(mask, probability), gate=None, dct_source='file',
            orientation=orientation, windows=1, seconds=0.0,
        )  # fmt: skip

    return make


def opened(data):
    return np.array(Image.open(BytesIO(data)))


def as_viewers_turn(pixels, orientation):
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION] = orientation
    return np.array(ImageOps.exif_transpose(image))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_mask_and_probability_lie_on_the_pixels_of_the_file(make_prediction, orientation):
    prediction = make_prediction(orientation)
    mask = opened(pictures.mask_png(prediction))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, prediction.mask * 255)
    with np.load(BytesIO(pictures.probability_npz(prediction))) as arrays:
        assert arrays['probability'].dtype == np.float16
        np.testing.assert_allclose(arrays['probability'], prediction.probability, atol=2.5e-4)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_heat_map_is_turned_as_viewers_turn_the_photo(make_prediction, orientation):
    prediction = make_prediction(orientation)
    picture = Image.open(BytesIO(pictures.heat_map_png(prediction)))
    levels = as_viewers_turn(np.rint(prediction.probability * 255).astype(np.uint8), orientation)
    np.testing.assert_array_equal(np.array(picture), levels)
    colours = as_viewers_turn(heat_map(prediction.probability), orientation)
    np.testing.assert_array_equal(np.array(picture.convert('RGB')), colours)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_overlay_is_turned_and_outlined(make_prediction, orientation):
    prediction = make_prediction(orientation)
    grey = Prediction(**{**vars(prediction), 'image': np.full((40, 56, 3), 90, np.uint8)})
    found = opened(pictures.overlay_jpeg(grey)).astype(int)
    turned = as_viewers_turn(prediction.mask, orientation)
    assert found.shape == (*turned.shape, 3)
    magenta = (found[..., 0] > 200) & (found[..., 1] < 90) & (found[..., 2] > 200)
    rows, columns = np.nonzero(turned)
    edges = np.zeros_like(turned, dtype=bool)
    edges[rows.min(), columns.min() : columns.max() + 1] = True
    edges[rows.max(), columns.min() : columns.max() + 1] = True
    assert magenta[edges].mean() > 0.6  # the number covers a part of one edge


def test_the_prediction_is_not_drawn_on(make_prediction):
    prediction = make_prediction()
    before = prediction.image.copy(), prediction.mask.copy(), prediction.probability.copy()
    pictures.overlay_jpeg(prediction)
    list(pictures.report_pictures(prediction))
    np.testing.assert_array_equal(prediction.image, before[0])
    np.testing.assert_array_equal(prediction.mask, before[1])
    np.testing.assert_array_equal(prediction.probability, before[2])


def test_a_reversed_view_as_the_inferencer_gives_it_makes_the_same_pictures(make_prediction):
    prediction = make_prediction(6)
    view = np.ascontiguousarray(prediction.image[..., ::-1])[..., ::-1]
    other = Prediction(**{**vars(prediction), 'image': view})
    assert pictures.overlay_jpeg(other) == pictures.overlay_jpeg(prediction)


@pytest.mark.parametrize('orientation', [1, 6])
def test_report_pictures_are_small_and_upright(make_prediction, orientation):
    made = dict(pictures.report_pictures(make_prediction(orientation, 600, 2100)))
    size = (1024, 293) if orientation == 1 else (293, 1024)
    assert Image.open(BytesIO(made['images'])).size == size
    assert Image.open(BytesIO(made['heat_maps'])).size == size
    thumbnail = Image.open(BytesIO(made['thumbnails']))
    assert max(thumbnail.size) <= 2 * pictures.THUMBNAIL_SIDE
    assert len(made['thumbnails']) < 8_000  # noise compresses worst


def test_a_line_of_one_pixel_is_drawn(make_prediction):
    made = dict(pictures.report_pictures(make_prediction(1, 25, 20_000)))
    assert Image.open(BytesIO(made['images'])).size == (1024, 1)
