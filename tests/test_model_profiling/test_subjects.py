from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from model_profiling.subjects import (
    Case,
    Failures,
    graph_breaks,
    inference,
    load_subject,
    parameters_of,
    random_planes,
    short_name,
    training_batch,
)

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
