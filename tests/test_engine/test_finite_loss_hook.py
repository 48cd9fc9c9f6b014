"""The end of a training whose losses are no numbers, and what it says."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from torch import distributed as dist
from torch import multiprocessing, nn
from toy_runs import toy_runner

from mmomni.engine.finite import DivergedError, non_finite_tensors, non_finite_weights
from mmomni.engine.hooks import FiniteLossHook

NAN = float('nan')


def step(hook, iteration, files=(), last_ckpt='iter_5.pth', **losses):
    """One iteration, numbered from 1, whose losses mmengine has logged by then."""
    losses = {'loss': sum(losses.values()), **losses}
    runner = SimpleNamespace(
        iter=iteration - 1,
        message_hub=SimpleNamespace(
            log_scalars={f'train/{k}': HistoryBuffer([v], [1]) for k, v in losses.items()},
            get_info=lambda key: last_ckpt,
        ),
        optim_wrapper=SimpleNamespace(get_lr=lambda: dict(lr=[6e-5, 1e-3])),
    )
    # Reading one of these would fail.
    outputs = {name: torch.empty((), device='meta') for name in losses}
    samples = [SimpleNamespace(img_path=path) for path in files]
    hook.after_train_iter(runner, 0, dict(data_samples=samples), outputs)


def test_ends_after_so_many_in_a_row_and_says_what_was_first(log):
    hook = FiniteLossHook(patience=3)
    step(hook, 1, loss_a=1.0, loss_b=2.5)
    step(hook, 2, ['a.jpg', 'b.jpg'], loss_a=1.0, loss_b=NAN)
    step(hook, 3, ['c.jpg'], loss_a=NAN, loss_b=NAN)
    with pytest.raises(DivergedError) as error:
        step(hook, 4, loss_a=NAN, loss_b=NAN)
    told = str(error.value)
    for part in (
        '3 iterations in a row', 'the first was loss_b, nan in iteration 2',
        'learning rate 6e-05', 'of a.jpg, b.jpg', 'loss 3.5, loss_a 1, loss_b 2.5',
        'ends here, in iteration 4', 'iter_5.pth was saved before', 'clip_grad',
    ):  # fmt: skip
        assert part in told
    (line,) = log  # once, when it begins
    assert 'loss_b, nan in iteration 2' in line


@pytest.mark.parametrize('bad', [NAN, math.inf, -math.inf])
def test_every_number_that_is_none_counts(bad):
    with pytest.raises(DivergedError, match=f'loss_a, {bad}'):
        step(FiniteLossHook(patience=1), 1, loss_a=bad)


def test_the_sum_is_named_where_its_parts_are_finite():
    with pytest.raises(DivergedError, match='the first was loss, inf'):
        step(FiniteLossHook(patience=1), 1, loss_a=1e308, loss_b=1e308)


def test_a_finite_one_in_between_starts_anew(log):
    hook = FiniteLossHook(patience=2)
    for iteration in range(1, 9):
        step(hook, iteration, loss_a=NAN if iteration % 2 else 1.0)
    assert len(log) == 4


def test_other_numbers_of_the_log_are_no_losses():
    hook = FiniteLossHook(patience=1)
    step(hook, 1, loss_a=1.0)
    hook.after_train_iter(SimpleNamespace(iter=1, message_hub=SimpleNamespace(log_scalars={})), 0,
                          None, {'decode.acc_seg': NAN, 'loss': torch.tensor(1.0)})  # fmt: skip
    assert hook.refusal() == ''


@pytest.mark.parametrize('patience', [0, -1])
def test_no_patience_is_refused(patience):
    with pytest.raises(ValueError, match='expected at least 1 iteration'):
        FiniteLossHook(patience)


def test_a_whole_run_ends(tmp_path, mmseg_scope):
    hooks = [dict(type='mmomni.FiniteLossHook', patience=3)]
    model = dict(type='ToyModel', bad_from=2, factor=math.inf, detached=True)
    runner = toy_runner(tmp_path, model=model, custom_hooks=hooks, checkpoint=dict(interval=50))
    with pytest.raises(DivergedError, match=r'aux_0\.loss_rpn_bbox, inf in iteration 2'):
        runner.train()
    assert runner.iter == 3  # of the fourth iteration
    assert not list(tmp_path.glob('iter_*'))


# ---- weights ------------------------------------------------------------------------------------


class Parts(nn.Module):
    """Of all kinds."""

    def __init__(self):
        super().__init__()
        self.low = nn.Parameter(torch.full((300, 300), 60000.0, dtype=torch.float16))
        self.large = nn.Parameter(torch.full((4,), 3e38))  # whose sum is infinite
        self.empty = nn.Parameter(torch.empty(0))
        self.register_buffer('mean', torch.zeros(3))
        self.register_buffer('count', torch.tensor(2**40))
        self.register_buffer('flag', torch.tensor([True]))


def test_finite_weights_are_finite_even_if_their_sum_is_not():
    assert non_finite_tensors(Parts()) == []
    assert non_finite_tensors(nn.ReLU()) == []


@pytest.mark.parametrize('value', [NAN, math.inf, -math.inf])
@pytest.mark.parametrize(('name', 'is_parameter'), [('low', True), ('large', True),
                                                     ('mean', False)])  # fmt: skip
def test_one_value_is_enough(name, is_parameter, value):
    parts = Parts()
    getattr(parts, name).data.view(-1)[-1] = value
    assert non_finite_tensors(parts) == [(name, is_parameter)]


def test_averaged_weights_count():
    hook = EMAHook()
    hook.ema_model = SimpleNamespace(module=nn.Linear(1, 1))
    hook.ema_model.module.bias.data.fill_(NAN)
    runner = SimpleNamespace(model=nn.Linear(1, 1), hooks=[hook])
    assert [weight.name for weight in non_finite_weights(runner)] == ['average of bias']


# ---- two ranks ----------------------------------------------------------------------------------


def run(rank, folder):
    """One of two processes; only losses and weights of the second become odd."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    options = dict(
        streak=dict(model=dict(type='ToyModel', bad_from=2, bad_rank=1, detached=True),
                    custom_hooks=[dict(type='mmomni.FiniteLossHook', patience=2)]),
        weights=dict(model=dict(type='ToyModel', bad_from=3, bad_rank=1)),
    )  # fmt: skip
    for name, changes in options.items():
        runner = toy_runner(f'{folder}/{name}', **changes)
        try:
            runner.train()
        except DivergedError as error:
            with open(f'{folder}/{name}_{rank}.txt', 'w') as file:
                file.write(f'{runner.iter}\n{error}')
    dist.destroy_process_group()


def test_two_ranks_end_together(tmp_path):
    multiprocessing.spawn(run, (str(tmp_path),), nprocs=2)
    told = [(tmp_path / f'streak_{rank}.txt').read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert told[0].startswith('3\n')  # they compare at 2 and 4
    assert 'rank 1: the first was aux_0.loss_rpn_bbox, nan in iteration 2' in told[0]
    assert 'rank 0' not in told[0]
    told = [(tmp_path / f'weights_{rank}.txt').read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert 'weights are not finite any more: rank 1: layers.0.weight' in told[0]
    assert 'rank 0' not in told[0]
    assert sorted(path.name for path in (tmp_path / 'weights').glob('iter*')) == ['iter_2.pth']
