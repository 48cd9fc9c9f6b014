# CAT-Net v2 (Kwon et al., IJCV 2022): HRNet-W48 on RGB, from the weights of ImageNet, and a stream
# of DCT coefficients, from scratch (its authors train that one on double compression before).
_base_ = './_base_/paper.py'

norm_cfg = dict(_base_.norm_cfg, momentum=0.01)
channels = [24, 48, 96, 192]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.CATNet',
        backbone=dict(
            type='HRNet', norm_cfg=norm_cfg,
            extra=dict(
                stage1=dict(
                    num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(4,),
                    num_channels=(64,),
                ),
                stage2=dict(
                    num_modules=1, num_branches=2, block='BASIC', num_blocks=(4, 4),
                    num_channels=(48, 96),
                ),
                stage3=dict(
                    num_modules=4, num_branches=3, block='BASIC', num_blocks=(4, 4, 4),
                    num_channels=(48, 96, 192),
                ),
                stage4=dict(
                    num_modules=3, num_branches=4, block='BASIC', num_blocks=(4, 4, 4, 4),
                    num_channels=(48, 96, 192, 384),
                ),
            ),
            init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w48'),
        ),
        dct_stream=dict(norm_cfg=norm_cfg),
        channels=channels,
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        _delete_=True,
        type='FCNHead', in_channels=channels, in_index=[0, 1, 2, 3],
        input_transform='resize_concat', channels=sum(channels), kernel_size=1, num_convs=1,
        concat_input=False, dropout_ratio=0.0, num_classes=2, out_channels=2, norm_cfg=norm_cfg,
        init_cfg=None,
        loss_decode=dict(type='mmomni.WeightedCrossEntropy', class_weight=[0.5, 2.5]),
    ),
)
