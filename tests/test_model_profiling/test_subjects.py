from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmomni.utils.cuda_math import current
from model_profiling.subjects import (
    LAYOUTS,
    Case,
    Failures,
    graph_breaks,
    in_precision,
    inference,
    load_subject,
    parameters_of,
    random_planes,
    short_name,
    training_batch,
)
from model_profiling.training import build_optimiser, training_step

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device('cpu')
CONFIG = """
_base_ = [{base!r}]
model = dict(backbone=dict(backbone=dict(init_cfg=dict(
    type='Pretrained', checkpoint='https://example.invalid/weights.pth', prefix='backbone.'))))
"""


@pytest.fixture(scope='module')
def demo():
    (path,) = (ROOT / 'configs/demo').glob('*.py')
    return load_subject(path, CPU)


def test_pretrained_weights_are_dropped(tmp_path):
    (base,) = (ROOT / 'configs/mini').glob('upernet_*.py')
    path = tmp_path / 'net_8xb2-1k_set.py'
    path.write_text(CONFIG.format(base=str(base)))
    subject = load_subject(path, CPU)
    assert subject.name == 'net'
    assert subject.cfg.model.backbone.backbone.init_cfg is None
    subject.model.init_weights()  # would download


def test_short_name():
    name = 'omni-iml_convnext-base_8xb2-370k_iml-512x512.py'
    assert short_name(Path('configs', name)) == 'omni-iml_convnext-base'
    assert short_name(Path('upernet_convnext-atto_mini.py')) == 'upernet_convnext-atto_mini'


def test_parameters(demo):
    counts = parameters_of(demo.model)
    assert counts['training'] == sum(p.numel() for p in demo.model.parameters())
    assert counts['training'] - counts['inference'] == counts['auxiliary_head'] > 0


def test_planes_are_what_the_encoder_expects():
    planes = random_planes(2, 72)
    assert (planes.shape, planes.dtype) == ((2, 5, 72, 72), torch.uint8)
    assert planes[:, 3].max() <= 20
    assert 0.5 < (planes[:, 3] == 0).float().mean() < 0.8
    assert torch.equal(planes[:, 4, :8, :8], planes[:, 4, 64:, 64:])
    assert torch.equal(planes, random_planes(2, 72))


def test_samples_have_boxes_around_their_mask():
    sample = training_batch(2, 64)['data_samples'][1]
    mask = torch.zeros(64, 64)
    mask[8:32, 8:32] = mask[32:56, 32:56] = 1
    assert torch.equal(sample.gt_sem_seg.data[0], mask.long())
    assert sample.gt_instances.bboxes.tolist() == [[8, 8, 32, 32], [32, 32, 56, 56]]


@pytest.mark.parametrize('form', ['eager', 'channels_last'])
def test_inference_gives_full_size_logits(demo, form):
    run = inference(demo, Case(64, 2, 'fp32', form), CPU)
    logits = run()
    assert logits.shape == (2, 2, 64, 64)
    assert not logits.requires_grad
    weight = next(p for p in demo.model.parameters() if p.dim() == 4 and p.shape[2] > 1)
    strides = torch.empty(weight.shape).to(
        memory_format=torch.channels_last if form == 'channels_last' else torch.contiguous_format
    )
    assert weight.stride() == strides.stride()
    torch.testing.assert_close(logits, inference(demo, Case(64, 2), CPU)(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('layout', ['contiguous', 'channels_last'])
def test_maps_have_the_layout_that_is_measured(demo, layout):
    """That of the weights is the form's."""
    seen = []
    conv = demo.model.backbone.backbone.stem
    handle = conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    inference(demo, Case(64, 1, layout=layout), CPU)()
    handle.remove()
    assert seen[0].is_contiguous(memory_format=LAYOUTS[layout])
    assert conv.weight.is_contiguous()


@pytest.mark.parametrize(('form', 'one_hots'), [('plain', 1), ('look_up', 0), ('auto', 0)])
def test_the_frequency_head_has_the_form_that_is_measured(demo, monkeypatch, form, one_hots):
    calls, one_hot = [], torch.nn.functional.one_hot
    monkeypatch.setattr(
        'torch.nn.functional.one_hot', lambda *args: calls.append(args) or one_hot(*args)
    )
    inference(demo, Case(32, 1, frequency=form), CPU)()
    assert len(calls) == one_hots


def test_so_has_a_training_step(demo, monkeypatch):
    seen, one_hot = [], torch.nn.functional.one_hot
    monkeypatch.setattr(
        'torch.nn.functional.one_hot', lambda *args: seen.append(args) or one_hot(*args)
    )
    conv = demo.model.backbone.backbone.body.stages[1][0].depthwise_conv
    handle = conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    case = Case(64, 2, layout='contiguous', frequency='plain')
    training_step(demo, build_optimiser(demo), case, CPU)()
    handle.remove()
    x, one_hot_of = seen
    assert x.is_contiguous()
    assert len(one_hot_of) == 2  # the values, and how many there are


@pytest.mark.parametrize('precision', ['fp32', 'tf32', 'bf16'])
def test_tf32_is_cudas_alone(precision):
    before = current()
    with in_precision(precision, CPU):
        assert current() == before
    if precision != 'bf16':  # torch would warn of autocast without its device
        with in_precision(precision, torch.device('cuda')):
            assert current()[:2] == (precision == 'tf32',) * 2
    assert current() == before


def test_bf16_is_autocast(demo):
    wide, narrow = (inference(demo, Case(64, 1, p), CPU)() for p in ('fp32', 'bf16'))
    assert not torch.equal(wide, narrow)
    both = torch.stack([narrow.float().flatten(), wide.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.9


@pytest.mark.parametrize('broken', [False, True])
def test_graph_breaks_are_counted(broken):
    class Model(nn.Module):
        def encode_decode(self, inputs, metas):
            if broken:
                torch._dynamo.graph_break()
            return inputs + 1

    subject = SimpleNamespace(model=Model())
    assert (graph_breaks(subject, Case(32, 1), CPU) > 0) == broken


def test_failures_are_named_and_swallowed():
    failures = Failures()
    with failures.naming('net', 'step'):
        raise RuntimeError('out of memory\nTried to allocate a lot')
    assert failures == [('net', 'step', 'RuntimeError: out of memory')]
    assert failures.has('net', 'step')
    assert not failures.has('net', 'config')


def test_interrupting_is_no_failure():
    with pytest.raises(KeyboardInterrupt), Failures().naming('net', 'step'):
        raise KeyboardInterrupt
