# HiFi-Net's localiser in miniature, from scratch as in the paper's size: logits at stride 4
_base_ = '../_base_/lite.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.HiFiEncoder', blocks=1, first_channels=16, strides=(2, 2),
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.HiFiHead', in_channels=[18, 36, 72, 144], in_index=[0, 1, 2, 3], channels=24,
        num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
