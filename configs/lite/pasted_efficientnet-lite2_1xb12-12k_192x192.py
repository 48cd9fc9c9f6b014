# The released weights go on where forgeries made by people no longer rise: with forgeries made anew
# in each iteration, of real cameras and histories, and more images that never were JPEGs.
_base_ = './omni-iml_efficientnet-lite2_1xb12-40k_192x192.py'

# --cfg-options load_from=... for other ones
load_from = 'mmomni/weights/omni-iml_efficientnet-lite2-3f06ea85.safetensors'
max_iters = 12_000
warmup_iters = 100
mixture = dict(
    natural=0.18, document=0.25, face=0.06, real=0.12, authentic=0.12, history=0.05, sensor=0.10,
    pasted=0.12,
)
histories = dict(kept=0.375, new=0.25, none=0.375)

model = dict(
    backbone=dict(
        backbone=dict(init_cfg=None),  # load_from has them all
        frequency_head=dict(init_cfg=None),
    ),
)
train_pipeline = [
    *_base_.load,
    dict(
        type='RandomChoice', prob=list(histories.values()),
        transforms=[_base_.kept_history, _base_.new_history, _base_.no_history],
    ),
    *_base_.pack,
]
train_dataloader = dict(
    sampler=dict(weights=mixture),
    dataset=dict(
        datasets=[
            *(
                dict(each, pipeline=train_pipeline)
                for each in _base_.train_dataloader.dataset.datasets[:-2]
            ),
            *_base_.train_dataloader.dataset.datasets[-2:],  # history and sensor
            dict(
                _base_.train_dataloader.dataset.datasets[-1],
                domain='pasted',
                name='pasted',
                pipeline=[
                    *_base_.load,
                    dict(
                        type='mmomni.FreeRandomCrop',
                        crop_size=tuple(2 * side for side in _base_.crop_size),
                    ),
                    dict(
                        type='mmomni.RandomPaste', ann_file='authentic_train.txt',
                        data_root=_base_.data_root,
                    ),
                    dict(type='mmomni.FreeRandomCrop', **_base_.crop),
                    dict(type='RandomFlip', prob=0.5),
                    dict(
                        type='RandomChoice', prob=[0.4, 0.6],
                        transforms=[_base_.save_again, _base_.save_lossless],
                    ),
                    dict(type='mmomni.ExtractDCT'),
                    *_base_.pack,
                ],
            ),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup_iters),
    dict(_base_.param_scheduler[1], eta_min=0.0, begin=warmup_iters, end=max_iters),
]
train_cfg = dict(max_iters=max_iters)
