# TIFDM in miniature
_base_ = '../_base_/lite.py'

model = dict(
    backbone=dict(
        _delete_=True, type='mmomni.RGBPlanes', backbone=_base_.efficientnet_lite,
        **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.TIFDMHead', in_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4],
        in_index=[0, 1, 2, 3], channels=32, num_classes=2, out_channels=2, dropout_ratio=0,
        norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
