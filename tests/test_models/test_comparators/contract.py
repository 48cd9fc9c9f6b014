"""What every comparator must show; a concrete one names its configs and states its cost."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.models import EncoderDecoder

from mmomni.apis import ManipulationInferencer
from mmomni.apis.shared_context import SharedContext
from mmomni.checkpoints import build_model, load_weights, publish, read_checkpoint
from mmomni.models import fast
from model_profiling.operations import operations_of
from model_profiling.subjects import load_subject, parameters_of

CONFIGS = Path(__file__).resolve().parents[3] / 'configs/comparators'
BASES = {
    '.': CONFIGS.parent / 'omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py',
    'lite': CONFIGS.parent / 'lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py',
}
SAME = {
    '.': ['train_dataloader', 'val_dataloader', 'test_dataloader', 'param_scheduler', 'train_cfg'],
    'lite': ['train_dataloader', 'val_dataloader', 'test_dataloader'],
}
SIZE = 64


class ComparatorTester:
    """Subclasses set what follows, and nothing else unless their model has more to show.

    Attributes:
        paper: Name of the config of the paper's size in ``configs/comparators``, up to the size:
            ``'apscnet_convnext-base'``.
        lite: Likewise of the one in ``configs/comparators/lite``.
        parameters: Of the paper's size, for a prediction, in millions: as docs/comparators.md says.
        multiply_adds: Likewise of one image of 512 x 512, in 1e9, computed as drawn.
        losses: Names of the terms of the loss.
        stride: Pixels of the image for one of the logits.
        idle: Beginnings of names of parameters that rightly have no gradient: frozen ones.
        sees_frequencies: Whether it looks at ``|q|`` and the quantisation steps.
        shares: Whether windows of a large image can share all that depends on the whole image.
    """

    paper: ClassVar[str]
    lite: ClassVar[str]
    parameters: ClassVar[float]
    multiply_adds: ClassVar[float]
    losses: ClassVar[set[str]]
    stride: ClassVar[int] = 4
    idle: ClassVar[tuple[str, ...]] = ()
    sees_frequencies: ClassVar[bool] = False
    shares: ClassVar[bool] = True

    @staticmethod
    def path(folder: str, name: str) -> Path:
        (path,) = (CONFIGS / folder).glob(f'{name}_*.py')
        return path

    @pytest.fixture(scope='class')
    def config(self):
        """The miniature, without files of weights."""
        config = Config.fromfile(self.path('lite', self.lite))
        config.model.data_preprocessor.size = (SIZE, SIZE)
        _without_files(config.model)
        return config

    @pytest.fixture(scope='class')
    def model(self, config):
        torch.manual_seed(0)
        model = build_model(config)
        model.init_weights()
        return model.eval()

    @pytest.fixture
    def data(self, make_planes, make_sample):
        mask = torch.zeros(SIZE, SIZE)
        mask[8:40, 16:48] = 1
        samples = [make_sample(mask, [[16, 8, 48, 40]]), make_sample(torch.zeros(SIZE, SIZE))]
        return dict(inputs=[make_planes(SIZE, SIZE) for _ in samples], data_samples=samples)

    @pytest.mark.parametrize('folder', ['.', 'lite'])
    def test_data_and_recipe_are_those_of_omni_iml(self, folder):
        name = self.paper if folder == '.' else self.lite
        config = Config.fromfile(self.path(folder, name))
        ours = Config.fromfile(BASES[folder])
        for key in SAME[folder]:
            assert config[key] == ours[key], key
        for key in ('data_preprocessor', 'test_cfg'):
            assert config.model[key] == ours.model[key], key
        for key in ('type', 'optimizer', 'clip_grad'):
            assert config.optim_wrapper.get(key) == ours.optim_wrapper.get(key), key

    def test_costs_as_stated(self):
        model = load_subject(self.path('.', self.paper), torch.device('cpu')).model
        assert type(model) is EncoderDecoder
        assert (model.num_classes, model.out_channels) == (2, 2)
        millions = parameters_of(model)['inference'] / 1e6
        model.to('meta')  # shapes alone are computed
        planes = torch.zeros(1, 5, 512, 512, device='meta')
        metas = [dict(img_shape=(512, 512), pad_shape=(512, 512))]
        with torch.no_grad(), fast.disabled():
            operations = operations_of(model, lambda: model.encode_decode(planes, metas))
        macs = sum(each.macs for each in operations) / 1e9
        cost = dict(parameters=round(millions, 2), multiply_adds=round(macs, 1))
        assert cost == dict(parameters=self.parameters, multiply_adds=self.multiply_adds)

    def test_every_parameter_receives_a_gradient(self, model, data):
        model.train()
        model.zero_grad()
        data = model.data_preprocessor(data, training=True)
        loss, log_vars = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        model.eval()
        assert {name for name in log_vars if 'loss_' in name} == self.losses
        assert loss.isfinite()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert [name for name in without if not name.startswith(self.idle or '-')] == []
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)

    @torch.no_grad()
    @pytest.mark.parametrize('size', [(33, 70), (96, 64), (8, 8)])
    def test_odd_sizes(self, model, make_planes, make_sample, size):
        sample = make_sample(torch.zeros(size))
        (result,) = model.test_step(dict(inputs=[make_planes(*size)], data_samples=[sample]))
        assert result.seg_logits.data.shape == (2, *size)
        assert result.seg_logits.data.isfinite().all()

    @torch.no_grad()
    def test_an_image_alone_gives_what_it_gives_in_a_batch(self, model, make_planes):
        planes = torch.stack([make_planes(SIZE, 96) for _ in range(3)]).float()
        together = model(planes)
        assert together.shape == (3, 2, SIZE // self.stride, 96 // self.stride)
        for one, expected in zip(planes, together, strict=True):
            torch.testing.assert_close(model(one[None])[0], expected, atol=1e-4, rtol=1e-4)

    @torch.no_grad()
    def test_it_sees_the_planes_that_are_its_own(self, model, make_planes):
        planes = make_planes(SIZE, SIZE)[None].float()
        expected = model(planes)
        for index in range(5):
            changed = planes.clone()
            changed[:, index] = changed[:, index].roll(8, dims=-1) if index < 4 else 1
            differs = not torch.equal(model(changed), expected)
            assert differs == (index < 3 or self.sees_frequencies), index

    def test_windows_are_told_what_they_cannot_share(self, model):
        assert SharedContext(model).complete == self.shares

    def test_it_is_published_and_loaded(self, model, config, make_planes, tmp_path):
        trained = tmp_path / 'trained.pth'
        meta = dict(cfg=Config(config.to_dict()).pretty_text)
        torch.save(dict(meta=meta, state_dict=model.state_dict()), trained)
        published = publish(trained, tmp_path / 'published.safetensors')
        checkpoint = read_checkpoint(published)
        loaded = build_model(checkpoint.config).eval()
        report = load_weights(loaded, checkpoint)
        assert report.new == report.unused == report.inflated == ()
        inputs = make_planes(SIZE, SIZE)[None].float()
        with torch.no_grad():
            assert torch.equal(loaded(inputs), model(inputs))
        inferencer = ManipulationInferencer(weights=published, device='cpu', show_progress=False)
        image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
        (prediction,) = inferencer.stream([image])
        assert prediction.probability.shape == (50, 70)
        assert np.isfinite(prediction.probability).all()


def _without_files(node: object) -> None:
    """Every ``init_cfg`` that would read weights is taken out."""
    if isinstance(node, dict):
        init_cfg = node.get('init_cfg')
        if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
            node['init_cfg'] = None
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list | tuple):
            _without_files(child)
