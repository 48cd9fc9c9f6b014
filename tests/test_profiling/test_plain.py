"""The networks without their speed-ups: the same predictions, the arithmetic of the figures."""

from pathlib import Path

import pytest
import torch
from test_models.references import randomise

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


@pytest.mark.parametrize('number', range(len(plain._FORMS)))
def test_every_plain_form_is_run_and_the_fast_one_comes_back(demo, monkeypatch, number):
    owner, name, form = plain._FORMS[number]
    fast, calls = getattr(owner, name), []

    def counted(*args):
        calls.append(args)
        return form(*args)

    monkeypatch.setattr(plain, '_FORMS', [*plain._FORMS[:number], (owner, name, counted)])
    prediction(demo, 'plain')()
    assert calls
    assert getattr(owner, name) is fast
    calls.clear()
    prediction(demo, 'eager')()
    assert not calls
