"""What every :class:`~mmomni.apis.network.Network` does, and that all of them say the same."""

import numpy as np
import pytest

from mmomni.apis import Prediction, Predictor, open_predictor
from mmomni.apis.tiling import predict_maps
from mmomni.apis.weights import ONNX, SAFETENSORS, packaged
from mmomni.apis.windows import plan_windows
from mmomni.utils.arrays import sigmoid

NEAR = 1e-3
"""Of probabilities."""
WINDOWS = dict(window=256, overlap=160)


@pytest.fixture(scope='module')
def exported(published, once):
    pytest.importorskip('onnx', reason='needs `pip install onnx`')
    pytest.importorskip('onnxruntime', reason='needs `pip install onnxruntime`')
    from mmomni.apis.onnx_export import export_onnx
    from mmomni.checkpoints import read_checkpoint

    checkpoint = read_checkpoint(published)
    return once('exported', lambda folder: export_onnx(checkpoint, folder / 'tiny.onnx'))


@pytest.fixture(
    scope='module',
    params=[
        pytest.param('torch', marks=pytest.mark.host),
        pytest.param('onnx', marks=pytest.mark.host),
        'package',
    ],
)
def weights(request):
    """A file, and the checkpoint that it says the same as."""
    if request.param == 'package':
        return packaged(ONNX), packaged(SAFETENSORS)
    published = request.getfixturevalue('published')
    file = published if request.param == 'torch' else request.getfixturevalue('exported')
    return file, published


@pytest.fixture(scope='module')
def predictor(weights):
    return open_predictor(weights[0], device='cpu')


@pytest.fixture(scope='module')
def reference(weights):
    return open_predictor(weights[1], device='cpu')


@pytest.fixture
def planes():
    """Batches of five planes, in the ranges of real ones; sides are multiples of 8."""
    rng = np.random.default_rng(0)

    def make(*sizes):
        images = [
            [
                *rng.integers(0, 256, (3, *size)),
                rng.integers(0, 21, size),
                np.tile(rng.integers(1, 100, (8, 8)), (size[0] // 8, size[1] // 8)),
            ]
            for size in sizes
        ]
        return np.array(images, np.uint8)

    return make


def test_forms(predictor, planes):
    network = predictor.network
    output = network(planes((64, 96), (64, 96)))
    assert (output.log_odds.shape, output.log_odds.dtype) == ((2, 64, 96), np.float32)
    assert (output.gate.shape, output.gate.dtype) == ((2,), np.float32)
    assert (network.on_cpu, network.precision) == (True, 'fp32')


@pytest.mark.host
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


def test_windows_pass_until_they_agree(predictor, planes):
    (found,) = predict_maps(predictor.network, planes((96, 256)), window=128, overlap=96)
    assert (found.windows, found.passes > 1, found.warnings) == (3, True, ())


@pytest.mark.host
def test_windows_of_all_say_the_same(predictor, reference, planes):
    images = planes((96, 256))
    expected, found = (
        predict_maps(each.network, images, window=128, overlap=96)[0]
        for each in (reference, predictor)
    )
    np.testing.assert_allclose(sigmoid(found.log_odds), sigmoid(expected.log_odds), atol=1e-4)
    assert found.gate == pytest.approx(expected.gate, abs=1e-3)
    assert found[2:] == expected[2:]  # how often they passed, and what is said of it


def test_sharing_ends_with_its_block(predictor, planes):
    batch, network = planes((64, 64)), predictor.network
    before = network(batch).log_odds
    with network.sharing() as sharing:
        for window in plan_windows(64, 128, 64, 32):
            sharing.begin(window)
            network(batch)
        sharing.end_pass()
    np.testing.assert_array_equal(network(batch).log_odds, before)


def test_precision_is_one_that_there_is(predictor):
    predictor.precision = 'fp32'
    with pytest.raises(ValueError, match=r"one of \('auto', 'fp32', 'bf16'\), got 'fp16'"):
        predictor.precision = 'fp16'
    assert predictor.precision == 'fp32'


@pytest.mark.host
def test_predictions(predictor, reference, photos):
    for found, expected in zip(predictor.stream(photos), reference.stream(photos), strict=True):
        assert isinstance(found, Prediction)
        assert found.source == expected.source
        np.testing.assert_allclose(found.probability, expected.probability, atol=NEAR)
        assert found.score == pytest.approx(expected.score, abs=NEAR)
        assert found.gate.modality == expected.gate.modality
        assert len(found.regions) == len(expected.regions)


@pytest.mark.host
def test_what_the_weights_say_of_themselves(predictor, weights):
    from mmomni.checkpoints import read_checkpoint

    checkpoint = read_checkpoint(weights[1])
    assert predictor.card == checkpoint.card
    assert predictor.calibrations == checkpoint.calibrations


def test_memory_that_is_short_is_a_failure(photos):
    class Full:
        precision, on_cpu, sharing = 'fp32', True, None

        def __call__(self, planes):
            raise MemoryError('none left')

    (result, *_) = Predictor(Full()).stream(photos)
    assert 'none left); take a smaller window' in result.reason


# ---- what windows tell each other ------------------------------------------------------------


@pytest.fixture(params=[pytest.param(each, marks=pytest.mark.host) for each in ('torch', 'onnx')])
def as_network(request, tmp_path):
    """A module of tests/toy_network.py as a network."""
    import toy_network

    if request.param == 'torch':
        return lambda module: toy_network.InNumPy(module.eval())
    pytest.importorskip('onnx', reason='needs `pip install onnx`')
    return lambda module: toy_network.exported(module.eval(), tmp_path / 'toy.onnx')


def test_windows_say_what_the_whole_image_says(as_network, planes):
    """Which they do not in the first pass."""
    from toy_network import Toy

    network = as_network(Toy())
    for size in [(300, 500), (200, 801), (1, 3000)]:
        height, width = size
        whole = planes([-(-side // 32) * 32 for side in size])
        whole[:, :3] = whole[:, :3] * np.linspace(1, 0.2, whole.shape[3])
        whole[:, :, height:] = whole[..., width:] = 0
        expected = network(whole)
        image = whole[0, :, :height, :width]
        (found,) = predict_maps(network, [image], **WINDOWS)
        (own,) = predict_maps(network, [image], **WINDOWS, max_passes=1)
        assert found.windows > 1
        assert found.warnings == ()
        log_odds = expected.log_odds[0, :height, :width]
        error = np.abs(found.log_odds - log_odds).mean()
        assert error < 1e-3
        assert np.abs(own.log_odds - log_odds).mean() > 10 * error
        assert found.gate == pytest.approx(expected.gate.item(), abs=1e-3)


def test_layer_that_cannot_share_is_told(as_network, planes):
    """Group norm looks at a whole image, and is not told of it by windows."""
    from torch import nn
    from toy_network import Toy

    module = Toy()
    module.stem = nn.Sequential(module.stem, nn.GroupNorm(2, 8))
    (found,) = predict_maps(as_network(module), planes((304, 504)), **WINDOWS, max_passes=2)
    assert 'cannot be told of the whole' in found.warnings[-1]


def test_network_without_operations_on_the_whole_image(as_network, planes):
    from toy_network import Local

    network, images = as_network(Local()), planes((288, 512))
    (found,) = predict_maps(network, images, **WINDOWS)
    assert (found.gate, found.passes) == (None, 1)
    assert 'without knowing of each other' in found.warnings[0]
    np.testing.assert_allclose(found.log_odds, network(images).log_odds[0], atol=1e-5)
