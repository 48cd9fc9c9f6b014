# Document Tampering Detector in miniature: EfficientNet-Lite0 for ConvNeXt, a narrow Swin
_base_ = '../_base_/lite.py'

channels = [24, 40, 64, 96]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmomni.DTDEncoder', backbone=_base_.efficientnet_lite,
        frequency_head=dict(
            hidden_channels=16, embed_channels=8, out_channels=64, num_blocks=1,
            norm_cfg=_base_.norm_cfg,
        ),
        depths=(2, 4, 2), channels=channels[2:], window_size=6, channels_per_head=8,
        norm_cfg=_base_.norm_cfg, **_base_.rgb_scale,
    ),
    decode_head=dict(
        _delete_=True,
        type='mmomni.DTDHead', in_channels=channels, channels=16,
        norm_cfg=_base_.norm_cfg,
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='mmomni.RegionLoss', loss_name='loss_dice'),
        ],
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(
            q_bias=dict(decay_mult=0.0), v_bias=dict(decay_mult=0.0),
            logit_scale=dict(decay_mult=0.0),
        )
    )
)
