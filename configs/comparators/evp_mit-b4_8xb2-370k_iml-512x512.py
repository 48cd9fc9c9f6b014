# EVP (Liu et al., CVPR 2023): a frozen MiT-B4 with the weights of ImageNet, prompts that learn, and
# SegFormer's head.
_base_ = './_base_/paper.py'

paper_row = 'EVP'
checkpoint = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
    'mit_b4_20220624-d588d980.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.ExplicitVisualPrompting',
        backbone=dict(
            type='MixVisionTransformer', embed_dims=64, num_layers=[3, 8, 27, 3],
            num_heads=[1, 2, 5, 8], drop_path_rate=0.1,
            init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        ),
    ),
    decode_head=dict(
        _delete_=True,
        type='SegformerHead', in_channels=[64, 128, 320, 512], in_index=[0, 1, 2, 3],
        channels=768, num_classes=2, out_channels=2, norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
# a bias by another name, without weight decay as all others
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(in_proj_bias=dict(decay_mult=0.0)))
)
