"""Rounds, memory, shares of a step, synchronisations: on small stand-ins and the demo's model."""

import statistics
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from scipy import stats
from torch import nn

from mmomni.models.fast.roi_align import roi_align
from model_profiling import synchronisations as module
from model_profiling.memory import peak_memory
from model_profiling.subjects import Case, Failures, load_subject
from model_profiling.synchronisations import listing, summary, synchronisations
from model_profiling.timing import (
    interleaved,
    median_ratio,
    name_of_bounds,
    peak_bandwidth,
    peak_flops,
)
from model_profiling.training import build_optimiser, shares_of, training_step

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device('cpu')
MIB = 2**20


def test_models_take_turns_and_the_first_round_only_warms_up():
    calls = []

    def prepare(subject, case, device):
        return lambda: calls.append((subject.name, case.batch))

    subjects = [SimpleNamespace(name=name) for name in 'ab']
    cases = [Case(32, 1), Case(32, 8)]
    readings = interleaved(prepare, subjects, cases, 2, CPU, Failures())
    assert calls == 3 * [('a', 1), ('b', 1), ('a', 8), ('b', 8)]
    assert {key: len(found) for key, found in readings.items()} == {
        (name, case): 2 for name in 'ab' for case in cases
    }
    assert all(reading.wall > 0 for found in readings.values() for reading in found)


def test_what_fails_once_is_left_out_and_stops_nothing():
    calls = []

    def prepare(subject, case, device):
        calls.append(subject.name)
        if subject.name == 'b':
            raise RuntimeError('out of memory')
        return lambda: None

    failures = Failures()
    subjects = [SimpleNamespace(name=name) for name in 'ab']
    readings = interleaved(prepare, subjects, [Case(32, 1)], 2, CPU, failures)
    assert calls == ['a', 'b', 'a', 'a']
    assert [name for name, _ in readings] == ['a']
    assert failures == [('b', '32 px, batch 1, fp32, eager', 'RuntimeError: out of memory')]


def test_median_ratio_compares_within_a_round():
    assert median_ratio([2.0, 40.0, 9.0], [1.0, 10.0, 3.0]) == (2.0, 3.0, 4.0)


@pytest.mark.parametrize('rounds', [6, 9, 15, 64, 65, 66, 70])
def test_the_interval_of_a_median_is_that_of_a_library(rounds):
    ratios = torch.rand(rounds, dtype=torch.float64).tolist()
    expected = stats.quantile_test(ratios, p=0.5).confidence_interval(0.95)
    low, median, high = median_ratio(ratios, [1.0] * rounds)
    assert (low, high) == tuple(expected)
    assert median == statistics.median(ratios)
    assert name_of_bounds(rounds) == '95 %'


@pytest.mark.parametrize('rounds', range(1, 6))
def test_few_rounds_have_no_such_interval(rounds):
    ratios = torch.rand(rounds, dtype=torch.float64).tolist()
    low, _, high = median_ratio(ratios, [1.0] * rounds)
    assert (low, high) == (min(ratios), max(ratios))
    assert name_of_bounds(rounds) == 'least to most'


def test_the_machine_has_peaks(monkeypatch):
    """The better of a matrix product and a convolution: here the one that is told to take 1 s."""
    monkeypatch.setattr(torch, 'randn', lambda *shape, device: torch.ones(*(8 for _ in shape)))
    seconds = iter([4.0, 1.0, 1.0, 1e9])
    monkeypatch.setattr('model_profiling.timing._best', lambda *_: next(seconds))
    assert peak_flops('fp32', CPU) == 2 * 64**2 * 9 * 512**2
    assert peak_flops('fp32', CPU) == 2 * 2048**3
    monkeypatch.undo()
    assert peak_bandwidth(CPU, repeats=1) > 0


def test_peak_memory_is_of_what_lives_at_once():
    held = torch.ones(MIB, dtype=torch.uint8)

    def run():
        first = held + 1  # 1 MiB
        second = torch.cat([first] * 3)  # 4 MiB in all
        del first
        third = second + 1  # 6 MiB in all
        del second
        return third + 1

    assert peak_memory(run, CPU) == pytest.approx(6 * MIB, rel=0.01)


@pytest.fixture(scope='module')
def demo():
    (path,) = (ROOT / 'configs/demo').glob('*.py')
    return load_subject(path, CPU)


@pytest.fixture(scope='module')
def step(demo):
    optimiser = build_optimiser(demo)
    return optimiser, training_step(demo, optimiser, Case(64, 2), CPU)


def test_a_training_step_moves_the_weights(demo, step):
    before = {name: p.detach().clone() for name, p in demo.model.named_parameters()}
    step[1]()
    moved = {n.split('.')[0] for n, p in demo.model.named_parameters() if not p.equal(before[n])}
    assert moved == {'backbone', 'neck', 'decode_head', 'auxiliary_head'}


