# APSC-Net (Qu et al., CVPR 2024): ConvNeXt-Base on RGB alone, from the weights of ADE20K, and its
# decoder of three rounds, all of which its loss of hard pixels is of.
_base_ = './_base_/paper.py'

paper_row = 'APSC-Net'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.RGBPlanes',
        backbone=dict(
            type='mmomni.ConvNeXt', arch='base', drop_path_rate=0.4, layer_scale_init_value=1.0,
            init_cfg=dict(type='Pretrained', checkpoint=_base_.checkpoint),
        ),
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.APSCHead', in_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4],
        channels=512, norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='mmomni.HardPixelCrossEntropy'),
    ),
)
