"""What is said of training batches of one image."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.models.decode_heads.psp_head import PPM
from torch import nn
from torch.utils.data import DataLoader

from mmomni.engine.batches import check_batches

BN = dict(type='BN')
GN = dict(type='GN', num_groups=2)
SYNC = dict(type='SyncBN')


class Plain(nn.Sequential):
    """Convolution and batch norm: nothing is pooled."""

    def __init__(self, norm_cfg):
        super().__init__(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


class Pooled(nn.Module):
    """A pyramid pooling module, as in the decoder and in most heads of mmseg."""

    def __init__(self, norm_cfg, scales=(1, 2)):
        super().__init__()
        self.ppm = PPM(scales, 3, 4, None, norm_cfg, dict(type='ReLU'), False)

    def forward(self, x):
        return self.ppm(x)


def check(model, size, images=8, sampler=InfiniteSampler, world_size=1, **options):
    data = list(range(images))
    loader = DataLoader(data, batch_size=size, sampler=sampler(data), **options)
    cfg = Config(dict(train_dataloader=dict(batch_size=size)))
    loop = SimpleNamespace(dataloader=loader)
    check_batches(SimpleNamespace(cfg=cfg, train_loop=loop, model=model, world_size=world_size))


def test_torch_refuses_what_is_refused_here():
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        Pooled(BN)(torch.zeros(1, 3, 8, 8))
    Pooled(BN)(torch.zeros(2, 3, 8, 8))
    Pooled(GN)(torch.zeros(1, 3, 8, 8))
    Pooled(BN, scales=(2, 3))(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(('norm_cfg', 'world_size'), [(BN, 1), (BN, 8), (SYNC, 1)])
def test_one_image_and_a_pooled_batch_norm_is_refused(norm_cfg, world_size):
    with pytest.raises(ValueError, match=r'batch_size=1: ppm\.0\.1\.bn .*2 or more.*GN'):
        check(Pooled(norm_cfg), 1, world_size=world_size)


@pytest.mark.parametrize(
    ('norm_cfg', 'size', 'world_size'), [(BN, 2, 1), (GN, 1, 1), (SYNC, 1, 2)]
)
def test_other_norms_and_batches_are_accepted(norm_cfg, size, world_size, log):
    model = Pooled(norm_cfg)
    log.clear()
    check(model, size, world_size=world_size)
    assert not log


@pytest.mark.parametrize('model', [Plain(BN), Pooled(BN, scales=(2, 3))])
def test_one_image_and_another_batch_norm_is_a_warning(model, log):
    log.clear()  # of what the parameters built
    check(model, 1)
    (line,) = log
    assert line.startswith('train_dataloader.batch_size=1: ')
    assert 'batch norms see one image' in line


@pytest.mark.parametrize('images', [1, 5, 9])
def test_a_last_batch_of_one_image_is_refused(images):
    with pytest.raises(ValueError, match=r'the last batch of every epoch has one image.*drop_last'):
        check(Pooled(BN), 4, images, DefaultSampler)


@pytest.mark.parametrize(
    ('images', 'sampler', 'options'),
    [(8, DefaultSampler, {}), (9, InfiniteSampler, {}), (9, DefaultSampler, dict(drop_last=True))],
)
def test_no_last_batch_of_one_image(images, sampler, options):
    check(Pooled(BN), 4, images, sampler, **options)
