import copy
from typing import ClassVar

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from mmomni.models.backbones import ModalGateEncoder
from mmomni.models.stagewise import build_stagewise
from mmomni.registry import MODELS
from test_models.references import randomise

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
FPH = dict(hidden_channels=4, embed_channels=2, out_channels=32, num_blocks=1)


class StagewiseTester:
    """A backbone run stage by stage does what its own ``forward`` does."""

    backbone: ClassVar[dict]
    stem: str
    level_norms: ClassVar[bool] = False

    def neutral(self, body):
        """Without what the adapter wants neutral."""
        return body

    def shown(self, index, level):
        """The level as the encoder shall see it."""
        return level

    @pytest.fixture
    def stagewise(self):
        stagewise = randomise(build_stagewise(self.backbone, in_channels=6), scale=0.1)
        self.neutral(stagewise.body)
        return stagewise

    @pytest.fixture
    def rgb_only(self):
        """The same backbone for three planes, as a published checkpoint holds it."""
        return randomise(MODELS.build(self.backbone), scale=0.1)

    @pytest.fixture
    def file(self, rgb_only, tmp_path):
        def write(state_dict=None):
            path = tmp_path / 'pretrained.pth'
            torch.save(dict(state_dict=state_dict or rgb_only.state_dict()), path)
            return dict(type='Pretrained', checkpoint=str(path))

        return write

    def test_equals_own_forward(self, stagewise):
        x = torch.randn(2, 6, 64, 96, dtype=torch.float64)
        expected = stagewise.body(x)
        for index in range(4):
            x, level = stagewise.stage(index, x)
            wanted = self.shown(index, expected[index])
            torch.testing.assert_close(level, wanted, atol=1e-6, rtol=1e-4)

    def test_channels(self, stagewise):
        levels = stagewise.body(torch.randn(1, 6, 64, 64, dtype=torch.float64))
        assert tuple(level.shape[1] for level in levels) == stagewise.channels

    def load_by_state_dict(self, stagewise, rgb_only, path):
        stagewise.body.load_state_dict(rgb_only.state_dict())
        return stagewise

    def load_by_prefix(self, stagewise, rgb_only, path):
        state_dict = {f'body.{key}': value for key, value in rgb_only.state_dict().items()}
        stagewise.load_state_dict(state_dict)
        return stagewise

    def load_by_mmengine(self, stagewise, rgb_only, path):
        torch.save({'state_dict': rgb_only.state_dict()}, path)
        load_checkpoint(stagewise.body, str(path))
        return stagewise

    def load_by_init_cfg(self, stagewise, rgb_only, path):
        torch.save({'state_dict': rgb_only.state_dict()}, path)
        init_cfg = dict(type='Pretrained', checkpoint=str(path))
        stagewise = build_stagewise({**self.backbone, 'init_cfg': init_cfg}, in_channels=6)
        stagewise.double()
        stagewise.init_weights()
        stagewise.eval()
        self.neutral(rgb_only)
        return stagewise

    def load_into_copy(self, stagewise, rgb_only, path):
        stagewise = copy.deepcopy(stagewise)
        stagewise.body.load_state_dict(rgb_only.state_dict())
        return stagewise

    @pytest.mark.parametrize(
        'way', ['by_state_dict', 'by_prefix', 'by_mmengine', 'by_init_cfg', 'into_copy']
    )
    def test_three_planes_are_inflated_with_zeros(self, stagewise, rgb_only, way, tmp_path):
        loaded = getattr(self, f'load_{way}')(stagewise, rgb_only, tmp_path / 'rgb.pth')
        weight = loaded.body.state_dict()[self.stem]
        assert torch.equal(weight[:, :3], rgb_only.state_dict()[self.stem])
        assert not weight[:, 3:].any()
        x = torch.randn(1, 6, 64, 64, dtype=torch.float64)
        for level, expected in zip(loaded.body(x), rgb_only(x[:, :3]), strict=True):
            torch.testing.assert_close(level, expected, atol=1e-12, rtol=1e-9)

    def test_six_planes_are_loaded_unchanged(self, stagewise):
        saved = copy.deepcopy(stagewise.state_dict())
        randomise(stagewise).load_state_dict(saved)
        assert all(torch.equal(v, saved[k]) for k, v in stagewise.state_dict().items())

    def test_six_planes_do_not_become_nine(self, stagewise):
        """RGB and coordinates would be taken for RGB and noise."""
        larger = build_stagewise(self.backbone, in_channels=9)
        with pytest.raises(RuntimeError, match=rf'size mismatch for body\.{self.stem}'):
            larger.load_state_dict(stagewise.state_dict())

    def test_six_planes_do_not_become_nine_by_init_cfg(self, stagewise, file):
        init_cfg = file(stagewise.body.state_dict())
        larger = build_stagewise({**self.backbone, 'init_cfg': init_cfg}, in_channels=9)
        with pytest.raises(ValueError, match=rf'another shape: {self.stem} .*, 6, .*, 9, '):
            larger.init_weights()

    def test_loading_leaves_the_checkpoint_unchanged(self, stagewise, rgb_only):
        state_dict = rgb_only.state_dict()
        stagewise.body.load_state_dict(state_dict)
        assert state_dict[self.stem].shape[1] == 3

    def test_adapter_adds_no_weights(self, stagewise):
        names = {name.removeprefix('body.') for name in stagewise.state_dict()}
        assert names == set(stagewise.body.state_dict())

    def test_in_channels_given_twice(self):
        with pytest.raises(ValueError, match=r'remove in_channels=3 .* sets it to 6'):
            build_stagewise({**self.backbone, 'in_channels': 3}, in_channels=6)

    @pytest.mark.parametrize('gate', ['vision', 'learned'])
    def test_pretrained_network_stays_itself(self, gate, rgb_only, file, make_planes):
        """Where the encoder chooses vision, ``F3`` and ``F4`` are those of the network alone."""
        backbone = {**self.backbone, 'init_cfg': file()}
        encoder = ModalGateEncoder(backbone, gate, FPH)
        encoder.init_weights()
        encoder.double()
        encoder.eval()
        if gate == 'learned':
            nn.init.zeros_(encoder.gate.linear.weight)
            nn.init.ones_(encoder.gate.linear.bias)
        planes = make_planes(64, 96)[None].double()
        mean, std = (torch.tensor(n, dtype=torch.float64).view(3, 1, 1) for n in (MEAN, STD))
        levels = encoder(planes)
        expected = rgb_only((planes[:, :3] - mean) / std)
        for index in (0, 2, 3):
            torch.testing.assert_close(levels[index], expected[index], atol=1e-5, rtol=1e-4)

    def load_pretrained(self, init_cfg):
        build_stagewise({**self.backbone, 'init_cfg': init_cfg}, in_channels=6).init_weights()

    def test_missing_and_unexpected_weights(self, rgb_only, file):
        state_dict = rgb_only.state_dict()
        missing = next(n for n in reversed(state_dict) if 'norm' not in n and 'num_b' not in n)
        state_dict['alien.weight'] = state_dict.pop(missing)
        expected = rf'pretrained\.pth does not fit .*missing: {missing}; unexpected: .*alien\.w'
        with pytest.raises(ValueError, match=expected):
            self.load_pretrained(file(state_dict))

    def test_other_shapes(self, rgb_only, file):
        state_dict = rgb_only.state_dict()
        state_dict[self.stem] = state_dict[self.stem][:-1]
        count = len(state_dict[self.stem])
        expected = rf'of another shape: .*{self.stem} \({count}, 3, .* instead of \({count + 1}, 6'
        with pytest.raises(ValueError, match=expected):
            self.load_pretrained(file(state_dict))

    def test_weights_of_a_segmentor(self, rgb_only, file):
        """Its heads are left out, and everything else must still fit."""
        named = {f'backbone.{name}': t for name, t in rgb_only.state_dict().items()}
        self.load_pretrained(file(named | {'decode_head.conv_seg.bias': torch.zeros(150)}))
        with pytest.raises(ValueError, match=r'unexpected: .*alien'):
            self.load_pretrained(file(named | {'backbone.alien': torch.zeros(1)}))

    def test_levels_of_a_classifier_have_no_norms(self, rgb_only, file):
        levels = tuple(f'norm{i}.' for i in range(4))
        state_dict = {n: t for n, t in rgb_only.state_dict().items() if not n.startswith(levels)}
        assert (len(state_dict) < len(rgb_only.state_dict())) == self.level_norms
        self.load_pretrained(file(state_dict))


