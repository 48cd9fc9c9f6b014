"""Trainings of a second: mmengine's runner, a network of a few numbers, and hooks of ours."""

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

MAX_ITERS = 6


@DATASETS.register_module(force=True)
class ToyPoints(Dataset):
    """Points (4,), and a number each."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(int(index))
        x = torch.randn(4, generator=generator)
        return dict(inputs=x, y=x.sum(), data_samples=f'{index}.jpg')


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """Two losses; for some iterations, one of them may be multiplied by an odd number.

    Its gradients may go without that, as with ``GradScaler``, which passes over such steps.
    """

    def __init__(
        self, bad_from=None, bad_until=10**9, factor=float('nan'), bad_rank=None, detached=False
    ):
        super().__init__()
        self.detached = detached
        self.bad, self.factor, self.bad_rank = (bad_from, bad_until), factor, bad_rank
        self.layers = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1)
        )
        self.calls = 0

    def forward(self, inputs, y, data_samples=None, mode='loss'):
        found = self.layers(inputs)[:, 0]
        if mode != 'loss':
            return [(found - y).abs().mean()]
        self.calls += 1
        bad_from, bad_until = self.bad
        here = not torch.distributed.is_initialized() or self.bad_rank in (
            None, torch.distributed.get_rank(),
        )  # fmt: skip
        is_bad = bad_from is not None and here and bad_from <= self.calls < bad_until
        aux = (found - y).abs().mean()
        if is_bad:
            aux = (aux.detach() if self.detached else aux) * self.factor
        return {
            'decode.loss': (found - y).square().mean(), 'decode.acc': found.detach().mean(),
            'aux_0.loss_rpn_bbox': aux,
        }  # fmt: skip


@METRICS.register_module(force=True)
class ToyMetric(BaseMetric):
    """Less error is better."""

    def process(self, data_batch, data_samples):
        self.results.extend(-float(each) for each in data_samples)

    def compute_metrics(self, results):
        return dict(score=sum(results) / len(results))


def toy_config(
    work_dir, *, resume=False, by_epoch=False, max_iters=MAX_ITERS, val_interval=2, **changes
):
    """Saves every second iteration and keeps the last and the best checkpoint."""
    def loader(sampler):
        return dict(
            batch_size=4, num_workers=0, dataset=dict(type='ToyPoints'), sampler=sampler,
            collate_fn=dict(type='default_collate'),
        )  # fmt: skip

    every = 1 if by_epoch else 2
    loop = dict(by_epoch=True, max_epochs=2, val_interval=1)
    checkpoint = dict(
        type='mmomni.SafeCheckpointHook', interval=every, by_epoch=by_epoch, max_keep_ckpts=1,
        save_best='score', rule='greater',
    ) | changes.pop('checkpoint', {})  # fmt: skip
    sampler = 'DefaultSampler' if by_epoch else 'mmomni.ReproducibleSampler'
    return Config(
        dict(
            work_dir=str(work_dir), resume=resume, randomness=dict(seed=0), log_level='WARNING',
            model=changes.pop('model', dict(type='ToyModel')),
            train_dataloader=loader(dict(type=sampler, shuffle=True)),
            val_dataloader=loader(dict(type='DefaultSampler', shuffle=False)),
            train_cfg=loop if by_epoch else dict(
                type='IterBasedTrainLoop', max_iters=max_iters, val_interval=val_interval
            ),
            val_cfg={}, val_evaluator=dict(type='ToyMetric'),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-2)),
            param_scheduler=dict(type='PolyLR', by_epoch=False, end=max_iters),
            default_hooks=dict(logger=dict(type='LoggerHook', interval=1), checkpoint=checkpoint),
            custom_hooks=changes.pop('custom_hooks', [
                dict(type='mmomni.StepSeedHook'), dict(type='mmomni.ResumedValidationHook'),
                dict(type='mmomni.FiniteLossHook'),
            ]),
            log_processor=dict(by_epoch=by_epoch), default_scope='mmseg', **changes,
        )
    )  # fmt: skip


def toy_runner(work_dir, **changes):
    cfg = toy_config(work_dir, **changes)
    cfg.experiment_name = f'{work_dir}-{toy_runner.count}'  # message hubs are found by name
    toy_runner.count += 1
    return Runner.from_cfg(cfg)


toy_runner.count = 0
