"""ADE20K weights of ConvNeXt by the names of OpenMMLab and of facebookresearch/ConvNeXt."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmomni.checkpoints import (
    average_files,
    build_model,
    convert_convnext,
    inference_config,
    load_convnext,
    publish,
)
from mmomni.checkpoints.averaging import average
from mmomni.checkpoints.reading import read_training_checkpoint
from mmomni.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
DEMO = CONFIGS / 'demo/omni-iml_convnext-atto_demo.py'
STEM = 'downsample_layers.0.0.weight'
DEPTHS, CHANNELS = (2, 2, 6, 2), (40, 80, 160, 320)
ORIGINAL = ('dwconv', 'pwconv1', 'pwconv2')
OPENMMLAB = ('depthwise_conv', 'pointwise_conv1', 'pointwise_conv2')


def shapes(depthwise, pointwise1, pointwise2):
    """Of ConvNeXt in a segmentor, written from the published models; the arguments are names."""
    layers, gammas = {}, {}
    for k, (depth, c) in enumerate(zip(DEPTHS, CHANNELS, strict=True)):
        previous = CHANNELS[k - 1]
        if k == 0:
            layers['downsample_layers.0.0'], layers['downsample_layers.0.1'] = (c, 3, 4, 4), (c,)
        else:
            layers[f'downsample_layers.{k}.0'] = (previous,)
            layers[f'downsample_layers.{k}.1'] = (c, previous, 2, 2)
        for block in (f'stages.{k}.{j}' for j in range(depth)):
            layers[f'{block}.{depthwise}'] = (c, 1, 7, 7)
            layers[f'{block}.norm'] = (c,)
            layers[f'{block}.{pointwise1}'] = (4 * c, c)
            layers[f'{block}.{pointwise2}'] = (c, 4 * c)
            gammas[f'{block}.gamma'] = (c,)
        layers[f'norm{k}'] = (c,)
    weights = {f'{name}.weight': shape for name, shape in layers.items()}
    biases = {f'{name}.bias': shape[:1] for name, shape in layers.items()}
    return {f'backbone.{name}': shape for name, shape in (weights | biases | gammas).items()}


def segmentor(names):
    """State dict of UPerNet with that backbone and ADE20K's 150 classes."""
    backbone = {name: torch.randn(shape) for name, shape in shapes(*names).items()}
    heads = {
        f'{head}.conv_seg.{kind}': torch.zeros(150, *rest)
        for head in ('decode_head', 'auxiliary_head')
        for kind, rest in (('weight', (8, 1, 1)), ('bias', ()))
    }
    return backbone | heads


@pytest.fixture(params=[ORIGINAL, OPENMMLAB], ids=['original', 'openmmlab'])
def state_dict(request):
    return segmentor(request.param)


@pytest.fixture
def demo():
    return build_model(inference_config(Config.fromfile(DEMO)))


def test_names_become_those_of_openmmlab(state_dict):
    converted = convert_convnext(state_dict)
    assert {name: tensor.shape for name, tensor in converted.items()} == shapes(*OPENMMLAB)
    tensors = [tensor for name, tensor in state_dict.items() if name.startswith('backbone.')]
    assert all(a is b for a, b in zip(converted.values(), tensors, strict=True))


def test_every_weight_finds_its_place(state_dict, demo):
    report = load_convnext(demo, convert_convnext(state_dict))
    place = 'backbone.backbone.body.'
    backbone = {name for name in demo.state_dict() if name.startswith(place)}
    assert report.inflated == (place + STEM,)
    norm1 = {f'{place}norm1.{kind}' for kind in ('weight', 'bias')}  # stays neutral
    assert set(report.matched) == backbone - norm1 - {place + STEM}
    new = {name for name, _ in demo.named_parameters()} - backbone
    assert new <= set(report.new)
    assert backbone & set(report.new) == norm1
    assert set(report.unused) == norm1
    assert demo.state_dict()[f'{place}norm1.weight'].eq(1).all()
    stem = demo.state_dict()[place + STEM]
    assert torch.equal(stem[:, :3], state_dict[f'backbone.{STEM}'])
    assert not stem[:, 3:].any()


def test_plain_segmentor_on_rgb_needs_no_inflation(state_dict):
    config = Config.fromfile(CONFIGS / 'mini/upernet_convnext-atto_mini.py')
    report = load_convnext(build_model(inference_config(config)), convert_convnext(state_dict))
    assert report.inflated == ()
    assert len(report.matched) == len(shapes(*ORIGINAL))


