# Mesorch in miniature: of its two networks only the local one is pretrained.
_base_ = '../_base_/lite.py'

model = dict(
    backbone=dict(
        _delete_=True, type='mmomni.MesorchEncoder', local=_base_.efficientnet_lite,
        whole=dict(
            type='MixVisionTransformer', embed_dims=16, num_layers=[2, 2, 2, 2],
            num_heads=[1, 2, 5, 8],
        ),
        weighing_channels=32, **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.MesorchHead',
        in_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4, 16, 32, 80, 128],
        num_classes=2, out_channels=2,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'backbone.local': dict(lr_mult=0.3),  # pretrained
            'in_proj_bias': dict(decay_mult=0.0),
        }
    )
)
