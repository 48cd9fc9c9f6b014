# The released weights go on with forgeries of a kind of their own, for a few minutes on two CPU
# cores (`make demo`). Fine-tuning that is to be of use: omni-iml_efficientnet-lite2_finetune.py.
_base_ = './omni-iml_efficientnet-lite2_finetune.py'

data_root = 'work_dirs/demo/data/'
domains = ['natural', 'document', 'face']
max_iters = 100

train_pipeline = [*_base_.load, *_base_.kept_history, *_base_.pack]
train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmomni.ReproducibleSampler', shuffle=True),
    dataset=dict(
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain,
                data_root=data_root + 'train/' + domain, pipeline=train_pipeline,
            )
            for domain in domains
        ]
    ),
)
test_dataloader = dict(
    dataset=dict(
        pipeline=_base_.single_image_pipeline,
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain,
                data_root=data_root + 'test/' + domain, pipeline=_base_.test_pipeline,
                test_mode=True,
            )
            for domain in domains
        ],
    )
)
val_dataloader = val_evaluator = val_cfg = None  # tested before and after
test_evaluator = [dict(type='mmomni.ManipulationMetric'), dict(type='mmomni.GateReport')]

optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters),
]
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=max_iters)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=25, save_best=None))
of_validation = ('EarlyStoppingHook', 'mmomni.ResumedValidationHook', 'mmomni.TimeLimitHook')
custom_hooks = [
    *(hook for hook in _base_.custom_hooks if hook['type'] not in of_validation),
    dict(type='mmomni.GalleryHook'),
]
