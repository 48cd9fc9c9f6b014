# First of all, the frequency head alone learns to tell single from double compression, on regions
# of authentic images that get another history as they are loaded: ten minutes on one CPU core.
# The models here start from it.
_base_ = './omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'

max_iters = 3_000

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.FrequencyPlanes',
        frequency_head=dict(_base_.frequency_head, init_cfg=None),
    ),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=64,
        in_index=0,
        channels=32,
        num_convs=1,
        num_classes=2,
        out_channels=2,
        norm_cfg=_base_.norm_cfg,
        loss_decode=_base_.loss_decode,
    ),
    auxiliary_head=None,
)
train_dataloader = dict(sampler=dict(weights=dict(_delete_=True, history=1)))
val_dataloader = None
val_evaluator = None
val_cfg = None
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters),
]
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=max_iters)
default_hooks = dict(checkpoint=dict(save_best=None))
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(_delete_=True, table_embedding=dict(decay_mult=0.0))
    )
)
