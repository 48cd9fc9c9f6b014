"""Names of outputs, and hooks that write files for every image of a test."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from PIL import Image
from torch import nn

from mmomni.engine.hooks import SavePredictionsHook, VisualizationHook
from mmomni.engine.hooks.output_names import ImageOfSet, image_of_set, output_names


def names(*paths):
    images = [ImageOfSet('face', 'set', path) for path in paths]
    return [name.removeprefix('face/set/') for name in output_names(images).values()]


@pytest.mark.parametrize(
    ('paths', 'expected'),
    [
        (['d/a.jpg', 'd/b.png'], ['a', 'b']),
        (['d/x/a.jpg', 'd/y/a.jpg'], ['x/a', 'y/a']),
        (['d/a.jpg', 'd/a.png', 'd/b.jpg'], ['a.jpg', 'a.png', 'b']),
        (['d/a.jpg', 'd/A.jpg'], ['a.jpg', 'A.jpg_1']),
        (['d/x/../a.jpg', 'd/b.jpg'], ['a', 'b']),
        (['lmdb:///d/e/image-000000001'], ['image-000000001']),
    ],
)
def test_names_are_paths_below_the_folder_of_the_set(paths, expected):
    assert names(*paths) == expected


def test_sets_have_folders_of_their_own():
    images = [ImageOfSet('face', name, 'd/a.jpg') for name in ('one', 'two', '../../three')]
    found = list(output_names(images).values())
    assert found == ['face/one/a', 'face/two/a', 'face/_.._three/a']


def test_no_two_names_are_the_same():
    """Neither of a file called as another's output would be, nor of sets of nearly equal names."""
    paths = ['d/a.jpg', 'd/a.png', 'd/a.jpg.png', 'd/a.jpg_2.png']
    images = [ImageOfSet(domain, 'set', path) for domain in ('x/y', 'x_y') for path in paths]
    assert len(set(output_names(images).values())) == len(images)


def test_what_a_foreign_set_does_not_say():
    assert image_of_set(dict(img_path='a.jpg')) == ImageOfSet('all', 'dataset', 'a.jpg')


# ---- hooks -------------------------------------------------------------------------------------


class Shown:
    """A visualizer that remembers."""

    def __init__(self):
        self.added, self.windows = {}, {}

    def add_image(self, name, image, step=0):
        self.added[name, step] = image

    def show(self, image, win_name='', wait_time=0):
        self.windows[win_name] = (image, wait_time)


@pytest.fixture
def sample(make_sample, tmp_path):
    """Of a grey picture whose left half is tampered, and half of that found."""
    path = str(tmp_path / 'photo.png')
    cv2.imwrite(path, np.full((16, 24, 3), 90, np.uint8))
    mask = np.zeros((16, 24))
    mask[:, :12] = 1
    sample = make_sample(mask)
    sample.set_metainfo(dict(img_path=path, domain='face', dataset_name='set'))
    logits = torch.zeros(2, 16, 24)
    logits[1, :8] = torch.where(torch.arange(24) < 12, 3.0, -3.0)
    logits[1, 8:] = -3
    sample.seg_logits = PixelData(data=logits)
    sample.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
    return sample


@pytest.fixture
def runner():
    loader = SimpleNamespace(dataset=[None] * 3)
    return SimpleNamespace(
        test_dataloader=loader, model=nn.Identity(), rank=0, world_size=1, iter=100,
        visualizer=Shown(),
    )  # fmt: skip


def run_test(hook, runner, *samples):
    hook.before_test(runner)
    for number, sample in enumerate(samples):
        hook.after_test_iter(runner, number, outputs=[sample])
    hook.after_test(runner)
    return hook


def is_red(picture):
    return picture[..., 0].astype(int) - picture[..., 2] > 60


def test_pictures_hold_ground_truth_and_prediction(sample, runner, tmp_path):
    run_test(VisualizationHook(draw=True, out_dir=str(tmp_path / 'out')), runner, sample)
    with Image.open(tmp_path / 'out/000000_photo.png') as image:
        truth, predicted = np.split(np.asarray(image), 2, axis=1)
    assert is_red(truth)[:, :11].all()
    assert not is_red(truth)[:, 13:].any()
    assert is_red(predicted)[:7, :11].all()
    assert not is_red(predicted)[9:].any()
    assert runner.visualizer.added == {}


def test_without_a_folder_pictures_go_to_the_visualizer(sample, runner):
    run_test(VisualizationHook(draw=True), runner, sample, sample)
    assert list(runner.visualizer.added) == [('test_photo.png', 1), ('test_photo.png', 2)]


def test_windows_are_shown_and_nothing_is_stored(sample, runner):
    run_test(VisualizationHook(draw=True, show=True, wait_time=3), runner, sample)
    (shown,) = runner.visualizer.windows.values()
    assert shown[0].shape == (16, 48, 3)
    assert shown[1] == 3
    assert runner.visualizer.added == {}


@pytest.mark.parametrize('draw', [False, True])
def test_validation_draws_now_and_then_and_only_if_asked(draw, sample, runner):
    hook = VisualizationHook(draw=draw, interval=10)
    for batch in range(11):
        hook.after_val_iter(runner, batch, outputs=[sample])
    expected = [('val_photo.png', 100), ('val_photo.png', 110)] if draw else []
    assert list(runner.visualizer.added) == expected
    run_test(hook, runner, sample)
    assert len(runner.visualizer.added) == (3 if draw else 0)


def test_unreadable_images_are_left_out(sample, runner, tmp_path):
    """What was predicted in their place is of another image."""
    sample.set_metainfo(dict(unreadable='broken'))
    hook = run_test(SavePredictionsHook(str(tmp_path / 'out')), runner, sample)
    assert hook.is_complete
    assert not (tmp_path / 'out').exists()


def test_a_failure_is_logged_and_remembered(sample, runner, tmp_path, log):
    (tmp_path / 'out').write_text('a file')
    hook = run_test(SavePredictionsHook(str(tmp_path / 'out')), runner, sample)
    assert not hook.is_complete
    assert f'SavePredictionsHook: not complete, rank 0, {sample.img_path}: ' in log[-1]


def test_what_follows_a_failure_is_written(sample, runner, tmp_path, log):
    """A bad image costs its own files and no other's."""
    bad = sample.clone()
    bad.set_metainfo(dict(img_path='bad.png'))
    bad.seg_logits = PixelData(data=sample.seg_logits.data * torch.nan)
    hook = run_test(SavePredictionsHook(str(tmp_path / 'out')), runner, bad, sample)
    assert not hook.is_complete
    assert 'rank 0, bad.png: ' in log[-1]
    assert [path.name for path in (tmp_path / 'out/masks').iterdir()] == ['000001_photo.png']


def test_what_does_not_draw_does_not_fail(sample, runner, log):
    sample.seg_logits.data[0, 0, 0] = torch.nan
    assert run_test(VisualizationHook(), runner, sample).is_complete
    assert log == []


def test_merged_decisions_have_no_probabilities(sample, runner, tmp_path):
    segmentor = nn.Identity()
    segmentor.test_step = None
    runner.model = SegTTAModel(module=segmentor)
    run_test(SavePredictionsHook(str(tmp_path)), runner, sample)
    assert (tmp_path / 'masks/000000_photo.png').is_file()
    assert not (tmp_path / 'probabilities').exists()
