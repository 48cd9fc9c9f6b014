# APSC-Net in miniature
_base_ = '../_base_/lite.py'

model = dict(
    backbone=dict(
        _delete_=True, type='mmomni.RGBPlanes', backbone=_base_.efficientnet_lite,
        **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.APSCHead', in_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4],
        channels=64, low_channels=(32, 16), map_channels=(8, 16, 32, 64, 64),
        dilations=(1, 4, 8, 12), norm_cfg=_base_.norm_cfg,
        # of 442,368 pixels as many as of the paper's 524,288
        loss_decode=dict(type='mmomni.HardPixelCrossEntropy', min_kept=84_000),
    ),
)
