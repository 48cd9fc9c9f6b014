# TruFor's localiser in miniature: a noise extractor of three convolutions
_base_ = '../_base_/lite.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.TruForEncoder', backbone=_base_.efficientnet_lite, num_heads=(1, 2, 4, 8),
        noise_depth=3, noise_channels=8, norm_cfg=_base_.norm_cfg, **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='SegformerHead', in_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4],
        in_index=[0, 1, 2, 3], channels=64, num_classes=2, out_channels=2,
        norm_cfg=_base_.norm_cfg,
        loss_decode=[
            dict(type='mmomni.WeightedCrossEntropy', class_weight=(0.5, 2.5), loss_weight=0.3),
            dict(
                type='mmomni.RegionLoss', loss_name='loss_dice', pool='sample', exponent=2,
                loss_weight=0.7,
            ),
        ],
    ),
)
