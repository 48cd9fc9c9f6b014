import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from mmomni.models import fast
from mmomni.models.fast import frequency_look_up
from mmomni.models.layers import FrequencyPerceptionHead
from test_models.references import (
    array,
    batch_norm,
    conv,
    conv_bn_relu,
    randomise,
    relu,
    sigmoid,
    silu,
)


@pytest.fixture
def head():
    sizes = dict(hidden_channels=5, embed_channels=3, out_channels=32, num_blocks=2)
    return randomise(FrequencyPerceptionHead(**sizes))


@pytest.fixture
def coefficients():
    return torch.randint(0, 21, (2, 24, 16))


@pytest.fixture
def table():
    return torch.randint(1, 64, (2, 8, 8))


def values_conv_by_look_up(head, q):
    """A 3x3 conv (dilation 8) on a one-hot: each of its 9 taps looks one kernel column up."""
    weight = array(head.values_conv.conv.weight)
    B, H, W = q.shape
    out = np.zeros((B, len(weight), H, W))
    for b, y, x in np.ndindex(B, H, W):
        for u in range(3):
            for v in range(3):
                row, column = y + 8 * (u - 1), x + 8 * (v - 1)
                if 0 <= row < H and 0 <= column < W:
                    out[b, :, y, x] += weight[:, q[b, row, column], u, v]
    return relu(batch_norm(out, head.values_conv.bn))


def times_table(head, x, table):
    embedding = array(head.table_embedding.weight)
    out = np.zeros_like(x)
    for b, y, column in np.ndindex(len(x), *x.shape[2:]):
        step = min(int(table[b, y % 8, column % 8]), 63)
        out[b, :, y, column] = x[b, :, y, column] * embedding[step]
    return out


def coordinates(B, H, W):
    y, x = np.meshgrid(np.linspace(-1, 1, H), np.linspace(-1, 1, W), indexing='ij')
    planes = np.stack([x, y, np.sqrt((x - 0.5) ** 2 + (y - 0.5) ** 2)])
    return np.broadcast_to(planes, (B, 3, H, W))


def mb_conv(x, block):
    y = silu(batch_norm(conv(x, block.expand_conv.conv.weight), block.expand_conv.bn))
    depthwise = block.depthwise_conv
    y = conv(y, depthwise.conv.weight, padding=1, groups=6 * x.shape[1])
    y = silu(batch_norm(y, depthwise.bn))
    squeeze, excite = block.se.conv1.conv, block.se.conv2.conv
    scale = silu(conv(y.mean((2, 3), keepdims=True), squeeze.weight, squeeze.bias))
    y = y * sigmoid(conv(scale, excite.weight, excite.bias))
    return x + batch_norm(conv(y, block.linear_conv.conv.weight), block.linear_conv.bn)


def reference(head, q, table):
    x = conv_bn_relu(values_conv_by_look_up(head, q.numpy()), head.embed_conv)
    x = np.concatenate([times_table(head, x, table), x, coordinates(len(x), *x.shape[2:])], 1)
    x = conv_bn_relu(x, head.block_conv, stride=8)
    for block in head.blocks:
        x = mb_conv(x, block)
    return x


def test_equals_reference(head, coefficients, table):
    expected = reference(head, coefficients, table)
    np.testing.assert_allclose(array(head(coefficients, table)), expected, rtol=1e-9, atol=1e-11)