def without_norm1(body):
    nn.init.ones_(body.norm1.weight)
    nn.init.zeros_(body.norm1.bias)


class TestConvNeXt(StagewiseTester):
    backbone: ClassVar = dict(type='mmomni.ConvNeXt', arch='atto', layer_scale_init_value=1.0)
    stem = 'downsample_layers.0.0.weight'
    level_norms = True

    def neutral(self, body):
        without_norm1(body)


class TestConvNeXtSwin(TestConvNeXt):
    backbone: ClassVar = dict(
        type='mmomni.ConvNeXtSwin', arch='atto', layer_scale_init_value=1.0, tail_depths=(1, 1)
    )


class TestConvNeXtOfMMPretrain(TestConvNeXt):
    backbone: ClassVar = dict(
        type='mmpretrain.ConvNeXt', arch='atto', layer_scale_init_value=1.0,
        out_indices=(0, 1, 2, 3),
    )  # fmt: skip


class TestSwin(StagewiseTester):
    backbone: ClassVar = dict(
        type='mmseg.SwinTransformer', embed_dims=8, depths=(2, 1, 2, 1), num_heads=(1, 2, 2, 4),
        window_size=4,
    )  # fmt: skip
    stem = 'patch_embed.projection.weight'
    level_norms = True


class TestMixVision(StagewiseTester):
    backbone: ClassVar = dict(
        type='mmseg.MixVisionTransformer', embed_dims=8, num_layers=(2, 1, 2, 1),
        num_heads=(1, 2, 2, 4),
    )  # fmt: skip
    stem = 'layers.0.0.projection.weight'


