import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine import Config
from mmseg.apis import init_model
from PIL import Image

from mmomni.apis import Failure, ManipulationInferencer, Prediction
from mmomni.apis.weights import packaged
from mmomni.evaluation.functional import image_score
from mmomni.registry import INFERENCERS

DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'


@pytest.fixture(scope='module')
def inferencer(published):
    return ManipulationInferencer(weights=published, device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def reference(training_checkpoint):
    """mmseg's own way to the log-odds of a file."""
    model = init_model(str(DEMO), str(training_checkpoint), device='cpu')
    pipeline = Compose(Config.fromfile(DEMO).test_pipeline)

    def log_odds(path):
        data = pipeline(dict(img_path=str(path)))
        with torch.no_grad():
            (sample,) = model.test_step({key: [value] for key, value in data.items()})
        logits = sample.seg_logits.data.double()
        return logits[1] - logits[0]

    return log_odds


def test_probability_and_score_are_those_of_the_stock_segmentor(inferencer, reference, photos):
    results = list(inferencer.stream(photos))
    assert [result.source for result in results] == [str(path) for path in sorted(photos.iterdir())]
    for result in results:
        expected = reference(result.source).sigmoid()
        assert result.probability.shape == result.image.shape[:2] == expected.shape
        assert result.probability.dtype == np.float32
        np.testing.assert_allclose(result.probability, expected, atol=1e-6)
        assert result.score == pytest.approx(image_score(expected, 'top_k_mean'), abs=1e-6)


def test_flaws_are_those_of_the_file(inferencer, tmp_path):
    path = tmp_path / 'cut.jpg'
    Image.new('RGB', (64, 64), 'grey').save(path)
    path.write_bytes(path.read_bytes()[:-2])
    (result,) = inferencer.stream([path])
    assert 'the end of a JPEG, are missing' in result.flaws[0]
    assert set(result.flaws) <= set(result.warnings)


@pytest.mark.parametrize('batch_size', [1, 3, 4])
def test_batches_change_nothing(inferencer, photos, batch_size):
    alone = list(inferencer.stream(photos))
    for one, other in zip(alone, inferencer.stream(photos, batch_size), strict=True):
        assert one.source == other.source
        np.testing.assert_allclose(one.probability, other.probability, atol=1e-5)
        assert one.gate.modality == other.gate.modality


def test_images_of_equal_size_pass_together(inferencer, photos, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        inferencer.model, 'forward', lambda x, run=inferencer.model.forward: (
            sizes.append(len(x)), run(x))[1]
    )  # fmt: skip
    assert len(list(inferencer.stream(photos, batch_size=4))) == 4
    assert sizes == [3, 1]


def test_workers_change_nothing(inferencer, photos):
    alone, other = list(inferencer.stream(photos)), list(inferencer.stream(photos, workers=1))
    for one, two in zip(alone, other, strict=True):
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.probability, two.probability)


def test_the_same_image_as_path_bytes_and_in_a_list(inferencer, photos):
    path = photos / 'a.jpg'
    first, second, third = inferencer.stream([path, path.read_bytes(), str(photos / '[a]*')])
    assert (first.source, second.source, third.source) == (str(path), 'bytes 1', str(path))
    np.testing.assert_array_equal(first.probability, second.probability)
    np.testing.assert_array_equal(first.probability, third.probability)


def test_array_is_bgr_like_the_hosts(inferencer, photos):
    (file,) = inferencer.stream(photos / 'c.png')
    (array,) = inferencer.stream(cv2.imread(str(photos / 'c.png')))
    assert (file.dct_source, array.dct_source) == ('transcoded', 'transcoded')
    np.testing.assert_array_equal(file.image, array.image)
    np.testing.assert_array_equal(file.probability, array.probability)


def test_mask_regions_and_threshold(inferencer, photos):
    (result,) = inferencer.stream(photos / 'a.jpg')
    middle = float(np.median(result.probability))
    (cut,) = inferencer.stream(photos / 'a.jpg', threshold=middle)
    np.testing.assert_array_equal(cut.mask, result.probability > middle)
    assert cut.threshold == middle
    assert cut.regions
    for region in cut.regions:
        x1, y1, x2, y2 = region.box
        assert 64 <= region.area <= (x2 - x1) * (y2 - y1)
        assert middle < region.mean_probability <= 1
    areas = [region.area for region in cut.regions]
    assert areas == sorted(areas, reverse=True)


def test_gate_is_the_encoders(inferencer, photos):
    (result,) = inferencer.stream(photos / 'd.jpg')
    logits = []
    handle = inferencer.model.model.backbone.register_forward_hook(
        lambda module, inputs, outputs: logits.append(float(outputs[-1]))
    )
    list(inferencer.stream(photos / 'd.jpg'))
    handle.remove()
    p = 1 / (1 + math.exp(-logits[0]))
    assert result.gate.modality == ('vision' if p > 0.5 else 'vision + frequency')
    assert result.gate.confidence == pytest.approx(max(p, 1 - p))


def test_bad_inputs_become_failures_in_their_places(inferencer, photos):
    (photos / 'b.jpg').write_bytes((photos / 'b.jpg').read_bytes()[:300])
    (photos / 'empty.jpg').touch()
    results = list(inferencer.stream([photos, b'no image', photos / 'missing.jpg'], batch_size=2))
    kinds = [type(result) for result in results]
    assert kinds == [Prediction, Failure, Prediction, Prediction, Failure, Failure, Failure]
    assert [result.source for result in results[-2:]] == ['bytes 1', str(photos / 'missing.jpg')]
    assert 'there is none' in results[-1].reason
    assert not results[1].reason.startswith(str(photos))  # the source is said beside it


