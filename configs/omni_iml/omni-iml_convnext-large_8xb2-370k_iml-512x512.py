_base_ = './omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = 'ConvNeXt-Large'
checkpoint = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/convnext/'
    'upernet_convnext_large_fp16_640x640_160k_ade20k/'
    'upernet_convnext_large_fp16_640x640_160k_ade20k_20220226_040532-e57aa54d.pth'
)
c1, c2, c3, c4 = 192, 384, 768, 1536
box_supervision_head = _base_.box_supervision_head
box_supervision_head['fpns'][0]['in_channels'] = [c2, c3]
model = dict(
    backbone=dict(
        backbone=dict(
            arch='large', drop_path_rate=0.4, init_cfg=dict(checkpoint=checkpoint)
        )
    ),
    neck=dict(in_channels=[c2, c3]),
    decode_head=dict(in_channels=[c1, c2, c3, c4]),
    auxiliary_head=[_base_.modal_gate_head, box_supervision_head],
)
