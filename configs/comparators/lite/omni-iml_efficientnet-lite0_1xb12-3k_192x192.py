# Omni-IML in miniature at the budget of the comparators beside it. As theirs, its frequency head
# starts from nothing.
_base_ = '../../lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'

max_iters = 3_000
val_interval = 500
model = dict(backbone=dict(frequency_head=dict(init_cfg=None)))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
default_hooks = dict(checkpoint=dict(interval=val_interval))
