# EVP in miniature: the frozen backbone is prompted once a stage, behind its last block.
_base_ = '../_base_/lite.py'

model = dict(
    backbone=dict(
        _delete_=True, type='mmomni.ExplicitVisualPrompting', backbone=_base_.efficientnet_lite,
        **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='SegformerHead', in_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4],
        in_index=[0, 1, 2, 3], channels=128, num_classes=2, out_channels=2,
        norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
