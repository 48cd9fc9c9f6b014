"""The networks without their speed-ups: the same predictions, the arithmetic of the figures."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from test_models.references import randomise
from torch.utils._python_dispatch import TorchDispatchMode

from mmomni.profiling import plain
from mmomni.profiling.operations import macs_by_module, operations_of
from mmomni.profiling.subjects import Case, inference, load_subject

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
    'PointwiseLinear.forward': ('addmm', +1),
    'FrequencyPerceptionHead.forward': ('_embedding_bag_forward_only', -1),
    'ConcatConv.forward': ('cat', +1),
    'ModalGate.forward': ('repeat', +1),
    'FoldingConv.forward': ('native_batch_norm', +1),
    'GlobalAverage.forward': ('mean', +1),
    'DynamicFilter.forward': ('sum', +1),
    'dynamic_filter.filter_each': ('convolution', -1),
}
"""What each plain form alone has more or less of."""


def test_every_speed_up_has_a_plain_form():
    owners = [owner.__name__.rpartition('.')[2] for owner, _, _ in plain.PLAIN]
    names = [f'{owner}.{name}' for owner, (_, name, _) in zip(owners, plain.PLAIN, strict=True)]
    assert names == list(CHANGES)


@pytest.mark.parametrize('number', range(len(CHANGES)), ids=list(CHANGES))
def test_every_plain_form_is_plain_and_the_fast_one_comes_back(demo, monkeypatch, number):
    owner, name, _ = plain.PLAIN[number]
    fast = getattr(owner, name)
    monkeypatch.setattr(plain, 'PLAIN', [plain.PLAIN[number]])
    operation, sign = list(CHANGES.values())[number]
    counts = [counts_of(demo, form)[f'aten.{operation}'] for form in ('plain', 'eager')]
    assert sign * (counts[0] - counts[1]) > 0
    assert getattr(owner, name) is fast
