import copy
from typing import ClassVar

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint

from mmomni.models.stagewise import build_stagewise
from mmomni.registry import MODELS
from test_models.references import randomise


class StagewiseTester:
    """A backbone run stage by stage does what its own ``forward`` does."""

    backbone: ClassVar[dict]
    stem: str

    @pytest.fixture
    def stagewise(self):
        return randomise(build_stagewise(self.backbone, in_channels=6), scale=0.1)

    @pytest.fixture
    def rgb_only(self):
        """The same backbone for three planes, as a published checkpoint holds it."""
        return randomise(MODELS.build(self.backbone), scale=0.1)

    def test_equals_own_forward(self, stagewise):
        x = torch.randn(2, 6, 64, 96, dtype=torch.float64)
        expected = stagewise.body(x)
        for index in range(4):
            x, level = stagewise.stage(index, x)
            torch.testing.assert_close(level, expected[index], atol=1e-12, rtol=1e-9)

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
        stagewise.init_weights()
        stagewise.double()
        stagewise.eval()
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

    def test_loading_leaves_the_checkpoint_unchanged(self, stagewise, rgb_only):
        state_dict = rgb_only.state_dict()
        stagewise.body.load_state_dict(state_dict)
        assert state_dict[self.stem].shape[1] == 3

    def test_in_channels_given_twice(self):
        with pytest.raises(ValueError, match=r'remove in_channels=3 .* sets it to 6'):
            build_stagewise({**self.backbone, 'in_channels': 3}, in_channels=6)


class TestConvNeXt(StagewiseTester):
    backbone: ClassVar = dict(type='mmomni.ConvNeXt', arch='atto', layer_scale_init_value=1.0)
    stem = 'downsample_layers.0.0.weight'


class TestSwin(StagewiseTester):
    backbone: ClassVar = dict(
        type='mmseg.SwinTransformer', embed_dims=8, depths=(2, 1, 2, 1), num_heads=(1, 2, 2, 4),
        window_size=4,
    )  # fmt: skip
    stem = 'patch_embed.projection.weight'


class TestEfficientNetLite(StagewiseTester):
    backbone: ClassVar = dict(type='mmomni.EfficientNetLite', arch='lite0')
    stem = 'stem.conv.weight'


def test_swin_adds_its_absolute_positions():
    """Its pretraining size is the test's, because Swin adds its positions without resizing."""
    backbone: ClassVar = {**TestSwin.backbone, 'use_abs_pos_embed': True, 'pretrain_img_size': 64}
    stagewise = randomise(build_stagewise(backbone, in_channels=6), scale=0.1)
    x = torch.randn(1, 6, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(stagewise.stage(0, x)[1], stagewise.body(x)[0])


def test_unsupported_backbone():
    with pytest.raises(TypeError, match=r'stage by stage .*got MixVisionTransformer; .* subclass'):
        build_stagewise(dict(type='mmseg.MixVisionTransformer'), in_channels=6)


def test_backbone_without_all_levels():
    backbone: ClassVar = {**TestSwin.backbone, 'out_indices': (1, 3)}
    with pytest.raises(ValueError, match=r'out_indices=\(0, 1, 2, 3\), norms \[0, 2\]'):
        build_stagewise(backbone, in_channels=6)