def test_equals_reference_with_steps_above_63(head, coefficients):
    table = torch.randint(50, 256, (2, 8, 8))
    expected = reference(head, coefficients, table)
    np.testing.assert_allclose(array(head(coefficients, table)), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize('step', [64, 99, 255])
def test_step_above_63_is_63(head, coefficients, table, step):
    table[0, 2, 5] = 63
    expected = head(coefficients, table)
    table[0, 2, 5] = step
    assert torch.equal(head(coefficients, table), expected)


def test_steps_up_to_63_differ(head, coefficients, table):
    table[:] = 62
    expected = head(coefficients, table)
    table[:] = 63
    assert not torch.allclose(head(coefficients, table), expected)


def test_float_planes_equal_integers(head, coefficients, table):
    expected = head(coefficients, table)
    assert torch.equal(head(coefficients.double(), table.double()), expected)


@pytest.mark.parametrize('dim', [1, 2])
def test_order_of_steps_matters(head, coefficients, table, dim):
    assert not torch.allclose(head(coefficients, table.flip(dim)), head(coefficients, table))


def test_order_of_coefficients_within_a_block_matters(head, coefficients, table):
    shuffled = coefficients.clone()
    shuffled[:, 8:16, 8:16] = shuffled[:, 8:16, 8:16].transpose(1, 2)
    assert not torch.allclose(head(shuffled, table), head(coefficients, table))


def test_table_belongs_to_its_sample(head, coefficients, table):
    expected = head(coefficients, table)
    table[1] = table[1].flip(0)
    outputs = head(coefficients, table)
    assert torch.equal(outputs[0], expected[0])
    assert not torch.allclose(outputs[1], expected[1])


@pytest.mark.parametrize(('height', 'width'), [(8, 8), (32, 64), (40, 8)])
def test_stride_is_8(head, height, width):
    q = torch.zeros(1, height, width, dtype=torch.long)
    assert head(q, torch.ones(1, 8, 8)).shape == (1, 32, height // 8, width // 8)


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('values_conv.conv.weight', (64, 21, 3, 3)),
        ('embed_conv.conv.weight', (16, 64, 1, 1)),
        ('table_embedding.weight', (64, 16)),
        ('block_conv.conv.weight', (256, 35, 8, 8)),
        ('blocks.2.expand_conv.conv.weight', (1536, 256, 1, 1)),
        ('blocks.2.se.conv1.conv.weight', (64, 1536, 1, 1)),
    ],
)
def test_sizes_of_the_paper(name, shape):
    parameters = dict(FrequencyPerceptionHead().named_parameters())
    assert parameters[name].shape == shape


