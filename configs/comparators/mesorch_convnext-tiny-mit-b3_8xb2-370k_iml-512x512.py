# Mesorch (Zhu et al., AAAI 2025): ConvNeXt-Tiny and MiT-B3, both with the weights of ImageNet.
_base_ = './_base_/paper.py'

convnext = (
    'https://download.openmmlab.com/mmclassification/v0/convnext/downstream/'
    'convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth'
)
mit = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
    'mit_b3_20220624-13b1141c.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.MesorchEncoder',
        local=dict(
            type='mmomni.ConvNeXt', arch='tiny',
            init_cfg=dict(type='Pretrained', checkpoint=convnext),
        ),
        whole=dict(
            type='MixVisionTransformer', embed_dims=64, num_layers=[3, 4, 18, 3],
            num_heads=[1, 2, 5, 8], drop_path_rate=0.1,
            init_cfg=dict(type='Pretrained', checkpoint=mit),
        ),
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.MesorchHead', in_channels=[96, 192, 384, 768, 64, 128, 320, 512],
        num_classes=2, out_channels=2,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
# a bias by another name, without weight decay as all others
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(in_proj_bias=dict(decay_mult=0.0)))
)
