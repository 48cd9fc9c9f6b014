# The released weights go on with somebody's own forgeries (docs/finetuning.md): half of each batch
# are others, which the model knows. `mmomni finetune` fills in the lists, the number of iterations
# and the time; by hand:
#   mmomni train mmomni::finetune/omni-iml_efficientnet-lite2_finetune.py --cfg-options
#     train_dataloader.dataset.datasets.0.ann_file=own_train.txt
#     train_dataloader.dataset.datasets.1.ann_file=known_train.txt
#     val_dataloader.dataset.datasets.0.ann_file=own_val.txt
#     val_dataloader.dataset.datasets.1.ann_file=known_val.txt
_base_ = '../lite/omni-iml_efficientnet-lite2_1xb12-40k_192x192.py'

# --cfg-options load_from=... for other ones
load_from = 'mmomni/weights/omni-iml_efficientnet-lite2-3f06ea85.safetensors'
max_iters = 400
warmup_iters = 20
val_interval = 40
best = 'selection/domains/own/IoU'

# The boxes' heads are not in published weights, and drawn anew they would disturb the others.
modal_gate_head = _base_.model.auxiliary_head[0]
model = dict(
    backbone=dict(
        backbone=dict(init_cfg=None),  # load_from has them all
        frequency_head=dict(init_cfg=None),
    ),
    auxiliary_head=[modal_gate_head],
)
train_dataloader = dict(
    sampler=dict(
        _delete_=True, type='mmomni.DomainBalancedSampler', weights=dict(own=1, general=1)
    ),
    dataset=dict(
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain, name=name, data_root='',
                ann_file=f'{name}_train.txt', pipeline=_base_.train_pipeline,
            )
            for domain, name in (('own', 'own'), ('general', 'known'))
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain, name=name, data_root='',
                ann_file=f'{name}_val.txt', pipeline=_base_.test_pipeline, test_mode=True,
            )
            for domain, name in (('own', 'own'), ('general', 'known'))
        ]
    )
)
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup_iters),
    dict(_base_.param_scheduler[1], eta_min=0.0, begin=warmup_iters, end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=val_interval, max_keep_ckpts=1, save_best=best, rule='greater'),
)
custom_hooks = [
    dict(type='mmomni.TimeLimitHook', minutes=25),
    dict(type='mmomni.FrozenStatisticsHook'),  # else it forgets more and learns less
    *(
        dict(hook, first=True) if hook['type'] == 'mmomni.ResumedValidationHook' else hook
        for hook in _base_.custom_hooks
    ),
    dict(
        type='EarlyStoppingHook', monitor=best, rule='greater', min_delta=0.001, patience=4
    ),
]
