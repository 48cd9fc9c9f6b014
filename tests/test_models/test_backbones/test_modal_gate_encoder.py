import copy

import numpy as np
import pytest
import torch
from torch import nn

from mmomni.models.backbones import ModalGateEncoder
from test_models.references import array, batch_norm, conv, conv_bn_relu, randomise, relu

FPH = dict(hidden_channels=4, embed_channels=2, out_channels=32, num_blocks=1)
BACKBONE = dict(type='mmomni.ConvNeXt', arch='atto', layer_scale_init_value=1.0)
SWIN = dict(
    type='mmseg.SwinTransformer', embed_dims=8, depths=(2, 1, 1, 1), num_heads=(1, 2, 2, 4),
    window_size=4,
)  # fmt: skip
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class FixedLogits(nn.Module):
    """A gate that has made up its mind."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, *_):
        return self.logits


class Recorder:
    """Keeps what a module was given and what it returned."""

    def __init__(self, module):
        module.register_forward_hook(self)

    def __call__(self, module, inputs, output):
        self.inputs, self.output = inputs, output
        if output.requires_grad:
            output.retain_grad()


def make(gate='learned', backbone=BACKBONE):
    return randomise(ModalGateEncoder(backbone, gate, FPH, aux_channels=6), scale=0.1)


@pytest.fixture(scope='module')
def _learned():
    torch.manual_seed(0)
    return make()


@pytest.fixture
def encoder(_learned):
    return copy.deepcopy(_learned)


@pytest.fixture
def planes(make_planes):
    return torch.stack([make_planes(64, 32), make_planes(64, 32)]).double()


def recorded(encoder, planes):
    """The outputs, and ``F_rgb`` and ``F_fused`` as they were inside."""
    f_rgb, f_fused = Recorder(encoder.backbone.body.norm1), Recorder(encoder.attention)
    outputs = encoder(planes)
    return outputs, f_rgb.output, f_fused.output


def test_shapes(encoder, planes):
    *levels, p_rgb, p_fused, p_cls = encoder(planes)
    shapes = [(2, 40, 16, 8), (2, 80, 8, 4), (2, 160, 4, 2), (2, 320, 2, 1)]
    assert [level.shape for level in levels] == shapes
    assert p_rgb.shape == p_fused.shape == (2, 2, 8, 4)
    assert p_cls.shape == (2,)


def test_vision_sees_normalised_rgb_and_coordinates(encoder, planes):
    stem = Recorder(encoder.backbone.body.downsample_layers[0])
    encoder(planes)
    seen = array(stem.inputs[0])
    for c in range(3):
        expected = (array(planes)[:, c] - MEAN[c]) / STD[c]
        np.testing.assert_allclose(seen[:, c], expected, atol=1e-6)  # mean and std are float32
    y, x = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 32), indexing='ij')
    radius = np.sqrt((x - 0.5) ** 2 + (y - 0.5) ** 2)
    expected = np.broadcast_to(np.stack([x, y, radius]), (2, 3, 64, 32))
    np.testing.assert_allclose(seen[:, 3:], expected, atol=1e-14)


def test_frequency_sees_coefficients_and_table(encoder, planes):
    fph = Recorder(encoder.fph)
    encoder(planes)
    coefficients, table = fph.inputs
    assert torch.equal(coefficients, planes[:, 3])
    assert torch.equal(table, planes[:, 4, :8, :8])


def test_fusion_equals_reference(encoder, planes):
    """``F_fused = ReLU(BN(conv3x3(scSE(concat(F_rgb, F_freq)))))``."""
    f_freq, scse = Recorder(encoder.fph), Recorder(encoder.attention[0])
    _, f_rgb, f_fused = recorded(encoder, planes)
    assert torch.equal(scse.inputs[0], torch.cat([f_rgb, f_freq.output], dim=1))
    expected = conv_bn_relu(array(scse.output), encoder.attention[1], padding=1)
    np.testing.assert_allclose(array(f_fused), expected, rtol=1e-9, atol=1e-12)


def aux_reference(x, head):
    first, second = (m for m in head.modules() if isinstance(m, nn.Conv2d))
    (norm,) = (m for m in head.modules() if isinstance(m, nn.BatchNorm2d))
    y = relu(batch_norm(conv(array(x), first.weight, padding=1), norm))
    return conv(y, second.weight, second.bias)


def test_auxiliary_heads_equal_reference(encoder, planes):
    outputs, f_rgb, f_fused = recorded(encoder, planes)
    pairs = [(outputs[4], f_rgb, encoder.aux_rgb), (outputs[5], f_fused, encoder.aux_fused)]
    for prediction, features, head in pairs:
        expected = aux_reference(features, head)
        np.testing.assert_allclose(array(prediction), expected, rtol=1e-9, atol=1e-12)


def test_gate_sees_features_and_predictions(encoder, planes):
    gate = Recorder(encoder.gate)
    outputs, f_rgb, f_fused = recorded(encoder, planes)
    expected = (f_rgb, f_fused, outputs[4], outputs[5])
    assert all(torch.equal(a, b) for a, b in zip(gate.inputs, expected, strict=True))
    assert torch.equal(outputs[6], gate.output)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    ('logits', 'vision'),
    [
        ((3.0, -3.0), (True, False)),
        ((-0.01, 0.01), (False, True)),
        ((1e-3, 50.0), (True, True)),
        ((0.0, 0.0), (False, False)),  # sigmoid 0.5 rounds to 0
    ],
)
def test_hard_choice_per_sample(encoder, planes, logits, vision, training):
    encoder.gate = FixedLogits(*logits)
    outputs, f_rgb, f_fused = recorded(encoder.train(training), planes)
    for sample, takes_vision in enumerate(vision):
        chosen, other = (f_rgb, f_fused) if takes_vision else (f_fused, f_rgb)
        assert torch.equal(outputs[1][sample], chosen[sample])
        assert not torch.allclose(outputs[1][sample], other[sample])


def test_gradient_flows_into_the_chosen_branch_only(encoder, planes):
    encoder.gate = FixedLogits(3.0, -3.0)
    outputs, f_rgb, f_fused = recorded(encoder, planes)
    into_rgb, into_fused = torch.autograd.grad(outputs[1].sum(), [f_rgb, f_fused])
    # F_fused is made of F_rgb, so F_rgb of sample 1 is reached through it; F_fused of 0 is not.
    assert not into_fused[0].any()
    assert torch.equal(into_fused[1], torch.ones_like(into_fused[1]))
    assert torch.equal(into_rgb[0], torch.ones_like(into_rgb[0]))


def test_vision_sends_no_gradient_into_frequency(encoder, planes):
    encoder.gate = FixedLogits(3.0, 3.0)
    encoder(planes)[3].square().sum().backward()
    for part in (encoder.fph, encoder.attention, encoder.aux_fused, encoder.aux_rgb):
        assert not any(p.grad is not None and p.grad.any() for p in part.parameters())


def test_choice_sends_no_gradient_into_the_gate(encoder, planes):
    encoder(planes)[3].square().sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in encoder.gate.parameters())


def test_rest_of_the_backbone_continues_from_f2(encoder, planes):
    _, f2, f3, f4, *_ = encoder(planes)
    body = encoder.backbone.body
    x = body.stages[2](body.downsample_layers[2](f2))
    torch.testing.assert_close(f3, body.norm2(x))
    x = body.stages[3](body.downsample_layers[3](x))
    torch.testing.assert_close(f4, body.norm3(x))


def test_samples_are_independent(encoder, planes):
    together = encoder(planes)
    for sample in range(2):
        for part, alone in zip(together, encoder(planes[sample : sample + 1]), strict=True):
            torch.testing.assert_close(part[sample : sample + 1], alone)


@pytest.mark.parametrize('training', [True, False])
def test_gate_fused(planes, training):
    """Ablation *w.o. MG*: always ``F_fused``, no gate."""
    encoder = make('fused').train(training)
    outputs, _, f_fused = recorded(encoder, planes)
    assert torch.equal(outputs[1], f_fused)
    assert outputs[6] is None
    assert outputs[5].shape == (2, 2, 8, 4)
    assert not any(name.startswith('gate') for name, _ in encoder.named_parameters())


@pytest.mark.parametrize('training', [True, False])
def test_gate_vision(planes, training):
    """Ablation *w.o. MG\\**: always ``F_rgb``; no FPH, nothing to fuse, no gate."""
    encoder = make('vision').train(training)
    f_rgb = Recorder(encoder.backbone.body.norm1)
    outputs = encoder(planes)
    assert torch.equal(outputs[1], f_rgb.output)
    assert outputs[5] is outputs[6] is None
    assert {name.split('.')[0] for name, _ in encoder.named_parameters()} == {'backbone', 'aux_rgb'}


def test_vision_ignores_frequency(planes):
    encoder = make('vision')
    expected = encoder(planes)[3]
    planes[:, 3:] = 0
    assert torch.equal(encoder(planes)[3], expected)


@pytest.mark.parametrize('backbone', [BACKBONE, SWIN], ids=['ConvNeXt', 'Swin'])
def test_vision_runs_the_backbone_stage_by_stage(planes, backbone):
    """``F1`` and ``F_rgb`` are the backbone's own first two levels of the six planes."""
    encoder = make('vision', backbone)
    captured = []
    first = next(m for m in encoder.backbone.body.children())
    stem = first if backbone is SWIN else first[0]
    stem.register_forward_pre_hook(lambda module, inputs: captured.append(inputs[0]))
    outputs = encoder(planes)
    expected = encoder.backbone.body(captured[0])
    for level in range(2):
        torch.testing.assert_close(outputs[level], expected[level], atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize('gate', ['learned', 'fused', 'vision'])
def test_swin_inside(planes, gate):
    outputs = make(gate, SWIN)(planes)
    shapes = [(2, 8, 16, 8), (2, 16, 8, 4), (2, 32, 4, 2), (2, 64, 2, 1)]
    assert [level.shape for level in outputs[:4]] == shapes


def test_high_pass_planes_stand_between_rgb_and_coordinates(planes):
    encoder = randomise(ModalGateEncoder(BACKBONE, 'vision', aux_channels=6, high_pass=True), 0.1)
    stem = Recorder(encoder.backbone.stem)
    outputs = encoder(planes)
    (seen,) = stem.inputs
    assert seen.shape[1] == 9
    torch.testing.assert_close(seen[:, 3:6], encoder.high_pass(planes[:, :3]))
    plain = make('vision')
    seen = torch.cat([seen[:, :3], seen[:, 6:]], dim=1)
    weights = encoder.state_dict()
    name = 'backbone.body.downsample_layers.0.0.weight'
    weights[name] = torch.cat([weights[name][:, :3], weights[name][:, 6:]], dim=1)
    assert set(weights) == set(plain.state_dict())
    plain.load_state_dict(weights)
    stem = Recorder(plain.backbone.stem)
    assert not torch.allclose(plain(planes)[3], outputs[3])
    torch.testing.assert_close(stem.inputs[0], seen)


def test_mean_and_std_are_no_weights(encoder):
    assert not {'mean', 'std'} & set(encoder.state_dict())


def test_under_autocast(planes):
    encoder = make().float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = encoder(planes.float())
    assert all(output.isfinite().all() for output in outputs)


@pytest.mark.parametrize('channels', [3, 4, 6])
def test_wrong_number_of_planes(encoder, channels):
    with pytest.raises(ValueError, match=rf'expected 5 planes .*got {channels}; end the pipeline'):
        encoder(torch.zeros(1, channels, 32, 32))


@pytest.mark.parametrize(
    ('size', 'padded'), [((33, 64), (64, 64)), ((32, 8), (32, 32)), ((1, 1), (32, 32))]
)
def test_wrong_size_computes_the_remedy(encoder, size, padded):
    with pytest.raises(ValueError, match='multiples of 32') as error:
        encoder(torch.zeros(1, 5, *size))
    assert f'got {size}' in str(error.value)
    assert f'pads to {padded}' in str(error.value)


def test_unknown_gate():
    with pytest.raises(ValueError, match=r"'learned', 'fused' or 'vision', got 'soft'"):
        ModalGateEncoder(BACKBONE, gate='soft')


def test_in_channels_given_twice():
    with pytest.raises(ValueError, match='remove in_channels=3'):
        ModalGateEncoder({**BACKBONE, 'in_channels': 3})


def test_unsupported_backbone():
    with pytest.raises(TypeError, match='got ERFNet'):
        ModalGateEncoder(dict(type='mmseg.ERFNet'))


@pytest.mark.parametrize('backbone', [BACKBONE, SWIN], ids=['ConvNeXt', 'Swin'])
def test_residual_fusion_adds_to_what_vision_goes_on_with(backbone, planes):
    torch.manual_seed(0)
    encoder = randomise(
        ModalGateEncoder(backbone, frequency_head=FPH, aux_channels=6, residual_fusion=True),
        scale=0.1,
    )
    seen, f_fused = [], Recorder(encoder.attention)
    run = encoder.backbone.stage

    def stage(index, x):
        seen.append(x)
        return run(index, x)

    encoder.backbone.stage = stage
    encoder.gate = FixedLogits(9.0, -9.0)
    f2 = encoder(planes)[1]
    goes_on = run(1, seen[1])[0]
    torch.testing.assert_close(seen[2][0], goes_on[0])
    torch.testing.assert_close(seen[2][1], (goes_on + f_fused.output)[1])
    torch.testing.assert_close(f2[1], f_fused.output[1])


def test_residual_fusion_without_anything_to_fuse():
    with pytest.raises(ValueError, match='nothing to fuse'):
        ModalGateEncoder(BACKBONE, 'vision', residual_fusion=True)


def test_lite_shows_the_fusion_normalised_features_and_goes_on_with_its_own(planes):
    torch.manual_seed(0)
    encoder = ModalGateEncoder(
        dict(type='mmomni.EfficientNetLite'), 'vision', aux_channels=6
    ).double().eval()  # fmt: skip
    last = Recorder(encoder.backbone.body.stages[1])
    f_rgb = encoder(planes)[1]
    offset = last.output - last.output.mean(1, keepdim=True)
    deviation = (offset.square().mean(1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(f_rgb, offset / deviation)
    following = Recorder(encoder.backbone.body.stages[2])
    encoder(planes)
    torch.testing.assert_close(following.inputs[0], last.output)
