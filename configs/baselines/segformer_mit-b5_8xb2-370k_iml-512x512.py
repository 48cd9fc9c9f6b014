# Any model of mmseg on the RGB planes, with the data and recipe of Omni-IML: here SegFormer-B5.
_base_ = '../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = None  # of other models
checkpoint = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
    'mit_b5_20220624-658746d9.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.RGBPlanes',
        backbone=dict(
            type='MixVisionTransformer', embed_dims=64, num_layers=[3, 6, 40, 3],
            num_heads=[1, 2, 5, 8], init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        ),
    ),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='SegformerHead', in_channels=[64, 128, 320, 512], in_index=[0, 1, 2, 3],
        channels=256, num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    auxiliary_head=None,
)
# a bias by another name, without weight decay as all others
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(in_proj_bias=dict(decay_mult=0.0)))
)
