"""mmseg's own inferencers on our configs."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine import Config
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.apis import MMSegInferencer, inference_model, init_model
from mmseg.structures import SegDataSample
from PIL import Image

from mmomni.datasets import ManipulationDataset

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
DEMO = CONFIGS / 'demo/omni-iml_convnext-atto_demo.py'
RESIZED = 'omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512_resized-test.py'


@pytest.fixture(scope='module')
def segmentor(training_checkpoint):
    """A function, because mmseg changes the config that a model carries."""

    def build():
        return init_model(str(DEMO), str(training_checkpoint), device='cpu')

    return build


@pytest.fixture(scope='module')
def inferencer(published):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return MMSegInferencer(str(DEMO), str(published), device='cpu', show_progress=False)


@pytest.fixture
def file(photos):
    return str(photos / 'c.png')


@pytest.fixture
def array(file):
    """The pixels of the PNG, BGR: as good as the file, which has no history either."""
    return np.asarray(Image.open(file))[..., ::-1].copy()


def test_inference_model_on_paths_arrays_and_both_in_any_order(segmentor, file, array):
    model = segmentor()
    expected = inference_model(model, file).seg_logits.data
    for inputs in (array, file, [array, file], [file, array], array):
        results = inference_model(model, inputs)
        for result in results if isinstance(inputs, list) else [results]:
            torch.testing.assert_close(result.seg_logits.data, expected)


def test_inference_model_where_the_config_has_no_scope(segmentor, file, array):
    model = segmentor()
    del model.cfg.test_pipeline[0]['_scope_']
    expected = inference_model(model, file).seg_logits.data
    torch.testing.assert_close(inference_model(model, array).seg_logits.data, expected)


OTHERS = {
    'image of Pillow': Image.open,
    'open file': lambda file: io.BytesIO(Path(file).read_bytes()),
    'bytes': lambda file: Path(file).read_bytes(),
}


@pytest.mark.parametrize('kind', OTHERS)
def test_what_the_host_does_not_take_names_what_does(kind, segmentor, inferencer, file):
    given = OTHERS[kind](file)
    with pytest.raises(TypeError, match=r'mmomni\.apis\.ManipulationInferencer takes'):
        inference_model(segmentor(), given)
    with pytest.raises(TypeError, match=r'mmomni\.apis\.ManipulationInferencer takes'):
        inferencer(given)


def test_an_array_of_another_kind_is_refused(segmentor):
    with pytest.raises(ValueError, match=r'expected uint8 \(H, W, 3\) in BGR.*got float64'):
        inference_model(segmentor(), np.zeros((8, 8, 3)))


def test_mmseg_inferencer_on_paths_arrays_lists_and_folders(
    inferencer, segmentor, file, array, photos, tmp_path
):
    expected = inference_model(segmentor(), file).pred_sem_seg.data[0]
    for given in (file, array):
        np.testing.assert_array_equal(inferencer(given)['predictions'], expected)
    several = inferencer([file, array, file], batch_size=2, out_dir=str(tmp_path / 'out'))
    assert len(several['predictions']) == 3
    assert len(list((tmp_path / 'out/pred').iterdir())) == 3
    assert len(inferencer(str(photos))['predictions']) == 4


def test_a_jpeg_is_read_with_its_own_history(inferencer, photos):
    sample = inferencer.pipeline(str(photos / 'a.jpg'))['data_samples']
    assert sample.dct_source == 'file'


def test_overlays_show_the_decision_in_a_colour_over_the_picture(inferencer):
    """Which no grey of a photo can be taken for, and over which the label can be read."""
    grey = np.full((40, 48, 3), 180, np.uint8)
    sample = SegDataSample(pred_sem_seg=PixelData(data=torch.zeros(1, 40, 48, dtype=torch.long)))
    sample.pred_sem_seg.data[:, :, 24:] = 1
    inferencer.visualizer.set_dataset_meta(**inferencer.model.dataset_meta)
    inferencer.visualizer.add_datasample('a', grey, sample, with_labels=False)
    drawn = inferencer.visualizer.get_image().astype(int)
    redness = drawn[..., 0] - drawn[..., 1:].max(axis=2)
    assert redness[:, 24:].min() > 50
    assert redness[:, :24].max() == 0
    assert drawn[:, :24].min() > 20, 'the picture shows through'
    label, tampered = np.full(3, 255), np.array(ManipulationDataset.METAINFO['palette'][1])
    assert np.abs(label - tampered).sum() > 300


@pytest.mark.parametrize('name', ['lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py', RESIZED])
def test_every_family_of_configs_has_what_the_inferencer_looks_for(name, file):
    cfg = Config.fromfile(CONFIGS / name)
    build = object.__new__(MMSegInferencer)._init_pipeline
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = build(cfg)
    assert pipeline(file)['inputs'].shape[0] == 5
