# What the training with pasted parts ends with: a rate that falls to nothing, more images that
# nobody forged, and real forgeries most of which keep the history of their file.
_base_ = './pasted_efficientnet-lite2_1xb12-12k_192x192.py'

# --cfg-options load_from=... for another one
load_from = 'work_dirs/pasted_efficientnet-lite2_1xb12-12k_192x192/iter_1500.pth'
max_iters = 2_400
warmup_iters = 60
mixture = dict(
    natural=0.15, document=0.19, face=0.06, real=0.22, authentic=0.16, history=0.04, sensor=0.06,
    pasted=0.12,
)
histories_of_real = dict(kept=0.65, new=0.15, none=0.2)

real_pipeline = [
    *_base_.load,
    dict(
        type='RandomChoice', prob=list(histories_of_real.values()),
        transforms=[_base_.kept_history, _base_.new_history, _base_.no_history],
    ),
    *_base_.pack,
]
train_dataloader = dict(
    sampler=dict(weights=mixture),
    dataset=dict(
        datasets=[
            dict(each, pipeline=real_pipeline) if each['domain'] == 'real' else each
            for each in _base_.train_dataloader.dataset.datasets
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup_iters),
    dict(_base_.param_scheduler[1], end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=400)
default_hooks = dict(checkpoint=dict(interval=400))
