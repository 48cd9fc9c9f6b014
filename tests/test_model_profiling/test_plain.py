"""The networks without their speed-ups: the same predictions, the arithmetic of the figures."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from test_models.references import randomise
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.models import fast
from model_profiling.operations import macs_by_module, operations_of
from model_profiling.subjects import Case, inference, load_subject

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def demo():
    (path,) = (ROOT / 'configs/demo').glob('*.py')
    subject = load_subject(path, CPU)
    torch.manual_seed(0)
    randomise(subject.model, scale=0.05).float()
    return subject


def prediction(subject, form):
    return inference(subject, Case(64, 2, form=form), CPU)


@pytest.mark.parametrize('form', ['eager', 'fused', 'channels_last'])
def test_every_form_predicts_what_the_plain_one_does(demo, form):
    plainly, otherwise = (prediction(demo, name)() for name in ('plain', form))
    torch.testing.assert_close(otherwise, plainly, rtol=0, atol=1e-4 * float(plainly.std()))


def test_the_plain_form_multiplies_what_it_concatenates(demo):
    counts = [
        macs_by_module(operations_of(demo.model, prediction(demo, form)), 2)
        for form in ('plain', 'eager')
    ]
    head = demo.model.decode_head
    pixels = 2 * (64 // 4) ** 2
    for name in ('reduce', 'merge'):
        channels = sum(getattr(head, name).part_channels)
        assert counts[0][f'decode_head.{name}'] == pixels * channels * head.channels
        assert counts[1][f'decode_head.{name}'] < counts[0][f'decode_head.{name}']
    assert counts[1]['backbone.gate'] < counts[0]['backbone.gate']
    assert counts[1]['backbone.fph'] < counts[0]['backbone.fph']


class Operations(TorchDispatchMode):
    """Counts calls by the operator's name."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[str(function.overloadpacket)] += 1
        return function(*args, **(kwargs or {}))


def counts_of(subject, form):
    with Operations() as operations:
        prediction(subject, form)()
    return operations.counts


CHANGES = {
    'addmm': +1,  # PointwiseLinear
    '_embedding_bag_forward_only': -1,  # the frequency head
    'repeat': +1,  # the gate
    'native_batch_norm': +1,  # FoldingConv
    'mean': +1,  # GlobalAverage
    'convolution': -1,  # each sample's filters, and parts of concatenations
    'mul_': -1,  # in place
}
"""What the plain form has more or less of."""


@pytest.mark.parametrize('operation', CHANGES)
def test_the_plain_form_does_without_each_speed_up(demo, operation):
    counts = [counts_of(demo, form)[f'aten.{operation}'] for form in ('plain', 'eager')]
    assert CHANGES[operation] * (counts[0] - counts[1]) > 0


def test_speed_ups_come_back_after_an_error(demo):
    before = counts_of(demo, 'eager')
    with pytest.raises(ZeroDivisionError), fast.disabled():
        raise ZeroDivisionError
    assert fast.enabled()
    assert counts_of(demo, 'eager') == before


def test_the_switch_can_be_nested():
    with fast.disabled():
        with fast.disabled():
            pass
        assert not fast.enabled()
    assert fast.enabled()
