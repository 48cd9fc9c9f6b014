# TIFDM (Dong et al., 2024), its localiser as the public code has it: ResNet-50 with the weights of
# ImageNet.
_base_ = './_base_/paper.py'

paper_row = 'TIFDM'
checkpoint = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.RGBPlanes',
        backbone=dict(
            type='ResNet', depth=50, norm_cfg=_base_.norm_cfg,
            init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        ),
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.TIFDMHead', in_channels=[256, 512, 1024, 2048], in_index=[0, 1, 2, 3],
        num_classes=2, out_channels=2, dropout_ratio=0, norm_cfg=_base_.norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
