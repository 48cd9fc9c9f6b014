# Omni-IML with ConvNeXt-Base. Other sizes change `arch` and the channels that follow from it.
c1, c2, c3, c4 = 128, 256, 512, 1024
norm_cfg = dict(type='BN')  # becomes SyncBN in distributed training, see `sync_bn`
sync_bn = 'torch'

data_preprocessor = dict(
    type='SegDataPreProcessor',
    # no mean and std: the encoder normalises R, G, B; |q| and quantisation steps stay integers
    pad_val=0,
    seg_pad_val=255,
    size=(512, 512),
    test_cfg=dict(size_divisor=32),
)

# Heads of training only. An ablation without box supervision is
#   model = dict(neck=None, auxiliary_head=[_base_.modal_gate_head])
modal_gate_head = dict(type='mmomni.ModalGateHead')

# The head of the baseline and of the ablation without the Dynamic Weight Decoder, initialised as
# the decoder is
upernet_head = dict(
    type='UPerHead',
    in_channels=[c1, c2, c3, c4],
    in_index=[0, 1, 2, 3],
    pool_scales=(1, 2, 3, 6),
    channels=512,
    num_classes=2,
    out_channels=2,
    norm_cfg=norm_cfg,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    init_cfg=None,
)

box_channels = 256
box_strides = [8, 16, 32, 64, 128]
# Without a norm in the pyramids, which Fa and Fb enter unbounded, the box losses run away (into the
# thousands within 300 iterations of AdamW) and drown all others. GN: the top level is a few pixels.
box_norm_cfg = dict(type='GN', num_groups=32)
delta_coder = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4)
box_supervision_head = dict(
    type='mmomni.BoxSupervisionHead',
    in_index=(7, 8),
    fpns=[
        dict(
            type='mmdet.FPN', in_channels=[c2, c3], out_channels=box_channels,
            num_outs=len(box_strides), norm_cfg=box_norm_cfg,
        ),
        dict(
            type='mmdet.FPN', in_channels=[box_channels] * len(box_strides),
            out_channels=box_channels, num_outs=len(box_strides), norm_cfg=box_norm_cfg,
        ),
    ],
    rpn_head=dict(
        type='mmdet.RPNHead',
        _scope_='mmdet',
        in_channels=box_channels,
        feat_channels=box_channels,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[2, 4], ratios=[0.5, 1.0, 2.0], strides=box_strides
        ),
        bbox_coder=dict(**delta_coder, target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0),
        train_cfg=dict(
            assigner=dict(
                # min_pos_iou: the best anchor of a word of 4 px overlaps it by 6 %
                type='MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.01,
                match_low_quality=True, ignore_iof_thr=-1,
            ),
            sampler=dict(
                type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1,
                add_gt_as_proposals=False,
            ),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
    ),
    roi_head=dict(
        type='mmdet.StandardRoIHead',
        _scope_='mmdet',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=box_channels,
            featmap_strides=box_strides[:4],
            finest_scale=112,  # the finest level has stride 8, twice mmdet's usual 4
        ),
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=box_channels,
            fc_out_channels=1024,
            roi_feat_size=7,
            num_classes=1,
            bbox_coder=dict(**delta_coder, target_stds=[0.1, 0.1, 0.2, 0.2]),
            reg_class_agnostic=False,
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type='L1Loss', loss_weight=1.0),
        ),
        train_cfg=dict(
            assigner=dict(
                type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5,
                match_low_quality=False, ignore_iof_thr=-1,
            ),
            sampler=dict(
                type='RandomSampler', num=512, pos_fraction=0.25, neg_pos_ub=-1,
                add_gt_as_proposals=True,
            ),
            pos_weight=-1,
            debug=False,
        ),
    ),
    proposal_cfg=dict(
        nms_pre=2000, max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0
    ),
)

model = dict(
    type='EncoderDecoder',
    _scope_='mmseg',  # for configs elsewhere with _base_ = 'mmomni::...'
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='mmomni.ModalGateEncoder',
        backbone=dict(type='mmomni.ConvNeXt', arch='base', drop_path_rate=0.4),
        norm_cfg=norm_cfg,
    ),
    neck=dict(type='mmomni.AnomalyEnhancement', in_channels=[c2, c3], norm_cfg=norm_cfg),
    decode_head=dict(
        type='mmomni.DynamicWeightDecoder', in_channels=[c1, c2, c3, c4], channels=512,
        norm_cfg=norm_cfg,
    ),
    auxiliary_head=[modal_gate_head, box_supervision_head],
    # Large images pass in overlapping windows; crop and stride are multiples of the 8x8 blocks.
    test_cfg=dict(mode='slide', crop_size=(1024, 1024), stride=(768, 768)),
)
