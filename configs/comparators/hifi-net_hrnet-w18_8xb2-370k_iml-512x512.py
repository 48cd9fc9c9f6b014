# HiFi-Net's localiser (Guo et al., CVPR 2023): a stem of colours and of high frequencies, an HRNet
# of four branches, attention over blocks of pixels. Not pretrained.
_base_ = './_base_/paper.py'

paper_row = 'HiFi-Net'
model = dict(
    backbone=dict(_delete_=True, type='mmomni.HiFiEncoder'),
    decode_head=dict(
        _delete_=True,
        type='mmomni.HiFiHead', in_channels=[18, 36, 72, 144], in_index=[0, 1, 2, 3], channels=64,
        num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