def test_call_sorts_results_and_draws_upright_overlays(inferencer, photos, tmp_path):
    path = tmp_path / 'turned.jpg'
    exif = Image.Exif()
    exif[274] = 6
    Image.open(photos / 'd.jpg').save(path, exif=exif)
    results = inferencer([path, tmp_path / 'missing.jpg'], return_vis=True)
    (prediction,), (failure,) = results['predictions'], results['failures']
    assert prediction.orientation == 6
    assert prediction.mask.shape == (50, 70)
    assert results['visualization'][0].shape == (70, 50, 3)
    assert failure.source == str(tmp_path / 'missing.jpg')
    assert inferencer(path)['visualization'] == []


def test_large_image_passes_in_windows_and_agrees_with_the_whole(published, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    (whole,) = ManipulationInferencer(weights=published, device='cpu').stream(noise)
    (cut,) = ManipulationInferencer(weights=published, device='cpu', window=256).stream(noise)
    assert (whole.windows, cut.windows > 1) == (1, True)
    assert cut.probability.shape == (300, 420)
    assert np.abs(cut.probability - whole.probability).mean() < 1e-3
    assert cut.gate.modality == whole.gate.modality


def test_probabilities_that_are_no_numbers_are_a_failure(published, photos):
    broken = ManipulationInferencer(weights=published, device='cpu')
    torch.nn.init.constant_(broken.model.model.decode_head.conv_seg.bias, math.nan)
    (result,) = broken.stream(photos / 'a.jpg')
    assert isinstance(result, Failure)
    assert 'NaN' in result.reason


@pytest.mark.parametrize('wrong', [dict(threshold=1.5), dict(pooling='mean')])
def test_wrong_arguments_end_the_run(inferencer, photos, wrong):
    with pytest.raises(ValueError, match=f'{next(iter(wrong.values()))}'):
        list(inferencer.stream(photos, **wrong))


OUT_OF_MEMORY = [
    MemoryError('none left'),
    torch.cuda.OutOfMemoryError('CUDA out of memory'),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"),
]


@pytest.mark.parametrize('error', OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_a_batch_beyond_memory_passes_singly(published, photos, error):
    inferencer = ManipulationInferencer(weights=published, device='cpu')
    run = inferencer.model.forward

    def forward(planes):
        if len(planes) > 1:
            raise error
        return run(planes)

    inferencer.model.forward = forward
    assert all(isinstance(result, Prediction) for result in inferencer.stream(photos, 4))


@pytest.mark.parametrize('error', OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_an_image_beyond_memory_is_a_failure(published, photos, error):
    inferencer = ManipulationInferencer(weights=published, device='cpu')

    def forward(planes):
        raise error

    inferencer.model.forward = forward
    for result in inferencer.stream(photos, 4):
        assert isinstance(result, Failure)
        assert 'smaller window' in result.reason


def test_other_errors_of_the_network_are_not_hidden(published, photos):
    inferencer = ManipulationInferencer(weights=published, device='cpu')

    def forward(planes):
        raise RuntimeError('a bug')

    inferencer.model.forward = forward
    with pytest.raises(RuntimeError, match='a bug'):
        list(inferencer.stream(photos))


def test_training_checkpoint_needs_trust(training_checkpoint, photos):
    with pytest.raises(ValueError, match='publish_model'):
        ManipulationInferencer(weights=training_checkpoint)
    trusting = ManipulationInferencer(weights=training_checkpoint, trust_checkpoint=True)
    assert len(list(trusting.stream(photos))) == 4


def test_config_beside_the_checkpoint_is_taken(training_checkpoint, inferencer, photos, tmp_path):
    content = torch.load(training_checkpoint, weights_only=True)
    bare = tmp_path / 'bare.pth'
    torch.save(dict(state_dict=content['state_dict'], meta={}), bare)
    with pytest.raises(ValueError, match='holds no config'):
        ManipulationInferencer(weights=bare, trust_checkpoint=True)
    given = ManipulationInferencer(str(DEMO), bare, 'cpu', trust_checkpoint=True)
    for one, other in zip(given.stream(photos), inferencer.stream(photos), strict=True):
        np.testing.assert_array_equal(one.probability, other.probability)


def test_window_must_lie_on_the_grid(published):
    with pytest.raises(ValueError, match='multiples of 32'):
        ManipulationInferencer(weights=published, window=250)


def test_weights_are_demanded_beside_a_config():
    with pytest.raises(ValueError, match='expected weights beside the config'):
        ManipulationInferencer(model=str(DEMO))


@pytest.mark.parametrize('backend', ['torch', 'onnx'])
def test_without_weights_those_of_the_package_are_taken_and_named(backend):
    suffix = dict(torch='.safetensors', onnx='.onnx')[backend]
    with pytest.warns(UserWarning, match=f'{packaged(suffix).name} of the package is taken'):
        inferencer = ManipulationInferencer(device='cpu', backend=backend)
    assert inferencer.card['licence'].startswith('Research use only')


def test_mmsegs_registry_builds_it(published):
    built = INFERENCERS.build(
        dict(type='mmomni.ManipulationInferencer', weights=str(published), device='cpu')
    )
    assert type(built) is ManipulationInferencer
