# IML-ViT (Ma et al., 2023): ViT-Base with windows, from the weights of a Masked Autoencoder, a
# simple pyramid, one 1x1 convolution of all levels, and a loss of edges.
_base_ = './_base_/paper.py'

checkpoint = 'https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.WindowedViT', init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
    ),
    neck=dict(_delete_=True, type='mmomni.SimpleFeaturePyramid'),
    decode_head=dict(
        _delete_=True,
        type='FCNHead', in_channels=[256] * 5, in_index=[0, 1, 2, 3, 4],
        input_transform='resize_concat', channels=256, num_convs=1, kernel_size=1,
        concat_input=False, dropout_ratio=0.5, num_classes=2, out_channels=2,
        norm_cfg=_base_.norm_cfg, act_cfg=None,
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='mmomni.EdgeCrossEntropy', width=7, loss_weight=20.0),
        ],
    ),
)
