"""The whole of Omni-IML with every kind of backbone: it learns, is published and loaded again."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmomni.apis.torch_network import fuse_norms
from mmomni.checkpoints import build_model, load_weights, publish, read_checkpoint
from test_models.test_stagewise import test_adapters as adapters

DEMO = Path(__file__).resolve().parents[3] / 'configs/demo/omni-iml_convnext-atto_demo.py'
BACKBONES = [
    adapters.TestConvNeXt.backbone,
    adapters.TestConvNeXtSwin.backbone,
    adapters.TestConvNeXtOfMMPretrain.backbone,
    adapters.TestSwin.backbone,
    # zero_init_residual: else no gradient passes the zeros that blocks begin with
    adapters.TestResNet.backbone | dict(zero_init_residual=False),
    adapters.TestResNetV1c.backbone | dict(zero_init_residual=False),
    adapters.TestEfficientNetLite.backbone,
    adapters.TestTimm.backbone,
    adapters.TestTimmChannelsLast.backbone,
]
CHANNELS = [
    (40, 80, 160, 320), (40, 80, 160, 320), (40, 80, 160, 320), (8, 16, 32, 64), (8, 16, 32, 64),
    (16, 32, 64, 128), (24, 40, 112, 320), (8, 12, 16, 20), (8, 12, 16, 20),
]  # fmt: skip


@pytest.fixture(params=range(len(BACKBONES)), ids=lambda i: BACKBONES[i]['type'])
def config(request):
    config = Config.fromfile(DEMO)
    channels = list(CHANNELS[request.param])
    model = config.model
    model.data_preprocessor.size = (64, 64)
    model.backbone.backbone = BACKBONES[request.param]
    model.backbone.frequency_head.update(hidden_channels=4, embed_channels=2, out_channels=96)
    model.neck.in_channels = channels[1:3]
    model.decode_head.update(in_channels=channels, channels=32)
    model.auxiliary_head[1].fpns[0].in_channels = channels[1:3]
    return config


def test_it_learns_and_is_published(config, make_planes, make_sample, tmp_path):
    torch.manual_seed(0)
    model = build_model(config)
    model.init_weights()
    mask = torch.zeros(64, 64)
    mask[8:40, 16:48] = 1
    samples = [make_sample(mask, [[16, 8, 48, 40]]), make_sample(torch.zeros(64, 64))]
    planes = [make_planes(64, 64) for _ in samples]
    for choice in (2.0, -2.0):
        nn.init.constant_(model.backbone.gate.linear.bias, choice)
        nn.init.normal_(model.backbone.gate.linear.weight, std=1e-3)
        model.train()
        model.zero_grad()
        data = dict(inputs=planes, data_samples=copy.deepcopy(samples))
        data = model.data_preprocessor(data, training=True)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        idle = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert idle == []
    model.eval()
    torch.save(
        dict(meta=dict(cfg=config.pretty_text), state_dict=model.state_dict()), tmp_path / 'x.pth'
    )
    checkpoint = read_checkpoint(publish(tmp_path / 'x.pth', tmp_path / 'published.pth'))
    loaded = build_model(checkpoint.config)
    report = load_weights(loaded, checkpoint)
    assert report.new == report.unused == report.inflated == ()
    loaded.eval()
    inputs = torch.stack(planes).float()
    with torch.no_grad():
        expected = model(inputs)
        assert torch.equal(loaded(inputs), expected)
        fuse_norms(loaded)
        torch.testing.assert_close(loaded(inputs), expected, atol=1e-4, rtol=1e-3)