def test_three_blocks_and_momentum_of_the_paper():
    head = FrequencyPerceptionHead()
    norms = [m for m in head.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(head.blocks) == 3
    assert {norm.momentum for norm in norms} == {0.01}


def test_every_parameter_receives_a_gradient(head, coefficients, table):
    head.train()(coefficients, table).square().sum().backward()
    without = [n for n, p in head.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


TRAIN_UNDER_AUTOCAST = """
import torch
from mmomni.models.layers import FrequencyPerceptionHead
torch.manual_seed(0)
head = FrequencyPerceptionHead(hidden_channels=16, embed_channels=8, out_channels=32)
with torch.autocast('cpu', dtype=torch.bfloat16):
    out = head(torch.randint(0, 21, (2, 64, 64)), torch.randint(1, 64, (2, 8, 8)))
out.float().square().sum().backward()
print([n for n, p in head.named_parameters() if not p.grad.isfinite().all()])
"""


def test_gradients_under_autocast():
    """A dilated bfloat16 conv on channels-last one-hots gives NaN or a crash (oneDNN, CPU).

    In a process of its own, because a crash would end all tests.
    """
    command = [sys.executable, '-W', 'ignore', '-c', TRAIN_UNDER_AUTOCAST]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout.strip()) == (0, '[]'), result.stderr


# ---- the form that looks up against the plain one ----------------------------------------------


@pytest.fixture
def small_stripes(monkeypatch):
    """Of one row of blocks, so that an image passes in several."""
    monkeypatch.setattr(frequency_look_up, '_CPU_PIXELS', 1)


@pytest.fixture
def stem(head):
    """Up to stride 8, where the two forms differ."""
    head.blocks = nn.Sequential()
    return head


def by_look_up(head, *inputs):
    assert fast.looks_up(head)
    return head(*inputs)


def plainly(head, *inputs):
    with fast.disabled():
        return head(*inputs)


def outputs_and_gradients(head, form, inputs):
    outputs = form(head, *inputs)
    seed = torch.linspace(-1, 2, outputs.numel(), dtype=outputs.dtype).view(outputs.shape)
    gradients = torch.autograd.grad(outputs, [*head.parameters()], seed, allow_unused=True)
    return outputs, gradients, [*head.buffers()]


@pytest.mark.parametrize('training', [True, False])
def test_forms_are_equal(stem, coefficients, table, training, small_stripes):
    """Outputs, all gradients and the moving averages."""
    twin = copy.deepcopy(stem)
    results = outputs_and_gradients(stem.train(training), by_look_up, (coefficients, table))
    expected = outputs_and_gradients(twin.train(training), plainly, (coefficients, table))
    torch.testing.assert_close(results, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('training', [True, False])
def test_forms_are_equal_in_single_precision(coefficients, table, training):
    heads = [
        randomise(FrequencyPerceptionHead(out_channels=32, num_blocks=0)).float() for _ in range(2)
    ]
    heads[1].load_state_dict(heads[0].state_dict())
    forms = zip(heads, (by_look_up, plainly), strict=True)
    results, expected = (
        outputs_and_gradients(head.train(training), form, (coefficients, table))
        for head, form in forms
    )
    for ours, plain in zip(results[1], expected[1], strict=True):
        assert (ours - plain).norm() <= 1e-5 * plain.norm()
    assert (results[0] - expected[0]).norm() <= 1e-5 * expected[0].norm()


def test_forms_are_equal_without_gradients(stem, coefficients, table, small_stripes):
    with torch.no_grad():
        outputs = by_look_up(stem, coefficients, table)
    torch.testing.assert_close(outputs, plainly(stem, coefficients, table))


def test_moving_averages_learn_without_gradients(head, coefficients, table):
    twin = copy.deepcopy(head)
    with torch.no_grad():
        by_look_up(head.train(), coefficients, table)
        plainly(twin.train(), coefficients, table)
    torch.testing.assert_close([*head.buffers()], [*twin.buffers()])


@pytest.mark.parametrize('norm', ['revert_sync_batchnorm', 'momentum None'])
def test_fast_form_is_taken_in_evaluation(head, coefficients, table, norm, monkeypatch):
    expected = head(coefficients, table)
    if norm == 'momentum None':
        head.values_conv.norm.momentum = None
    else:
        head = revert_sync_batchnorm(nn.SyncBatchNorm.convert_sync_batchnorm(head)).eval()
        assert type(head.values_conv.norm).__name__ == '_BatchNormXd'
    monkeypatch.setattr('torch.nn.functional.one_hot', pytest.fail)
    torch.testing.assert_close(head(coefficients, table), expected)


def test_momentum_none_needs_the_plain_form_in_training(head, coefficients, table, caplog):
    head.values_conv.norm.momentum = None
    (message,) = told(lambda: head.train()(coefficients, table), caplog)
    assert 'cumulative averages' in message


@pytest.mark.parametrize('grad', [True, False])
def test_forms_are_equal_after_fusion_of_the_norms(head, coefficients, table, grad):
    expected = head(coefficients, table)
    fused = fuse_conv_bn(head)
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(fused(coefficients, table), expected)
        torch.testing.assert_close(plainly(fused, coefficients, table), expected)


def test_checkpointing_and_a_backward_pass_under_autocast(head, coefficients, table):
    head.train()

    def gradients(forward, **autocast):
        with torch.autocast('cpu', dtype=torch.bfloat16, **autocast):
            loss = forward().float().sum()
            return torch.autograd.grad(loss, list(head.parameters()), allow_unused=True)

    def checkpointed():
        return checkpoint(head, coefficients, table, use_reentrant=False)

    plain = gradients(lambda: head(coefficients, table), enabled=False)
    torch.testing.assert_close(gradients(checkpointed, enabled=False), plain)
    assert all(g is None or g.isfinite().all() for g in gradients(checkpointed))


@pytest.mark.parametrize('grad', [True, False])
def test_half_precision(head, coefficients, table, grad):
    expected = head(coefficients, table)
    with torch.set_grad_enabled(grad):
        outputs = head.bfloat16()(coefficients, table)
    assert outputs.dtype == torch.bfloat16
    assert (outputs - expected).norm() < 0.05 * expected.norm()


class LargestTensor(TorchDispatchMode):
    """Elements of the largest floating-point tensor that an operation returned."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = out if isinstance(out, tuple | list) else [out]
        sizes = [t.numel() for t in tensors if isinstance(t, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return out


def largest_tensor(function, *args):
    with LargestTensor() as largest:
        function(*args)
    return largest.elements


def test_nothing_of_full_resolution_is_large(small_stripes):
    """Neither the one-hot (21 a pixel) nor the 64 channels; without gradients not even 16."""
    head = FrequencyPerceptionHead(out_channels=32, num_blocks=0).eval()
    pixels = 512 * 512
    inputs = torch.randint(0, 21, (1, 512, 512)), torch.randint(1, 64, (1, 8, 8))
    assert largest_tensor(plainly, head, *inputs) >= 64 * pixels
    assert largest_tensor(head, *inputs) <= 16 * pixels
    assert largest_tensor(lambda: head.train()(*inputs).sum().backward()) <= 16 * pixels
    with torch.no_grad():
        assert largest_tensor(head.eval(), *inputs) <= 8 * pixels


def test_plain_form_is_taken_for_other_norms_and_told_once(coefficients, table, caplog):
    norm_cfg = dict(type='GN', num_groups=1)
    head = FrequencyPerceptionHead(8, 4, 32, num_blocks=1, norm_cfg=norm_cfg)
    (message,) = told(lambda: [head(coefficients, table) for _ in range(2)], caplog)
    assert 'plain form: its norm is no batch norm, but GroupNorm' in message


def told(function, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        function()
    finally:
        logger.removeHandler(caplog.handler)
    return caplog.messages


def test_trace_takes_the_plain_form(head, coefficients, table):
    """Any other size passes a trace, too."""
    traced = torch.jit.trace(head, (coefficients, table), check_trace=False)
    wider = torch.randint(0, 21, (2, 24, 64))
    torch.testing.assert_close(traced(wider, table), head(wider, table))


# ---- the form that is asked for ----------------------------------------------------------------


def with_form(form, **options):
    torch.manual_seed(0)
    sizes = dict(hidden_channels=5, embed_channels=3, out_channels=32, num_blocks=1)
    return FrequencyPerceptionHead(**sizes, form=form, **options)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('form', 'one_hots'), [('auto', 0), ('look_up', 0), ('plain', 1)])
def test_the_form_that_is_asked_for(coefficients, table, monkeypatch, form, one_hots, training):
    calls, one_hot = [], torch.nn.functional.one_hot
    monkeypatch.setattr(
        'torch.nn.functional.one_hot', lambda *args: calls.append(args) or one_hot(*args)
    )
    head = randomise(with_form(form))
    outputs = head.train(training)(coefficients, table)
    assert len(calls) == one_hots
    with fast.disabled():
        torch.testing.assert_close(head(coefficients, table), outputs)
    assert len(calls) == one_hots + 1


def test_the_plain_form_that_was_asked_for_is_no_warning(coefficients, table, caplog):
    head = with_form('plain', norm_cfg=dict(type='GN', num_groups=1))
    assert told(lambda: head(coefficients, table), caplog) == []


def test_no_such_form():
    with pytest.raises(ValueError, match=r"one of \('auto', 'plain', 'look_up'\), got 'fast'"):
        with_form('fast')


def test_look_up_with_other_norms_is_refused_when_it_is_built():
    with pytest.raises(ValueError, match=r"form='look_up': its norm is no batch.*form='auto' or"):
        with_form('look_up', norm_cfg=dict(type='GN', num_groups=1))


@torch.no_grad()
def test_a_trace_looks_up_in_one_piece(coefficients, table, monkeypatch):
    """It would keep the number of stripes, and is itself right for as many pixels alone."""
    monkeypatch.setattr(frequency_look_up, '_CPU_PIXELS', 2**6)
    head = with_form('look_up').eval()
    traced = torch.jit.trace(head, (coefficients, table), check_trace=False)
    torch.testing.assert_close(traced(coefficients, table), head(coefficients, table))


@pytest.mark.parametrize('form', ['auto', 'plain', 'look_up'])
def test_weights_of_all_forms_are_the_same(form):
    assert with_form(form).state_dict().keys() == with_form('auto').state_dict().keys()