class TestResNet(StagewiseTester):
    backbone: ClassVar = dict(type='mmseg.ResNet', depth=18, stem_channels=8, base_channels=8)
    stem = 'conv1.weight'


class TestResNetV1c(StagewiseTester):
    """A deep stem, and bottlenecks."""

    backbone: ClassVar = dict(type='mmseg.ResNetV1c', depth=50, stem_channels=8, base_channels=4)
    stem = 'stem.0.weight'


class TestEfficientNetLite(StagewiseTester):
    backbone: ClassVar = dict(type='mmomni.EfficientNetLite', arch='lite0')
    stem = 'stem.conv.weight'

    def shown(self, index, level):
        if index != 1:
            return level
        offset = level - level.mean(1, keepdim=True)
        return offset / (offset.square().mean(1, keepdim=True) + 1e-6).sqrt()


class TestTimm(StagewiseTester):
    backbone: ClassVar = dict(type='mmomni.TimmBackbone', model_name='plain')
    stem = 'network.conv1.weight'


class TestTimmChannelsLast(StagewiseTester):
    backbone: ClassVar = dict(type='mmomni.TimmBackbone', model_name='last')
    stem = 'network.conv1.0.weight'


def test_swin_adds_its_absolute_positions():
    """Its pretraining size is the test's, because Swin adds its positions without resizing."""
    backbone: ClassVar = {**TestSwin.backbone, 'use_abs_pos_embed': True, 'pretrain_img_size': 64}
    stagewise = randomise(build_stagewise(backbone, in_channels=6), scale=0.1)
    x = torch.randn(1, 6, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(stagewise.stage(0, x)[1], stagewise.body(x)[0])


@pytest.mark.parametrize('version', [1, None])
def test_swin_of_another_third_stage_is_said(version, log):
    stagewise = build_stagewise(TestSwin.backbone, in_channels=6)
    saved = stagewise.state_dict()
    if version is not None:
        saved._metadata['']['version'] = version
    stagewise.load_state_dict(saved)
    told = any('continued from the normalised second level' in line for line in log)
    assert told == (version == 1)


@pytest.mark.parametrize('tester', [TestSwin, TestConvNeXtOfMMPretrain])
def test_backbone_without_all_levels(tester):
    backbone: ClassVar = {**tester.backbone, 'out_indices': (1, 3)}
    with pytest.raises(ValueError, match=r'out_indices=\(0, 1, 2, 3\), norms \[0, 2\]'):
        build_stagewise(backbone, in_channels=6)


@pytest.mark.parametrize(
    ('tester', 'changes', 'steps'),
    [
        (TestResNet, dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)), r'\(4, 2, 1, 1\)'),
        (TestSwin, dict(strides=(4, 2, 2, 1)), r'\(4, 2, 2, 1\)'),
    ],
)
def test_backbone_with_other_strides(tester, changes, steps):
    with pytest.raises(ValueError, match=rf'at strides \(4, 8, 16, 32\), .*divide .* by {steps}'):
        build_stagewise({**tester.backbone, **changes}, in_channels=6)


def test_old_way_to_name_weights():
    backbone: ClassVar = {**TestResNet.backbone, 'pretrained': 'open-mmlab://resnet18'}
    with pytest.raises(ValueError, match=r"init_cfg=dict\(type='Pretrained', checkpoint='open-mm"):
        build_stagewise(backbone, in_channels=6)
