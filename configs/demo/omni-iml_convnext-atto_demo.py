# The whole method on ConvNeXt from scratch, small enough for two CPU cores and a few minutes.
_base_ = [
    '../_base_/models/omni-iml_convnext.py',
    '../_base_/datasets/test_pipelines.py',
    '../_base_/default_runtime.py',
]

data_root = 'work_dirs/demo/data/'
domains = ['natural', 'document', 'face']
crop_size = (256, 256)
max_iters = 150
c1, c2, c3, c4 = 40, 80, 160, 320
channels = 64

box_supervision_head = _base_.box_supervision_head
box_supervision_head['fpns'][0].update(in_channels=[c2, c3], out_channels=channels)
box_supervision_head['fpns'][1].update(in_channels=[channels] * 5, out_channels=channels)
box_supervision_head['rpn_head'].update(in_channels=channels, feat_channels=channels)
box_supervision_head['roi_head']['bbox_roi_extractor'].update(out_channels=channels)
box_supervision_head['roi_head']['bbox_head'].update(in_channels=channels, fc_out_channels=128)
box_supervision_head['roi_head']['train_cfg']['sampler'].update(num=16)
box_supervision_head['proposal_cfg'].update(nms_pre=200, max_per_img=50)

norm_cfg = dict(type='BN')
sync_bn = None
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(
        backbone=dict(arch='atto', drop_path_rate=0.0, layer_scale_init_value=1.0),
        frequency_head=dict(
            hidden_channels=16, embed_channels=8, out_channels=64, num_blocks=1, norm_cfg=norm_cfg
        ),
        aux_channels=32,
    ),
    neck=dict(in_channels=[c2, c3], num_queries=16, num_heads=4),
    decode_head=dict(in_channels=[c1, c2, c3, c4], channels=channels, coarse_channels=16),
    auxiliary_head=[_base_.modal_gate_head, box_supervision_head],
    test_cfg=dict(_delete_=True, mode='whole'),
)

train_pipeline = [
    dict(type='mmomni.LoadOriginalImage'),
    dict(type='mmomni.LoadManipulationMask'),
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.AlignedRandomCrop', crop_size=crop_size),
    dict(type='mmomni.MaskToBoxes'),
    dict(type='mmomni.PackManipulationInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='mmomni.ReproducibleSampler', shuffle=True),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain,
                data_root=data_root + 'train/' + domain, pipeline=train_pipeline,
            )
            for domain in domains
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
            dict(
                type='mmomni.ManipulationDataset', domain=domain,
                data_root=data_root + 'test/' + domain, pipeline=_base_.test_pipeline,
                test_mode=True,
            )
            for domain in domains
        ],
    ),
)
test_evaluator = [dict(type='mmomni.ManipulationMetric'), dict(type='mmomni.GateReport')]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    # RPN and RoI head have no norm layers: such a learning rate is too high for them.
    paramwise_cfg=dict(custom_keys={'auxiliary_head': dict(lr_mult=0.1)}),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='PolyLR', power=1.0, eta_min=1e-5, by_epoch=False, begin=20, end=max_iters),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=50, max_keep_ckpts=1)
)
custom_hooks = [*_base_.custom_hooks, dict(type='mmomni.GalleryHook')]
