# IML-ViT in miniature, from scratch: no package holds weights of a small Masked Autoencoder.
_base_ = '../_base_/lite.py'

channels = 192
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.WindowedViT', image_side=192, channels=channels, num_heads=3, depth=8,
        global_blocks=[1, 3, 5, 7], window=6,
    ),
    neck=dict(
        _delete_=True, type='mmomni.SimpleFeaturePyramid', in_channels=channels, out_channels=64
    ),
    decode_head=dict(
        _delete_=True,
        type='FCNHead', in_channels=[64] * 5, in_index=[0, 1, 2, 3, 4],
        input_transform='resize_concat', channels=64, num_convs=1, kernel_size=1,
        concat_input=False, dropout_ratio=0.5, num_classes=2, out_channels=2,
        norm_cfg=_base_.norm_cfg, act_cfg=None,
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='mmomni.EdgeCrossEntropy', width=7, loss_weight=20.0),
        ],
    ),
)