def test_shares_are_of_every_part_forward_and_backward(demo, step):
    shares = shares_of(demo, *step, CPU)
    heads = ['auxiliary_head.0 (ModalGateHead)', 'auxiliary_head.1 (BoxSupervisionHead)']
    for part in ('backbone', 'neck', 'decode_head', *heads):
        assert set(shares[part]) == {'forward', 'backward'}, part
    assert set(shares['optimiser']) == {'step'}
    assert all(seconds >= 0 for phases in shares.values() for seconds in phases.values())
    assert 'forward' not in vars(demo.model.backbone)
    assert 'loss' not in vars(demo.model.decode_head)


class Sleeping(torch.autograd.Function):
    """Identity that waits, forward and backward."""

    @staticmethod
    def forward(ctx, x, forward, backward):
        ctx.seconds = backward
        module.torch.clock.sleep(forward)
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        module.torch.clock.sleep(ctx.seconds)
        return gradient, None, None


def test_shares_go_to_the_part_that_took_the_time(monkeypatch):
    """On a clock that only the stand-ins move: 1 + 2, 4 + 8 and 16 + 32 seconds, step 64."""
    clock = SimpleNamespace(now=0.0)
    clock.sleep = lambda seconds: setattr(clock, 'now', clock.now + seconds)
    monkeypatch.setattr(torch, 'clock', clock, raising=False)
    monkeypatch.setattr('model_profiling.training.time.perf_counter', lambda: clock.now)

    class Part(nn.Module):
        def __init__(self, forward, backward):
            super().__init__()
            self.weight, self.seconds = nn.Parameter(torch.ones(1)), (forward, backward)

        def forward(self, x):
            return Sleeping.apply(x * self.weight, *self.seconds), x * self.weight

        def loss(self, x):
            return dict(loss=self(x)[0].sum())

    model = SimpleNamespace(
        backbone=Part(1, 2), with_neck=False, decode_head=Part(4, 8), with_auxiliary_head=True,
        auxiliary_head=Part(16, 32),
    )  # fmt: skip
    optimiser = SimpleNamespace(
        backward=lambda loss: loss.backward(), step=lambda: clock.sleep(64), zero_grad=list
    )

    def run():
        x = sum(model.backbone(torch.ones(3)))
        losses = [model.decode_head.loss(x)['loss'], model.auxiliary_head.loss(x)['loss']]
        optimiser.backward(sum(losses))
        optimiser.step()

    shares = shares_of(SimpleNamespace(model=model), optimiser, run, CPU)
    assert shares['backbone'] == dict(forward=1, backward=2)
    assert shares['decode_head'] == dict(forward=4, backward=8)
    assert shares['auxiliary_head.0 (Part)'] == dict(forward=16, backward=32)
    assert shares['optimiser'] == dict(step=64)
    assert sum(shares['other'].values()) == 0


@pytest.mark.parametrize(
    ('code', 'what'),
    [
        ('torch.ones(1).item()', '_local_scalar_dense'),
        ('bool(torch.ones(1))', '_local_scalar_dense'),
        ('torch.ones(3).nonzero()', 'nonzero'),
        ('torch.ones(3)[torch.ones(3) > 0]', 'index'),
        ('torch.ones(3).cpu()', 'cpu'),
        ('torch.ones(3).tolist()', 'tolist'),
        ('torch.ones(3).numpy()', 'numpy'),
        ('torch.ones(3).new_tensor(5)', 'new_tensor'),
        ("torch.tensor(5, device='cpu')", 'tensor'),
        ("torch.as_tensor([5], device='cpu')", 'as_tensor'),
        ('torch.ones(3).int().bincount()', 'bincount'),
    ],
)
def test_synchronisations_are_counted_in_whose_code_they_are(tmp_path, code, what):
    """Files in folders named as the packages stand in for these."""
    places = []
    for package in ('mmomni', 'mmdet'):
        path = tmp_path / package / 'models' / 'layer.py'
        path.parent.mkdir(parents=True)
        scope = dict(torch=torch, __name__=f'{package}.models.layer')
        exec(compile(f'def f():\n    return {code}', path, 'exec'), scope)
        places.append(synchronisations(scope['f'], CPU))
    assert [summary(p) for p in places] == [{'mmomni': 1}, {'mmomni': 0, 'mmdet': 1}]
    assert listing(places[0], ['mmomni']) == [f'1 x {what} at mmomni/models/layer.py:2']
    assert listing(places[1], ['mmomni']) == []


def test_arithmetic_does_not_synchronise():
    x = torch.randn(3, 3)
    assert not synchronisations(lambda: x[1:, torch.tensor([0, 2])].relu() @ x[:2], CPU)


def test_the_gate_and_the_decoder_do_not_synchronise(step):
    """Of a whole step, mmdet's assigners and samplers do, and torch's optimiser counts steps."""
    places = synchronisations(step[1], CPU)
    assert summary(places)['mmdet'] > 0
    assert listing(places, ['mmomni']) == []


def test_forms_for_cpus_alone_are_not_ours_to_count():
    def run():
        roi_align(torch.randn(1, 2, 4, 4), torch.tensor([[0.0, 0, 0, 3, 3]]), (2, 2), 1.0)

    places = synchronisations(run, CPU)
    assert {place.package for place in places} == {'other'}
