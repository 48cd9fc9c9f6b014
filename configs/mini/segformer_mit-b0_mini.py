# Any model of mmseg on the RGB planes, with the same data and budget: here SegFormer-B0.
_base_ = './omni-iml_convnext-atto_mini.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.RGBPlanes',
        backbone=dict(
            type='MixVisionTransformer', embed_dims=32, num_layers=[2, 2, 2, 2],
            num_heads=[1, 2, 5, 8],
        ),
    ),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='SegformerHead', in_channels=[32, 64, 160, 256], in_index=[0, 1, 2, 3],
        channels=_base_.channels, num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    auxiliary_head=None,
)
