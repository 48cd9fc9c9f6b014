# Document Tampering Detector (Qu et al., CVPR 2023), whole: two stages of ConvNeXt-Small, the
# frequency perception head, three stages of Swin V2-Small and the multi-view iterative decoder.
# ConvNeXt starts from the weights of ADE20K; Swin from scratch unless backbone.swin_init_cfg names
# weights of mmpretrain's SwinTransformerV2 (swinv2-small-w8_*).
_base_ = './_base_/paper.py'

paper_row = 'DTD'
checkpoint = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/convnext/'
    'upernet_convnext_small_fp16_512x512_160k_ade20k/'
    'upernet_convnext_small_fp16_512x512_160k_ade20k_20220227_131208-1b1e394f.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.DTDEncoder',
        backbone=dict(
            type='mmomni.ConvNeXt', arch='small', drop_path_rate=0.4,
            init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        ),
        norm_cfg=_base_.norm_cfg,
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.DTDHead', in_channels=[96, 192, 384, 768], channels=64,
        norm_cfg=_base_.norm_cfg,
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='mmomni.RegionLoss', loss_name='loss_dice'),
        ],
    ),
)
# biases and a temperature by other names, without weight decay as all others
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(
            q_bias=dict(decay_mult=0.0), v_bias=dict(decay_mult=0.0),
            logit_scale=dict(decay_mult=0.0),
        )
    )
)
