# MVSS-Net in miniature: the last two levels are joined, because the last one goes on to stride 32
_base_ = '../_base_/lite.py'

dice = dict(type='mmomni.RegionLoss', pool='sample', exponent=2)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.MVSSEncoder', backbone=_base_.efficientnet_lite, last=2, **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.MVSSHead', in_channels=2 * (_base_.c3 + _base_.c4), in_index=4, channels=64,
        pam_channels=8, num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=[
            dict(**dice, loss_name='loss_dice', loss_weight=0.16),
            dict(type='mmomni.ImageLevelLoss', loss_weight=0.04),
        ],
    ),
    auxiliary_head=[dict(
        type='mmomni.EdgeHead', in_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4],
        loss_decode=dict(**dice, loss_name='loss_edge', loss_weight=0.8),
    )],
)
# the scales of both attentions, which begin at 0
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(gamma=dict(decay_mult=0.0))))
