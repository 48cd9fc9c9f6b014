# CAT-Net v2 in miniature: EfficientNet-Lite0 for HRNet
_base_ = '../_base_/lite.py'

channels = [16, 16, 32, 64]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.CATNet', backbone=_base_.efficientnet_lite,
        backbone_channels=[_base_.c1, _base_.c2, _base_.c3, _base_.c4],
        dct_stream=dict(
            hidden_channels=16, channels=(32, 48, 64), num_modules=(1, 1), num_blocks=1,
            norm_cfg=_base_.norm_cfg,
        ),
        channels=channels, num_blocks=1, norm_cfg=_base_.norm_cfg,
        **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='FCNHead', in_channels=channels, in_index=[0, 1, 2, 3],
        input_transform='resize_concat', channels=sum(channels), kernel_size=1, num_convs=1,
        concat_input=False, dropout_ratio=0.0, num_classes=2, out_channels=2,
        norm_cfg=_base_.norm_cfg, init_cfg=None,
        loss_decode=dict(type='mmomni.WeightedCrossEntropy', class_weight=[0.5, 2.5]),
    ),
)
