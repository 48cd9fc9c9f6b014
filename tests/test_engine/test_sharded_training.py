"""Training whose weights, gradients and moments are spread over processes, by mmengine's FSDP."""

import json
import os
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from mmengine.runner import FlexibleRunner
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import distributed as dist
from torch import multiprocessing
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.utils.data import Dataset

from mmomni.models.backbones.convnext import ConvNeXtBlock

CONFIG = Path(__file__).resolve().parents[2] / 'configs/mini/omni-iml_convnext-atto_mini.py'
SIDE = 64
HOOKS = ['StepSeedHook', 'ResumedBatchHook', 'FiniteLossHook', 'ModalGateHook']
FULL = dict(  # on the CPU without `offload_to_cpu`, which `'full'` asks for and torch dies of there
    state_dict_type='FULL_STATE_DICT',
    state_dict_config=dict(type='FullStateDictConfig', rank0_only=True),
    optim_state_dict_config=dict(type='FullOptimStateDictConfig', rank0_only=True),
)


@DATASETS.register_module(force=True)
class Squares(Dataset):
    """A tampered square in noise."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(int(index))
        inputs = torch.randint(0, 256, (5, SIDE, SIDE), generator=generator, dtype=torch.uint8)
        inputs[3] %= 21
        inputs[4] = inputs[4] % 98 + 1
        mask = torch.zeros(1, SIDE, SIDE, dtype=torch.long)
        mask[:, 16:48, 16:48] = 1
        shape = (SIDE, SIDE)
        sample = SegDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, pad_shape=shape))
        sample.gt_sem_seg = PixelData(data=mask)
        boxes = torch.tensor([[16.0, 16, 48, 48]])
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(1).long())
        return dict(inputs=inputs, data_samples=sample)


def runner(folder, strategy):
    cfg = Config.fromfile(CONFIG)
    cfg.model.pretrained = None
    for part in (cfg.model.backbone.backbone, cfg.model.backbone):
        part.pop('init_cfg', None)
    return FlexibleRunner(
        model=cfg.model, work_dir=folder, strategy=strategy,
        train_dataloader=dict(
            batch_size=2, num_workers=0, dataset=dict(type='Squares'),
            sampler=dict(type='InfiniteSampler'), collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=False, max_iters=2), optim_wrapper=cfg.optim_wrapper,
        param_scheduler=dict(type='ConstantLR', factor=1.0, by_epoch=False),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='mmomni.SafeCheckpointHook', by_epoch=False, interval=2),
        ),
        custom_hooks=[dict(type=f'mmomni.{name}') for name in HOOKS],
        launcher='pytorch', env_cfg=dict(dist_cfg=dict(backend='gloo')), randomness=dict(seed=0),
        default_scope='mmseg', experiment_name=strategy['type'],
        log_processor=dict(by_epoch=False),
    )  # fmt: skip


def strategies():
    policy = partial(transformer_auto_wrap_policy, transformer_layer_cls={ConvNeXtBlock})
    cpu = torch.device('cpu')
    fsdp = dict(type='MMFullyShardedDataParallel', device_id=cpu, auto_wrap_policy=policy)
    ddp = dict(type='MMDistributedDataParallel', broadcast_buffers=False, device_ids=None)
    yield dict(type='DDPStrategy', model_wrapper=ddp)
    yield dict(type='FSDPStrategy', model_wrapper=fsdp, state_dict_cfg=FULL)


def train(rank, folder):
    torch.set_num_threads(1)
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE='2')
    store = f'file://{folder}/store'
    dist.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    numbers = {}
    for strategy in strategies():
        started = runner(f'{folder}/{strategy["type"]}', strategy)
        started.train()
        history = started.message_hub.get_scalar('train/loss').data
        held = sum(parameter.numel() for parameter in started.model.parameters())
        numbers[strategy['type']] = dict(losses=history[0].tolist(), held=held)
    Path(folder, f'{rank}.json').write_text(json.dumps(numbers))


@pytest.mark.slow
def test_shards_train_as_whole_copies_do(tmp_path):
    multiprocessing.spawn(train, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        found = json.loads((tmp_path / f'{rank}.json').read_text())
        whole, sharded = found['DDPStrategy'], found['FSDPStrategy']
        assert sharded['losses'] == pytest.approx(whole['losses'], rel=1e-4)
        assert sharded['held'] == pytest.approx(whole['held'] / 2, rel=1e-3)
    saved = [
        torch.load(tmp_path / name / 'iter_2.pth', weights_only=False)
        for name in ('DDPStrategy', 'FSDPStrategy')
    ]
    whole, sharded = (each['state_dict'] for each in saved)
    assert {name.removeprefix('module.') for name in whole} == set(sharded)
    for name, value in whole.items():
        torch.testing.assert_close(
            sharded[name.removeprefix('module.')], value, rtol=1e-3, atol=1e-3
        )
