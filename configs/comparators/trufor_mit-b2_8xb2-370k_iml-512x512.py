# TruFor's localiser (Guillaro et al., CVPR 2023): two MiT-B2 from the weights of ImageNet, of RGB
# and of noise, which correct each other. The noise stream's extractor learns with all others.
_base_ = './_base_/paper.py'

checkpoint = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
    'mit_b2_20220624-66e8bf70.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.TruForEncoder',
        backbone=dict(
            type='MixVisionTransformer', embed_dims=64, num_layers=[3, 4, 6, 3],
            num_heads=[1, 2, 5, 8], drop_path_rate=0.1,
            init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        ),
        norm_cfg=_base_.norm_cfg,
    ),
    decode_head=dict(
        _delete_=True,
        type='SegformerHead', in_channels=[64, 128, 320, 512], in_index=[0, 1, 2, 3],
        channels=512, num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=[
            dict(type='mmomni.WeightedCrossEntropy', class_weight=(0.5, 2.5), loss_weight=0.3),
            dict(
                type='mmomni.RegionLoss', loss_name='loss_dice', pool='sample', exponent=2,
                loss_weight=0.7,
            ),
        ],
    ),
)
# a bias by another name, without weight decay as all others
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(in_proj_bias=dict(decay_mult=0.0)))
)