def run(load_tool, monkeypatch, *arguments):
    monkeypatch.setattr('sys.argv', ['convnext2mmomni.py', *map(str, arguments)])
    return load_tool('model_converters/convnext2mmomni.py').main()


def test_tool_writes_what_init_cfg_loads(state_dict, load_tool, monkeypatch, capsys, tmp_path):
    source, out = tmp_path / 'ade20k.pth', tmp_path / 'out.pth'
    torch.save(dict(meta={}, state_dict=state_dict), source)
    assert run(load_tool, monkeypatch, source, out, DEMO) == 0
    matched, inflated, new, unused, written = capsys.readouterr().out.splitlines()
    assert matched.startswith(f'matched: {len(shapes(*ORIGINAL)) - 3}, of backbone.backbone')
    assert inflated == 'inflated: 1, of backbone.backbone (1)'
    assert 'decode_head.parallel' in new
    assert 'backbone.fph' in new
    assert unused == 'unused: 4, of backbone.backbone (2), decode_head.conv_seg (2)'
    assert written == str(out)

    init_cfg = dict(type='Pretrained', checkpoint=str(out), prefix='backbone.')
    with DefaultScope.overwrite_default_scope('mmseg'):
        encoder = MODELS.build(
            dict(
                type='mmomni.ModalGateEncoder',
                backbone=dict(type='mmomni.ConvNeXt', arch='atto', init_cfg=init_cfg),
            )
        )
        encoder.init_weights()
    loaded = encoder.backbone.body.state_dict()
    for name, tensor in convert_convnext(state_dict).items():
        if name.startswith('backbone.norm1.'):  # stays neutral, see ConvNeXtStages
            tensor = torch.full_like(tensor, name.endswith('weight'))  # noqa: PLW2901
        arrived = loaded[name.removeprefix('backbone.')]
        assert torch.equal(arrived[:, :3] if name.endswith(STEM) else arrived, tensor), name


def test_weights_of_another_size(state_dict, load_tool, monkeypatch, capsys, tmp_path):
    source, out = tmp_path / 'ade20k.pth', tmp_path / 'out.pth'
    torch.save(state_dict, source)
    config = tmp_path / 'pico.py'
    config.write_text(
        f"_base_ = ['{DEMO}']\n"
        "model = dict(backbone=dict(backbone=dict(arch='pico')), neck=dict(in_channels=[128, 256]),"
        '             decode_head=dict(in_channels=[64, 128, 256, 512]))\n'
    )
    assert run(load_tool, monkeypatch, source, out, config) == 1
    message = capsys.readouterr().err
    assert 'the weights are of another model, or of another size of it' in message
    assert len(message) < 500
    assert not out.exists()


def test_file_with_more_than_weights_must_be_trusted(
    state_dict, load_tool, monkeypatch, capsys, tmp_path
):
    source, out = tmp_path / 'ade20k.pth', tmp_path / 'out.pth'
    torch.save(dict(state_dict=state_dict, meta=dict(of=Path('mmcv'))), source)
    assert run(load_tool, monkeypatch, source, out, DEMO) == 1
    assert '--trust-checkpoint' in capsys.readouterr().err
    assert run(load_tool, monkeypatch, source, out, DEMO, '--trust-checkpoint') == 0


def test_weights_of_another_kind_of_model():
    with pytest.raises(ValueError, match=r'a ConvNeXt as backbone .* got backbone\.conv1\.weight'):
        convert_convnext({'backbone.conv1.weight': torch.zeros(1)})


def test_model_without_convnext(state_dict):
    config = Config.fromfile(CONFIGS / 'mini/segformer_mit-b0_mini.py')
    model = build_model(inference_config(config))
    with pytest.raises(ValueError, match=r'one mmomni\.ConvNeXt, it has 0'):
        load_convnext(model, convert_convnext(state_dict))


