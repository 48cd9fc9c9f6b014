"""What every :class:`~mmomni.apis.network.Network` does, and that all of them say the same."""

import numpy as np
import pytest

from mmomni.apis import Prediction, Predictor, open_predictor
from mmomni.apis.tiling import predict_maps
from mmomni.apis.windows import plan_windows
from mmomni.checkpoints import read_checkpoint
from mmomni.utils.arrays import sigmoid

NEAR = 1e-3
"""Of probabilities."""


@pytest.fixture(scope='module')
def exported(published, tmp_path_factory):
    pytest.importorskip('onnx', reason='needs `pip install onnx`')
    pytest.importorskip('onnxruntime', reason='needs `pip install onnxruntime`')
    from mmomni.apis.onnx_export import export_onnx

    path = tmp_path_factory.mktemp('exported') / 'tiny.onnx'
    export_onnx(read_checkpoint(published), path)
    return path


@pytest.fixture(scope='module', params=['torch', 'onnx'])
def predictor(request, published):
    weights = published if request.param == 'torch' else request.getfixturevalue('exported')
    return open_predictor(weights, device='cpu')


@pytest.fixture(scope='module')
def reference(published):
    return open_predictor(published, device='cpu')


@pytest.fixture
def planes(make_planes):
    return lambda *sizes: np.stack([make_planes(*size).numpy() for size in sizes])


def test_forms(predictor, planes):
    network = predictor.network
    output = network(planes((64, 96), (64, 96)))
    assert (output.log_odds.shape, output.log_odds.dtype) == ((2, 64, 96), np.float32)
    assert (output.gate.shape, output.gate.dtype) == ((2,), np.float32)
    assert (network.on_cpu, network.precision) == (True, 'fp32')


@pytest.mark.parametrize('size', [(32, 32), (64, 96), (160, 224)], ids=str)
def test_all_say_the_same(predictor, reference, planes, size):
    batch = planes(size, size)
    expected, found = reference.network(batch), predictor.network(batch)
    assert np.ptp(sigmoid(expected.log_odds)) > NEAR
    np.testing.assert_allclose(sigmoid(found.log_odds), sigmoid(expected.log_odds), atol=NEAR)
    np.testing.assert_allclose(found.gate, expected.gate, atol=1e-3, rtol=1e-3)


def test_a_batch_is_its_images(predictor, planes):
    batch = planes((64, 64), (64, 64))
    together = predictor.network(batch)
    for number, image in enumerate(batch):
        alone = predictor.network(image[None])
        np.testing.assert_allclose(together.log_odds[number], alone.log_odds[0], atol=1e-4)
        assert together.gate[number] == pytest.approx(alone.gate[0], abs=1e-4)


def test_what_is_given_stays_as_it_was(predictor, planes):
    batch = planes((64, 64))
    before = batch.copy()
    predictor.network(batch)
    np.testing.assert_array_equal(batch, before)


def test_windows_agree_with_the_whole_or_say_that_they_may_not(predictor, planes):
    (image,) = planes((256, 320))
    (whole,) = predict_maps(predictor.network, [image], window=320, overlap=64)
    (cut,) = predict_maps(predictor.network, [image], window=192, overlap=160)
    assert (whole.windows, cut.windows > 1) == (1, True)
    difference = np.abs(sigmoid(whole.log_odds) - sigmoid(cut.log_odds)).mean()
    assert difference < 1e-2 or cut.warnings


def test_sharing_ends_with_its_block(predictor, planes):
    batch, network = planes((64, 64)), predictor.network
    before = network(batch).log_odds
    with network.sharing() as sharing:
        for window in plan_windows(64, 128, 64, 32):
            sharing.begin(window)
            network(batch)
        sharing.end_pass()
    np.testing.assert_array_equal(network(batch).log_odds, before)


def test_precision_is_one_that_it_has(predictor):
    predictor.precision = 'fp32'
    with pytest.raises(ValueError, match='precision'):
        predictor.network.precision = 'fp16' if hasattr(predictor.network, 'device') else 'bf16'
    assert predictor.precision == 'fp32'


def test_predictions(predictor, reference, photos):
    for found, expected in zip(predictor.stream(photos), reference.stream(photos), strict=True):
        assert isinstance(found, Prediction)
        assert found.source == expected.source
        np.testing.assert_allclose(found.probability, expected.probability, atol=NEAR)
        assert found.score == pytest.approx(expected.score, abs=NEAR)
        assert found.gate.modality == expected.gate.modality
        assert len(found.regions) == len(expected.regions)


def test_what_the_weights_say_of_themselves(predictor, published):
    checkpoint = read_checkpoint(published)
    assert predictor.card == checkpoint.card
    assert predictor.calibrations == checkpoint.calibrations


def test_memory_that_is_short_is_a_failure(predictor, photos):
    class Full:
        precision, on_cpu, sharing = 'fp32', True, None

        def __call__(self, planes):
            raise MemoryError('none left')

    (result, *_) = Predictor(Full()).stream(photos)
    assert 'none left); take a smaller window' in result.reason
