# Weights to use before the long training of the larger network ends.
_base_ = './omni-iml_efficientnet-lite2_1xb12-40k_192x192.py'

# --cfg-options load_from=... for an earlier one
load_from = 'work_dirs/omni-iml_efficientnet-lite2_1xb12-40k_192x192/iter_40000.pth'
max_iters = 1_000
warmup_iters = 50

model = dict(
    backbone=dict(
        backbone=dict(init_cfg=None),  # load_from has them all
        frequency_head=dict(init_cfg=None),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup_iters),
    dict(_base_.param_scheduler[1], eta_min=0.0, begin=warmup_iters, end=max_iters),
]
train_cfg = dict(max_iters=max_iters)