class TestAverage:
    @staticmethod
    def state_dict(value, count=3):
        weight = torch.full((2, 2), float(value))
        return {'conv.weight': weight, 'bn.num_batches_tracked': torch.tensor(count)}

    @pytest.fixture
    def run_tool(self, load_tool, monkeypatch):
        """Its exit status; a process of its own would spend five seconds on imports."""
        tool = load_tool('model_converters/average_checkpoints.py')

        def run(*arguments):
            monkeypatch.setattr(sys, 'argv', [tool.__file__, *map(str, arguments)])
            return tool.main()

        return run

    @pytest.fixture
    def files(self, tmp_path):
        for name, value, iterations in (('a', 1, 40), ('b', 5, 70)):
            meta = dict(cfg='load_from = "long/iter_9.pth"', iter=iterations)
            content = dict(state_dict=self.state_dict(value), meta=meta)
            torch.save(content, tmp_path / f'{name}.pth')
        return [tmp_path / f'{name}.pth' for name in ('a', 'b')]

    def test_whole_numbers_are_those_of_the_first(self):
        averaged = average(dict(a=self.state_dict(1), b=self.state_dict(5, 9)), [0.75, 0.25])
        assert averaged['conv.weight'].tolist() == [[2, 2], [2, 2]]
        assert averaged['bn.num_batches_tracked'] == 3

    @pytest.mark.parametrize('other', [{'conv.weight': torch.ones(3)}, {}])
    def test_other_networks_are_refused(self, other):
        with pytest.raises(ValueError, match=r"b is of another network than a: .*'conv.weight'"):
            average(dict(a=self.state_dict(1), b=other), [0.5, 0.5])

    @pytest.mark.parametrize(
        ('shares', 'expected'), [([], 3.0), (['--shares', '0.75', '0.25'], 2.0)]
    )
    def test_files(self, files, shares, expected, run_tool, tmp_path):
        assert run_tool(tmp_path / 'out.pth', *files, *shares) == 0
        out = torch.load(tmp_path / 'out.pth', weights_only=True)
        assert out['state_dict']['conv.weight'][0, 0] == expected
        assert 'iter_9' in out['meta']['cfg']
        training = read_training_checkpoint(tmp_path / 'out.pth')
        assert training.iterations is None
        assert [(each['file'], each['iterations']) for each in training.averaged] == [
            ('a.pth', 40), ('b.pth', 70)
        ]  # fmt: skip

    @pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
    @pytest.mark.parametrize('half', [False, True])
    def test_published_weights_count_with_the_heads_of_the_training(self, half, suffix, tmp_path):
        meta = dict(cfg='model = dict(type="EncoderDecoder")', iter=40)
        for name, value in (('a', 1), ('b', 5)):
            state_dict = self.state_dict(value) | {'auxiliary_head.w': torch.tensor(value + 0.5)}
            torch.save(dict(state_dict=state_dict, meta=meta), tmp_path / f'{name}.pth')
        released = publish(tmp_path / 'b.pth', tmp_path / f'b{suffix}', half=half)
        average_files([tmp_path / 'a.pth', released], tmp_path / 'out.pth', [0.75, 0.25])
        weights = torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict']
        assert weights['conv.weight'].tolist() == [[2, 2], [2, 2]]
        assert weights['conv.weight'].dtype == torch.float32
        assert weights['auxiliary_head.w'] == 1.5
        training = read_training_checkpoint(tmp_path / 'out.pth')
        assert training.averaged[1] == dict(file=released.name, share=0.25, iterations=40)

    def test_of_trainings_with_other_heads_only_what_predicts_can_be_taken(self, files, tmp_path):
        content = torch.load(files[1], weights_only=True)
        content['state_dict']['auxiliary_head.w'] = torch.ones(1)
        torch.save(content, files[1])
        with pytest.raises(ValueError, match=r"of another network .*'auxiliary_head.w'"):
            average_files(files, tmp_path / 'out.pth')
        average_files(files, tmp_path / 'out.pth', heads_of_first=True)
        weights = torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict']
        assert weights.keys() == self.state_dict(1).keys()

    @pytest.mark.parametrize('shares', [[0.5], [0.5, 0.6], [float('nan'), float('nan')]])
    def test_shares_that_make_no_sense(self, files, tmp_path, shares):
        with pytest.raises(ValueError, match='expected 2 shares whose sum is 1'):
            average_files(files, tmp_path / 'out.pth', shares)

    def test_a_file_named_twice_is_refused(self, files, tmp_path):
        with pytest.raises(ValueError, match=f'got again: .*{files[0]}.*use shares'):
            average_files([*files, files[0]], tmp_path / 'out.pth')

    def test_files_of_another_kind_are_named(self, files, run_tool, tmp_path, capsys):
        bare = tmp_path / 'bare.pth'
        torch.save(self.state_dict(1), bare)
        meta = dict(cfg='model = dict(type="EncoderDecoder")')
        torch.save(dict(state_dict=self.state_dict(1), meta=meta), tmp_path / 'c.pth')
        published = publish(tmp_path / 'c.pth', tmp_path / 'published.safetensors')
        for path, reason in ((bare, 'weights alone'), (published, 'a published one')):
            with pytest.raises(ValueError, match=f'{path}: expected .* got {reason}'):
                average_files([path, *files], tmp_path / 'out.pth')
        assert run_tool(tmp_path / 'out.pth', files[0], tmp_path / 'absent.pth') == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert 'absent.pth' in line
