"""Hooks that draw a test: what they keep of each image, and what they do with it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.structures import SegDataSample
from PIL import Image
from torch import nn

from mmomni.engine.hooks import (
    AreaPlotHook,
    ExtremesHook,
    ScoreCurvesHook,
    every_image_hook,
    gallery_hooks,
    plot_hooks,
)

SIZE = (20, 30)


def predict(path, domain='natural', found=1.0, tampered=True, seed=0, **meta):
    """An output of testing: the right half is tampered; a share of it is found."""
    sample = SegDataSample(
        metainfo=dict(img_path=str(path), domain=domain, dataset_name='a') | meta
    )
    mask = torch.zeros(1, *SIZE, dtype=torch.uint8)
    mask[..., 15:] = tampered
    logits = torch.rand(1, *SIZE, generator=torch.Generator().manual_seed(seed)) - 1.01
    logits[..., 15 : 15 + round(15 * found)] += 1.01
    sample.gt_sem_seg = PixelData(data=mask)
    sample.seg_logits = PixelData(data=torch.cat([-logits, logits]))
    sample.pred_sem_seg = PixelData(data=(logits > 0).long())
    return sample


class Repeat(nn.Module):
    """A model whose answers are its inputs."""

    def test_step(self, data):
        return data


def make_runner(folder, samples=(), rank=0, world_size=1, length=None):
    """As much of a runner as the hooks use; its model remembers the prediction of every image."""
    dataset = list(samples) if length is None else range(length)
    loader = SimpleNamespace(dataset=dataset, collate_fn=lambda batch: batch)
    return SimpleNamespace(
        work_dir=str(folder), rank=rank, world_size=world_size, test_dataloader=loader,
        test_loop=SimpleNamespace(fp16=False), model=Repeat(),
    )  # fmt: skip


def show(hook, samples, runner):
    hook.before_test(runner)
    for number, sample in enumerate(samples):
        hook.after_test_iter(runner, number, outputs=[sample])
    hook.after_test(runner)


@pytest.fixture
def drawn(monkeypatch):
    """What would be drawn."""
    calls = []
    for module, name in (
        (plot_hooks, 'draw_score_curves'), (plot_hooks, 'draw_area_plot'),
        (gallery_hooks, 'draw_gallery'),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(plot_hooks, 'draw_reliability', lambda *_: None)
    return calls


@pytest.fixture
def images(tmp_path):
    """Predictions of eight images that are there, each found to another part."""
    samples = []
    for number, found in enumerate((0.4, 1.0, 0.2, 0.6, 0.8)):
        path = tmp_path / f'{number}.png'
        Image.fromarray(np.full((*SIZE, 3), 40 * number, np.uint8)).save(path)
        samples.append(predict(path, found=found, seed=number))
    return samples


def ious(samples):
    for sample in samples:
        mask, predicted = (part.data[0].bool() for part in (sample.gt_sem_seg, sample.pred_sem_seg))
        yield float((mask & predicted).sum() / (mask | predicted).sum())


HOOKS = [ScoreCurvesHook, AreaPlotHook, ExtremesHook]


@pytest.mark.parametrize('hook', HOOKS)
def test_unreadable_images_are_not_drawn(hook, tmp_path, drawn):
    samples = [predict('a.jpg', unreadable='broken')]
    show(hook(), samples, make_runner(tmp_path, samples))
    assert drawn == []


@pytest.mark.parametrize('hook', HOOKS)
def test_only_the_first_rank_draws(hook, images, tmp_path, drawn):
    show(hook(), images, make_runner(tmp_path, rank=1, world_size=2, length=10))
    assert drawn == []


@pytest.mark.parametrize('hook', HOOKS)
def test_second_test_starts_empty(hook, images, tmp_path, drawn):
    hook = hook()
    for _ in range(2):
        show(hook, images, make_runner(tmp_path, images))
    assert len(drawn) == 2
    assert repr(drawn[0]) == repr(drawn[1])


@pytest.mark.parametrize(('rank', 'kept'), [(0, 3), (1, 2)])
def test_images_repeated_to_fill_the_last_turn_are_left_out(rank, kept, images, tmp_path):
    """Five images, two ranks: the third image of rank 1 is a repetition of the first."""
    hook = AreaPlotHook()
    show(hook, images[:3], make_runner(tmp_path, rank=rank, world_size=2, length=5))
    assert len(hook._images) == kept


# ---- curves ----------------------------------------------------------------------------------


def test_histograms_hold_all_pixels_of_a_domain(tmp_path, drawn):
    samples = [predict(f'{n}', domain, seed=n) for n, domain in enumerate(('b', 'a', 'a'))]
    samples[1].gt_sem_seg.data[..., 0, :] = 255
    show(ScoreCurvesHook(bins=60), samples, make_runner(tmp_path, samples))
    ((histograms, path),) = drawn
    assert path == tmp_path / 'pr_roc.png'
    assert list(histograms) == ['a', 'b']
    probability = torch.stack([s.seg_logits.data.softmax(0)[1] for s in samples[1:]]).numpy()
    target = torch.stack([s.gt_sem_seg.data[0] for s in samples[1:]]).numpy()
    for row, value in ((0, 1), (1, 0)):
        expected = np.histogram(probability[target == value], bins=60, range=(0, 1))[0][::-1]
        np.testing.assert_array_equal(histograms['a'][row], expected)
    assert histograms['b'].sum() == SIZE[0] * SIZE[1]


@pytest.mark.parametrize('bins', [0, 1, 50])
def test_bins_fill_the_intervals_of_the_diagram(bins):
    with pytest.raises(ValueError, match=f'a multiple of 20, got {bins}'):
        ScoreCurvesHook(bins=bins)


def test_probabilities_are_held_against_the_truth(tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(plot_hooks, 'draw_score_curves', lambda *_: None)
    monkeypatch.setattr(plot_hooks, 'draw_reliability', lambda *arguments: found.append(arguments))
    samples = [predict(f'{n}', domain, seed=n) for n, domain in enumerate(('b', 'a'))]
    show(ScoreCurvesHook(bins=40), samples, make_runner(tmp_path, samples))
    ((histograms, path),) = found
    assert path == tmp_path / 'reliability.png'
    assert list(histograms) == ['a', 'b']


@pytest.mark.parametrize('hook', HOOKS)
def test_shares_of_all_ranks_are_drawn(hook, images, tmp_path, drawn, monkeypatch):
    """Two ranks that saw the same."""
    monkeypatch.setattr(every_image_hook, 'all_gather_object', lambda share: [share, share])
    show(hook(), images, make_runner(tmp_path, images))
    seen = drawn[0][0]
    if hook is ScoreCurvesHook:
        assert seen['natural'].sum() == 2 * 5 * SIZE[0] * SIZE[1]
    elif hook is AreaPlotHook:
        assert len(seen['natural']) == 10
    else:
        assert [row.label.split('\n')[0] for row in seen] == ['best', 'median', 'worst']


# ---- area ------------------------------------------------------------------------------------


def test_area_and_iou_of_tampered_images(images, tmp_path, drawn):
    authentic = predict('authentic.png', tampered=False)
    other = predict('other.png', domain='face')
    show(AreaPlotHook(), [*images, authentic, other], make_runner(tmp_path, length=7))
    ((points, path),) = drawn
    assert path == tmp_path / 'iou_by_area.png'
    assert sorted(points) == ['face', 'natural']
    assert [area for area, _ in points['natural']] == [0.5] * 5
    found = [iou for _, iou in points['natural']]
    assert found == pytest.approx(sorted(ious(images)), abs=1e-6)


def test_ignored_pixels_are_no_part_of_the_image(tmp_path, drawn):
    sample = predict('a.png')
    sample.gt_sem_seg.data[..., :10] = 255
    show(AreaPlotHook(), [sample], make_runner(tmp_path, length=1))
    ((area, _),) = drawn[0][0]['natural']
    assert area == pytest.approx(15 / 20)


# ---- extremes --------------------------------------------------------------------------------


def captions(drawn):
    return {rows[i].label: rows[i].caption for rows, _ in drawn for i in range(len(rows))}


def test_best_median_and_worst_are_drawn(images, tmp_path, drawn):
    show(ExtremesHook(), images, make_runner(tmp_path, images))
    ((rows, path),) = drawn
    assert path == tmp_path / 'extremes/natural_a.png'
    assert [row.label for row in rows] == ['best\n1.png', 'median\n3.png', 'worst\n2.png']
    ranked = sorted(ious(images))
    for row, iou in zip(rows, (ranked[4], ranked[2], ranked[0]), strict=True):
        assert row.caption == f'IoU {iou:.2f}  '
    assert [int(row.image.max()) for row in rows] == [40, 120, 80]
    np.testing.assert_allclose(rows[0].heat, images[1].seg_logits.data.softmax(0)[1])


def test_median_of_an_even_number_is_the_lower(images, tmp_path, drawn):
    show(ExtremesHook(), images[:4], make_runner(tmp_path, images))
    assert [row.label for row in drawn[0][0]] == ['best\n1.png', 'median\n0.png', 'worst\n2.png']


@pytest.mark.parametrize(('number', 'shown'), [(1, ['best']), (2, ['best', 'worst'])])
def test_an_image_is_shown_once(number, shown, images, tmp_path, drawn):
    show(ExtremesHook(), images[:number], make_runner(tmp_path, images))
    assert [row.label.split('\n')[0] for row in drawn[0][0]] == shown


def test_authentic_images_are_not_ranked(images, tmp_path, drawn):
    authentic = predict('authentic.png', tampered=False)
    show(ExtremesHook(), [authentic, *images], make_runner(tmp_path, [authentic, *images]))
    assert [row.label for row in drawn[0][0]] == ['best\n1.png', 'median\n3.png', 'worst\n2.png']


def test_each_dataset_has_its_picture(images, tmp_path, drawn):
    for number, sample in enumerate(images):
        sample.set_metainfo(dict(dataset_name='ab'[number % 2]))
    show(ExtremesHook(), images, make_runner(tmp_path, images))
    assert {path.name for _, path in drawn} == {'natural_a.png', 'natural_b.png'}


def test_the_gates_choice_of_the_test_is_told(images, tmp_path, drawn):
    images[0].set_field(1.0, 'p_modal', dtype=float)
    hook, runner = ExtremesHook(), make_runner(tmp_path, images)
    hook.before_test(runner)
    hook.after_test_iter(runner, 0, outputs=images[:1])
    images[0].pop('p_modal')  # nobody listens to the gate when it is predicted again
    hook.after_test(runner)
    assert drawn[0][0][0].caption.endswith('gate: vision')


def test_another_order_of_testing_is_an_error_that_ends_no_test(images, tmp_path, drawn, log):
    show(ExtremesHook(), images, make_runner(tmp_path, images[::-1]))
    assert drawn == []
    assert 'ExtremesHook: not complete, rank 0, no picture of natural_a: ValueError' in log[-1]
    assert 'shuffle=False' in log[-1]


class Broken(ScoreCurvesHook):
    def look(self, sample, index):
        raise IndexError('boolean index did not match')


def test_a_picture_that_fails_costs_only_itself(images, tmp_path, drawn, log):
    hook = Broken()
    show(hook, images * 2, make_runner(tmp_path, length=10))
    assert drawn == []
    assert not hook.is_complete
    (line,) = [line for line in log if 'Broken: not complete' in line]
    assert f'rank 0, {images[0].img_path}: IndexError: boolean index did not match' in line
    assert line.endswith('and 5 others')


@pytest.mark.parametrize('hook', HOOKS)
def test_an_undefined_prediction_is_left_out_and_named(hook, images, tmp_path, drawn, log):
    images[1].seg_logits.data[:, 0, 0] = torch.nan
    broken, whole = hook(), hook()
    show(broken, images, make_runner(tmp_path, images))
    assert not broken.is_complete
    (line,) = [line for line in log if str(images[1].img_path) in line]
    assert 'expected finite logits' in line
    images[1].set_metainfo(dict(unreadable='left out'))
    show(whole, images, make_runner(tmp_path, images))
    assert whole.is_complete
    assert repr(drawn[0]) == repr(drawn[1])


@pytest.mark.parametrize(('hook', 'pictures'), [(ScoreCurvesHook, 0), (AreaPlotHook, 1)])
def test_no_probabilities_with_test_time_augmentation(
    hook, pictures, images, tmp_path, drawn, log
):
    runner = make_runner(tmp_path, images)
    runner.model = SegTTAModel(module=Repeat())
    show(hook(), images, runner)
    assert len(drawn) == pictures
    assert any('test-time augmentation' in line for line in log) == (not pictures)
