import pytest
import torch

from mmomni.models.backbones import FrequencyPlanes, ModalGateEncoder

HEAD = dict(hidden_channels=4, embed_channels=2, out_channels=32, num_blocks=1)
BACKBONE = dict(type='mmomni.ConvNeXt', arch='atto')


@pytest.fixture
def planes(make_planes):
    return torch.stack([make_planes(32, 64), make_planes(32, 64)]).float()


def test_it_sees_coefficients_and_steps_alone(planes):
    torch.manual_seed(0)
    backbone = FrequencyPlanes(HEAD).eval()
    (f_freq,) = backbone(planes)
    assert f_freq.shape == (2, 32, 4, 8)
    torch.testing.assert_close(f_freq, backbone.fph(planes[:, 3], planes[:, 4, :8, :8]))
    planes[:, :3] = 0
    torch.testing.assert_close(backbone(planes)[0], f_freq)


@pytest.fixture
def checkpoint(tmp_path):
    """As a training leaves it, heads included."""
    torch.manual_seed(1)
    weights = {f'backbone.{k}': v + 1 for k, v in FrequencyPlanes(HEAD).state_dict().items()}
    path = tmp_path / 'first.pth'
    torch.save(dict(state_dict=weights | {'decode_head.conv_seg.bias': torch.zeros(2)}), path)
    return path


def start_from(path, **changes):
    init_cfg = dict(type='Pretrained', checkpoint=str(path), prefix='backbone.fph')
    encoder = ModalGateEncoder(
        BACKBONE, frequency_head=HEAD | changes | dict(init_cfg=init_cfg)
    )
    encoder.init_weights()
    return encoder


def test_the_encoder_starts_from_it(checkpoint):
    weights = torch.load(checkpoint)['state_dict']
    for name, value in start_from(checkpoint).fph.state_dict().items():
        assert torch.equal(value, weights[f'backbone.fph.{name}']), name


def test_one_of_another_size_is_refused(checkpoint):
    with pytest.raises(ValueError, match=r'first\.pth does not fit FrequencyPerceptionHead'):
        start_from(checkpoint, hidden_channels=8)
