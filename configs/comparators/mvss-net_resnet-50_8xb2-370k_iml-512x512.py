# MVSS-Net (Chen et al., ICCV 2021): two ResNet-50 from the weights of ImageNet, of RGB and of
# noise, dual attention over both, and edges as a second target.
_base_ = './_base_/paper.py'

checkpoint = 'https://download.pytorch.org/models/resnet50-19c8e357.pth'
dice = dict(type='mmomni.RegionLoss', pool='sample', exponent=2)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.MVSSEncoder',
        backbone=dict(
            # the last stage keeps its size
            type='ResNet', depth=50, strides=(1, 2, 2, 1), multi_grid=(1, 2, 4),
            norm_cfg=_base_.norm_cfg,
            init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        ),
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.MVSSHead', in_channels=4096, in_index=4, channels=1024, pam_channels=128,
        num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=[
            dict(**dice, loss_name='loss_dice', loss_weight=0.16),
            dict(type='mmomni.ImageLevelLoss', loss_weight=0.04),
        ],
    ),
    auxiliary_head=[dict(
        type='mmomni.EdgeHead', in_channels=[256, 512, 1024, 2048],
        loss_decode=dict(**dice, loss_name='loss_edge', loss_weight=0.8),
    )],
)
